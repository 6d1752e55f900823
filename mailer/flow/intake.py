"""Step 1: letters of one mailbox become kept letters, or a note in the ledger and nothing else.

Headers first; only what is ours is fetched whole. Keep, commit, and only then tell the server. A crash anywhere means: fetched
again, kept once. What is not ours stays where it is, untouched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from mailer.core import bouncecut, kinds, mime, trust
from mailer.model import Form, Head, Kind, Letter, Own, RawLetter, Reading, Trust
from mailer.store import ledger, letters, senders
from mailer.store.ledger import Filing
from mailer.store.work import Pulse, Unit, Worker

FETCH_BYTES: Final = 8 * 1024 * 1024  # one FETCH of whole letters
FULL_EVERY: Final = timedelta(minutes=10)
STRANGERS_DAILY: Final = 200  # headers of requests kept a day whose senders nobody knows or nothing proves


class Mailbox(Protocol):
    """One folder of letters. Every call may raise EdgeError: then the mailbox is closed and opened again later."""

    name: str

    def open(self) -> int:
        """Connect; the epoch (UIDVALIDITY) under which items are numbered."""

    def items(self, *, full: bool) -> list[int]:
        """Numbers of the letters in the folder, ascending: all, or those newer than any seen since `open`."""

    def heads(self, items: Sequence[int]) -> list[Head]:
        """Header blocks; what the server leaves out is left out. Reading changes nothing on the server."""

    def whole(self, items: Sequence[int]) -> dict[int, bytes]: ...

    def file(self, items: Sequence[int]) -> None:
        """Move letters out of the folder; returns only once the server agreed. Calling twice is fine."""

    def wait(self, seconds: float, keep_going: Callable[[], bool]) -> bool:
        """Wait for news; True: something may have arrived. Asks `keep_going` every second or so."""

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeSettings:
    """How letters of this mailbox are judged. `observe`: nothing is moved, the office still answers by hand."""

    mailbox: str
    trust: Trust
    authserv_id: str | None
    shared_domains: frozenset[str]
    form: Form
    own: Own
    max_bytes: int
    batch: int
    wait_seconds: float
    observe: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arrival:
    """A letter after the first look. `known`: the register holds its address; `proven`: the mailbox proves it."""

    head: Head
    letter: Letter | None
    reading: Reading
    sender_code: str | None
    proven: bool
    kept: bool
    whole: bool
    filing: Filing


class Intake:
    """The step; it alone uses its mailbox."""

    def __init__(self, worker: Worker, mailbox: Mailbox, settings: IntakeSettings) -> None:
        self._worker = worker
        self._mailbox = mailbox
        self._settings = settings
        self._pulse = Pulse(worker)
        self._epoch: int | None = None
        self._full_due: datetime | None = None

    def step(self) -> bool:
        """Take in what is new; whether there was anything."""
        epoch = self._epoch if self._epoch is not None else self._mailbox.open()
        self._epoch = epoch
        now = self._worker.clock()
        full = self._full_due is None or not now < self._full_due <= now + FULL_EVERY
        if full:
            self._full_due = now + FULL_EVERY
        items = self._mailbox.items(full=full)
        with self._worker.reading() as tx:
            new = ledger.unseen(tx, self._settings.mailbox, epoch, items)
        taken = 0
        for start in range(0, len(new), self._settings.batch):
            taken += self._take(epoch, new[start : start + self._settings.batch])
            self._pulse()
        if full:
            self._file_left_behind(epoch, set(items))
        return taken > 0

    def rest(self, keep_going: Callable[[], bool]) -> None:
        """Wait until letters may have arrived."""

        def still() -> bool:
            self._pulse()
            return keep_going()

        self._mailbox.wait(self._settings.wait_seconds, still)

    def close(self) -> None:
        self._epoch = None
        self._full_due = None
        self._mailbox.close()

    def _take(self, epoch: int, items: Sequence[int]) -> int:
        """Take these letters in; how many. What the server leaves out is none of them, so that it is not asked without a pause."""
        heads = self._mailbox.heads(items)
        taken = 0
        if len(heads) < len(items):
            self._full_due = None  # what the server left out is looked for again
        for group in _by_size(self._look(heads), self._settings.max_bytes):
            wanted = [arrival.head.item for arrival in group if arrival.whole]
            bodies = self._mailbox.whole(wanted) if wanted else {}
            if len(bodies) < len(wanted):
                self._full_due = None
            complete = [arrival for arrival in group if not arrival.whole or arrival.head.item in bodies]
            self._keep(epoch, complete, bodies)
            taken += len(complete)
        return taken

    def _look(self, heads: Sequence[Head]) -> list[_Arrival]:
        settings = self._settings
        read = [
            (head, mime.read(head.header, whole=False, size_bytes=head.size_bytes, phrase=settings.form.phrase)) for head in heads
        ]
        addresses = {letter.sender for _, letter in read if letter is not None and letter.sender is not None}
        with self._worker.reading() as tx:
            codes = senders.codes_of(tx, sorted(addresses))
            strangers_left = STRANGERS_DAILY - letters.strangers_since(tx, self._worker.clock() - timedelta(days=1))
        arrivals = []
        for head, letter in read:
            reading = kinds.judge(letter, settings.form, settings.own)
            proven = letter is not None and trust.standing(
                letter, trust=settings.trust, authserv_id=settings.authserv_id, shared_domains=settings.shared_domains
            )
            code = codes.get(letter.sender or "") if letter is not None and proven else None
            stranger = reading.kind is Kind.REQUEST and code is None
            kept = _is_kept(reading, known=code is not None) and not (stranger and strangers_left <= 0)
            strangers_left -= stranger and kept
            ours = kept and (reading.kind is Kind.BOUNCE or (reading.kind is Kind.REQUEST and code is not None))
            arrivals.append(
                _Arrival(
                    head=head,
                    letter=letter,
                    reading=reading,
                    sender_code=code,
                    proven=proven,
                    kept=kept,
                    whole=ours and head.size_bytes <= settings.max_bytes,
                    filing=Filing.DUE if ours and not settings.observe else Filing.LEFT,
                )
            )
        return arrivals

    def _keep(self, epoch: int, arrivals: Sequence[_Arrival], bodies: Mapping[int, bytes]) -> None:
        mailbox = self._settings.mailbox
        with self._worker.writing() as unit:
            ledger.note(unit.tx, mailbox, epoch, ((a.head.item, a.reading.kind, a.filing) for a in arrivals))
            for arrival in arrivals:
                if arrival.kept and not self._is_renumbered(unit, epoch, arrival):
                    self._keep_one(unit, epoch, arrival, bodies.get(arrival.head.item))
        self._file(epoch, [arrival.head.item for arrival in arrivals if arrival.filing is Filing.DUE])

    def _is_renumbered(self, unit: Unit, epoch: int, arrival: _Arrival) -> bool:
        """The server gave its letters new numbers (UIDVALIDITY changed): known by their headers, they are not kept again."""
        if arrival.letter is None:
            return False
        known = letters.known_elsewhere(
            unit.tx, self._settings.mailbox, epoch, arrival.letter.fingerprint, arrival.head.received_at
        )
        if known:
            unit.tell("letter.renumbered", mailbox=self._settings.mailbox, epoch=epoch, item=arrival.head.item)
        return known

    def _keep_one(self, unit: Unit, epoch: int, arrival: _Arrival, body: bytes | None) -> None:
        head = arrival.head
        content = head.header if body is None else body
        if arrival.reading.kind is Kind.BOUNCE:
            content = bouncecut.without_answer(content)
        raw = RawLetter(
            mailbox=self._settings.mailbox,
            epoch=epoch,
            item=head.item,
            received_at=head.received_at,
            size_bytes=head.size_bytes,
            content=content,
            whole=body is not None,
        )
        digest = hashlib.sha256(content).hexdigest()
        kept_id = letters.keep(
            unit.tx, raw, arrival.letter, kind=arrival.reading.kind, proven=arrival.proven, digest=digest, at=unit.at
        )
        unit.tell(
            "letter.kept",
            sender=arrival.sender_code,
            letter=kept_id,
            mailbox=raw.mailbox,
            epoch=epoch,
            item=head.item,
            kind=arrival.reading.kind.value,
            size_bytes=head.size_bytes,
            whole=raw.whole,
            proven=arrival.proven,
            note="too-large" if head.size_bytes > self._settings.max_bytes else None,
            digest=digest,
        )

    def _file(self, epoch: int, items: Sequence[int]) -> None:
        if items:
            self._mailbox.file(items)
            with self._worker.writing() as unit:
                ledger.filed(unit.tx, self._settings.mailbox, epoch, items)

    def _file_left_behind(self, epoch: int, present: set[int]) -> None:
        """Move what was kept but not moved before a crash; what has gone meanwhile counts as moved."""
        with self._worker.reading() as tx:
            due = ledger.due(tx, self._settings.mailbox, epoch, self._settings.batch)
        if due:
            self._file(epoch, [item for item in due if item in present] or due)


def _is_kept(reading: Reading, *, known: bool) -> bool:
    """letters.md, section 2: what is neither kept nor answered is only noted."""
    match reading.kind:
        case Kind.UNREADABLE | Kind.BOUNCE | Kind.REQUEST:
            return True
        case Kind.MACHINE_MAIL:
            return known and reading.phrase_first
        case Kind.NEAR_SUBJECT:
            return known
    return False


def _by_size(arrivals: Iterable[_Arrival], max_bytes: int) -> Iterator[list[_Arrival]]:
    """Groups whose whole letters together stay within one FETCH."""
    group: list[_Arrival] = []
    size = 0
    for arrival in arrivals:
        more = arrival.head.size_bytes if arrival.whole else 0
        if group and size + more > max(FETCH_BYTES, max_bytes):
            yield group
            group, size = [], 0
        group.append(arrival)
        size += more
    if group:
        yield group
