"""What would a first run do with the letters that wait in a mailbox? Judged by their headers; nothing is changed or kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from mailer.core import kinds, mime
from mailer.core import trust as trusted
from mailer.core.decide import decide
from mailer.core.rules import Ruleset
from mailer.model import Head, Own, Trust, Verdict
from mailer.store import facts, ledger
from mailer.store.db import Database
from mailer.store.facts import Arrival, Limits

BATCH: Final = 200


class Heads(Protocol):
    """The part of a mailbox that looks and does not touch."""

    def items(self, *, full: bool) -> list[int]: ...

    def heads(self, items: Sequence[int]) -> list[Head]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """Counts of letters. Repeated letters among those waiting are each counted, since none is kept yet."""

    waiting: int
    issue: int
    refuse: int
    hold: int


def preview(
    database: Database,
    mailbox: Heads,
    name: str,
    epoch: int,
    *,
    trust: Trust,
    authserv_id: str | None,
    shared_domains: frozenset[str],
    ruleset: Ruleset,
    own: Own,
    limits: Limits,
    now: datetime,
    key: bytes,
) -> Preview:
    """Judge every letter of the opened mailbox that the ledger does not know."""
    counted: Counter[Verdict] = Counter()
    items = mailbox.items(full=True)
    with database.reading() as tx:
        new = ledger.unseen(tx, name, epoch, items)
        for start in range(0, len(new), BATCH):
            for head in mailbox.heads(new[start : start + BATCH]):
                letter = mime.read(head.header, whole=False, size_bytes=head.size_bytes, phrase=ruleset.form.phrase)
                reading = kinds.judge(letter, ruleset.form, own)
                proven = letter is not None and trusted.standing(
                    letter, trust=trust, authserv_id=authserv_id, shared_domains=shared_domains
                )
                arrival = Arrival(id=0, received_at=head.received_at, proven=proven, letter=letter, reading=reading)
                known, _ = facts.gather(tx, arrival, limits, now, key=key)
                counted[decide(known, ruleset).verdict] += 1
    return Preview(waiting=len(new), issue=counted[Verdict.ISSUE], refuse=counted[Verdict.REFUSE], hold=counted[Verdict.HOLD])
