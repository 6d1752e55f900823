"""Does a letter name this person? Asked before a person's data is shown, handed over or erased; never when a request is decided.

Three ways: its subject is read as a request for the person; the subject holds the surname where no name could be read; or surname
and initials stand together somewhere in what can be read of it, in either order, the first names written out or not. ё counts
as е, Latin look-alikes as their twins. A declined surname is not found («Иванова И.И.» may be another person), nor what stands in
attachments that are no text. A one-letter initial counts only with its dot: «ли к» is no name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mailer.core import kinds, mime, parts
from mailer.core.namewords import TWINS
from mailer.model import Form, Own, PersonName

_CHARSETS: Final = ("utf-8", "cp1251", "koi8_r")
_FOLDED: Final = TWINS | {ord("ё"): "е", ord("Ё"): "е", ord("’"): "'", ord("ʼ"): "'"}
_LETTER: Final = "[^\\W\\d_]"


class Mention(StrEnum):
    """How a letter names somebody."""

    ASKED = "asked"  # its subject asks for this person
    SURNAME = "surname"  # the surname stands in a subject in which no name could be read
    WRITTEN = "written"  # the name stands somewhere in it


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The person that is looked for, as a pattern over folded text."""

    name: PersonName

    @property
    def pattern(self) -> re.Pattern[str]:
        surname = r"\W{1,3}".join(map(re.escape, re.findall(r"\w+", folded(self.name.surname))))
        letters = re.findall(_LETTER, folded(self.name.initials))
        dotted = r"\W{0,3}".join(letters) if len(letters) > 1 else rf"{letters[0]}\."
        full = r"\W{1,3}".join(f"{letter}{_LETTER}+" for letter in letters)
        given = rf"(?:{dotted}|{full})" if len(letters) > 1 else dotted
        return re.compile(rf"(?<!\w)(?:{surname}\W{{0,3}}{given}|{given}\W{{0,3}}{surname})(?!\w)")

    def is_in(self, text: str) -> bool:
        return self.pattern.search(folded(text)) is not None


def folded(text: str) -> str:
    return text.translate(_FOLDED).casefold()


def in_letter(wanted: Wanted, content: bytes, *, whole: bool, form: Form, own: Own) -> Mention | None:
    """How these kept bytes name the person, if they do."""
    letter = mime.read(content, whole=whole, phrase=form.phrase)
    if letter is None:
        return Mention.WRITTEN if any(wanted.is_in(text) for text in _texts(content)) else None
    reading = kinds.judge(letter, form, own)
    if reading.person is not None and reading.person.key == wanted.name.key:
        return Mention.ASKED
    if any(wanted.is_in(text) for text in (letter.subject, letter.display_name, *_bodies(content, form))):
        return Mention.WRITTEN
    surname = re.compile(rf"(?<!\w){re.escape(folded(wanted.name.surname))}(?!\w)")
    unread = reading.person is None and reading.reason is not None
    return Mention.SURNAME if unread and surname.search(folded(letter.subject)) else None


def _bodies(content: bytes, form: Form) -> Iterator[str]:
    """What stands below the headers, and in the headers of a letter that came back."""
    for part in parts.leaves(parts.whole(content)):
        if part.content_type.name.startswith(("message/", "text/")):
            returned = mime.read(part.content, whole=False, phrase=form.phrase)
            if returned is not None:
                yield returned.subject
            yield from _texts(part.content)


def _texts(content: bytes) -> Iterator[str]:
    """The bytes in each charset in which they may make sense."""
    for charset in _CHARSETS:
        yield content.decode(charset, "ignore")
