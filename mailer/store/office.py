"""What is this database's own: its name, and the rule set that a person activated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from mailer.store.db import Tx
from mailer.store.schema import audit_head, instance, rulesets


@dataclass(frozen=True, kw_only=True, slots=True)
class Activation:
    """The active rule set: file name -> text, and who answers for it."""

    hash: str
    content: Mapping[str, str]
    activated_at: datetime
    activated_by: str


def found(tx: Tx, *, name: str, at: datetime) -> None:
    """Begin a database's life; `name` is 128 random bits in hexadecimal."""
    tx.execute(insert(instance).values(id=1, name=name, created_at=at))
    tx.execute(insert(audit_head).values(id=1, seq=0, hashes=b""))


def is_founded(tx: Tx) -> bool:
    return tx.execute(select(instance.c.id)).first() is not None


def name(tx: Tx) -> str:
    return str(tx.execute(select(instance.c.name)).scalar_one())


def activate(tx: Tx, *, ruleset_hash: str, content: Mapping[str, str], actor: str, at: datetime) -> None:
    """Make a rule set the one that runs. An older one may be activated again."""
    known = tx.execute(select(rulesets.c.hash).where(rulesets.c.hash == ruleset_hash)).first()
    if known is None:
        text = json.dumps(dict(content), ensure_ascii=False, sort_keys=True)
        tx.execute(insert(rulesets).values(hash=ruleset_hash, content=text, activated_at=at, activated_by=actor))
    else:
        tx.execute(update(rulesets).where(rulesets.c.hash == ruleset_hash).values(activated_at=at, activated_by=actor))
    tx.execute(update(instance).values(ruleset_hash=ruleset_hash))


def active(tx: Tx) -> Activation | None:
    row = tx.execute(select(rulesets).join(instance, instance.c.ruleset_hash == rulesets.c.hash)).one_or_none()
    if row is None:
        return None
    return Activation(hash=row.hash, content=json.loads(row.content), activated_at=row.activated_at, activated_by=row.activated_by)


def ruleset(tx: Tx, ruleset_hash: str) -> Mapping[str, str] | None:
    """The texts of a rule set that was active at some time: file name -> text; None when it was never activated here."""
    content = tx.execute(select(rulesets.c.content).where(rulesets.c.hash == ruleset_hash)).scalar_one_or_none()
    return None if content is None else json.loads(content)
