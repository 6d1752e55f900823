"""Whom does «Фамилия И.О.» name? One person with the repairs that reading took, or the reason why there is none.

The written forms are the grammar of `nameforms`, the words and characters stand in `namewords`, the refusals in `namefaults`. It
reads tolerantly where only one meaning is possible and never guesses: a wrong name is worse than a second letter. It must not know
who sent the letter, and no dictionary of surnames may gate a name (letters.md, section 3).

Repairs, in the order in which they are recorded. A test reads every example below:

    invisible       Ива<zero width space>нов И.И.   -> Иванов И.И.
    spacing         Иванов<no-break space>И.И.      -> Иванов И.И.
    quotes          «Иванов И.И.»; "'Иванов И.И.'"  -> Иванов И.И.
    punctuation     Иванов И.И.,; Иванов И.И..      -> Иванов И.И.
    dash            Мамин – Сибиряк Д.Н.            -> Мамин-Сибиряк Д.Н.
    lookalike       Ивaнов A.A.                     -> Иванов А.А.         Latin a, A
    latin-initials  Иванов P.A.                     -> Иванов Р.А.         P as in Pavel? The default rules hold it
    initials-first  А.А. Пришва                     -> Пришва А.А.
    full-name       Александр Андреевич Пришва      -> Пришва А.А.
    initials        Пришва АА; Пришва А А           -> Пришва А.А.
    initials        Пришва А,А,; Пришва А.А         -> Пришва А.А.
    case            ПРИШВА А.А.; пришва а.а.        -> Пришва А.А.
    spacing         А.А.Пришва; ПришваА.А.          -> Пришва А.А.
    spacing         Алиев И.Г.оглы                  -> Алиев И.Г. оглы

Reasons, in the order in which they are asked for; the first that holds is given:

    undecodable         Ив<replacement character>нов И.И.          bytes without readable characters
    name-placeholder    Фамилия И.О.; «ФАМИЛИЯ ИО»; И.О. Фамилия   the form's own example
    name-missing        «»; .
    several-names       Иванов И.И., Петров П.П.; Иванов И. и Петров П.; Иванов И.И., П.П.; Иванов, Петров П.П.
    name-ambiguous      ИВАНОВ ЯН; Ван Ли К.; Иванов Иван Сидоров  a written form, two meanings (`nameforms`)
    text-after-name     Иванов И.И., главный врач; Иванов И.И. (бухгалтер); Иванов И.И. тел. 12-34
    name-not-cyrillic   Ivanov I.I.; Иванов I.I.; COBA A.A.        a letter of another script, and its place
    name-malformed      Иван0в И.И.; Іванов И.И.                   a character no name holds, and its place
    surname-missing     И.И.; И. И.; ИИ; Р.-М.И.
    initials-missing    Иванов; фон Визин; Мамин-Сибиряк
    name-ambiguous      Иванов Иван; Иван Иванов                   two words
    name-malformed      Иванов И.И.И.; для Иванова И.И.; Иванов, И.И.; Пришва--Сибиряк А.А.; ИвановПетров И.И.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mailer.core import namecase, nameforms
from mailer.core.nameforms import Misfit, Shape
from mailer.core.namewords import DASHES, LETTER, TRANSLITERATIONS, TWINS, folded, quoted_again, tidied, unique
from mailer.model import Form, Mistake, PersonName, Reason, Repair

LONGEST_NAME: Final = 160  # characters, tidied (letters.md, section 1)

_FOLDS: Final = TWINS | DASHES
_LATIN: Final = re.compile("[A-Za-z]")
_CYRILLIC: Final = re.compile(LETTER)
_OTHER_DASH: Final = re.compile("[\u2010-\u2015\u2212]| -|- ")
_TRAILING: Final = re.compile(r"(?:(?<=(?<![^\W\d_])[^\W\d_])[.,])?+(?P<extra>[.,;! ]+)$")
_NOT_A_LETTER: Final = re.compile(r"[\W\d_]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class NameReading:
    """A person or a reason, never both. `mistake` is placed in the name as written (tidied), counted from 1."""

    person: PersonName | None = None
    reason: Reason | None = None
    mistake: Mistake | None = None
    surname_hint: str = ""  # the surname of a refused name, where it is readable
    repairs: tuple[Repair, ...] = ()


def read(written: str, form: Form) -> NameReading:
    """Read one name from the text after the separator. Any text gives a person or a reason; nothing raises.

    Source: letters.md, section 3. Of a text above `LONGEST_NAME` nothing is read.
    """
    repairs: list[Repair] = []
    text = tidied(written, repairs) if len(written) <= 2 * LONGEST_NAME else written
    if len(text) > LONGEST_NAME:
        return NameReading(reason=Reason.NAME_MALFORMED, repairs=unique(repairs))
    if "\ufffd" in text:
        return NameReading(reason=Reason.UNDECODABLE, repairs=unique(repairs))
    if _compared(text) == _compared(form.placeholder) != "":
        return NameReading(reason=Reason.NAME_PLACEHOLDER, repairs=unique(repairs))
    reading = _Reader(text, repairs).reading()
    if reading.person is not None and _is_placeholder(reading.person, form.placeholder):
        return NameReading(reason=Reason.NAME_PLACEHOLDER, repairs=reading.repairs)
    return reading


def _compared(text: str) -> str:
    """Letters alone, folded: «"ФАМИЛИЯ ИО"» is the placeholder too."""
    return _NOT_A_LETTER.sub("", folded(text))


def _is_placeholder(person: PersonName, placeholder: str) -> bool:
    """Whether the person is the form's own example in another order, or the example cut short («Фамилия И.»)."""
    example = _example(placeholder)
    return example is not None and (
        folded(person.surname) == folded(example.surname) and example.initials.startswith(person.initials)
    )


