"""How is the house? Counts of everything, what is still to be done, and who works on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.model import Verdict
from mailer.states import CredentialState, LetterState, ReplyState, RequestState
from mailer.store import (
    accounts_local,
    accounts_pool,
    audit,
    credentials,
    leases,
    letters,
    observed,
    outbox,
    pauses,
    requests,
    senders,
)
from mailer.store.accounts_local import LocalCounts
from mailer.store.accounts_pool import PoolCounts
from mailer.store.db import Tx
from mailer.store.leases import Holding
from mailer.store.outbox import Backoff
from mailer.store.pauses import Pause


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What is still to be done, now and later."""

    letters: int  # kept, to be decided now
    bounces: int  # kept, to be matched now
    to_issue: int  # approved, and their time has come
    reserved: int  # begun and to be carried out
    to_send: int  # queued and due, or being sent
    to_send_later: int  # queued for a later attempt
    next_send: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """The state of the house in counts, and who works on what. `observed`: letters that were observed and then left alone."""

    letters: Mapping[LetterState, int]
    requests: Mapping[RequestState, int]
    credentials: Mapping[CredentialState, int]
    replies: Mapping[ReplyState, int]
    backlog: Backlog
    backoff: Backoff | None
    senders: int
    records: int
    leases: Sequence[Holding]
    pauses: Sequence[Pause]
    observed: Mapping[Verdict, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountCounts:
    """How many accounts there are, by where they are valid."""

    local: LocalCounts
    pool: PoolCounts


def account_counts(tx: Tx, now: datetime) -> AccountCounts:
    return AccountCounts(local=accounts_local.counts(tx), pool=accounts_pool.counts(tx, now))


def backlog(tx: Tx, now: datetime) -> Backlog:
    due = outbox.count_due(tx, now)
    return Backlog(
        letters=letters.count_due(tx, now, bounces=False),
        bounces=letters.count_due(tx, now, bounces=True),
        to_issue=requests.count_due_for_issue(tx, now),
        reserved=credentials.count_of(tx, CredentialState.RESERVED),
        to_send=due + outbox.count_of(tx, ReplyState.SENDING),
        to_send_later=outbox.count_of(tx, ReplyState.QUEUED) - due,
        next_send=outbox.next_due(tx),
    )


def status(tx: Tx, now: datetime) -> Status:
    return Status(
        letters=letters.counts(tx),
        requests=requests.counts(tx),
        credentials=credentials.counts(tx),
        replies=outbox.counts(tx),
        backlog=backlog(tx, now),
        backoff=outbox.backoff(tx),
        senders=senders.count(tx),
        records=audit.head(tx),
        leases=leases.every(tx),
        pauses=pauses.every(tx),
        observed=observed.unanswered(tx),
    )
