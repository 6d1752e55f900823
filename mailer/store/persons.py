"""The lists of persons: for whom an organisation may ask, where the office has such a list. Optional, one for each organisation.

Names stand in `personal` alone, in the very rows that requests name, so that erasing a person there leaves only a number here, and
that person is then no longer on the list.

Every list that is changed is told to the record by a digest of all its entries, and an entry keeps the salted digest of its name.
Of a list that is not as it was last told, changed, put back or taken away, nobody is believed to stand on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update

from mailer.core import evidence, personlist
from mailer.core.erasing import chunks
from mailer.core.evidence import Sealed
from mailer.errors import N_, TamperedError
from mailer.store import audit
from mailer.store import personal as names
from mailer.store.db import Tx
from mailer.store.personal import Personal
from mailer.store.schema import listed_persons, person_lists, personal
from mailer.store.work import Unit

PAGE: Final = 1000
LISTED: Final = "persons.listed"  # told of each list as a whole, whenever it is written


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonList:
    """That there is a list for this sender, and how many are on it; `fault`: why it is not as it was last written."""

    sender_code: str
    listed_persons: int
    loaded_at: datetime
    fault: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """`entries`: digests of names by the persons' numbers, None where there is no list."""

    entries: Mapping[int, str | None] | None
    fault: str | None


def allows(tx: Tx, sender_code: str, person_id: int, key: bytes) -> bool:
    """Whether the sender has no list, or this person stands on it; 0 is a person nobody knows yet. `key` is that of the record.

    A list that is not as it was last written names nobody.
    """
    found = _look(tx, [sender_code], key)[sender_code]
    if found.entries is None or found.fault is not None:
        return found.entries is None and found.fault is None
    return person_id in found.entries and names.get(tx, person_id).digest is not None


def fault(tx: Tx, sender_code: str, key: bytes) -> str | None:
    """Why this sender's list is not as it was last written; None when it is, or when there never was one."""
    return _look(tx, [sender_code], key)[sender_code].fault


def faults(tx: Tx, key: bytes) -> dict[str, str]:
    """Code -> what is wrong with its list; lists that were taken away are named too."""
    listed = audit.senders_of(tx, LISTED)  # first: a list that comes meanwhile is not taken for gone
    codes = sorted(listed.union(tx.execute(select(person_lists.c.sender_code)).scalars()))
    return {code: found.fault for code, found in _look(tx, codes, key).items() if found.fault is not None}


def lists(tx: Tx, key: bytes) -> list[PersonList]:
    """All lists, by the codes of their senders."""
    rows = tx.execute(select(person_lists).order_by(person_lists.c.sender_code)).all()
    found = _look(tx, [row.sender_code for row in rows], key)
    return [
        PersonList(
            sender_code=row.sender_code,
            listed_persons=len(found[row.sender_code].entries or ()),
            loaded_at=row.loaded_at,
            fault=found[row.sender_code].fault,
        )
        for row in rows
    ]


def of(tx: Tx, sender_code: str) -> list[Personal] | None:
    """Who stands on this sender's list, by name, None where it has none; of an erased person only the number is left."""
    if _entries(tx, [sender_code])[sender_code] is None:
        return None
    query = select(listed_persons.c.person_id).join(personal).where(listed_persons.c.sender_code == sender_code)
    ids = tx.execute(query.order_by(personal.c.value, personal.c.id)).scalars().all()
    return [names.get(tx, person_id) for person_id in ids]


def put(unit: Unit, sender_code: str, people: Sequence[Personal], *, replaces: bool) -> None:
    """Put people on this sender's list, or let them be the whole of it, whatever stood there; and tell the record of it."""
    tx = unit.tx
    loaded = update(person_lists).where(person_lists.c.sender_code == sender_code).values(loaded_at=unit.at)
    if tx.execute(loaded).rowcount == 0:
        tx.execute(insert(person_lists).values(sender_code=sender_code, loaded_at=unit.at))
    if replaces:
        tx.execute(delete(listed_persons).where(listed_persons.c.sender_code == sender_code))
    anywhere = delete(listed_persons).where(listed_persons.c.person_id == bindparam("person"))
    rows = [{"person_id": one.id, "sender_code": sender_code, "digest": one.digest} for one in people]
    if rows:  # on another list they can stand only by a stranger's hand: a person is of one sender
        tx.execute(anywhere, [{"person": one.id} for one in people])
        tx.execute(insert(listed_persons), rows)
    enlist(unit, sender_code)


def enlist(unit: Unit, sender_code: str) -> None:
    """Tell the record how this list stands from now on. Only for one that had no fault before, or that was just written whole."""
    entries = _entries(unit.tx, [sender_code])[sender_code] or {}
    unit.tell(LISTED, sender=sender_code, digest=personlist.digest(sender_code, entries), persons=len(entries))


def _look(tx: Tx, codes: Sequence[str], key: bytes) -> dict[str, _Found]:
    """These senders' lists, and why one is not as it was last written."""
    found: dict[str, _Found] = {}
    for start in range(0, len(codes), PAGE):
        page = codes[start : start + PAGE]
        there, told = audit.with_newest(tx, LISTED, page, partial(_entries, tx, page))
        for code, entries in there.items():
            why = _fault(code, entries, told.get(code), key) or _fault_of_names(tx, entries or {})
            found[code] = _Found(entries=entries, fault=why)
    return found


def _fault(code: str, entries: Mapping[int, str | None] | None, told: Sealed | None, key: bytes) -> str | None:
    if told is None:
        return None if entries is None else N_("the record knows no such list of persons")
    parts = evidence.parts(told, key)
    if isinstance(parts, TamperedError):
        return str(parts)
    header, details = parts
    if (header["event"], header["sender"]) != (LISTED, code):
        return N_("the record tells of another list of persons")
    if entries is None:
        return N_("the list of persons is gone")
    if details["digest"] != personlist.digest(code, entries):
        return N_("the list of persons is not as it was last written")
    return None


def _fault_of_names(tx: Tx, entries: Mapping[int, str | None]) -> str | None:
    """Whether a name is another one than was listed; of who was erased none is left."""
    people = (one for page in chunks(sorted(entries)) for one in names.several(tx, page).values())
    renamed = any(one.digest not in {None, entries[one.id]} for one in people)
    return N_("a name on the list of persons is not as it was written") if renamed else None


def _entries(tx: Tx, codes: Sequence[str]) -> dict[str, dict[int, str | None] | None]:
    """By the senders' codes, None where there is no list."""
    there = tx.execute(select(person_lists.c.sender_code).where(person_lists.c.sender_code.in_(codes))).scalars().all()
    found: dict[str, dict[int, str | None] | None] = dict.fromkeys(codes) | {code: {} for code in there}
    if there:
        for row in tx.execute(select(listed_persons).where(listed_persons.c.sender_code.in_(there))):
            entries = found[row.sender_code]
            if entries is not None:
                # SQLite keeps whatever type was written.
                entries[row.person_id] = row.digest if isinstance(row.digest, str) else None
    return found
