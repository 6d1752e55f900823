"""Which letters arrive during a campaign, and what must have become of each at the end?

Every letter carries its number in its Message-ID, and asks for a person of its own, so that letter, credential and reply find each
other without asking the program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

PHRASE: Final = "Запрос атрибутов временного доступа"
CLINICS: Final = tuple(f"ib@clinic{number}.example" for number in range(40))
LATER, NEVER, MUTE = "later@slow.example", "never@gone.example", "mute@deaf.example"
OFFICER: Final = "ib@fond.example"
STRANGER: Final = "somebody@elsewhere.example"
MAX_BYTES: Final = 64 * 1024
STRANGERS: Final = 150  # of 200 whose headers are kept a day
SYLLABLES: Final = ("ба", "ве", "ги", "до", "жу", "за", "ке", "ли", "мо", "ну")


class Sort(StrEnum):
    """What sort of letter it is; the value is how the report calls it."""

    PLAIN = "request"
    LARGE = "request with a large attachment"
    TOO_LARGE = "request above max_bytes"
    LATER = "request, answer postponed by the server"
    NEVER = "request, answer refused by the server"
    MUTE = "request, server takes the answer and drops the line"
    AGAIN = "request that replaces a login"
    SAME_PERSON = "second request for a person just served"
    SAME_LETTER = "the same letter delivered twice"
    PLACEHOLDER = "request without a name"
    LATIN = "request with doubtful initials"
    NEAR = "near-subject"
    OTHER = "other subject"
    UNKNOWN = "request of an unknown sender"
    MACHINE = "request written by a machine"
    BOUNCE = "delivery report"
    OBSERVED = "request, only observed"
    POISON = "request that four processes died of"
    RETRIED = "request that four processes died of, read once more"
    DROPPED = "request that four processes died of, given up"
    RETURNED = "request, answer comes back"
    UNREADABLE = "letter with unreadable headers"


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """Where a letter must be at the end. `kept`: by the program, None: as far as the day's share goes.

    `moved`: in the done folder, else in the inbox.
    """

    kept: bool | None = True
    moved: bool = True
    verdict: str | None = None
    request: str | None = None  # its state; None: no request
    credential: bool = False
    reply: str | None = None  # its state; None: no reply
    letter: str = "read"


ANSWERED: Final = End(verdict="issue", request="answered", credential=True, reply="sent")
IGNORED: Final = End(verdict="ignore")
ENDS: Final = {
    Sort.PLAIN: ANSWERED,
    Sort.LARGE: ANSWERED,
    Sort.TOO_LARGE: ANSWERED,
    Sort.LATER: ANSWERED,
    Sort.NEVER: End(verdict="issue", request="issued", credential=True, reply="failed"),
    Sort.MUTE: End(verdict="issue", request="issued", credential=True, reply="unknown"),
    Sort.AGAIN: ANSWERED,
    Sort.SAME_PERSON: IGNORED,
    Sort.SAME_LETTER: IGNORED,  # the second of the two; the first is PLAIN
    Sort.PLACEHOLDER: End(verdict="refuse", request="refused", reply="sent"),
    Sort.LATIN: End(verdict="hold", request="held"),
    Sort.NEAR: End(verdict="refuse", request="refused", reply="sent", moved=False),
    Sort.OTHER: End(kept=False, moved=False),
    Sort.UNKNOWN: End(verdict="hold", request="held", moved=False),
    Sort.MACHINE: End(verdict="hold", request="held", moved=False),
    Sort.BOUNCE: IGNORED,
    Sort.OBSERVED: End(verdict="issue", moved=False),
    Sort.POISON: End(letter="quarantined"),
    Sort.RETRIED: ANSWERED,
    Sort.DROPPED: End(letter="dropped"),
    Sort.RETURNED: End(verdict="issue", request="answered", credential=True, reply="bounced"),
    Sort.UNREADABLE: End(kept=None, moved=False, verdict="hold", request="held"),
}
# The steady stream, by weight.
STREAM: Final = (
    *(Sort.PLAIN,) * 8,
    *(Sort.PLACEHOLDER,) * 2,
    Sort.LARGE,
    Sort.TOO_LARGE,
    Sort.SAME_PERSON,
    Sort.SAME_LETTER,
    Sort.LATIN,
    Sort.NEAR,
    Sort.OTHER,
    Sort.UNKNOWN,
    Sort.MACHINE,
    Sort.BOUNCE,
)
REPORT: Final = """
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.elsewhere.example

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

Message-ID: {message_id}

