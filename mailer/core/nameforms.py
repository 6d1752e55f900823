r"""In which written forms may a name stand? The grammar of letters.md, section 3, in one place.

    name          = surname " " initials [ending]                       «Пришва А.А.», «Алиев И.Г. оглы»
                  | surname initials [ending]                           «ПришваА.А.»: small letters, then two capitals with dots
                  | initials [ending] [" "] surname                     «А.А. Пришва»; the space may fall away after a dot
                  | surname " " given " " patronymic [" " suffix]       «Пришва Александр Андреевич»
                  | given " " patronymic [" " suffix] " " surname       «Александр Андреевич Пришва»
    ending        = [" " | "-"] suffix                                  «И.Г. оглы», «И.Г.оглы», «И.Г.-оглы»
    surname       = {particle " "} word                                 «де ла Круз»
    word          = part {"-" part}                                     «Мамин-Сибиряк»; parts have two letters or more
    part          = letters {apostrophe letters}                        «О'Генри»
    initials      = pair | initial [[" "] initial]
    pair          = two letters and no dot between                      «АА», capitals beside a surname that has small letters
    initial       = single ["-" single]                                 «Р.-М.»
    single        = letter "." | letter "," directly before the next    «А,А,»
                  | letter that no letter follows                       «А А»

Where a text has this form and still two meanings, or none, `Misfit` says which reason that is:

    ИВАНОВ ЯН, иванов ян     initials or a name                         name-ambiguous
    Ю А, Ю А Б, А Пришва     which one is the surname?                  name-ambiguous
    АБ Ю, К. Ю               initials, or a one-letter surname?         name-ambiguous
    Ван Ли К.                particle, or surname and given name?       name-ambiguous
    Ван да Иванов И.И.       «да» joins people unless it stands first   several-names
    Иванов и П., а и петров  the letter «и» that joins two              several-names

The text is given with look-alikes and dashes folded in place (`namewords`), so every span is also a span of the written name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mailer.core.namewords import APOSTROPHE, CAPITAL, LETTER, PARTICLES, PREPOSITIONS, SMALL, SUFFIXES, is_patronymic
from mailer.model import Reason

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A text that has the form of one name; spans count characters of the given text. `surname` holds the particles too."""

    surname: Span
    given: tuple[Span, ...]  # the spans initials are made of: one of initials, or two of full words
    suffix: str  # «оглы» as written, or ""
    end: int
    initials_first: bool = False
    full: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Misfit:
    """A text that has a name's form but must not be read as one."""

    reason: Reason


def _any_case(word: str) -> str:
    """Classes of both cases: compiled far sooner than a part of a pattern that ignores case."""
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


_L: Final = LETTER
_PART: Final = f"{_L}+(?:{APOSTROPHE}{_L}+)*+"
_LONG_PART: Final = f"(?={_L}{{2}}|{_L}{APOSTROPHE}){_PART}"
WORD: Final = f"(?:{_LONG_PART}(?: ?- ?{_LONG_PART})++|{_PART})(?!{_L})"
SURNAME: Final = f"(?:{_L}{{2,4}} ){{0,4}}?{WORD}"  # whether the short words are particles is asked by `_has_particles`
_GIVEN: Final = f"(?:{_LONG_PART}(?:-{_LONG_PART})++|{_PART})(?!{_L})"  # a spaced dash only joins surnames
_SINGLE: Final = rf"{_L}(?: ?\.|,(?! {_L}(?!{_L}))|(?!{_L}))"
_INITIAL: Final = f"(?>{_SINGLE}(?:-{_SINGLE})?)"
_PAIR: Final = rf"{_L}{_L}(?!{_L})(?: ?\.|,)?"
INITIALS: Final = f"(?>{_PAIR}|{_INITIAL}(?:(?:(?<!,) )?{_INITIAL})?)"
SUFFIX: Final = f"(?:{'|'.join(map(_any_case, sorted(SUFFIXES)))})(?!{_L})"

_SURNAME_FIRST: Final = f"(?P<surname>{SURNAME}) (?P<initials>{INITIALS})(?:[ -]?(?P<suffix>{SUFFIX}))?+"
_INITIALS_FIRST: Final = rf"(?P<initials>{INITIALS})(?:[ -]?(?P<suffix>{SUFFIX})(?= ))?+(?:(?<=[.]) ?| )(?P<surname>{SURNAME})"
_TITLE: Final = f"{CAPITAL}{SMALL}+"
_GLUED_SURNAME: Final = f"(?:{_L}{{2,4}} ){{0,4}}?{_TITLE}(?: ?- ?{_TITLE})*+"
_GLUED_INITIALS: Final = rf"{CAPITAL}\.(?:-{CAPITAL}\.)? ?{CAPITAL}\."
_GLUED: Final = f"(?P<surname>{_GLUED_SURNAME})(?P<initials>{_GLUED_INITIALS})(?:[ -]?(?P<suffix>{SUFFIX}))?+"
_MAY_BE_INITIALS: Final = re.compile(f"(?!{CAPITAL}{SMALL}){_L}{{1,2}}(?!{_L})")  # how a text with initials first begins
_MAY_BE_GLUED: Final = re.compile(rf"{SMALL}{CAPITAL}\.")
_FULL_SURNAME_FIRST: Final = f"(?P<surname>{SURNAME}) (?P<given>{_GIVEN}) (?P<patronymic>{_GIVEN})(?: (?P<suffix>{SUFFIX}))?+"
_FULL_SURNAME_LAST: Final = f"(?P<given>{_GIVEN}) (?P<patronymic>{_GIVEN})(?: (?P<suffix>{SUFFIX})(?= ))?+ (?P<surname>{SURNAME})"
_TWO_LETTERS: Final = re.compile(f"{_L}{_L}")
_BARE: Final = re.compile(f"{_L}(?![.,{LETTER[1:-1]}]| [.])")
_COMMAS: Final = re.compile(f"{_L},{_L},")
_CONJUNCTION: Final = "и"
_AND_OR_PARTICLE: Final = "да"


