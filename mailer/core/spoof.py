"""Would this mailbox believe a letter with another's address in From? Judges what `mailer doctor` tried (letters.md, section 4).

A trial letter goes one of a few ways; the server's answer and the letter as it arrived, if it did, say what became of it. Nothing
here sends or looks. Only what is seen counts: a letter that was taken and did not come is neither good nor bad.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from mailer.core import trust as trusted
from mailer.model import Letter, Trust

CONNECT: Final = "connect"  # the `command` of a handing that did not come as far as the letter
RESULTS_SHOWN: Final = 300  # characters of a server's Authentication-Results


class Way(StrEnum):
    """How a trial letter is handed in. The first two go as our answers go, with the login if there is one."""

    HEADER = "header"  # another's From, our own envelope sender
    ENVELOPE = "envelope"  # another's From, and the same address as envelope sender, as in all that follow
    WITHOUT_LOGIN = "without-login"  # at the server of our answers
    PORT_25 = "port-25"  # at the mailbox's host, where mail servers hand letters to each other; without a login


class Answer(StrEnum):
    """What the server said to a trial letter."""

    TAKEN = "taken"  # or the line broke when it may have been
    REFUSED = "refused"
    PUT_OFF = "put-off"
    NOBODY = "nobody"  # there is no server, or it is silent
    NOT_ASKED = "not-asked"  # no TLS session, no login, or a line that broke: the letter never came up


@dataclass(frozen=True, kw_only=True, slots=True)
class Handing:
    """One trial letter handed in. `command` is the last one begun, `detail` what the server said: strangers wrote it."""

    answer: Answer
    command: str
    detail: str


class Fate(StrEnum):
    """What became of a trial letter."""

    REFUSED = "refused"
    CLOSED = "closed"  # nobody takes letters there
    REWRITTEN = "rewritten"  # it arrived, and From no longer names the other
    UNPROVEN = "unproven"  # it arrived as written, and the mailbox does not take From for proven
    BELIEVED = "believed"  # it arrived as written, and the mailbox would believe it
    UNSEEN = "unseen"  # taken, and not found in the mailbox in time
    PUT_OFF = "put-off"
    UNTRIED = "untried"


_UNSURE: Final = frozenset({Fate.UNSEEN, Fate.PUT_OFF, Fate.UNTRIED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A trial letter and its fate. `from_address` is that in From as it arrived, `results` the topmost Authentication-Results."""

    way: Way
    fate: Fate
    command: str
    detail: str
    arrived: bool = False
    from_address: str | None = None
    results: str | None = None


class Verdict(StrEnum):
    """What all trial letters together say of a mailbox."""

    STOOD = "stood"  # each was stopped, changed, or would not be believed
    BELIEVED = "believed"  # at least one would be
    UNSURE = "unsure"  # none would be, and of some nobody knows
    UNTRIED = "untried"  # none could be tried


def ways(*, answers_leave: bool, with_login: bool, same_server: bool) -> tuple[Way, ...]:
    """The ways there are to try: `answers_leave`: [smtp] is configured; `same_server`: it is port 25 of the mailbox's host."""
    ours = (Way.HEADER, Way.ENVELOPE) if answers_leave else ()
    stranger = (Way.WITHOUT_LOGIN,) if answers_leave and with_login else ()
    return (*ours, *stranger) if same_server else (*ours, *stranger, Way.PORT_25)


def made_up(registered: Iterable[str], token: str) -> str | None:
    """An address that nobody has, at the domain that most registered addresses are of; None if there is none."""
    domains = Counter(address.rpartition("@")[2] for address in registered)
    return f"mailer-doctor-{token}@{domains.most_common(1)[0][0]}" if domains else None


def judge(
    way: Way,
    handing: Handing,
    arrived: Letter | None,
    *,
    spoofed: str,
    trust: Trust,
    authserv_id: str | None = None,
    shared_domains: frozenset[str] = frozenset(),
) -> Outcome:
    """What became of one letter. That it arrived outweighs whatever the server answered; `spoofed` is in lower case."""
    said = Outcome(way=way, fate=_without_trace(way, handing), command=handing.command, detail=handing.detail)
    if arrived is None:
        return said
    results = next((value for name, value in arrived.authentication if name == "authentication-results"), None)
    if arrived.sender != spoofed:
        fate = Fate.REWRITTEN
    else:
        believed = trusted.standing(arrived, trust=trust, authserv_id=authserv_id, shared_domains=shared_domains)
        fate = Fate.BELIEVED if believed else Fate.UNPROVEN
    shown = None if results is None else results[:RESULTS_SHOWN]
    return replace(said, fate=fate, arrived=True, from_address=arrived.sender, results=shown)


def _without_trace(way: Way, handing: Handing) -> Fate:
    stranger = way in {Way.WITHOUT_LOGIN, Way.PORT_25}
    match handing.answer:
        case Answer.TAKEN:
            return Fate.UNSEEN
        case Answer.REFUSED:
            # Whom the server of our own answers sends away before the letter has said nothing of the letter.
            return Fate.REFUSED if stranger or handing.command != CONNECT else Fate.UNTRIED
        case Answer.PUT_OFF:
            return Fate.PUT_OFF
        case Answer.NOBODY if way is Way.PORT_25:
            return Fate.CLOSED
    return Fate.UNTRIED


def verdict(outcomes: Sequence[Outcome]) -> Verdict:
    """The worst counts; a way that is closed says nothing, so it cannot be all there was."""
    fates = {outcome.fate for outcome in outcomes}
    if Fate.BELIEVED in fates:
        return Verdict.BELIEVED
    if fates <= {Fate.CLOSED, Fate.UNTRIED}:
        return Verdict.UNTRIED
    return Verdict.UNSURE if fates & _UNSURE else Verdict.STOOD