--b--
"""
SENDERS: Final = {Sort.LATER: LATER, Sort.NEVER: NEVER, Sort.MUTE: MUTE, Sort.UNKNOWN: STRANGER}


@dataclass(kw_only=True, slots=True)
class Posted:
    """A letter that was put into the mailbox.

    `login` is what must have become of the login issued for it. `twin`: the letter that asks for the same person; after a crash
    either of the two may be read first, and one of them is answered.
    """

    number: int
    sort: Sort
    person: str
    sender: str
    login: str = "active"
    twin: int | None = None


class Post:
    """Writes letters and puts them into the mailbox, oldest first; remembers all."""

    def __init__(self, deliver: Callable[[Sequence[bytes]], None], chance: Random) -> None:
        self._deliver = deliver
        self._chance = chance
        self.posted: list[Posted] = []
        self.arrivals = 0  # files put into the mailbox: a letter delivered twice counts twice

    def stream(self, count: int) -> None:
        for _ in range(count):
            self.drop(self._chance.choice(STREAM))

    def drop(self, sort: Sort, *, replaces: Posted | None = None) -> Posted:
        """Post one letter of a sort, with the ones before it that make it what it is; the last of them."""
        if sort is Sort.UNKNOWN and sum(one.sort is sort for one in self.posted) >= STRANGERS:
            sort = Sort.OTHER
        if sort in {Sort.SAME_PERSON, Sort.SAME_LETTER}:
            first = self._new(Sort.PLAIN)
            contents = [_written(first)]
            second = self._new(sort, like=first)
            first.twin, second.twin = second.number, first.number
            contents.append(_written(first if sort is Sort.SAME_LETTER else second))
            self._put(contents)
            return second
        posted = self._new(sort, like=replaces)
        if replaces is not None:
            replaces.login = "superseded"
        self._put([_written(posted)])
        return posted

    def bounce(self, recipient: str, message_id: str) -> Posted:
        """The recipient's server gives a reply back."""
        posted = self._new(Sort.BOUNCE)
        self._put([_written(posted) + REPORT.format(recipient=recipient, message_id=message_id).replace("\n", "\r\n").encode()])
        return posted

    def unreadable(self, count: int) -> None:
        self._put([_written(self._new(Sort.UNREADABLE)) for _ in range(count)])

    def _new(self, sort: Sort, *, like: Posted | None = None) -> Posted:
        number = len(self.posted) + 1
        sender = like.sender if like else SENDERS.get(sort) or self._chance.choice(CLINICS)
        posted = Posted(number=number, sort=sort, person=like.person if like else _person(number), sender=sender)
        self.posted.append(posted)
        return posted

    def _put(self, contents: Sequence[bytes]) -> None:
        self.arrivals += len(contents)
        self._deliver(contents)


def _person(number: int) -> str:
    return "".join(SYLLABLES[int(digit)] for digit in f"{number:05}").capitalize() + " А.Б."


def _written(posted: Posted) -> bytes:
    """The letter as a clinic's program writes it: raw UTF-8 headers."""
    subject, headers, body = f"{PHRASE} = {posted.person}", "", "прошу\r\n"
    match posted.sort:
        case Sort.AGAIN:
            subject = f"{PHRASE} = «{posted.person}»"
        case Sort.PLACEHOLDER:
            subject = f"{PHRASE} = Фамилия И.О."
        case Sort.LATIN:
            subject = f"{PHRASE} = {posted.person.replace('А.Б.', 'A.B.')}"
        case Sort.NEAR:
            subject = "Прошу атрибуты для доступа"
        case Sort.OTHER:
            subject = "Отчёт за квартал"
        case Sort.MACHINE:
            headers = "Auto-Submitted: auto-generated\r\n"
        case Sort.BOUNCE:
            subject = "Undelivered Mail Returned to Sender"
            headers = 'Return-Path: <>\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n'
        case Sort.LARGE:
            body = "вложение\r\n" * 1500
        case Sort.TOO_LARGE:
            body = "вложение\r\n" * 5000
    if posted.sort is Sort.UNREADABLE:  # no header has a blank in its name
        return f"* Message-ID: <crash-{posted.number}@letters.example>\r\n\r\n{body}".encode()
    sender = "MAILER-DAEMON@post.example" if posted.sort is Sort.BOUNCE else posted.sender
    return (
        f"{headers}From: {sender}\r\nTo: uc@fond.example\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 12:00:00 +0300\r\n"
        f"Message-ID: <crash-{posted.number}@letters.example>\r\n\r\n{body}"
    ).encode()
