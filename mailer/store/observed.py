"""What was decided while the office only observed? Told by the record; these letters have no request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select

from mailer.core import evidence
from mailer.core.evidence import Sealed
from mailer.model import Verdict
from mailer.store.db import Tx
from mailer.store.schema import letters, records, requests


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """`template`: the refusal that would have been written. `request`: opened since, by whoever had the letter decided anew."""

    letter_id: int
    at: datetime
    template: str | None
    request: int | None


def newest(tx: Tx, limit: int) -> list[Observed]:
    """The last ones; those that nobody would have done anything about (`ignore`) are left out."""
    columns = [records.c[name] for name in ("seq", "header", "nonce", "details", "leaf", "mac")]
    query = (
        select(records.c.letter_id, records.c.at, requests.c.id.label("request"), *columns)
        .join(letters, letters.c.id == records.c.letter_id)
        .outerjoin(requests, requests.c.letter_id == letters.c.id)
        .where(_would_matter())
        .order_by(records.c.seq.desc())
        .limit(limit)
    )
    return [Observed(letter_id=row.letter_id, at=row.at, template=_template(row), request=row.request) for row in tx.execute(query)]


def unanswered(tx: Tx) -> dict[Verdict, int]:
    """How many of them nobody has had decided anew, by what would have been done."""
    query = (
        select(letters.c.verdict, func.count())
        .select_from(records.join(letters, letters.c.id == records.c.letter_id))
        .where(_would_matter(), ~select(requests.c.id).where(requests.c.letter_id == letters.c.id).exists())
        .group_by(letters.c.verdict)
    )
    return {Verdict(verdict): count for verdict, count in tx.execute(query)}


def _template(row: Row[Any]) -> str | None:
    sealed = Sealed(seq=row.seq, header=row.header, nonce=row.nonce, details=row.details, leaf=row.leaf, mac=row.mac)
    template: str | None = evidence.read_details(sealed).get("template")
    return template


def _would_matter() -> ColumnElement[bool]:
    return (records.c.event == "letter.observed") & (letters.c.verdict != Verdict.IGNORE.value)
