"""Does a subject line ask for access, and for whom? «Запрос атрибутов временного доступа = Фамилия И.О.»

The grammar of letters.md, section 2, after tidying:

    subject   = phrase [separator] name       fit "request"
              | … атрибут … доступ …          fit "near": both stems in any order, but not the phrase at the beginning
              | anything else                 fit "other"
    phrase    = the form's phrase, in any case, ё as е; look-alikes folded, quotes around it, at most two edits
    separator = the form's separator, or a near one; «(повторно) =» and other words before it belong to the name and spoil it

Repairs, in the order in which they are recorded; those of the name follow (`names`). A test reads every example below:

    invisible    Запрос<zero width space> атрибутов временного доступа = Иванов И.И.   also bidi, soft hyphen, BOM, controls
    spacing      Запрос  атрибутов временного доступа =<no-break space>Иванов И.И.     any run of white space is one space; trimmed
    prefix       Re: RE[2]: Fwd: Отв: Запрос атрибутов временного доступа = Иванов И.И.
    quotes       "Запрос атрибутов временного доступа = Иванов И.И."   one pair around the whole, none of its kind inside
    quotes       «Запрос атрибутов временного доступа» = Иванов И.И.   or around the phrase
    lookalike    Зaпpoc атрибутов временного доступа = Иванов И.И.     Latin a, p, o, c
    phrase-typo  Запрос аттрибутов временного доступа = Иванов И.И.    at most two edits (Damerau-Levenshtein)
    phrase-typo  3апрос атрибутов временного доступа = Иванов И.И.     a digit is a typo, no look-alike
    separator    Запрос атрибутов временного доступа - Иванов И.И.     any dash, a colon, a full-width sign; two signs
    separator    Запрос атрибутов временного доступа Иванов И.И.       none

Of what is no such request:

    near         Прошу доступ и его атрибуты
    other        Отчёт за ноябрь
    near         Срочно! Запрос атрибутов временного доступа = Иванов И.И.      the phrase must come first
    other        Зпарос артибутов временного дсотупа = Иванов И.И.              three edits, and both stems are misspelt

Reasons are those of the name (`names`), asked of all that follows the separator; above `LONGEST_SUBJECT` it is name-malformed.

It must not know the sender, the other headers, or what becomes of the letter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from mailer.core import names
from mailer.core.names import NameReading
from mailer.core.namewords import TWINS, folded, quoted, tidied, unique
from mailer.model import Form, Mistake, PersonName, Reason, Repair

LONGEST_SUBJECT: Final = 4000  # characters (letters.md, section 1)
MOST_EDITS: Final = 2

_STEMS: Final = ("атрибут", "доступ")
_PREFIXES: Final = re.compile(r"(?i:(?:re|fwd?|ответ|отв|на|пересл)(?:\[\d{1,9}\])? ?[:：] ?)+")
_NEAR_SEPARATORS: Final = "[=＝:：\u2010-\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d-]"
_OPENING_QUOTES: Final = frozenset("«“„\"'‘")


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectReading:
    """What a subject says. A request holds a person or a reason; nothing else holds either.

    `written` is the name as it stood in the subject, tidied, cut to `names.LONGEST_NAME`; `mistake` counts in it from 1.
    """

    fit: Literal["request", "near", "other"]
    person: PersonName | None = None
    reason: Reason | None = None
    mistake: Mistake | None = None
    written: str = ""
    surname_hint: str = ""
    repairs: tuple[Repair, ...] = ()


def read(text: str, form: Form) -> SubjectReading:
    """Read a decoded subject line. Any text gives a reading; of what is longer than `LONGEST_SUBJECT` no name is read."""
    repairs: list[Repair] = []
    subject = tidy(text[:LONGEST_SUBJECT], repairs)
    end = _phrase_end(subject, form, repairs)
    if end is None:
        return SubjectReading(fit="near" if _is_near(subject) else "other", repairs=unique(repairs))
    written = _after_separator(subject[end:], form, repairs)
    readable = len(text) <= LONGEST_SUBJECT and not _takes_of_the_name(subject, end, form)
    name = names.read(written, form) if readable else NameReading(reason=Reason.NAME_MALFORMED)
    return SubjectReading(
        fit="request",
        person=name.person,
        reason=name.reason,
        mistake=name.mistake,
        written=written[: names.LONGEST_NAME],
        surname_hint=name.surname_hint,
        repairs=unique([*repairs, *name.repairs]),
    )


def tidy(text: str, repairs: list[Repair]) -> str:
    """The subject without what carries no meaning, repeated until nothing changes.

    The cost stays linear: all prefixes go at once, and quotes only where none stand inside, so a third round finds nothing.
    """
    while True:
        before = text
        text = tidied(text, repairs)
        prefixes = _PREFIXES.match(text)
        if prefixes:
            repairs.append(Repair.PREFIX)
            text = text[prefixes.end() :]
        if quoted(text):
            repairs.append(Repair.QUOTES)
            text = text[1:-1]
        if text == before:
            return text


def _is_near(subject: str) -> bool:
    compared = folded(subject)
    return all(stem in compared for stem in _STEMS)


def _phrase_end(subject: str, form: Form, repairs: list[Repair]) -> int | None:
    """Where the phrase at the beginning ends (the quote after it included), None if there is none."""
    if subject.startswith(form.phrase) and _ends_at(subject, len(form.phrase)):
        return len(form.phrase)
    if subject[:1] not in _OPENING_QUOTES:
        return _length_of_phrase(subject, form.phrase, repairs)
    farthest = len(form.phrase) + MOST_EDITS + 3  # the quote and a space on either side
    close = next((place for place, sign in enumerate(subject[1:farthest], 1) if quoted(subject[0] + sign)), None)
    if close is None:
        return None
    inner, found = subject[1:close].strip(" "), list[Repair]()
    if _length_of_phrase(inner, form.phrase, found) != len(inner):
        return None
    repairs += [Repair.QUOTES, *found]
    return close + 1


def _length_of_phrase(text: str, phrase: str, repairs: list[Repair]) -> int | None:
    compared = folded(phrase)
    length = len(phrase)
    typo = False
    if not (folded(text[:length]) == compared and _ends_at(text, length)):
        near = _near_length(text, phrase)
        if near is None:
            return None
        length, typo = near, True
    if text[:length].translate(TWINS) != text[:length]:
        repairs.append(Repair.LOOKALIKE)
    if typo:
        repairs.append(Repair.PHRASE_TYPO)
    return length


def _near_length(text: str, phrase: str) -> int | None:
    """The length of the beginning that is at most two edits away from the phrase: the nearest.

    Of equals the one with the phrase's own letters («доступ а»), else the shortest, lest the phrase take a part of the name.
    """
    compared = folded(phrase)
    ends = range(max(1, len(compared) - MOST_EDITS), len(compared) + MOST_EDITS + 1)
    candidates = [end for end in ends if end <= len(text) and _ends_at(text, end) and _may_end_phrase(text[:end], phrase[-1])]
    if not candidates:
        return None
    from rapidfuzz.distance import DamerauLevenshtein  # noqa: PLC0415  (only a misspelt phrase needs it: start-up time)

    def distance(end: int) -> tuple[int, bool, int]:
        tried = folded(text[:end])
        edits = DamerauLevenshtein.distance(tried, compared, score_cutoff=MOST_EDITS)
        return edits, tried.replace(" ", "") != compared.replace(" ", ""), end

    edits, _, nearest = min(map(distance, candidates))
    return nearest if edits <= MOST_EDITS else None


def _may_end_phrase(text: str, own_end: str) -> bool:
    """Not with a separator or a space, nor with a capital where others are small: «доступ А» ends with an initial."""
    last = text[-1]
    return last == own_end or (last.isalnum() and not (last.isupper() and any(map(str.islower, text))))


def _takes_of_the_name(subject: str, end: int, form: Form) -> bool:
    """Whether letters are glued to the exact phrase and no sign parts them from a name: «доступаде ла Круз» has two readings."""
    exact = len(form.phrase)
    glued = end > exact and folded(subject[:exact]) == folded(form.phrase)
    return glued and _separators(form.separator)[1].match(subject, end) is None


def _ends_at(text: str, place: int) -> bool:
    """Whether a word ends at this place, or a capital follows small letters («доступаИванов»)."""
    if place >= len(text):
        return True
    return not text[place].isalnum() or (text[place].isupper() and text[place - 1].islower())


def _after_separator(rest: str, form: Form, repairs: list[Repair]) -> str:
    """What stands after the separator: the name as written. Only the first separator, or two near ones, are taken."""
    exact, near = _separators(form.separator)
    match = exact.match(rest)
    if match is None and rest:
        match = near.match(rest)
        repairs.append(Repair.SEPARATOR)
    return rest[match.end() :] if match else rest.lstrip(" ")


@lru_cache(maxsize=8)
def _separators(separator: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of the form's own separator, alone, and of what else is taken for it: one or two signs of separation."""
    own = re.escape(separator)
    one = f"(?:{own}|{_NEAR_SEPARATORS})"
    return re.compile(f" ?{own} ?+(?!{one})"), re.compile(f" ?{one} ?(?:{one} ?)?")
