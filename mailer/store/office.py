"""What is this database's own: its name, and the rule set that a person activated.

Whoever can only write the database activates nothing: a rule set counts as long as its texts are those of its hash, and the record
told last that these were activated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, update

from mailer.core import evidence, rules
from mailer.errors import N_, TamperedError
from mailer.store import audit
from mailer.store.db import Tx
from mailer.store.schema import audit_head, instance, rulesets

ACTIVATED: Final = "rules.activated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Activation:
    """The active rule set: file name -> text. `fault`: why it is not the one that was activated; None when it is."""

    hash: str
    content: Mapping[str, str]
    fault: str | None


def found(tx: Tx, *, name: str, at: datetime) -> None:
    """Begin a database's life; `name` is 128 random bits in hexadecimal."""
    tx.execute(insert(instance).values(id=1, name=name, created_at=at))
    tx.execute(insert(audit_head).values(id=1, seq=0, hashes=b""))


def is_founded(tx: Tx) -> bool:
    return tx.execute(select(instance.c.id)).first() is not None


def name(tx: Tx) -> str:
    return str(tx.execute(select(instance.c.name)).scalar_one())


def activate(tx: Tx, *, ruleset_hash: str, content: Mapping[str, str], actor: str, at: datetime) -> None:
    """Make a rule set the one that runs, whatever stood here under its hash; the caller tells the record. An older one may be
    activated again."""
    text = json.dumps(dict(content), ensure_ascii=False, sort_keys=True)
    values = {"content": text, "activated_at": at, "activated_by": actor}
    if tx.execute(update(rulesets).where(rulesets.c.hash == ruleset_hash).values(**values)).rowcount == 0:
        tx.execute(insert(rulesets).values(hash=ruleset_hash, **values))
    tx.execute(update(instance).values(ruleset_hash=ruleset_hash))


def active(tx: Tx, key: bytes) -> Activation | None:
    """The rule set that the tables call active, held against its hash and the record."""
    joined = select(rulesets.c.hash, rulesets.c.content).join(instance, instance.c.ruleset_hash == rulesets.c.hash)
    row = tx.execute(joined).one_or_none()
    if row is None:
        return None
    content = _texts(row.content, row.hash)
    fault = _fault(tx, row.hash, key) if content is not None else N_("their texts are not those that were activated")
    return Activation(hash=row.hash, content=content or {}, fault=fault)


def ruleset(tx: Tx, ruleset_hash: str) -> Mapping[str, str] | None:
    """The texts of a rule set that was active at some time: file name -> text; None when nothing of this hash is here."""
    content = tx.execute(select(rulesets.c.content).where(rulesets.c.hash == ruleset_hash)).scalar_one_or_none()
    return _texts(content, ruleset_hash)


def _texts(written: object, ruleset_hash: str) -> dict[str, str] | None:
    """What was written, if it has this hash."""
    try:
        texts = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        return None
    return texts if rules.digest(texts) == ruleset_hash else None


def _fault(tx: Tx, ruleset_hash: str, key: bytes) -> str | None:
    told = audit.newest_of(tx, ACTIVATED)
    if told is None:
        return N_("the record does not tell that anybody activated them")
    parts = evidence.parts(told, key)
    if isinstance(parts, TamperedError):
        return str(parts)
    header, details = parts
    if header["event"] != ACTIVATED or details["ruleset"] != ruleset_hash:
        return N_("the record tells that others were activated")
    return None
