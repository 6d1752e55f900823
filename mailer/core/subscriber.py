"""What does the name of a subscriber point say? Its parts are for people to look at; what is compared is an opaque key.

    29(АрхТФОМС) ИБ Нач. отдела Пришва А.А.     code 29, organisation АрхТФОМС, unit ИБ, post Нач. отдела, person Пришва А.А.

The organisation may hold brackets of its own; unit, post and person may each be missing, and the person may stand first. A person
is what has a written form of a name (`nameforms`) with a dot after an initial, or three full words: «Отдел ИТ» is none.

People change and the point stays (domain.md), so nothing is decided by the parts. Any text has parts and a key; nothing raises.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from mailer.core import nameforms
from mailer.core.nameforms import Misfit, Shape
from mailer.core.namewords import TWINS, quoted

KEY_MAX: Final = 400
_POINT_MAX: Final = 4_000  # characters; normalising is slow on hostile marks
_LONGEST_PERSON: Final = 160  # characters, as in a letter
_MOST_WORDS: Final = 6  # «де ла Круз Хуан Карлос оглы»

_QUOTES: Final = str.maketrans(dict.fromkeys('"«»“”„‟″〝〞', "") | dict.fromkeys("‘’‚‛`´ʼ", "'"))
_TWINS: Final = {ord(chr(latin).lower()): chr(twin).lower() for latin, twin in TWINS.items()}  # what is compared has no capitals
_HEAD: Final = re.compile(
    r"(?P<code>\d{1,6})\s*\((?P<organisation>(?:[^()]++|\((?:[^()]++|\([^()]*+\))*+\))*+)\)\s*(?P<rest>.*)"  # brackets three deep
)
_POST: Final = re.compile(
    r"(?:^|(?<=\s))(?:и\.\s?о\.|вр\.|(?:ио|врио|врид|нач|зам|зав)(?![а-яё])|(?:гл|вед|ст|мл|дир|рук|инж|спец|прогр|техн|бух|секр)\."
    r"|начальник|заместител|заведующ|главн|главврач|ведущ|старш|младш|директор|руководител|инженер(?!н)|специалист"
    r"|админ(?!истра[цт]и)|программист|техник(?!ум)|эксперт(?!и)|консультант|оператор|бухгалтер(?!и)|секретар(?!иат)|врач(?!еб)"
    r"|медсестра|медицинская сестра|юрист|экономист)",
    re.IGNORECASE,
)
_ACTING: Final = re.compile(r"и\.\s?о\.", re.IGNORECASE)  # «и.о. директора»: a post, not initials


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
    if quoted(line):
        line = line[1:-1].strip()
    head = _HEAD.fullmatch(line)
    if head is None:
        return Parts(organisation=line)
    duty, person = _duty_and_person(head["rest"])
    unit, post = _unit_and_post(duty)
    return Parts(code=head["code"], organisation=head["organisation"].strip(), unit=unit, post=post, person=person)


def key(point: str) -> str:
    """By what two writings of one point are known to be the same; at most 400 characters.

    NFC, spaces and case are folded, double quotes do not count, and Latin look-alikes are their Cyrillic twins: «29(Зyб)» with a
    Latin y shall not pass for another point.
    """
    seen = " ".join(_one_line(point).translate(_QUOTES).split())
    folded = unicodedata.normalize("NFC", seen.casefold()).translate(_TWINS)
    if len(folded) <= KEY_MAX:
        return folded
    digest = hashlib.sha256(folded.encode("utf-8", "replace")).hexdigest()
    return folded[: KEY_MAX - len(digest)] + digest


def _one_line(point: str) -> str:
    """Composed, one space between words, nothing that cannot be seen."""
    seen = "".join(sign for sign in point[:_POINT_MAX] if sign.isspace() or unicodedata.category(sign)[0] != "C")
    return unicodedata.normalize("NFC", " ".join(seen.split()))


def _duty_and_person(rest: str) -> tuple[str, str]:
    """The person stands last, or else first; of what could be one, the longest."""
    words = rest.split(" ")
    for count in range(min(_MOST_WORDS, len(words)), 1, -1):
        last = " ".join(words[-count:])
        if len(last) <= _LONGEST_PERSON and _is_person(last, nameforms.whole(last)):
            return " ".join(words[:-count]), last
    shape = nameforms.beginning(rest[:_LONGEST_PERSON])
    if shape is not None and _is_person(rest[: shape.end], shape):
        return rest[shape.end :].lstrip(" ,;-"), rest[: shape.end]
    return rest, ""


def _is_person(text: str, shape: Shape | Misfit | None) -> bool:
    """Whether a form of a name is plainly one here, where posts and units stand beside it."""
    if not isinstance(shape, Shape):
        return False
    surname = text[slice(*shape.surname)]
    if shape.full:
        return not surname.islower() or text.islower()
    initials = text[slice(*shape.given[0])]
    if shape.initials_first and (surname.islower() or (_ACTING.fullmatch(initials) and _POST.match(surname))):
        return False
    return "." in initials and (not surname.islower() or initials.count(".") > 1)


def _unit_and_post(duty: str) -> tuple[str, str]:
    """The post begins with the first word that names one; before it stands the unit."""
    post = _POST.search(duty)
    return (duty, "") if post is None else (duty[: post.start()].rstrip(" ,"), duty[post.start() :].rstrip(" ,"))
