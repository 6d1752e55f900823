"""What stands in a line of the journal of what was issued, «Журнал учёта выдачи», as officers keep it in Excel? (domain.md)

A line for each credential that was issued, in the order of its request's number. The last column is empty: there people sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from mailer.core.recordforms import cell
from mailer.errors import N_
from mailer.states import CredentialState, ReplyState

TITLE: Final = N_("Journal of access credentials issued")
HEADINGS: Final = (
    N_("No."),
    N_("Issued on"),
    N_("Issued to"),
    N_("For whom"),
    N_("Request No. and date"),
    N_("Answer No. and date"),
    N_("Confirmation of receipt"),
    N_("Valid until"),
    N_("State"),
    N_("Signature"),
)
STATES: Final[Mapping[CredentialState, str]] = {
    CredentialState.ACTIVE: N_("in force"),
    CredentialState.SUSPENDED: N_("blocked: the answer did not arrive"),
    CredentialState.EXPIRED: N_("the term is over"),
    CredentialState.REVOKED: N_("revoked"),
    CredentialState.SUPERSEDED: N_("replaced by a newer one"),
    CredentialState.IN_DOUBT: N_("in doubt"),
}
RECEIPTS: Final[Mapping[ReplyState, str]] = {
    ReplyState.QUEUED: N_("not sent yet"),
    ReplyState.SENDING: N_("not sent yet"),
    ReplyState.SENT: N_("taken by the mail server"),
    ReplyState.UNKNOWN: N_("not known whether it was sent"),
    ReplyState.FAILED: N_("not delivered"),
    ReplyState.CONFIRMED: N_("receipt confirmed"),
    ReplyState.BOUNCED: N_("came back undelivered"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """A credential that was issued, with its request and answer. Erased people and organisations are None."""

    request: int
    received_at: datetime
    issued_at: datetime
    organisation: str | None
    answer_to: str | None
    person: str | None
    answered_at: datetime | None
    receipt: ReplyState | None
    last_day: date
    state: CredentialState


def line(number: int, issued: Issued, zone: ZoneInfo, word: Callable[[str], str]) -> list[str]:
    """The cells, fit for a spreadsheet. `word` translates; days are those of the fund's zone."""
    erased = word(N_("erased"))
    to = ", ".join(part for part in (issued.organisation, issued.answer_to) if part) or erased
    answer = f"{issued.request}/1"
    if issued.answered_at is not None:
        answer = word(N_("{number} of {day}")).format(number=answer, day=_day(issued.answered_at, zone))
    return [
        str(number),
        _day(issued.issued_at, zone),
        cell(to),
        cell(issued.person or erased),
        word(N_("{number} of {day}")).format(number=issued.request, day=_day(issued.received_at, zone)),
        answer,
        word(RECEIPTS[issued.receipt]) if issued.receipt is not None else "",
        f"{issued.last_day:%d.%m.%Y}",
        word(STATES[issued.state]),
        "",
    ]


def _day(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%d.%m.%Y}"
