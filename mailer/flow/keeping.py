"""What is a letter that came, and what is kept of it? Its headers are judged, its place in the ledger and what is kept are written.

`core.keeping` decides, intake fetches and moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from mailer.core import evidence, keeping, kinds, trust
from mailer.core.keeping import Arrival, Excerpt, Group, Looked
from mailer.flow.errands import Errands
from mailer.model import Form, Head, Own, RawLetter, Trust
from mailer.store import ledger, letters, senders, tries
from mailer.store.ledger import Filing
from mailer.store.work import Unit, Worker


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


class Keeping:
    """Judges and keeps the letters of one mailbox; what a day may bring of strangers is told once it is used up."""

    def __init__(self, worker: Worker, errands: Errands, settings: IntakeSettings) -> None:
        self._worker = worker
        self._errands = errands
        self._settings = settings
        self._over: set[Group] = set()

    def look(self, heads: Sequence[Head]) -> list[Arrival]:
        """What each letter is by its headers, whose, and whether it is kept."""
        settings = self._settings
        read = [(head, keeping.read(head, settings.form)) for head in heads]
        addresses = {letter.sender for _, letter in read if letter is not None and letter.sender is not None}
        with self._worker.reading() as tx:
            codes = senders.codes_of(tx, sorted(addresses))
            used = letters.kept_since(tx, self._worker.clock() - timedelta(days=1))
        looked = []
        for head, letter in read:
            reading = kinds.judge(letter, settings.form, settings.own)
            proven = letter is not None and trust.standing(
                letter, trust=settings.trust, authserv_id=settings.authserv_id, shared_domains=settings.shared_domains
            )
            code = codes.get(letter.sender or "") if letter is not None and proven else None
            answers = letter is not None and kinds.answers_ours(letter, settings.own)
            looked.append(Looked(head=head, letter=letter, reading=reading, sender_code=code, proven=proven, answers_ours=answers))
        return keeping.sort_out(looked, used, max_bytes=settings.max_bytes)

    def keep(self, epoch: int, arrivals: Sequence[Arrival], bodies: Mapping[int, bytes]) -> list[int]:
        """Note them in the ledger and keep those that are to be kept; the items that are to be moved now."""
        mailbox = self._settings.mailbox
        items = [arrival.looked.head.item for arrival in arrivals]
        due = {arrival.looked.head.item for arrival in arrivals if arrival.ours and not self._settings.observe}
        excerpts = self._excerpts(arrivals, bodies)
        with self._worker.writing() as unit:
            tries.forget(unit.tx, mailbox, epoch, items)
            returned = self._errands.met(unit, epoch, [arrival.looked for arrival in arrivals])
            due -= returned
            for arrival in arrivals:
                if not arrival.kept or arrival.looked.head.item in returned:
                    continue
                before = self._kept_before(unit, epoch, arrival.looked)
                if before is None:
                    self._keep_one(unit, epoch, arrival.looked, excerpts[arrival.looked.head.item])
                elif before is Filing.LEFT:  # while the office only observed: it is still people's to answer
                    due.discard(arrival.looked.head.item)
            filings = (Filing.DUE if item in due else Filing.LEFT for item in items)
            kinds_seen = (arrival.looked.reading.kind for arrival in arrivals)
            ledger.note(unit.tx, mailbox, epoch, zip(items, kinds_seen, filings, strict=True))
            self._tell_over(unit, arrivals)
        return sorted(due)

    def keep_unread(self, unit: Unit, epoch: int, head: Head) -> int:
        """Keep what nobody could look at, as its headers; the kept letter's id."""
        unread = keeping.unread(head)
        return self._keep_one(unit, epoch, unread, keeping.excerpt(unread, None, max_bytes=self._settings.max_bytes))

    def _excerpts(self, arrivals: Sequence[Arrival], bodies: Mapping[int, bytes]) -> dict[int, Excerpt]:
        """What is kept of each letter, by its number. To search large ones takes seconds, in which others may write."""
        found = [arrival.looked for arrival in arrivals if arrival.kept]
        biggest = self._settings.max_bytes
        return {one.head.item: keeping.excerpt(one, bodies.get(one.head.item), max_bytes=biggest) for one in found}

    def _tell_over(self, unit: Unit, arrivals: Sequence[Arrival]) -> None:
        """That a day's share is used up is told when it begins, not for every letter that is left out."""
        over = {arrival.over for arrival in arrivals if arrival.over is not None}
        for group in sorted(over - self._over):
            daily = {"group": group.value, **asdict(keeping.DAILY[group])}
            unit.tell("intake.capped", importance="warning", outcome="refused", mailbox=self._settings.mailbox, decided=daily)
        self._over = (self._over - {arrival.looked.group for arrival in arrivals if arrival.kept}) | over

    def _kept_before(self, unit: Unit, epoch: int, looked: Looked) -> Filing | None:
        """How a letter was filed that the server only gave a new number (UIDVALIDITY changed), known by its headers; None: new."""
        if looked.letter is None:
            return None
        mailbox, item = self._settings.mailbox, looked.head.item
        found = letters.known_elsewhere(unit.tx, mailbox, epoch, looked.letter, looked.head.received_at)
        if found is None:
            return None
        unit.tell("letter.renumbered", mailbox=mailbox, epoch=epoch, item=item)
        return ledger.filing(unit.tx, mailbox, *found)

    def _keep_one(self, unit: Unit, epoch: int, looked: Looked, kept: Excerpt) -> int:
        head = looked.head
        raw = RawLetter(
            mailbox=self._settings.mailbox,
            epoch=epoch,
            item=head.item,
            received_at=head.received_at,
            size_bytes=head.size_bytes,
            content=kept.content,
            whole=kept.whole,
        )
        digest = hashlib.sha256(kept.content).hexdigest()
        kept_id = letters.keep(
            unit.tx,
            raw,
            looked.letter,
            kind=looked.reading.kind,
            proven=looked.proven,
            sender_code=looked.sender_code,
            digest=digest,
            at=unit.at,
        )
        unit.tell(
            "letter.kept",
            sender=looked.sender_code,
            letter=kept_id,
            mailbox=raw.mailbox,
            epoch=epoch,
            item=head.item,
            kind=looked.reading.kind.value,
            size_bytes=head.size_bytes,
            whole=raw.whole,
            proven=looked.proven,
            note=None if kept.left_out is None else kept.left_out.value,
            digest=digest,
            received_at=evidence.instant(raw.received_at),
            fingerprint=digest if looked.letter is None else looked.letter.fingerprint,
        )
        return kept_id
