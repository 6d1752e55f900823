"""Why is this text not one name? Called only when no written form of `nameforms` fits the whole text; it never accepts anything.

It knows the reasons from several-names on, in the order of the table in `names`, where each has its examples.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from mailer.core import nameforms
from mailer.core.namewords import APOSTROPHE, CAPITAL, LETTER, PATRONYMIC_ENDINGS, SMALL
from mailer.model import Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """`place` counts from 0 in the given text; `surname` is the span of a surname that could be read all the same."""

    reason: Reason
    place: int | None = None
    surname: nameforms.Span | None = None


_DOTTED: Final = rf"{CAPITAL}[.,] ?-?(?:{CAPITAL}(?:[.,]|(?!{LETTER})))?"
_BARE: Final = f"{CAPITAL}(?!{LETTER})(?: {CAPITAL}(?!{LETTER}))?"
_TITLE: Final = f"{CAPITAL}{SMALL}(?:{LETTER}|{APOSTROPHE}|-)*"
_NAME_WORD: Final = f"{CAPITAL}(?:{LETTER}|{APOSTROPHE}|-)*"
_PERSON: Final = re.compile(
    rf"(?<!{LETTER})(?:"
    rf"{_NAME_WORD} (?:{_DOTTED}|{_BARE})"
    rf"|{_TITLE} {CAPITAL}{CAPITAL}(?!{LETTER})"
    rf"|{_DOTTED} ?{_NAME_WORD}"
    rf"|{CAPITAL}{CAPITAL} {_TITLE}"
    rf"|(?:{_TITLE} ){{1,2}}{CAPITAL}{SMALL}+(?:{'|'.join(PATRONYMIC_ENDINGS)})(?!{LETTER})"
    rf")"
)
_JOINED: Final = re.compile(rf"(?<=[{LETTER[1:-1]}.,]) (?:[Ии]|[Дд]а) (?={CAPITAL})")
_JOINED_INITIALS: Final = re.compile(rf"(?<=[.,;/&+])(?<![^.,;/&+ ]{LETTER},) ?(?:(?<=[,;/&+])|(?<=[,;/&+] )){_DOTTED}$")
_TWO_SURNAMES: Final = re.compile(f"{_TITLE} ?[,;/&+] ?{_TITLE}(?: (?:{_DOTTED}|{_BARE}|{CAPITAL}{CAPITAL}))?")
_MORE_INITIALS: Final = re.compile(r" ?-?(?:[^\W_]\. ?-?)+[^\W_]?")
_ONLY_INITIALS: Final = re.compile(rf"{CAPITAL}{CAPITAL}\.?|(?!{LETTER}{LETTER}){nameforms.INITIALS}")
_SAYS_SOMETHING: Final = re.compile(r"[^\W_]")
_TWO_WORDS: Final = re.compile(f"{nameforms.WORD} {nameforms.WORD}")
_PLAIN: Final = re.compile(f"[^{LETTER[1:-1]} .,'’ʼ-]")
_LATIN_WORD: Final = re.compile("(?<![A-Za-zА-Яа-яЁё])[A-Za-z]+(?![A-Za-zА-Яа-яЁё])")
_SURNAME_BEFORE_INITIAL: Final = re.compile(rf"(?P<surname>{nameforms.WORD}) [^\W\d_](?:[^\w]|$)")
_CYRILLIC: Final = re.compile(LETTER)
_ODD: Final = re.compile(rf"(?<={SMALL}){CAPITAL}|(?<=[.'’ʼ-])[.'’ʼ]|(?<=-)-|^[.,'’ʼ-]|(?<={LETTER}{LETTER}),")


def fault(text: str, folded: str) -> Fault:
    """Why the cleaned text is no name. `folded` is the same text with look-alikes and dashes folded, place for place."""
    return (
        _several(folded)
        or _text_after(folded)
        or _foreign(text, folded)
        or _incomplete(folded)
        or Fault(reason=Reason.NAME_MALFORMED, place=_odd_place(folded), surname=_readable_surname(folded))
    )


def _several(folded: str) -> Fault | None:
    shown = folded.title() if folded.islower() or folded.isupper() else folded
    persons = len(_PERSON.findall(shown))
    if persons > 1 or _JOINED.search(shown) or (persons and _JOINED_INITIALS.search(shown)) or _TWO_SURNAMES.fullmatch(shown):
        return Fault(reason=Reason.SEVERAL_NAMES)
    return None


def _text_after(folded: str) -> Fault | None:
    shape = nameforms.beginning(folded)
    if shape is None or shape.end == len(folded):
        return None
    if _MORE_INITIALS.fullmatch(folded, shape.end) or _is_part_of_initial(folded, shape.end):
        return None
    if _SAYS_SOMETHING.search(folded, shape.end) is None:
        return None  # «Иванов И.И.»» and «Иванов И.И.?»
    return Fault(reason=Reason.TEXT_AFTER_NAME, surname=shape.surname)


def _is_part_of_initial(folded: str, place: int) -> bool:
    """«Иванов Й3.И.», «Иванов И.I.», an accent: what stands at this place spoils an initial and begins no text."""
    sign = folded[place]
    spoils = sign in ".-'’ʼ" or unicodedata.category(sign).startswith("M")
    return spoils or (sign.isalnum() and _CYRILLIC.match(sign) is None)


def _foreign(text: str, folded: str) -> Fault | None:
    """The first character no name holds; a whole word of look-alikes («COBA») is not Cyrillic either."""
    places = [match.start() for match in (_PLAIN.search(folded), _LATIN_WORD.search(text)) if match]
    if not places:
        return None
    place = min(places)
    cyrillic = unicodedata.name(text[place], "").startswith("CYRILLIC")
    other_letter = text[place].isalpha() and not cyrillic
    reason = Reason.NAME_NOT_CYRILLIC if other_letter else Reason.NAME_MALFORMED
    return Fault(reason=reason, place=place, surname=_readable_surname(folded))


def _incomplete(folded: str) -> Fault | None:
    if _ONLY_INITIALS.fullmatch(folded):
        return Fault(reason=Reason.SURNAME_MISSING)
    if nameforms.is_surname(folded) and not _ODD.search(folded):
        return Fault(reason=Reason.INITIALS_MISSING, surname=(0, len(folded)))
    if _TWO_WORDS.fullmatch(folded):
        return Fault(reason=Reason.NAME_AMBIGUOUS)
    return None


def _odd_place(folded: str) -> int | None:
    match = _ODD.search(folded)
    return match.start() if match else None


def _readable_surname(folded: str) -> nameforms.Span | None:
    match = _SURNAME_BEFORE_INITIAL.match(folded)
    return match.span("surname") if match else None