@lru_cache(maxsize=8)
def _example(placeholder: str) -> PersonName | None:
    return _Reader(placeholder, []).reading().person


class _Reader:
    """One reading of one tidied text. `start` and `end` close in on the name as quotes and punctuation are taken away."""

    def __init__(self, text: str, repairs: list[Repair]) -> None:
        self._text = text
        self._folded = text.translate(_FOLDS)
        self._repairs = repairs
        self._start = 0
        self._end = len(text)

    def reading(self) -> NameReading:
        found = self._clean()
        if self._start == self._end:
            return self._refusal(Reason.NAME_MISSING)
        if isinstance(found, Shape):
            return self._accept(found)
        from mailer.core import namefaults  # noqa: PLC0415  (only a refusal needs its patterns: start-up time matters)

        fault = namefaults.fault(self._text[self._start : self._end], self._folded[self._start : self._end])
        if isinstance(found, Misfit) and fault.reason is not Reason.SEVERAL_NAMES:
            return self._refusal(found.reason)
        surname = self._folded[self._start :][slice(*fault.surname)] if fault.surname else ""
        return self._refusal(fault.reason, place=fault.place, hint=namecase.surname(surname) or "")

    def _clean(self) -> Shape | Misfit | None:
        """Take quotes and trailing punctuation away until a written form fits or nothing is left to take."""
        while True:
            inner = self._folded[self._start : self._end]
            found = nameforms.whole(inner)
            if found is not None or not (self._unquote() or self._drop_punctuation(inner)):
                return found

    def _unquote(self) -> bool:
        if not quoted_again(self._text[self._start : self._end]):
            return False
        self._repairs.append(Repair.QUOTES)
        inner = self._text[self._start + 1 : self._end - 1]
        self._start += 1 + len(inner) - len(inner.lstrip(" "))
        self._end = max(self._start, self._start + len(inner.strip(" ")))
        return True

    def _drop_punctuation(self, inner: str) -> bool:
        match = _TRAILING.search(inner)
        if match is None:
            return False
        self._repairs.append(Repair.PUNCTUATION)
        self._end = self._start + match.start("extra")
        return True

    def _accept(self, shape: Shape) -> NameReading:
        """The person, unless the surname holds no Cyrillic letter or capitals stand where none can."""
        inner, read_as = self._text[self._start : self._end], self._folded[self._start : self._end]
        written = read_as[slice(*shape.surname)]
        core_start = shape.surname[1] - len(nameforms.core(written))
        if not _CYRILLIC.search(inner, core_start, shape.surname[1]):
            return self._refusal(Reason.NAME_NOT_CYRILLIC, place=core_start)
        surname = namecase.surname(written)
        given = [read_as[slice(*span)] for span in shape.given]
        if surname is None or (shape.full and not all(map(namecase.is_even, given))):
            place = namecase.uneven_place(read_as)
            return self._refusal(Reason.NAME_MALFORMED, place=place)
        initials = "".join(map(namecase.initials_of_word, given)) if shape.full else namecase.initials(given[0])
        self._repair(shape, inner, read_as)
        self._recase(shape, written, surname, given)
        person = PersonName(surname=surname, initials=initials, suffix=shape.suffix.lower())
        if len(person.canonical) > LONGEST_NAME:
            return self._refusal(Reason.NAME_MALFORMED)
        if not shape.full and given[0].upper() != initials:
            self._repairs.insert(len(self._repairs) - (Repair.CASE in self._repairs), Repair.INITIALS)
        return NameReading(person=person, repairs=unique(self._repairs))

    def _repair(self, shape: Shape, inner: str, read_as: str) -> None:
        if _OTHER_DASH.search(inner):
            self._repairs.append(Repair.DASH)
        if _LATIN.search(inner):
            self._repairs.append(Repair.LOOKALIKE)
            if not _LATIN.search(inner, *shape.surname) and self._transliterated(shape, inner):
                self._repairs.append(Repair.LATIN_INITIALS)
        if shape.initials_first:
            self._repairs.append(Repair.INITIALS_FIRST)
        if shape.full:
            self._repairs.append(Repair.FULL_NAME)
        if self._glued(shape, read_as):
            self._repairs.append(Repair.SPACING)

    def _transliterated(self, shape: Shape, inner: str) -> bool:
        """Whether an initial, or the letter that becomes one, may be another sound: P.А. and Pавел may both be Pavel."""
        words = [inner[slice(*span)] for span in shape.given]
        return (
            not TRANSLITERATIONS.isdisjoint(word[0] for word in words) if shape.full else not TRANSLITERATIONS.isdisjoint(words[0])
        )

    def _glued(self, shape: Shape, read_as: str) -> bool:
        """No space before «оглы» (nothing or a hyphen), or between initials and the surname."""
        after_initials = shape.given[-1][1]
        if after_initials < len(read_as) and read_as[after_initials] != " ":
            return True
        return not shape.full and shape.given[0][0] == shape.surname[1]

    def _recase(self, shape: Shape, written: str, surname: str, given: list[str]) -> None:
        small = any(word[0].islower() or word.isupper() for word in given) if shape.full else given[0] != given[0].upper()
        if namecase.joined(written) != surname or small or shape.suffix != shape.suffix.lower():
            self._repairs.append(Repair.CASE)

    def _refusal(self, reason: Reason, *, place: int | None = None, hint: str = "") -> NameReading:
        mistake = None
        if place is not None:
            place += self._start
            mistake = Mistake(character=self._text[place], place=place + 1)
        return NameReading(reason=reason, mistake=mistake, surname_hint=hint, repairs=unique(self._repairs))
