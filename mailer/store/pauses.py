"""What has a person paused, since when and why? A row as long as it lasts; asked by every process before each batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mailer.core.standstill import PauseSigns
from mailer.states import CredentialState, Pausable, ReplyState
from mailer.store import credentials, outbox, requests
from mailer.store.db import Tx
from mailer.store.schema import pauses

PAUSABLE: Final = frozenset(step.value for step in Pausable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """`mailbox` is "" where all of them are meant, and for every step but intake. `actor` and `reason`: who typed it, and why."""

    step: Pausable
    mailbox: str
    since: datetime
    actor: str
    reason: str


def every(tx: Tx) -> list[Pause]:
    """All that last, in the order of the steps. A row that names no step, or no mailbox, holds nothing up: it is no pause.

    Only who writes the database behind our back makes such a row; it must not keep the alarms from being told.
    """
    order = list(Pausable)
    found = [_read(row) for row in tx.execute(select(pauses)) if row.step in PAUSABLE and isinstance(row.mailbox, str)]
    return sorted(found, key=lambda pause: (order.index(pause.step), pause.mailbox))


def find(tx: Tx, step: Pausable, mailbox: str) -> Pause | None:
    """This very pause: one of all mailboxes is not the pause of one of them."""
    row = tx.execute(select(pauses).where(pauses.c.step == step.value, pauses.c.mailbox == mailbox)).one_or_none()
    return None if row is None else _read(row)


def holds(tx: Tx, task: str) -> bool:
    """Whether this task of the service must stand still: `intake:uc`, `issue`, `deliver`."""
    step, _, mailbox = task.partition(":")
    query = select(pauses.c.step).where(pauses.c.step == step, pauses.c.mailbox.in_(["", mailbox]))
    return tx.execute(query.limit(1)).first() is not None


def can_hold(task: str) -> bool:
    """Whether it can be paused at all: answers that were decided wait for issuing or sending, letters in their mailbox."""
    return task.partition(":")[0] in PAUSABLE


def begin(tx: Tx, pause: Pause) -> bool:
    """Whether it began: False when somebody else has begun it at this moment."""
    insert = postgresql.insert(pauses) if tx.dialect.name == "postgresql" else sqlite.insert(pauses)
    values = {
        "step": pause.step.value,
        "mailbox": pause.mailbox,
        "since": pause.since,
        "actor": pause.actor,
        "reason": pause.reason,
    }
    begun = insert.values(**values).on_conflict_do_nothing().returning(pauses.c.step)
    return tx.execute(begun).first() is not None


def end(tx: Tx, pause: Pause) -> bool:
    """Whether it ended now: False when somebody else has ended it at this moment."""
    ended = tx.execute(delete(pauses).where(pauses.c.step == pause.step.value, pauses.c.mailbox == pause.mailbox))
    return ended.rowcount == 1


def signs(tx: Tx, now: datetime) -> list[PauseSigns]:
    """For the alarms: what lasts, and how much waits because of it. What waits in a mailbox nobody has looked at."""
    return [
        PauseSigns(step=pause.step.value, mailbox=pause.mailbox, since=pause.since, waiting=waiting(tx, pause.step, now))
        for pause in every(tx)
    ]


def waiting(tx: Tx, step: Pausable, now: datetime) -> int:
    """Requests to issue or replies to send that would be worked on now; 0 for intake."""
    match step:
        case Pausable.INTAKE:
            return 0
        case Pausable.ISSUE:
            return requests.count_due_for_issue(tx, now) + credentials.count_of(tx, CredentialState.RESERVED)
        case Pausable.DELIVER:
            return outbox.count_due(tx, now) + outbox.count_of(tx, ReplyState.SENDING)


def _read(row: Row[Any]) -> Pause:
    return Pause(step=Pausable(row.step), mailbox=row.mailbox, since=row.since, actor=row.actor, reason=row.reason)