@lru_cache(maxsize=8)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Each form is compiled when it is first asked for: the usual letter needs one of them, and start-up time matters."""
    return re.compile(pattern)


def whole(text: str) -> Shape | Misfit | None:
    """The one form the whole text has; None if it has none."""
    return _initials_form(text, whole_text=True) or _full_form(text, whole_text=True)


def beginning(text: str) -> Shape | None:
    """The form of a name with which the text begins, whatever follows it."""
    for found in (_full_form(text, whole_text=False), _initials_form(text, whole_text=False)):
        if isinstance(found, Shape):
            return found
    return None


def is_surname(text: str) -> bool:
    """Whether the whole text has the form of a surname, particles included."""
    return _compiled(SURNAME).fullmatch(text) is not None and _has_particles(text)


def core(surname: str) -> str:
    """A surname without its particles: «де ла Круз» -> «Круз»; a particle alone is the surname itself («Ван»)."""
    words = surname.split(" ")
    while len(words) > 1 and words[0].lower() in PARTICLES and not words[1].startswith("-"):
        del words[0]
    return " ".join(words)


def _has_particles(surname: str) -> bool:
    """Whether every word before the last is a particle (spaced hyphens join words), and the last more than a letter.

    «да» may only be the first of them: «Ван да Иванов» are two people.
    """
    if " " not in surname:
        return True
    name = core(surname)
    later = surname.removesuffix(name).lower().split()[1:]
    return len(name) > 1 and " " not in re.sub(" ?- ?", "-", name) and _AND_OR_PARTICLE not in later


def _initials_form(text: str, *, whole_text: bool) -> Shape | Misfit | None:
    found: list[Shape | Misfit] = []
    orders = [(_SURNAME_FIRST, _misfit_surname_first)]
    if _MAY_BE_INITIALS.match(text):
        orders.append((_INITIALS_FIRST, _misfit_initials_first))
    if _MAY_BE_GLUED.search(text):
        orders.append((_GLUED, _misfit_surname_first))
    for order, judge in orders:
        pattern = _compiled(order)
        match = pattern.fullmatch(text) if whole_text else pattern.match(text)
        if match is None or not _has_particles(match["surname"]):
            continue
        reason = _misfit(match) or judge(match)
        found.append(Misfit(reason=reason) if reason else _shape(match, initials_first=order == _INITIALS_FIRST))
    if len(found) == 2 and whole_text:
        return Misfit(reason=Reason.NAME_AMBIGUOUS)
    return found[0] if found else None


def _shape(match: re.Match[str], *, initials_first: bool) -> Shape:
    return Shape(
        surname=match.span("surname"),
        given=(match.span("initials"),),
        suffix=match["suffix"] or "",
        end=match.end(),
        initials_first=initials_first,
    )


def _misfit(match: re.Match[str]) -> Reason | None:
    """What is wrong in either order: undotted letters that may be a name, or a conjunction."""
    surname, initials = match["surname"], match["initials"]
    if _TWO_LETTERS.search(initials):
        return None if _plainly_initials(initials, surname) else Reason.NAME_AMBIGUOUS
    small = [letter for letter in _BARE.findall(initials) if letter.islower()]
    if small and not match.group().islower():
        return Reason.SEVERAL_NAMES if _CONJUNCTION in small else Reason.NAME_MALFORMED
    if surname == _CONJUNCTION or surname in PREPOSITIONS:
        return Reason.NAME_MALFORMED  # «для И.И.»
    if match["suffix"] and _count(initials) < 2:
        return Reason.NAME_MALFORMED
    return None


def _plainly_initials(pair: str, surname: str) -> bool:
    """«Иванов ЯН»: capitals beside a surname that has small letters, of more than one letter, and no particle («фон ВИ»)."""
    letters = core(surname)
    return pair.isupper() and len(letters) > 1 and not letters.isupper() and letters not in PARTICLES


def _misfit_surname_first(match: re.Match[str]) -> Reason | None:
    surname, initials = match["surname"], match["initials"]
    first, *rest = _letters(initials)
    if len(surname) == 1 and (_BARE.match(initials) or initials == f"{first},"):
        return Reason.NAME_AMBIGUOUS  # «Ю А», «Ю А Б»
    if first.lower() == _CONJUNCTION and _BARE.match(initials) and not _bare_to_the_end(initials) and _one_case(match.group()):
        return Reason.SEVERAL_NAMES  # «иванов и», «иванов и п.»
    if not rest and " " in surname and not _plainly_particles(surname):
        return Reason.NAME_AMBIGUOUS  # «Ван Ли К.»
    return None


def _bare_to_the_end(initials: str) -> bool:
    """«и и»: two letters, both without a dot, are initials; «и», «и п.» may begin another person."""
    return len(_BARE.findall(initials)) == len(_letters(initials)) > 1


def _misfit_initials_first(match: re.Match[str]) -> Reason | None:
    surname, initials = match["surname"], match["initials"]
    bare, glued = _BARE.findall(initials), match.start("surname") == match.end("initials")
    if surname.lower() in SUFFIXES and not surname.istitle():
        return Reason.SURNAME_MISSING  # «И.Г. оглы»
    if bare and bare[-1].lower() == _CONJUNCTION and _one_case(match.group()):
        return Reason.SEVERAL_NAMES  # «а и петров»
    return Reason.NAME_AMBIGUOUS if _is_doubtful(surname, initials, one_case=_one_case(match.group()), glued=glued) else None


def _is_doubtful(surname: str, initials: str, *, one_case: bool, glued: bool) -> bool:
    """Whether initials before a surname may be something else."""
    letters, bare = _letters(initials), _BARE.findall(initials)
    return (
        (_BARE.match(initials) is not None and len(bare) < 2)  # «А Пришва» may be «Ю Иван», and «Ю К. Ван» may be «Ю К.»
        or ("," in initials and _COMMAS.fullmatch(initials) is None)  # «Ю Б, Иванов» may be a list
        or (len(surname) == 1 and (len(letters) == 1 or initials.count(".") < 2 or glued))  # «АБ Ю», «К. Ю», «А.Б.Ю»
        or (" " in surname and not _plainly_particles(surname) and (len(letters) == 1 or not one_case))  # «И.И. Ван Иванов»
    )


def _letters(initials: str) -> list[str]:
    return re.findall(_L, initials)


def _count(initials: str) -> int:
    """How many initials: «Р.-М.» counts as one."""
    return len(_letters(initials)) - initials.count("-")


def _one_case(text: str) -> bool:
    return text.islower() or text.isupper()


def _plainly_particles(surname: str) -> bool:
    """Particles in small letters before a surname with a capital cannot be surnames themselves."""
    name = core(surname)
    return surname.removesuffix(name).islower() and not name.islower()


def _full_form(text: str, *, whole_text: bool) -> Shape | Misfit | None:
    seen = False
    for pattern in map(_compiled, (_FULL_SURNAME_FIRST, _FULL_SURNAME_LAST)):
        match = pattern.fullmatch(text) if whole_text else pattern.match(text)
        if match is None or not _has_particles(match["surname"]):
            continue
        seen = True
        if _is_full_name(match, surname_last=pattern.pattern == _FULL_SURNAME_LAST):
            return Shape(
                surname=match.span("surname"),
                given=(match.span("given"), match.span("patronymic")),
                suffix=match["suffix"] or "",
                end=match.end(),
                full=True,
            )
    return Misfit(reason=_misfit_of_words(text)) if seen else None


def _is_full_name(match: re.Match[str], *, surname_last: bool) -> bool:
    """Exactly one patronymic among the second and third words, and each word plainly what it is taken for."""
    surname, given, patronymic = core(match["surname"]), match["given"], match["patronymic"]
    other = surname if surname_last else given
    marked = bool(match["suffix"]) or is_patronymic(patronymic)
    return marked and not is_patronymic(other) and _plain_words(surname, given, patronymic)


def _plain_words(surname: str, given: str, patronymic: str) -> bool:
    words = (surname, given, patronymic)
    mixed = not _one_case(" ".join(words))
    return (
        min(len(given), len(patronymic)) > 1
        and not (mixed and any(map(str.islower, words)))  # «врач Иван Ильич»
        and PREPOSITIONS.isdisjoint(words)
        and not (surname.lower() == _CONJUNCTION and (surname.islower() or not mixed))
        and not (given.lower() == _AND_OR_PARTICLE and not given.istitle())
        and not (mixed and surname in PARTICLES)
        and not any(word.lower() in SUFFIXES and not word.istitle() for word in words)
        and not any(part.lower() in SUFFIXES for word in (given, patronymic) for part in word.split("-")[1:])
    )


def _misfit_of_words(text: str) -> Reason:
    """The reason for words that are no full name: a small word beside others with capitals is none of a name at all."""
    words = text.split(" ")
    if _CONJUNCTION in text.lower().split(" "):
        return Reason.SEVERAL_NAMES
    strange = {word for word in words if word.islower()} - PARTICLES - SUFFIXES
    return (
        Reason.NAME_MALFORMED if not PREPOSITIONS.isdisjoint(words) or (strange and not text.islower()) else Reason.NAME_AMBIGUOUS
    )
