"""Of which days was the digest written, and what does the next one tell? Each day once, each record in one digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects import postgresql, sqlite

from mailer.core.alarms import Alarm
from mailer.core.digest import EVENTS, LISTED, SOON, Ending, Findings, Held
from mailer.core.evidence import OPERATOR
from mailer.states import CredentialState, LetterState, ReplyState, RequestState
from mailer.store import credentials as issued
from mailer.store import letters as kept
from mailer.store import outbox
from mailer.store import requests as asked
from mailer.store.db import Tx
from mailer.store.schema import credentials, digests, instance, records, requests


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """What was told up to: the moment, and the last record."""

    at: datetime
    seq: int


def founded_at(tx: Tx) -> datetime:
    at: datetime = tx.execute(select(instance.c.created_at)).scalar_one()
    return at


def is_written(tx: Tx, day: date) -> bool:
    return tx.execute(select(digests.c.day).where(digests.c.day == day)).first() is not None


def last(tx: Tx) -> Digest:
    """The one that told the most; before the first, the beginning of the office."""
    row = tx.execute(
        select(digests.c.at, digests.c.seq).order_by(digests.c.seq.desc(), digests.c.day.desc()).limit(1)
    ).one_or_none()
    return Digest(at=row.at, seq=row.seq) if row else Digest(at=founded_at(tx), seq=0)


def write(tx: Tx, day: date, *, at: datetime, seq: int) -> bool:
    """Take this day's digest upon oneself; False when somebody else has."""
    insert = postgresql.insert(digests) if tx.dialect.name == "postgresql" else sqlite.insert(digests)
    taken = insert.values(day=day, at=at, seq=seq).on_conflict_do_nothing().returning(digests.c.day)
    return tx.execute(taken).first() is not None


def gather(tx: Tx, before: Digest, *, now: datetime, seq: int, alarms: Sequence[Alarm], checkpoint: str | None) -> Findings:
    """What happened after that digest, up to record `seq`, and what waits now."""
    held, ending = _held(tx), _ending(tx, now)
    return Findings(
        since=min(before.at, now),  # the clock may have been ahead
        until=now,
        told=_told(tx, before.seq, seq),
        held=held,
        held_count=asked.count_of(tx, RequestState.HELD),
        ending=ending,
        ending_count=_count_ending(tx, now),
        quarantined=kept.count_of(tx, LetterState.QUARANTINED),
        to_issue=asked.count_due_for_issue(tx, now) + issued.count_of(tx, CredentialState.RESERVED),
        to_send=outbox.count_of(tx, ReplyState.QUEUED) + outbox.count_of(tx, ReplyState.SENDING),
        alarms=alarms,
        checkpoint=checkpoint,
    )


def _told(tx: Tx, after: int, until: int) -> dict[tuple[str, bool], int]:
    """Letters to the officer are no answers: only what belongs to a request or a letter is counted."""
    by_hand = records.c.actor.startswith(OPERATOR)
    ours = records.c.event.startswith("letter.") | records.c.request_id.is_not(None)
    query = select(records.c.event, by_hand, func.count()).where(
        records.c.event.in_(EVENTS), records.c.seq > after, records.c.seq <= until, ours
    )
    rows = tx.execute(query.group_by(records.c.event, by_hand))
    return {(event, bool(person)): count for event, person, count in rows}


def _held(tx: Tx) -> list[Held]:
    query = select(requests.c.id, requests.c.sender_code, requests.c.created_at).where(requests.c.state == RequestState.HELD.value)
    return [
        Held(request=row.id, code=row.sender_code, since=row.created_at)
        for row in tx.execute(query.order_by(requests.c.id).limit(LISTED))
    ]


def _ending(tx: Tx, now: datetime) -> list[Ending]:
    query = select(credentials.c.request_id, credentials.c.sender_code, credentials.c.last_day).where(*_ends_soon(now))
    rows = tx.execute(query.order_by(credentials.c.valid_until, credentials.c.request_id).limit(LISTED))
    return [Ending(request=row.request_id, code=row.sender_code, last_day=row.last_day) for row in rows]


def _count_ending(tx: Tx, now: datetime) -> int:
    return tx.execute(select(func.count()).select_from(credentials).where(*_ends_soon(now))).scalar_one()


def _ends_soon(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        credentials.c.state == CredentialState.ACTIVE.value,
        credentials.c.valid_until > now,
        credentials.c.valid_until <= now + SOON,
    )
