"""What would happen to this letter? The same reading, facts and rules as the answer step, and nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailer.core import bounce, kinds, mime, trust
from mailer.core.bounce import Bounce, NoReport
from mailer.core.decide import decide
from mailer.core.rules import Ruleset
from mailer.model import Decision, Facts, Kind, Own, Reading, Sender, Trust
from mailer.store import facts
from mailer.store.db import Tx
from mailer.store.facts import Arrival, Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """The mailbox a letter is judged as if it came through."""

    trust: Trust = Trust.NETWORK
    authserv_id: str | None = None
    shared_domains: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    reading: Reading
    facts: Facts
    sender: Sender | None
    decision: Decision
    bounce: Bounce | NoReport | None  # None for every other kind of letter


def explain(
    tx: Tx,
    content: bytes,
    *,
    channel: Channel,
    ruleset: Ruleset,
    own: Own,
    limits: Limits,
    now: datetime,
    key: bytes,
    bounce_address: str | None = None,
) -> Explanation:
    """Judge the bytes of one letter as if it had arrived just now. `key` is that of the record.

    `bounce_address` is that of `[fund]`, with `{id}` in it.
    """
    letter = mime.read(content, phrase=ruleset.form.phrase)
    reading = kinds.judge(letter, ruleset.form, own)
    proven = letter is not None and trust.standing(
        letter, trust=channel.trust, authserv_id=channel.authserv_id, shared_domains=channel.shared_domains
    )
    arrival = Arrival(id=0, received_at=now, proven=proven, letter=letter, reading=reading)
    known, sender = facts.gather(tx, arrival, limits, now, key=key)
    said = bounce.read(content, bounce_address=bounce_address) if reading.kind is Kind.BOUNCE else None
    return Explanation(reading=reading, facts=known, sender=sender, decision=decide(known, ruleset), bounce=said)
