"""What was issued, to whom, and did it arrive? By pages, in the order of the requests' numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from mailer.core.journal import STATES, Issued
from mailer.states import CredentialState, ReplyState
from mailer.store.db import Tx
from mailer.store.schema import credentials, letters, personal, replies, requests, senders

PAGE = 1000
ANSWER = "issued"  # the template of the letter that carries login and password
_people, _addresses = personal.alias("people"), personal.alias("addresses")


def page(tx: Tx, *, after: int, since: datetime | None, until: datetime | None) -> list[Issued]:
    """Beyond request `after`; `until` is not included."""
    query = (
        select(
            requests.c.id,
            func.coalesce(letters.c.received_at, requests.c.created_at).label("received_at"),
            credentials.c.issued_at,
            senders.c.organisation,
            _addresses.c.value.label("answer_to"),
            _people.c.value.label("person"),
            replies.c.finished_at,
            replies.c.state.label("receipt"),
            credentials.c.last_day,
            credentials.c.state,
        )
        .select_from(credentials)
        .join(requests, requests.c.id == credentials.c.request_id)
        .outerjoin(letters, letters.c.id == requests.c.letter_id)
        .outerjoin(senders, senders.c.code == credentials.c.sender_code)
        .outerjoin(_people, _people.c.id == credentials.c.person_id)
        .outerjoin(_addresses, _addresses.c.id == credentials.c.answer_to_id)
        .outerjoin(replies, (replies.c.credential_id == credentials.c.id) & (replies.c.name == ANSWER))
        .where(requests.c.id > after, credentials.c.state.in_([state.value for state in STATES]))
        .where(credentials.c.issued_at.is_not(None))
    )
    if since is not None:
        query = query.where(credentials.c.issued_at >= since)
    if until is not None:
        query = query.where(credentials.c.issued_at < until)
    return [_issued(row) for row in tx.execute(query.order_by(requests.c.id).limit(PAGE)).all()]


def _issued(row: Any) -> Issued:
    return Issued(
        request=row.id,
        received_at=row.received_at,
        issued_at=row.issued_at,
        organisation=row.organisation,
        answer_to=row.answer_to,
        person=row.person,
        answered_at=row.finished_at,
        receipt=None if row.receipt is None else ReplyState(row.receipt),
        last_day=row.last_day,
        state=CredentialState(row.state),
    )
