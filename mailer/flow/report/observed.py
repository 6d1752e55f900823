"""What would have been done with the letters that came while the office only observed? Nothing of it was done, nor is here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from mailer.core import reply, terms
from mailer.core.reply import Templates, local_moment
from mailer.core.replyvalues import LetterValues, ReplyValues, refusal
from mailer.flow.report.letters import reread
from mailer.model import Form, Own, Reading, Verdict
from mailer.store import letters, observed, senders
from mailer.store.db import Tx
from mailer.store.letters import Kept
from mailer.store.observed import Observed

NO_NUMBER_YET = 0  # of the request that was not opened, where a letter would name it


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """With what the office would have answered. `months` and `max_days` make the term; `about` is what every letter says."""

    templates: Templates
    about: LetterValues
    form: Form
    own: Own
    zone: ZoneInfo
    months: int
    max_days: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Would:
    """A letter with what would have become of it: a login to the end of `last_day`, or a refusal with these words.

    `request_id`: of the one that was opened when somebody had the letter decided anew.
    """

    letter_id: int
    received_at: datetime
    observed_at: datetime
    sender_code: str | None
    person: str | None
    verdict: str | None
    rule_id: str | None
    reason: str | None
    last_day: date | None
    subject: str | None
    body: str | None
    request_id: int | None


def lines(tx: Tx, limit: int, means: Means) -> list[Would]:
    """The newest letters that were observed, those left alone in any case (`ignore`) left out."""
    return [_would(tx, one, means) for one in observed.newest(tx, limit)]


def _would(tx: Tx, one: Observed, means: Means) -> Would:
    kept = letters.get(tx, one.letter_id)
    reading = reread(kept, means.form, means.own)
    term = terms.term(one.at, means.zone, means.months, means.max_days) if kept.verdict == Verdict.ISSUE.value else None
    subject, body = _refusal(tx, kept, one, reading, means) or (None, None)
    return Would(
        letter_id=kept.id,
        received_at=kept.received_at,
        observed_at=one.at,
        sender_code=kept.sender_code,
        person=reading.person.canonical if reading and reading.person else None,
        verdict=kept.verdict,
        rule_id=kept.rule_id,
        reason=kept.reason,
        last_day=term.last_day if term else None,
        subject=subject,
        body=body,
        request_id=one.request,
    )


def _refusal(tx: Tx, kept: Kept, one: Observed, reading: Reading | None, means: Means) -> tuple[str, str] | None:
    """Subject and body, as today's templates word them."""
    if kept.verdict != Verdict.REFUSE.value or one.template is None or kept.sender_code is None or reading is None:
        return None
    values = ReplyValues(
        fund_name=means.about.fund_name,
        contact=means.about.contact,
        portal_url=means.about.portal_url,
        organisation=senders.get(tx, kept.sender_code).organisation,
        request_number=NO_NUMBER_YET,
        received_at=local_moment(kept.received_at, means.zone),
    )
    return reply.render(means.templates, one.template, refusal(one.template, values, reading))
