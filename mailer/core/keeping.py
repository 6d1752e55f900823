"""Which letters of a mailbox are kept, whole or as headers, and which are only noted? Decided from their headers.

What strangers can send without end has a share of the disk for each day; beyond it their letters are only noted and stay where
they are. Requests of the register's senders have none: the limits on answers bound those.

Nor is a password kept that comes back to us: a letter that answers one of ours, or in which one shows, is kept as headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mailer.core import bouncecut, leak, mime
from mailer.model import Form, Head, Kind, Letter, Reading

FETCH_BYTES: Final = 8 * 1024 * 1024  # one FETCH of whole letters
_DECIDING: Final = frozenset({b"subject", b"from"})  # without them a request would be another letter, and nobody's


class Group(StrEnum):
    """Letters that anybody can send."""

    STRANGER = "stranger"  # requests whose senders nobody knows or nothing proves: each may stand before a person
    UNREADABLE = "unreadable"
    BOUNCE = "bounce"


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    letters: int = 0
    size_bytes: int = 0


DAILY: Final[Mapping[Group, Amount]] = {
    Group.STRANGER: Amount(letters=200, size_bytes=8 * 1024 * 1024),  # as many as a person can look through; headers alone
    Group.UNREADABLE: Amount(letters=50, size_bytes=8 * 1024 * 1024),  # hardly ever seen outside an attack; headers alone
    Group.BOUNCE: Amount(letters=10_000, size_bytes=64 * 1024 * 1024),  # twice the replies of a day, of 6 KiB each
}
"""What is kept of each group in 24 hours at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """A letter after the first look. `sender_code`: whose address the register holds and the mailbox proves.

    `answers_ours`: it says that it answers a letter of ours.
    """

    head: Head
    letter: Letter | None
    reading: Reading
    sender_code: str | None
    proven: bool
    answers_ours: bool

    @property
    def may_quote(self) -> bool:
        """Whether it would be kept whole, and a letter of ours is likely to stand in it."""
        return self.answers_ours and self.reading.kind is Kind.REQUEST and self.sender_code is not None

    @property
    def group(self) -> Group | None:
        match self.reading.kind:
            case Kind.UNREADABLE:
                return Group.UNREADABLE
            case Kind.BOUNCE:
                return Group.BOUNCE
            case Kind.REQUEST if self.sender_code is None:
                return Group.STRANGER
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """What is done with it. `ours`: taken out of the folder once it is kept; `over`: kept but for its day's share."""

    looked: Looked
    kept: bool
    whole: bool
    ours: bool
    over: Group | None


class LeftOut(StrEnum):
    """Why less was kept of a letter than others of its kind; the words in the record."""

    TOO_LARGE = "too-large"
    ANSWERS_OURS = "answers-ours"
    LEAK = "password-shown"
    RETURNED = "returned"  # of a bounce: what came back in it


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpt:
    """What is kept of a letter: these bytes, all of it or less."""

    content: bytes
    whole: bool
    left_out: LeftOut | None


def read(head: Head, form: Form) -> Letter | None:
    return mime.read(head.header, whole=False, size_bytes=head.size_bytes, phrase=form.phrase)


def unread(head: Head) -> Looked:
    """What is known of a letter whose headers could not be looked at without harm."""
    return Looked(head=head, letter=None, reading=Reading(kind=Kind.UNREADABLE), sender_code=None, proven=False, answers_ours=False)


def sort_out(looked: Iterable[Looked], used: Mapping[Group, Amount], *, max_bytes: int) -> list[Arrival]:
    """Decide for each letter, in their order. `used`: what was kept of each group in the last 24 hours."""
    spent = dict(used)
    arrivals = []
    for one in looked:
        group, fits = one.group, one.head.size_bytes <= max_bytes
        wanted = _is_wanted(one.reading, known=one.sender_code is not None)
        ours = one.reading.kind is Kind.BOUNCE or (one.reading.kind is Kind.REQUEST and one.sender_code is not None)
        size_bytes = one.head.size_bytes if ours and fits else len(one.head.header)
        over = group if wanted and group is not None and _is_spent(spent.get(group, Amount()), DAILY[group], size_bytes) else None
        kept = wanted and over is None
        if kept and group is not None:
            before = spent.get(group, Amount())
            spent[group] = Amount(letters=before.letters + 1, size_bytes=before.size_bytes + size_bytes)
        whole = kept and ours and fits and not one.may_quote
        arrivals.append(Arrival(looked=one, kept=kept, whole=whole, ours=kept and ours, over=over))
    return arrivals


def excerpt(looked: Looked, content: bytes | None, *, max_bytes: int) -> Excerpt:
    """What is kept of a letter that was fetched whole, or None where only its headers were."""
    if content is None:
        header = leak.silent(looked.head.header, but=_DECIDING)
        return Excerpt(content=header, whole=False, left_out=_left_out(looked, header, max_bytes))
    if looked.reading.kind is Kind.BOUNCE:
        return Excerpt(content=bouncecut.without_answer(content), whole=False, left_out=LeftOut.RETURNED)
    if leak.is_in_letter(content):
        return Excerpt(content=leak.silent(looked.head.header, but=_DECIDING), whole=False, left_out=LeftOut.LEAK)
    return Excerpt(content=content, whole=True, left_out=None)


def _left_out(looked: Looked, header: bytes, max_bytes: int) -> LeftOut | None:
    """Why no more is kept of a letter than these headers."""
    if header != looked.head.header:
        return LeftOut.LEAK
    if looked.head.size_bytes > max_bytes:
        return LeftOut.TOO_LARGE
    return LeftOut.ANSWERS_OURS if looked.may_quote else None


def by_size(arrivals: Sequence[Arrival], max_bytes: int) -> Iterator[list[Arrival]]:
    """Groups whose whole letters together stay within one FETCH."""
    group: list[Arrival] = []
    size = 0
    for arrival in arrivals:
        more = arrival.looked.head.size_bytes if arrival.whole else 0
        if group and size + more > max(FETCH_BYTES, max_bytes):
            yield group
            group, size = [], 0
        group.append(arrival)
        size += more
    if group:
        yield group


def _is_wanted(reading: Reading, *, known: bool) -> bool:
    """letters.md, section 2: what is neither kept nor answered is only noted."""
    match reading.kind:
        case Kind.UNREADABLE | Kind.BOUNCE | Kind.REQUEST:
            return True
        case Kind.MACHINE_MAIL:
            return known and reading.phrase_first
        case Kind.NEAR_SUBJECT:
            return known
    return False


def _is_spent(spent: Amount, daily: Amount, size_bytes: int) -> bool:
    return spent.letters >= daily.letters or spent.size_bytes + size_bytes > daily.size_bytes
