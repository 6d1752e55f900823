"""What needs a person, since when, and what can be done? From what is seen of the office to one list of alarms.

`watch` and `watch_outside` judge; `due` says which kinds are to be told now. An alarm holds numbers and names of our own things
(mailboxes, steps, keys): nothing that strangers wrote, so it may go into letters, to a command and to the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from mailer.core.alarmwords import WORDS, Words

STEP_FAILS_FOR: Final = timedelta(minutes=2)  # a broken connection mends itself sooner
TROUBLE_IS_FRESH: Final = timedelta(minutes=5)  # a failing step tries again within a minute
REPLY_WAITS_FOR: Final = timedelta(hours=1)
SETTLED_AFTER: Final = timedelta(
    days=14
)  # what no deed of a person ends: an undelivered letter without a login, a distrusted login
KEY_IS_OLD: Final = timedelta(days=10)  # of the 14 that the key of a reply is kept (reliability.md, Secrets)
FIGHT_WINDOW: Final = timedelta(minutes=10)
FIGHT_LOSSES: Final = 3  # once is a process that was stopped for a while
CLOCK_JUMPS_FROM: Final = timedelta(minutes=1)
JUMP_IS_TOLD_FOR: Final = timedelta(hours=1)
TELL_AGAIN: Final = timedelta(hours=1)  # of one kind, and only when there is news
COMPACTION_TAKES: Final = timedelta(hours=1)  # of a database of many gigabytes
REMIND: Final = timedelta(days=1)  # of what still stands without news
COURIERS: Final = frozenset({"deliver"})


class AlarmKind(StrEnum):
    """The words in the database, in `status --json` and on the command's standard input."""

    MAILBOX_SILENT = "mailbox-silent"
    SERVICE_STOPPED = "service-stopped"
    STEP_FAILING = "step-failing"
    LEASE_FIGHT = "lease-fight"
    LETTERS_QUARANTINED = "letters-quarantined"
    ISSUING_PAUSED = "issuing-paused"
    INTAKE_PAUSED = "intake-paused"
    STEP_PAUSED = "step-paused"
    POOL_LOW = "pool-low"
    REPLIES_WAITING = "replies-waiting"
    REPLIES_UNDELIVERED = "replies-undelivered"
    NOTICES_UNDELIVERED = "notices-undelivered"
    ACCOUNTS_LINGERING = "accounts-lingering"
    LOGINS_DISTRUSTED = "logins-distrusted"
    KEY_OLD = "key-old"
    KEY_MISSING = "key-missing"
    ERASURE_UNFINISHED = "erasure-unfinished"
    DISK_LOW = "disk-low"
    CLOCK_JUMPED = "clock-jumped"
    RECORD_DOUBTED = "record-doubted"


OUTSIDE: Final = frozenset({AlarmKind.KEY_MISSING, AlarmKind.DISK_LOW, AlarmKind.CLOCK_JUMPED})
"""What the database does not show: seen by the running service alone."""

NOT_BY_LETTER: Final = frozenset({AlarmKind.NOTICES_UNDELIVERED})
"""A letter about letters that do not arrive would be one more of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """`place`: which mailbox, step or key, "" where there is only one. `count`: how many things; more of them are news."""

    kind: AlarmKind
    since: datetime
    place: str = ""
    count: int = 1
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """From when on it is an alarm, as configured."""

    silence: Mapping[str, timedelta]  # mailbox -> how long it may go without a successful check
    stopped: timedelta  # how long a part of the service may be away
    parts: tuple[str, ...]  # of desk and courier those that should run
    breaker: int
    disk_free_bytes: int
    low_stock: int  # fewer free pairs in the pool; 0 where logins do not come from one


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSigns:
    """A lease's row: how the step does that works under it. `losses` without ten quiet minutes between them."""

    name: str
    expires_at: datetime
    worked_at: datetime | None = None
    trouble_at: datetime | None = None
    losses: int = 0
    lost_since: datetime | None = None
    lost_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Heap:
    """How many there are, and the time of the oldest."""

    count: int
    since: datetime | None


