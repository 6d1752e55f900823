"""Which keys are there, who holds them, how long do they live, and what is lost without one? (reliability.md, Secrets)

Must not touch a key: `edge/keys.py` holds them, `flow/custody.py` lets them be made and destroyed and tells the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from mailer.errors import N_, SetupError

LONGEST_DAYS: Final = 14  # a pair that nothing needs lives no longer; a reply is given up by then
NEEDED_DAYS: Final = 10  # from this age on a pair that is still needed is an alarm
SUCCESSOR_DAYS: Final = 2  # a newer pair this old: nobody can still be sealing to the older one, whatever was slow or stopped


class KeyKind(StrEnum):
    RECORD = "record"
    PEPPER = "pepper"
    POOL = "pool"
    EPOCH = "epoch"
    CHECKPOINT = "checkpoint"


class Backup(StrEnum):
    MUST = "must"
    MAY = "may"
    NEVER = "never"


HOLDERS: Final = {
    KeyKind.RECORD: N_("desk, courier, commands"),
    KeyKind.PEPPER: N_("desk, commands"),
    KeyKind.POOL: N_("the issue step alone"),
    KeyKind.EPOCH: N_("the courier alone"),
    KeyKind.CHECKPOINT: N_("desk, commands that sign"),
}
BACKUPS: Final = {
    KeyKind.RECORD: Backup.MUST,
    KeyKind.PEPPER: Backup.MUST,
    KeyKind.POOL: Backup.MUST,
    KeyKind.EPOCH: Backup.NEVER,
    KeyKind.CHECKPOINT: Backup.MUST,
}


class Fate(StrEnum):
    """What becomes of an epoch's pair. NEEDED: it stays, though it is so old that somebody must look why."""

    KEPT = "kept"
    NEEDED = "needed"
    DESTROYED = "destroyed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """How many replies are sealed to an epoch: `waiting` (queued, being sent, in doubt), and all that are not erased."""

    waiting: int = 0
    sealed: int = 0


def fate(day: date, use: Use, *, days: Sequence[date], today: date) -> Fate:
    """Of the pair of this day. `days`: those of all pairs that are there.

    Never destroyed: what a waiting reply needs, and the newest, to which replies are sealed.
    """
    age = (today - day).days
    if use.waiting:
        return Fate.NEEDED if age >= NEEDED_DAYS else Fate.KEPT
    settled = any(day < other <= today - timedelta(days=SUCCESSOR_DAYS) for other in days)
    return Fate.DESTROYED if settled and (not use.sealed or age > LONGEST_DAYS) else Fate.KEPT


def next_day(days: Sequence[date], today: date) -> date:
    """The day whose name a pair made at once gets: replies are sealed to the newest name there is."""
    return max([today, *(day + timedelta(days=1) for day in days)])


def loss(kind: KeyKind) -> SetupError:
    """What is lost without this key, and what is not: a text for people."""
    match kind:
        case KeyKind.RECORD:
            return SetupError(
                "no record can be written or verified, so nothing can be done; "
                "logins that were sent stay valid, letters stay in the mailbox"
            )
        case KeyKind.PEPPER:
            return SetupError(
                "passwords of local accounts made with it cannot be checked, those persons need new ones; "
                "logins at other places, the record and answers that wait are untouched"
            )
        case KeyKind.POOL:
            return SetupError(
                "ready pairs sealed to it cannot be issued, import them again from the authority's file; "
                "what was issued is untouched"
            )
        case KeyKind.CHECKPOINT:
            return SetupError(
                "nothing more of the record can be signed, bring it back from its backup, or declare it lost "
                "(`mailer audit declare-lost-key`); what was signed stays proven with checkpoint.pub, "
                "the record and answers are untouched"
            )
    return SetupError("answers sealed to it cannot be sent, those must be reissued; what was sent is untouched")


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A file of a backup: its path there, and the bytes of the key in it, None when it holds none."""

    path: str
    key: bytes | None
    is_database: bool = False


def backup_faults(copies: Sequence[Copy], keys: Sequence[tuple[KeyKind, str, bytes | None]]) -> list[SetupError]:
    """What is wrong with a backup. `keys`: kind, file and bytes of each that is there; None: this user may not read it.

    Beside a copy of the database no secret key may lie; without one, those must be there that must have a backup. A courier's key
    never may: it is known by its bytes, or by the place where it lies.
    """
    held = {copy.key: copy.path for copy in copies if copy.key is not None}
    faults = [
        SetupError("{path}: a key of the courier must not be in any backup", path=copy.path)
        for copy in copies
        if copy.key is not None and (_is_couriers(copy.path) or copy.key in _bytes_of(keys, Backup.NEVER))
    ]
    must = [(name, key) for kind, name, key in keys if BACKUPS[kind] is Backup.MUST]
    database = next((copy.path for copy in copies if copy.is_database), None)
    if database is not None:
        return faults + [
            SetupError("{path}: a key beside a copy of the database ({database})", path=held[key], database=database)
            for _name, key in must
            if key is not None and key in held
        ]
    return faults + [
        SetupError("{name} is not in it", name=name)
        if key is not None
        else SetupError("{name} cannot be read by this user, so nothing can be said of it", name=name)
        for name, key in must
        if key is None or key not in held
    ]


def _bytes_of(keys: Sequence[tuple[KeyKind, str, bytes | None]], backup: Backup) -> set[bytes]:
    return {key for kind, _name, key in keys if key is not None and BACKUPS[kind] is backup}


def _is_couriers(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name.endswith(".key") and folder.rpartition("/")[2] == "courier"
