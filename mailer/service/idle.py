"""When is everything done? For `run --until-idle`: every mailbox was looked through since the start, and nothing due waits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mailer.flow.report import house
from mailer.flow.report.house import Backlog
from mailer.service.office import Office, clock
from mailer.store import audit, credentials, leases, pauses
from mailer.store.credentials import BREAKER_WINDOW
from mailer.store.db import Tx
from mailer.store.pauses import Pause

LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What was done since the start. `paused`: requests that the breaker keeps waiting; `troubles`: step -> what it met.

    `standing_still`: what a person has paused, of these steps.
    """

    events: Mapping[str, int]
    later: int
    next_send: datetime | None
    paused: int
    troubles: Mapping[str, str] = field(default_factory=dict)
    standing_still: Sequence[Pause] = ()

    def told(self, event: str) -> int:
        return self.events.get(event, 0)


def watch(office: Office, steps: Sequence[str]) -> Summary:
    """Wait until these steps have nothing more to do."""
    started = clock()
    with office.database.reading() as tx:
        seq = audit.head(tx)
    while True:
        with office.database.reading() as tx:
            summary = _look(tx, office, steps, started=started, seq=seq)
        if summary is not None:
            return summary
        time.sleep(LOOK_EVERY_SECONDS)


def _look(tx: Tx, office: Office, steps: Sequence[str], *, started: datetime, seq: int) -> Summary | None:
    """The summary once all is done, else None."""
    mailboxes = [f"intake:{mailbox.name}" for mailbox in office.config.mailbox] if "intake" in steps else []
    holdings = {holding.name: holding for holding in leases.every(tx)}
    troubles: dict[str, str] = {}
    for name in mailboxes:
        holding = holdings.get(name)
        through = holding is not None and holding.worked_at is not None and holding.worked_at >= started
        if holding is not None and holding.trouble and holding.trouble_at and holding.trouble_at >= started:
            troubles[name] = holding.trouble
        elif not through:
            return None
    standing_still = [pause for pause in pauses.every(tx) if pause.step.value in steps]
    steps = [step for step in steps if not pauses.holds(tx, step)]
    backlog = house.backlog(tx, clock())
    limit = office.config.limits.issues_per_10_minutes
    paused = backlog.to_issue if credentials.issued_since(tx, clock() - BREAKER_WINDOW) >= limit else 0
    if not _done(backlog, steps, observe=office.config.mode == "observe", paused=bool(paused)):
        return None
    return Summary(
        events=audit.counts_since(tx, seq),
        later=backlog.to_send_later,
        next_send=backlog.next_send,
        paused=paused,
        troubles=troubles,
        standing_still=standing_still,
    )


def _done(backlog: Backlog, steps: Sequence[str], *, observe: bool, paused: bool) -> bool:
    if ("answer" in steps and backlog.letters) or ("bounce" in steps and backlog.bounces):
        return False
    if "issue" in steps and not observe and (backlog.reserved or (backlog.to_issue and not paused)):
        return False
    return not ("deliver" in steps and backlog.to_send and not observe)
