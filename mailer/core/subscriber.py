"""What does the name of a subscriber point say? Its parts are for people to look at; what is compared is an opaque key.

    29(АрхТФОМС) ИБ Нач. отдела Пришва А.А.   code 29, organisation АрхТФОМС, unit ИБ, post Нач. отдела, person Пришва А.А.

People change and the point stays (domain.md), so nothing is decided by the parts. Any text has parts and a key; nothing raises.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

KEY_MAX: Final = 400
_POINT_MAX: Final = 4_000  # characters; normalising is slow on hostile marks

_QUOTES: Final = str.maketrans(dict.fromkeys("«»“”„‟″″〝〞", '"') | dict.fromkeys("‘’‚‛`´ʼ", "'"))
_HEAD: Final = re.compile(r"(?P<code>\d{1,6})\s*\((?P<organisation>[^()]*)\)\s*(?P<rest>.*)")
_PERSON: Final = re.compile(r"(?:^|\s)(?P<person>[А-ЯЁ][а-яёА-ЯЁ'’-]*\s+[А-ЯЁ]\.(?:\s?[А-ЯЁ]\.)?)$")
_POST: Final = re.compile(
    r"(?:^|(?<=\s))(?:и\.\s?о\.|врио|нач|зам|гл|рук|дир|зав|вед|ст|мл|инж|спец|админ|прогр|техн|эксп|конс|опер|бух|секр|врач)"
    r"[а-яё]*(?:$|[\s.])",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The parts of a point's name, as written; "" for a part that was not made out."""

    code: str = ""
    organisation: str = ""
    unit: str = ""
    post: str = ""
    person: str = ""


def parse(point: str) -> Parts:
    """Take a name apart for display. What follows no known pattern is all organisation."""
    line = _one_line(point)
    head = _HEAD.fullmatch(line)
    if head is None:
        return Parts(organisation=line)
    duty, person = head["rest"], ""
    if found := _PERSON.search(duty):
        duty, person = duty[: found.start()].rstrip(), found["person"]
    unit, post = _unit_and_post(duty)
    return Parts(code=head["code"], organisation=head["organisation"].strip(), unit=unit, post=post, person=person)


def key(point: str) -> str:
    """By what two writings of one point are known to be the same: NFC, spaces, quotes and case folded; at most 400 characters."""
    folded = unicodedata.normalize("NFC", _one_line(point).translate(_QUOTES).casefold())
    if len(folded) <= KEY_MAX:
        return folded
    digest = hashlib.sha256(folded.encode("utf-8", "replace")).hexdigest()
    return folded[: KEY_MAX - len(digest)] + digest


def _one_line(point: str) -> str:
    """Composed, one space between words, nothing that cannot be seen."""
    seen = "".join(sign for sign in point[:_POINT_MAX] if sign.isspace() or unicodedata.category(sign)[0] != "C")
    return unicodedata.normalize("NFC", " ".join(seen.split()))


def _unit_and_post(duty: str) -> tuple[str, str]:
    """The post begins with the first word that names one; before it stands the unit."""
    post = _POST.search(duty)
    return (duty, "") if post is None else (duty[: post.start()].rstrip(), duty[post.start() :])
