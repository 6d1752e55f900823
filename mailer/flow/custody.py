"""Which keys are made, rotated and destroyed, and when? Every one of these is told to the record, no key's bytes ever are.

No step: the courier calls it once a day, people through `mailer keys`. A record comes first, then the deed, which may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from mailer.core.custody import BACKUPS, HOLDERS, Backup, Fate, KeyKind, Use, fate, next_day
from mailer.edge.keys import Key
from mailer.errors import RefusedError
from mailer.store import accounts_local, outbox
from mailer.store.db import Tx
from mailer.store.work import Worker


class Keys(Protocol):
    """The key files."""

    def inventory(self, waiting: Collection[str] = (), peppers: Collection[int] = ()) -> list[Key]: ...

    def epochs(self) -> list[str]:
        """Days to which can be sealed, oldest first."""

    def is_lost(self, day: date) -> bool:
        """Whether this user sees that the private half is gone."""

    def prepare_epoch(self, day: date, randbytes: Callable[[int], bytes]) -> bool:
        """The private half; False when the pair is there already."""

    def open_epoch(self, today: date, randbytes: Callable[[int], bytes]) -> None: ...

    def destroy_epoch(self, day: str) -> None: ...

    def peppers(self) -> dict[int, bytes]: ...

    def make_pepper(self, number: int, randbytes: Callable[[int], bytes]) -> None: ...

    def pools(self) -> list[int]: ...

    def open_pool(self, randbytes: Callable[[int], bytes]) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A key, who holds it, whether it belongs into a backup, and how many replies wait that only it opens."""

    key: Key
    holder: str
    backup: Backup
    waiting: int


def holdings(tx: Tx, keys: Keys) -> list[Holding]:
    uses = outbox.use_of_epochs(tx)
    waiting = {day: use.waiting for day, use in uses.items() if use.waiting}
    return [
        Holding(
            key=key,
            holder=HOLDERS[key.kind],
            backup=BACKUPS[key.kind],
            waiting=waiting.get(key.name, 0) if key.kind is KeyKind.EPOCH else 0,
        )
        for key in keys.inventory(waiting, accounts_local.peppers_named(tx))
    ]


def tell_founded(worker: Worker, keys: Keys) -> None:
    """The keys that `mailer init` made before there was a record."""
    with worker.writing() as unit:
        for key in keys.inventory():
            if key.there:
                unit.tell("key.made", kind=key.kind.value, key=key.name)


def wanting(worker: Worker, keys: Keys) -> list[tuple[KeyKind, str]]:
    """What is missing of today's keys: kind and name."""
    days = [(KeyKind.EPOCH, day.isoformat()) for day in _days_wanting(keys, worker.clock().date())]
    return [*days, *([] if keys.pools() else [(KeyKind.POOL, next_name(worker, keys, KeyKind.POOL))])]


def open_epoch(worker: Worker, keys: Keys) -> None:
    """Make today's pair unless it is there, and another one where nobody could open what is sealed next.

    The record is told between the halves: nothing is sealed to an untold key.
    """
    for day in _days_wanting(keys, worker.clock().date()):
        _open(worker, keys, day, "key.made", importance="info")


def expired(worker: Worker, keys: Keys) -> list[str]:
    """The days whose pairs nothing needs any more."""
    return [day for day, found in _fates_now(worker, keys).items() if found is Fate.DESTROYED]


def destroy_expired(worker: Worker, keys: Keys) -> list[str]:
    """Destroy what nothing needs any more, and raise the alarm over what is needed for too long; the days that were destroyed."""
    if not {Fate.DESTROYED, Fate.NEEDED} & set(_fates_now(worker, keys).values()):
        return []
    with worker.writing() as unit:
        uses = outbox.use_of_epochs(unit.tx)
        fates = _fates(keys, uses, unit.at.date())
        for day, found in fates.items():
            if found is Fate.DESTROYED:
                unit.tell("key.destroyed", importance="notice", kind=KeyKind.EPOCH.value, key=day)
            elif found is Fate.NEEDED:
                unit.tell("key.needed", importance="alarm", kind=KeyKind.EPOCH.value, key=day, replies=uses[day].waiting)
    destroyed = [day for day, found in fates.items() if found is Fate.DESTROYED]
    for day in destroyed:
        keys.destroy_epoch(day)
    return destroyed


def rotate(worker: Worker, keys: Keys, kind: KeyKind) -> str:
    """A new key at once; its name. What the older one sealed or verified, it still opens or verifies.

    RefusedError as `next_name`.
    """
    name = next_name(worker, keys, kind)
    if kind is KeyKind.EPOCH:
        _open(worker, keys, date.fromisoformat(name), "key.rotated", importance="notice")
        return name
    with worker.writing() as unit:
        unit.tell("key.rotated", importance="notice", kind=kind.value, key=name)
    if kind is KeyKind.PEPPER:
        keys.make_pepper(int(name), worker.pen.randbytes)
    else:
        keys.open_pool(worker.pen.randbytes)
    return name


def next_name(worker: Worker, keys: Keys, kind: KeyKind) -> str:
    """The name that a new key would have: never that of a pepper that a verifier names, though its file be lost.

    RefusedError for the record's key: records do not name their key, so with another one all older records could not be verified;
    and for that of the checkpoints, which is changed through the record.
    """
    if kind is KeyKind.RECORD:
        raise RefusedError(
            "the key of the record cannot be rotated: records do not name their key, older ones could not be verified any more"
        )
    if kind is KeyKind.CHECKPOINT:
        raise RefusedError("the old key of the checkpoints must name the new one: `mailer audit change-key --reason …`")
    if kind is KeyKind.EPOCH:
        there = [date.fromisoformat(name) for name in keys.epochs()]  # one that a crash left half is completed
        return next_day(there, worker.clock().date()).isoformat()
    if kind is KeyKind.POOL:
        return str(max(keys.pools(), default=0) + 1)
    with worker.reading() as tx:
        return str(max({*keys.peppers(), *accounts_local.peppers_named(tx)}) + 1)


def _days_wanting(keys: Keys, today: date) -> list[date]:
    there = [date.fromisoformat(name) for name in keys.epochs()]
    newest = max([*there, today])  # to which replies are sealed
    lost = newest in there and keys.is_lost(newest)
    return [*([] if today in there else [today]), *([next_day(there, today)] if lost else [])]


def _open(worker: Worker, keys: Keys, day: date, event: str, *, importance: str) -> None:
    if keys.prepare_epoch(day, worker.pen.randbytes):
        with worker.writing() as unit:
            unit.tell(event, importance=importance, kind=KeyKind.EPOCH.value, key=day.isoformat())
        keys.open_epoch(day, worker.pen.randbytes)


def _days(keys: Keys) -> list[date]:
    return [date.fromisoformat(key.name) for key in keys.inventory() if key.kind is KeyKind.EPOCH]


def _fates_now(worker: Worker, keys: Keys) -> dict[str, Fate]:
    with worker.reading() as tx:
        return _fates(keys, outbox.use_of_epochs(tx), worker.clock().date())


def _fates(keys: Keys, uses: Mapping[str, Use], today: date) -> dict[str, Fate]:
    days = _days(keys)
    return {day.isoformat(): fate(day, uses.get(day.isoformat(), Use()), days=days, today=today) for day in days}
