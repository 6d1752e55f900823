"""How does a step or a command write? State, reply and record in one transaction, under the lease, or not at all.

    with worker.writing() as unit:
        requests.move(unit.tx, ...)
        unit.tell(Record(...))

The lease is proved first, the records are appended last. This is the only way anything is written after `mailer init`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from mailer.core.evidence import Record
from mailer.store import audit, leases
from mailer.store.audit import Pen
from mailer.store.db import Database, Tx, notify
from mailer.store.leases import Lease


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One transaction: `at` is the one time that everything in it carries; `seqs` are those of its records, once it is over."""

    tx: Tx
    at: datetime
    actor: str
    records: list[Record] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)

    def tell(
        self,
        event: str,
        *,
        sender: str | None = None,
        request: int | None = None,
        importance: str = "info",
        outcome: str = "done",
        decided: Mapping[str, object] | None = None,
        **details: object,
    ) -> None:
        """Add to the record what this transaction does. `decided` are details that several events share."""
        self.records.append(
            Record(
                event=event,
                actor=self.actor,
                importance=importance,
                sender=sender,
                request=request,
                outcome=outcome,
                details=details | dict(decided or {}),
            )
        )

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """One letter of a batch: what fails inside leaves neither state nor record."""
        told = len(self.records)
        try:
            with self.tx.begin_nested():
                yield
        except BaseException:
            del self.records[told:]
            raise


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """Somebody who may write: a step under its lease, or an operator (no lease)."""

    database: Database
    pen: Pen
    clock: Callable[[], datetime]
    actor: str
    lease: Lease | None = None

    def reading(self) -> AbstractContextManager[Tx]:
        return self.database.reading()

    @contextmanager
    def writing(self, *, alone: bool = False, dry_run: bool = False) -> Iterator[Unit]:
        """`alone`: no other worker of this step writes so meanwhile, so what is counted inside stays true until the commit.
        `dry_run`: all is done, and then taken back.
        """
        with self.database.writing() as tx:
            trial = tx.begin_nested() if dry_run else None
            unit = Unit(tx=tx, at=self.clock(), actor=self.actor)
            if self.lease is not None:
                leases.hold(tx, self.lease, now=unit.at)
                if alone:
                    leases.take_turn(tx, self.lease)
            yield unit
            if trial is not None:
                trial.rollback()
                return
            unit.seqs.extend(audit.append(tx, self.pen, unit.at, unit.records))
            if unit.records:
                notify(tx)


class Pulse:
    """Keeps a lease while its step waits: call it often, it writes only when a third of the lease has passed."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._due = worker.clock()

    def __call__(self) -> None:
        now = self._worker.clock()
        if now >= self._due or self._due - now > leases.TERM:  # the second: the clock was set back
            with self._worker.writing():
                self._due = now + leases.TERM / 3