NOTHING: Final = Heap(count=0, since=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signs:
    """What the database shows."""

    founded_at: datetime
    steps: Sequence[StepSigns] = ()
    quarantined: Heap = NOTHING
    paused: Heap = NOTHING  # approved requests that could be issued, while the breaker's number is reached
    free_pairs: int = 0  # in the pool
    pool_low_since: datetime | None = None  # as the record tells it; None when it told nothing since the last import
    uncompacted_since: datetime | None = None  # erased data may lie in the files of the database since then
    waiting: Heap = NOTHING  # replies queued for longer than `REPLY_WAITS_FOR`
    undelivered: Heap = NOTHING
    notices: Heap = NOTHING  # letters to the officer, undelivered or waiting as long
    lingering: Heap = NOTHING  # logins that are over, and whose accounts could not be disabled yet
    distrusted: Heap = NOTHING  # logins found not to be as the record tells, within `SETTLED_AFTER`, and not ended since
    refused_since: datetime | None = None  # the record is not signed any more, since something in it is not as it was
    epochs: Mapping[str, int] = field(default_factory=dict)  # day of the key -> replies that may still need it


@dataclass(frozen=True, kw_only=True, slots=True)
class OutsideSigns:
    """What only the service sees. `free_bytes`: place -> free for us; `uptime_seconds`: a stopwatch nobody can set."""

    free_bytes: Mapping[str, int]
    missing_keys: Sequence[str]
    uptime_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Jump:
    """The clock moved without time passing: by so much, found then. Backwards is negative."""

    by: timedelta
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """An alarm that was raised, as the table keeps it; `told_count` is the count of the last letter about it."""

    alarm: Alarm
    raised_at: datetime
    cleared_at: datetime | None = None
    told_at: datetime | None = None
    told_count: int = 0


def watch(signs: Signs, limits: Limits, now: datetime) -> list[Alarm]:
    """The alarms that the database shows, in the order of `AlarmKind`."""
    return [
        *_silent_mailboxes(signs, limits, now),
        *_stopped_parts(signs, limits, now),
        *_failing_steps(signs, now),
        *_fights(signs, now),
        *_heaped(AlarmKind.LETTERS_QUARANTINED, signs.quarantined, now),
        *_heaped(AlarmKind.ISSUING_PAUSED, signs.paused, now, limit=limits.breaker),
        *_low_pool(signs, limits, now),
        *(_one(alarm) for alarm in _heaped(AlarmKind.REPLIES_WAITING, signs.waiting, now)),
        *_heaped(AlarmKind.REPLIES_UNDELIVERED, signs.undelivered, now),
        *_heaped(AlarmKind.NOTICES_UNDELIVERED, signs.notices, now),
        *_heaped(AlarmKind.ACCOUNTS_LINGERING, signs.lingering, now),
        *_heaped(AlarmKind.LOGINS_DISTRUSTED, signs.distrusted, now),
        *_old_keys(signs, now),
        *_unfinished_erasure(signs, now),
        *_doubts(signs),
    ]


def watch_outside(
    signs: OutsideSigns, limits: Limits, now: datetime, *, jump: Jump | None, newest_record: datetime | None
) -> list[Alarm]:
    """The alarms of what is outside the database; a clock behind the newest record has been set back, whenever that was."""
    found = [Alarm(kind=AlarmKind.KEY_MISSING, place=key, since=now) for key in signs.missing_keys]
    found += [
        Alarm(kind=AlarmKind.DISK_LOW, place=place, since=now, numbers={"free_mb": free // 1_000_000})
        for place, free in signs.free_bytes.items()
        if free < limits.disk_free_bytes
    ]
    if newest_record is not None and newest_record - now >= CLOCK_JUMPS_FROM:
        jump = Jump(by=now - newest_record, at=now)
    if jump is not None and abs(now - jump.at) < JUMP_IS_TOLD_FOR:
        seconds = round(jump.by.total_seconds())
        found.append(Alarm(kind=AlarmKind.CLOCK_JUMPED, since=jump.at, numbers={"seconds": seconds}))
    return found


def jumped(before: tuple[datetime, float], after: tuple[datetime, float]) -> Jump | None:
    """Whether the clock was set between two looks at clock and stopwatch (seconds)."""
    by = (after[0] - before[0]) - timedelta(seconds=after[1] - before[1])
    return Jump(by=by, at=after[0]) if abs(by) >= CLOCK_JUMPS_FROM else None


def due(standing: Sequence[Standing], now: datetime) -> set[AlarmKind]:
    """The kinds to tell now: not within an hour of the last telling of that kind, then when there is news, else once a day.

    News are an alarm not yet told of, or more things than the last letter said. A clock that was set back silences nothing.
    """
    kinds = set()
    for kind in {one.alarm.kind for one in standing if one.cleared_at is None}:
        told = [one.told_at for one in standing if one.alarm.kind is kind and one.told_at is not None]
        ago = abs(now - max(told)) if told else REMIND
        news = any(_is_news(one) for one in standing if one.alarm.kind is kind and one.cleared_at is None)
        if ago >= REMIND or (news and ago >= TELL_AGAIN):
            kinds.add(kind)
    return kinds


def words(alarm: Alarm, say: Callable[[str], str]) -> Words:
    """The alarm as sentences, each translated by `say` before its places are filled."""
    known = WORDS[alarm.kind.value]
    values = {"place": alarm.place, "count": alarm.count, **alarm.numbers}
    return Words(title=say(known.title), what=say(known.what).format(**values), to_do=say(known.to_do).format(**values))


def _is_news(one: Standing) -> bool:
    return one.told_at is None or one.told_at < one.raised_at or one.alarm.count > one.told_count


def _silent_mailboxes(signs: Signs, limits: Limits, now: datetime) -> Iterator[Alarm]:
    worked = {step.name: step.worked_at for step in signs.steps}
    for mailbox, allowed in limits.silence.items():
        since = worked.get(f"intake:{mailbox}") or signs.founded_at
        if now - since >= allowed:
            minutes = int((now - since) / timedelta(minutes=1))
            yield Alarm(kind=AlarmKind.MAILBOX_SILENT, place=mailbox, since=since, numbers={"minutes": minutes})


def _stopped_parts(signs: Signs, limits: Limits, now: datetime) -> Iterator[Alarm]:
    """A part runs when any of its leases does."""
    for part in limits.parts:
        since = max([signs.founded_at, *(step.expires_at for step in signs.steps if _part(step.name) == part)])
        if now - since >= limits.stopped:
            yield Alarm(kind=AlarmKind.SERVICE_STOPPED, place=part, since=since)


def _failing_steps(signs: Signs, now: datetime) -> Iterator[Alarm]:
    """Mailboxes have an alarm of their own. A trouble that is not fresh is over, or the step is stopped: it would fail anew."""
    for step in signs.steps:
        if step.name.startswith("intake:") or step.trouble_at is None or abs(now - step.trouble_at) > TROUBLE_IS_FRESH:
            continue
        if step.worked_at is None or now - step.worked_at >= STEP_FAILS_FOR:
            yield Alarm(kind=AlarmKind.STEP_FAILING, place=step.name, since=step.worked_at or step.trouble_at)


def _fights(signs: Signs, now: datetime) -> Iterator[Alarm]:
    for step in signs.steps:
        if step.losses >= FIGHT_LOSSES and step.lost_at is not None and abs(now - step.lost_at) < FIGHT_WINDOW:
            numbers = {"losses": step.losses}
            yield Alarm(kind=AlarmKind.LEASE_FIGHT, place=step.name, since=step.lost_since or step.lost_at, numbers=numbers)


def _heaped(kind: AlarmKind, heap: Heap, now: datetime, **numbers: int) -> Iterator[Alarm]:
    if heap.count:
        yield Alarm(kind=kind, since=heap.since or now, count=heap.count, numbers=numbers)


def _low_pool(signs: Signs, limits: Limits, now: datetime) -> Iterator[Alarm]:
    if signs.free_pairs < limits.low_stock:
        yield Alarm(kind=AlarmKind.POOL_LOW, since=signs.pool_low_since or now, numbers={"free": signs.free_pairs})


def _unfinished_erasure(signs: Signs, now: datetime) -> Iterator[Alarm]:
    since = signs.uncompacted_since
    if since is not None and now - since >= COMPACTION_TAKES:
        yield Alarm(kind=AlarmKind.ERASURE_UNFINISHED, since=since)


def _one(alarm: Alarm) -> Alarm:
    """A mail server that takes nothing is one thing, however many replies wait for it."""
    return Alarm(kind=alarm.kind, since=alarm.since, numbers={"waiting": alarm.count})


def _old_keys(signs: Signs, now: datetime) -> Iterator[Alarm]:
    days = {epoch: datetime.fromisoformat(epoch).replace(tzinfo=UTC) for epoch in signs.epochs}
    old = [epoch for epoch, day in days.items() if now - day >= KEY_IS_OLD]
    if old:
        oldest = days[min(old)]
        count = sum(signs.epochs[epoch] for epoch in old)
        yield Alarm(kind=AlarmKind.KEY_OLD, since=oldest + KEY_IS_OLD, count=count, numbers={"days": (now - oldest).days})


def _doubts(signs: Signs) -> Iterator[Alarm]:
    if signs.refused_since is not None:
        yield Alarm(kind=AlarmKind.RECORD_DOUBTED, since=signs.refused_since)


def _part(lease: str) -> str:
    """Of a step's lease; that of a second worker is `deliver#2`."""
    return "courier" if lease.partition("#")[0] in COURIERS else "desk"
