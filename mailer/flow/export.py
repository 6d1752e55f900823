"""How does the record leave the house? In a form for people or programs, or as a bundle that proves itself. Told before it is read.

Reads by pages, each in a transaction of its own, up to the record that told of the export; memory stays the same however long that
takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Protocol
from zoneinfo import ZoneInfo

from mailer.core import bundle, evidence, journal, recordforms
from mailer.core.bundle import Proof
from mailer.core.checkpointhistory import History
from mailer.core.checkpoints import Published
from mailer.core.csvtext import written
from mailer.core.evidence import Sealed
from mailer.core.merkle import Range
from mailer.core.note import PublicKey
from mailer.store import journal as issued
from mailer.store import lostkeys, pruning, recordpages
from mailer.store.recordpages import Selection
from mailer.store.work import Worker

Write = Callable[[bytes], object]
Progress = Callable[[int], object]
"""Is told how many more were written."""


class RecordForm(StrEnum):
    """In which a record may leave."""

    JSONL = "jsonl"
    CSV = "csv"
    XLSX = "xlsx"
    CEF = "cef"


class Table(Protocol):
    """A spreadsheet that takes rows."""

    def add(self, cells: Sequence[str]) -> None: ...


def announce(worker: Worker, selection: Selection, *, form: str, reason: str | None) -> int:
    """Tell the record that it is about to be read; the number of that record: so far the export goes. No record, no export."""
    with worker.writing() as unit:
        unit.tell("audit.exported", importance="notice", form=form, reason=reason, selection=selection.told())
    return unit.seqs[-1]


def count(worker: Worker, selection: Selection, *, upto: int) -> int:
    with worker.reading() as tx:
        return recordpages.count(tx, selection, upto=upto)


def lines(
    worker: Worker,
    selection: Selection,
    write: Write,
    form: RecordForm,
    *,
    upto: int,
    version: str,
    excel: bool,
    progress: Progress,
) -> None:
    """JSON lines, CEF, or CSV (RFC 4180; `excel`: with BOM and semicolons, as Russian Excel opens them by a double click)."""
    if form is RecordForm.CSV:
        write((b"\xef\xbb\xbf" if excel else b"") + written([recordforms.COLUMNS], semicolon=excel).encode())
    for page in _pages(worker, selection, upto):
        match form:
            case RecordForm.JSONL:
                write(b"".join(map(recordforms.json_line, page)))
            case RecordForm.CEF:
                write(b"".join(recordforms.cef_line(one, version=version) for one in page))
            case _:
                write(written(map(recordforms.cells, page), semicolon=excel).encode())
        progress(len(page))


def rows(worker: Worker, selection: Selection, table: Table, *, upto: int, progress: Progress) -> None:
    for page in _pages(worker, selection, upto):
        for one in page:
            table.add(recordforms.cells(one))
        progress(len(page))


def journal_rows(
    worker: Worker, since: datetime | None, until: datetime | None, table: Table, *, zone: ZoneInfo, word: Callable[[str], str]
) -> int:
    """«Журнал учёта выдачи»; the number of its lines."""
    number = after = 0
    while True:
        with worker.reading() as tx:
            page = issued.page(tx, after=after, since=since, until=until)
        if not page:
            return number
        for one in page:
            number += 1
            table.add(journal.line(number, one, zone, word))
        after = page[-1].request


def bundled(
    worker: Worker, selection: Selection, published: Published, write: Write, *, public_key: str, progress: Progress
) -> bytes:
    """The records of a bundle are written, its manifest is given back. Nothing beyond the checkpoint is in it."""
    size = published.checkpoint.size
    with worker.reading() as tx:
        first, last = recordpages.span(tx, selection, upto=size)
        anchor = pruning.anchor(tx, worker.pen.key)
    begin = anchor.edge if anchor else Range()
    if last < first:
        first, last = begin.size + 1, begin.size
    edge = _grown(worker, begin, first - 1, after=begin.size)
    left, shown, digest, seq = edge.hashes, 0, hashlib.sha256(), first - 1
    while seq < last:
        with worker.reading() as tx:
            page = recordpages.every(tx, selection, after=seq, upto=last)
        content = b"".join(bundle.record_line(sealed, withheld=not asked) for sealed, asked in page)
        write(content)
        digest.update(content)
        shown += sum(asked for _, asked in page)
        seq = page[-1][0].seq
        progress(len(page))
    return bundle.manifest(
        origin=published.checkpoint.origin,
        public_key=public_key,
        made_at=evidence.instant(worker.clock()),
        first=first,
        last=last,
        size=size,
        left=left,
        right=_beside(worker, last, size),
        asked=selection.told(),
        shown=shown,
        records_digest=digest.hexdigest(),
    )


def handovers(worker: Worker, said: History, published: Published) -> list[dict[str, object]]:
    """How the key that signed came after earlier ones, a step for each (`core.bundle`); no more of them than can still be shown."""
    steps: list[dict[str, object]] = []
    for pair in pairwise(said.keys):
        at = next((place for place, one in enumerate(said.valid) if _is_handover(one, pair)), None)
        step = None if at is None else _step(worker, said.valid[: at + 1], published.checkpoint.size)
        steps = [] if step is None else [*steps, step]
    return steps


def _is_handover(one: Published, pair: tuple[PublicKey, PublicKey]) -> bool:
    change = one.checkpoint.change
    return change is not None and (change.old, change.new) == pair


def _step(worker: Worker, valid: Sequence[Published], size: int) -> dict[str, object] | None:
    """From the key before the last of these checkpoints to the one after it; None when what shows it was pruned or given up."""
    one, change = valid[-1], valid[-1].checkpoint.change
    if change is None or not change.lost:
        return bundle.handover(one.signed)
    before = valid[-2] if len(valid) > 1 else None
    with worker.reading() as tx:
        told = lostkeys.told(tx, worker.pen.key, change, after=before.checkpoint.size if before else 0)
        anchor = pruning.anchor(tx, worker.pen.key)
    begin = anchor.edge if anchor else Range()
    if told is None or before is None or before.checkpoint.size < begin.size:
        return None

    def proof(first: int, last: int) -> Proof:
        left = _grown(worker, begin, first - 1, after=begin.size).hashes
        return Proof(left=left, right=_beside(worker, last, size))

    return bundle.loss(
        note=one.signed,
        last=before.signed,
        last_proof=proof(before.checkpoint.size + 1, before.checkpoint.size),
        told=told,
        told_proof=proof(told.seq, told.seq),
    )


def _beside(worker: Worker, last: int, size: int) -> list[tuple[int, bytes]]:
    """Number of leaves and root of the subtrees after record `last`."""
    return [(end - start, _grown(worker, Range(), end, after=start).root()) for start, end in bundle.right_spans(last, size)]


def _pages(worker: Worker, selection: Selection, upto: int) -> Iterator[list[Sealed]]:
    after = 0
    while True:
        with worker.reading() as tx:
            page = recordpages.page(tx, selection, after=after, upto=upto)
        if not page:
            return
        yield page
        after = page[-1].seq


def _grown(worker: Worker, edge: Range, upto: int, *, after: int = 0) -> Range:
    """The edge after the leaves beyond `after` up to `upto`, by pages."""
    while after < upto:
        end = min(upto, after + 10 * recordpages.PAGE)
        with worker.reading() as tx:
            edge = edge.grown(recordpages.leaves(tx, after=after, upto=end))
        after = end
    return edge
