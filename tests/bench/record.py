"""What does the record cost? Appending with the tree, verifying, and proving; on SQLite, at 10,000 and at 1,000,000 records.

The same figures at both sizes show that the cost of a record does not grow with their number. Building the large record
takes half a minute, reading it with its memory measured another.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from mailer.core import merkle
from mailer.core.evidence import Record
from mailer.core.merkle import Range
from mailer.store import audit, verification
from tests.bench.figures import Figure, peak_bytes, timed
from tests.store.offices import START, Trial, set_up

SIZES: Final = (10_000, 1_000_000)
BATCH: Final = 100
APPEND_SECONDS: Final = 0.000_15 * BATCH
VERIFY_SECONDS: Final = 20 / 1_000_000
VERIFY_BYTES: Final = 100_000_000
TOLD: Final = [
    Record(
        event="reply.queued",
        actor="mailer-desk",
        sender="290001",
        request=number,
        details={"letter": number, "reply": "0123456789abcdef" * 2, "digest": "0123456789abcdef" * 4, "name": "issued"},
    )
    for number in range(BATCH)
]


def figures() -> list[Figure]:
    found = [_growth()]
    with tempfile.TemporaryDirectory() as folder:
        trial = set_up(f"sqlite:///{Path(folder) / 'mailer.db'}")
        for before, size in pairwise((0, *SIZES)):
            for _ in range((size - before) // BATCH):
                append(trial)
            found += _at(trial, size)
        trial.database.close()
    return found


def _at(trial: Trial, size: int) -> list[Figure]:
    def verify() -> None:
        verdict = verification.verify(trial.database, trial.pen.key)
        assert verdict.fault is None

    once = timed(f"verify {size:,} records", verify, times=1, goal=size * VERIFY_SECONDS)
    return [
        replace(once, memory_bytes=peak_bytes(verify), memory_goal_bytes=VERIFY_BYTES),
        timed(f"append {BATCH} to {size:,}, commit", lambda: append(trial), times=50, goal=APPEND_SECONDS),
    ]


def _growth() -> Figure:
    """What the tree adds to a batch, reading and writing the head's bytes included."""
    leaves = [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(BATCH)]
    edge = Range().grown(leaves * 10_000).to_bytes()
    size = BATCH * 10_000
    return timed(
        f"tree: {BATCH} leaves onto {size:,}", lambda: merkle.from_bytes(size, edge).grown(leaves).to_bytes(), times=200, goal=0.001
    )


def append(trial: Trial) -> None:
    with trial.database.writing() as tx:
        audit.append(tx, trial.pen, START, TOLD)
