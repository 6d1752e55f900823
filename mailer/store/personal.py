"""Where do names and addresses stand? Here alone, each with its salt, so that erasing a row leaves every proof valid.

Other tables and the record point here: the record by `Personal.told()`, a salted digest that tells nothing once the salt is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, select, update

from mailer.core import evidence, folding
from mailer.model import PersonName
from mailer.store.db import Tx
from mailer.store.schema import personal, personal_words
from mailer.store.work import Unit

SALT_BYTES: Final = 16
_NAMED: Final = tuple(personal.c[name] for name in ("id", "sender_code", "value", "salt", "surname", "initials", "suffix"))
_SEVERAL: Final = select(*_NAMED).where(personal.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, kw_only=True)  # no slots: a digest is asked for several times
class Personal:
    """One name or address; `value` and `salt` are None once erased."""

    id: int
    sender_code: str
    value: str | None
    salt: bytes | None
    name: PersonName | None = None

    def told(self) -> dict[str, object]:
        """How the record speaks of it."""
        return {"ref": self.id, "digest": self.digest}

    @cached_property
    def digest(self) -> str | None:
        if self.value is None or self.salt is None:
            return None
        return evidence.personal_digest(self.salt, self.value)

    def login_digest(self, login: str) -> str | None:
        """How the record speaks of this person's login: one that holds the name can be guessed no longer than the name."""
        return None if self.salt is None else evidence.personal_digest(self.salt, login)


def person(unit: Unit, sender_code: str, name: PersonName, randbytes: Callable[[int], bytes]) -> Personal:
    """The row of this sender's person, made when it is new. How the name was first written stays its display form."""
    parts = {"surname": name.surname, "initials": name.initials, "suffix": name.suffix}
    return _find_or_make(unit, "person", sender_code, name.key, {"value": name.canonical, **parts}, salt=randbytes(SALT_BYTES))


def address(unit: Unit, sender_code: str, written: str, randbytes: Callable[[int], bytes]) -> Personal:
    return _find_or_make(unit, "address", sender_code, written, {"value": written}, salt=randbytes(SALT_BYTES))


def find_person(tx: Tx, sender_code: str, name: PersonName) -> Personal | None:
    return _own(_find(tx, "person", sender_code, name.key), name.key)


def find_address(tx: Tx, sender_code: str, written: str) -> Personal | None:
    return _own(_find(tx, "address", sender_code, written), written)


def get(tx: Tx, personal_id: int) -> Personal:
    return _read(tx.execute(select(personal).where(personal.c.id == personal_id)).one())


def several(tx: Tx, personal_ids: Sequence[int]) -> dict[int, Personal]:
    """These rows by their ids."""
    return {row.id: _read(row) for row in tx.execute(_SEVERAL, {"ids": personal_ids})}


def namesakes(tx: Tx, person: Personal, limit: int) -> list[Personal]:
    """The same surname and initials (ё as е, look-alikes as twins) under other senders, those first named last first."""
    if person.value is None:
        return []
    same = (personal.c.folded == folding.folded(person.value)) & (personal.c.kind == "person") & (personal.c.id != person.id)
    return [_read(row) for row in tx.execute(select(personal).where(same).order_by(personal.c.id.desc()).limit(limit))]


def _find(tx: Tx, kind: str, sender_code: str, key: str) -> Row[Any] | None:
    """What stands under this key, whatever it says."""
    return tx.execute(
        select(personal).where(personal.c.kind == kind, personal.c.sender_code == sender_code, personal.c.key == key)
    ).one_or_none()


def _own(row: Row[Any] | None, key: str) -> Personal | None:
    """The row, if it says what its key says: a letter goes to the value, whatever was asked for. Else somebody meddled: no row."""
    if row is None or not isinstance(row.salt, bytes):  # SQLite keeps whatever type was written
        return None
    found = _read(row)
    name = found.name
    says = found.value if row.kind == "address" else name.key if name is not None and name.canonical == found.value else None
    return found if says == key else None


def _find_or_make(unit: Unit, kind: str, sender_code: str, key: str, values: dict[str, Any], *, salt: bytes) -> Personal:
    row = _find(unit.tx, kind, sender_code, key)
    found = _own(row, key)
    if found is not None:
        return found
    if row is not None:  # it loses the key, and nothing else: records may point to it
        unit.tx.execute(update(personal).where(personal.c.id == row.id).values(key=None))
        unit.tell("personal.distrusted", sender=sender_code or None, importance="alarm", outcome="failed", kind=kind, row=row.id)
    folded = folding.folded(values["value"])
    made = insert(personal).values(kind=kind, sender_code=sender_code, key=key, salt=salt, folded=folded, **values)
    new = unit.tx.execute(made.returning(personal)).one()
    searched = [{"word": word, "personal_id": new.id} for word in folding.words(folded)]
    if searched:
        unit.tx.execute(insert(personal_words), searched)
    return _read(new)


def _read(row: Row[Any]) -> Personal:
    name = None
    if row.surname is not None:
        name = PersonName(surname=row.surname, initials=row.initials, suffix=row.suffix)
    return Personal(id=row.id, sender_code=row.sender_code, value=row.value, salt=row.salt, name=name)
