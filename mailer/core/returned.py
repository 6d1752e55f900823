"""What does a bounce change? Nothing, unless it says of a reply that was sent that its very recipient will never get it.

Anybody can write a bounce. What counts is that it names a reply by an id of 128 random bits and the address that the reply went to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailer.core import addresses
from mailer.core.bounce import Bounce, NoReport
from mailer.core.deliverystatus import Outcome, Recipient
from mailer.states import ReplyState


class Finding(StrEnum):
    """What a bounce means. Only `bounced` changes the reply, and only `not-yet` leaves the bounce unread."""

    BOUNCED = "bounced"
    NOT_YET = "not-yet"  # the mail server may have it, and we have not noted so
    NOTHING_SAID = "nothing-said"
    NO_SUCH_REPLY = "no-such-reply"
    ANOTHER_RECIPIENT = "another-recipient"
    NOT_FAILED = "not-failed"
    NOT_SENT = "not-sent"
    ALREADY_BOUNCED = "already-bounced"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What we know of the reply that a bounce names. `recipient` is None when erased or not the one in the record.

    `sends` is how often its bytes may have reached the mail server; `told_sent`: the record says that the server took it.
    """

    recipient: str | None
    state: ReplyState
    sends: int
    told_sent: bool


def judge(said: Bounce | NoReport, known: Known | None) -> Finding:
    """`known` is None when the record knows no reply of these ids."""
    if isinstance(said, NoReport) or not said.recipients:
        return Finding.NOTHING_SAID
    if known is None:
        return Finding.NO_SUCH_REPLY
    ours = [recipient for recipient in said.recipients if _is_of(recipient, known)]
    if not ours:
        return Finding.ANOTHER_RECIPIENT
    if all(recipient.outcome is not Outcome.FAILED for recipient in ours):
        return Finding.NOT_FAILED
    return _by_state(known)


def _by_state(known: Known) -> Finding:
    match known.state:
        case ReplyState.SENT if known.told_sent:
            return Finding.BOUNCED
        case ReplyState.BOUNCED:
            return Finding.ALREADY_BOUNCED
        case ReplyState.SENDING:
            return Finding.NOT_YET
        case ReplyState.QUEUED if known.sends:
            return Finding.NOT_YET
    return Finding.NOT_SENT


def _is_of(recipient: Recipient, known: Known) -> bool:
    """Whether it is our recipient who was tried, or whose forwarding was."""
    if known.recipient is None:
        return False
    ours = addresses.only(known.recipient.encode("utf-8", "replace"))
    return ours is not None and ours.address in {recipient.final, recipient.original}
