"""The lists of persons: for whom an organisation may ask, where the office has such a list. Optional, one for each organisation.

Names stand in `personal` alone, in the very rows that requests name, so that erasing a person there leaves only a number here, and
that person is then no longer on the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from mailer.store import personal as names
from mailer.store.db import Tx
from mailer.store.personal import Personal
from mailer.store.schema import listed_persons, person_lists, personal


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonList:
    """That there is a list for this sender, and how many are on it."""

    sender_code: str
    listed_persons: int
    loaded_at: datetime


def allows(tx: Tx, sender_code: str, person_id: int) -> bool:
    """Whether the sender has no list, or this person stands on it; 0 is a person nobody knows yet."""
    if tx.execute(select(person_lists.c.sender_code).where(person_lists.c.sender_code == sender_code)).first() is None:
        return True
    listed = select(listed_persons.c.person_id).where(
        listed_persons.c.person_id == person_id, listed_persons.c.sender_code == sender_code
    )
    return tx.execute(listed).first() is not None


def lists(tx: Tx) -> list[PersonList]:
    """All lists, by the codes of their senders."""
    query = (
        select(person_lists.c.sender_code, person_lists.c.loaded_at, func.count(listed_persons.c.person_id).label("listed_persons"))
        .outerjoin(listed_persons, listed_persons.c.sender_code == person_lists.c.sender_code)
        .group_by(person_lists.c.sender_code, person_lists.c.loaded_at)
        .order_by(person_lists.c.sender_code)
    )
    return [PersonList(**row._asdict()) for row in tx.execute(query)]


def of(tx: Tx, sender_code: str) -> list[Personal]:
    """Who stands on this sender's list, by name; of an erased person only the number is left."""
    query = select(listed_persons.c.person_id).join(personal).where(listed_persons.c.sender_code == sender_code)
    ids = tx.execute(query.order_by(personal.c.value, personal.c.id)).scalars().all()
    return [names.get(tx, person_id) for person_id in ids]


def put(tx: Tx, sender_code: str, *, added: Sequence[int], removed: Sequence[int], at: datetime) -> None:
    """Change this sender's list, or begin one, by the numbers of persons in `personal`."""
    loaded = update(person_lists).where(person_lists.c.sender_code == sender_code).values(loaded_at=at)
    if tx.execute(loaded).rowcount == 0:
        tx.execute(insert(person_lists).values(sender_code=sender_code, loaded_at=at))
    for person_id in removed:
        tx.execute(delete(listed_persons).where(listed_persons.c.person_id == person_id))
    if added:
        tx.execute(insert(listed_persons), [{"person_id": person_id, "sender_code": sender_code} for person_id in added])
