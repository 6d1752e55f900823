"""What does it cost to take the record out? JSON lines, CSV, XLSX and a bundle, at 10,000 and at 1,000,000 records, on SQLite.

The same figures at both sizes show that the cost of a record does not grow with their number. The large ones take minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from mailer.core import recordforms
from mailer.edge.workbook import Workbook
from mailer.flow import export
from mailer.flow.export import RecordForm
from mailer.store.recordpages import Selection
from tests.bench.figures import Figure, peak_bytes, timed
from tests.bench.record import BATCH, SIZES, append
from tests.store.offices import Trial, set_up

SECONDS: Final = {"jsonl": 15e-6, "csv": 20e-6, "xlsx": 150e-6}  # for each record
BYTES: Final = 150_000_000


def figures() -> list[Figure]:
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        trial = set_up(f"sqlite:///{Path(folder) / 'mailer.db'}")
        for before, size in pairwise((0, *SIZES)):
            for _ in range((size - before) // BATCH):
                append(trial)
            found += [_figure(name, deed, size) for name, deed in _deeds(trial, Path(folder), size).items()]
        trial.database.close()
    return found


def _figure(name: str, deed: Callable[[], object], size: int) -> Figure:
    once = timed(f"{name}, {size:,} records", deed, times=1, goal=SECONDS[name] * size)
    return replace(once, memory_bytes=peak_bytes(deed), memory_goal_bytes=BYTES)


def _deeds(trial: Trial, folder: Path, size: int) -> dict[str, Callable[[], object]]:
    def lines(form: RecordForm) -> None:
        with (folder / "out").open("wb") as target:
            export.lines(
                trial.worker(),
                Selection(),
                target.write,
                form,
                upto=size,
                version="1",
                excel=False,
                progress=lambda _: None,
            )

    def workbook() -> None:
        table = Workbook(folder / "out.xlsx", recordforms.COLUMNS, [10] * len(recordforms.COLUMNS))
        export.rows(trial.worker(), Selection(), table, upto=size, progress=lambda _: None)
        table.close()

    return {"jsonl": lambda: lines(RecordForm.JSONL), "csv": lambda: lines(RecordForm.CSV), "xlsx": workbook}
