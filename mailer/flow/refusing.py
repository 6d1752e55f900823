"""How is an answer without a login written, a refusal or a receipt? By its template, into the transaction that decides.

Not a step: answer and the officer's commands write through it. Whether it may be written is not asked here.
"""

from __future__ import annotations

from datetime import datetime

from mailer.core.reply import local_moment
from mailer.core.replyvalues import ReplyValues, refusal
from mailer.flow.stationery import Stationery, refuse_unwritable
from mailer.model import Letter, Reading, Sender
from mailer.store.personal import Personal
from mailer.store.work import Unit


def write(
    unit: Unit,
    stationery: Stationery,
    *,
    request_id: int,
    sender: Sender,
    answer_to: Personal,
    received_at: datetime,
    name: str,
    reading: Reading,
    answered: Letter | None,
) -> None:
    """Write and queue the letter `name` of this request. `reading`: what it explains; without a reason it asks to get in touch."""
    refuse_unwritable(sender)
    fund = stationery.fund
    values = ReplyValues(
        fund_name=fund.name,
        contact=fund.contact,
        portal_url=fund.portal_url,
        organisation=sender.organisation,
        request_number=request_id,
        received_at=local_moment(received_at, fund.zone),
        checkpoint_code=stationery.checkpoint_code(unit.tx),
    )
    stationery.write(
        unit,
        request_id=request_id,
        sender_code=sender.code,
        recipient=answer_to,
        name=name,
        values=refusal(name, values, reading),
        answered=answered,
    )
