"""What does the record tell of a letter or a request? Its lines, oldest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailer.core import evidence
from mailer.core.evidence import Sealed
from mailer.store import audit
from mailer.store.db import Tx
from mailer.store.requests import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One record as a line of a timeline. `details` hold what strangers wrote only as digests."""

    seq: int
    at: datetime
    event: str
    importance: str
    actor: str
    sender_code: str | None
    request_id: int | None
    outcome: str
    details: Mapping[str, Any]


def timeline(tx: Tx, letter_id: int) -> list[Entry]:
    """The records of a letter and its request, oldest first."""
    return [entry(sealed) for sealed in audit.of_letter(tx, letter_id)]


def request_timeline(tx: Tx, request: Request) -> list[Entry]:
    """The records of a request, and of its letter before there was one."""
    if request.letter_id is not None:
        return timeline(tx, request.letter_id)
    return [entry(sealed) for sealed in audit.of_request(tx, request.id)]


def entry(sealed: Sealed) -> Entry:
    header = evidence.read_header(sealed)
    return Entry(
        seq=header["seq"],
        at=datetime.fromisoformat(header["at"]),
        event=header["event"],
        importance=header["importance"],
        actor=header["actor"],
        sender_code=header["sender"],
        request_id=header["request"],
        outcome=header["outcome"],
        details=evidence.read_details(sealed),
    )
