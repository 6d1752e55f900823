"""How is a refusal written? By its template, into the transaction that refuses; whether it may be is not asked here.

Not a step: answer and the officer's commands refuse through it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

from mailer.core.reply import local_moment
from mailer.core.replyvalues import TEMPLATES, RefusedValues, ReplyValues
from mailer.flow.stationery import Stationery
from mailer.model import Letter, Mistake, Reading, Reason, Sender
from mailer.store.personal import Personal
from mailer.store.work import Unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Why:
    """What the letter `refused` explains; without a reason it asks to get in touch."""

    reason: Reason | None = None
    written: str = ""
    surname_hint: str = ""
    mistake: Mistake | None = None

    @classmethod
    def of(cls, reading: Reading) -> Self:
        return cls(reason=reading.reason, written=reading.written, surname_hint=reading.surname_hint, mistake=reading.mistake)


def write(
    unit: Unit,
    stationery: Stationery,
    *,
    request_id: int,
    sender: Sender,
    answer_to: Personal,
    received_at: datetime,
    name: str,
    why: Why,
    answered: Letter | None,
) -> None:
    """Write and queue the refusal `name` of this request."""
    fund = stationery.fund
    values: ReplyValues = ReplyValues(
        fund_name=fund.name,
        contact=fund.contact,
        portal_url=fund.portal_url,
        organisation=sender.organisation,
        request_number=request_id,
        received_at=local_moment(received_at, fund.zone),
    )
    if TEMPLATES[name] is RefusedValues:
        values = RefusedValues(
            **asdict(values), reason=why.reason, written=why.written, surname_hint=why.surname_hint, mistake=why.mistake
        )
    stationery.write(
        unit, request_id=request_id, sender_code=sender.code, recipient=answer_to, name=name, values=values, answered=answered
    )
