"""What a bounce changes, as a table: what it says against what we know of the reply."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailer.core.bounce import Bounce, NoReport
from mailer.core.deliverystatus import Outcome, Recipient
from mailer.core.returned import Finding, Known, judge
from mailer.states import ReplyState

OURS = "ib@clinic.example"
SENT = Known(recipient=OURS, state=ReplyState.SENT, sends=1, told_sent=True)


def said(*recipients: Recipient) -> Bounce:
    return Bounce(recipients=recipients, reply_ids=(), message_ids=())


def one(outcome: Outcome = Outcome.FAILED, final: str | None = OURS, original: str | None = None) -> Recipient:
    return Recipient(outcome=outcome, final=final, original=original)


FAILED = said(one())


@pytest.mark.parametrize(
    ("report", "known", "finding"),
    [
        pytest.param(FAILED, SENT, Finding.BOUNCED, id="failed"),
        pytest.param(said(one(final="x@y.example", original=OURS)), SENT, Finding.BOUNCED, id="forwarded and failed"),
        pytest.param(said(one(final="x@y.example"), one()), SENT, Finding.BOUNCED, id="ours among others"),
        pytest.param(said(one(Outcome.DELAYED), one()), SENT, Finding.BOUNCED, id="late, then failed"),
        pytest.param(FAILED, replace(SENT, recipient="IB@Clinic.example"), Finding.BOUNCED, id="written with capitals"),
        pytest.param(NoReport.READ_RECEIPT, SENT, Finding.NOTHING_SAID, id="read receipt"),
        pytest.param(said(), SENT, Finding.NOTHING_SAID, id="nobody named"),
        pytest.param(FAILED, None, Finding.NO_SUCH_REPLY, id="unknown"),
        pytest.param(said(one(final="x@y.example")), SENT, Finding.ANOTHER_RECIPIENT, id="another"),
        pytest.param(said(one(final=None)), SENT, Finding.ANOTHER_RECIPIENT, id="an address of no form"),
        pytest.param(FAILED, replace(SENT, recipient=None), Finding.ANOTHER_RECIPIENT, id="ours was erased"),
        pytest.param(said(one(final=None)), replace(SENT, recipient=None), Finding.ANOTHER_RECIPIENT, id="none is not none"),
        *(
            pytest.param(said(one(outcome)), SENT, Finding.NOT_FAILED, id=outcome.value)
            for outcome in Outcome
            if outcome is not Outcome.FAILED
        ),
        pytest.param(
            said(one(Outcome.DELIVERED), one(final="x@y.example")), SENT, Finding.NOT_FAILED, id="failed for somebody else only"
        ),
        pytest.param(FAILED, replace(SENT, told_sent=False), Finding.NOT_SENT, id="only the database calls it sent"),
        pytest.param(FAILED, replace(SENT, state=ReplyState.SENDING), Finding.NOT_YET, id="sending"),
        pytest.param(FAILED, replace(SENT, state=ReplyState.QUEUED), Finding.NOT_YET, id="to be sent again"),
        pytest.param(FAILED, replace(SENT, state=ReplyState.QUEUED, sends=0), Finding.NOT_SENT, id="never out"),
        pytest.param(FAILED, replace(SENT, state=ReplyState.FAILED), Finding.NOT_SENT, id="refused"),
        pytest.param(FAILED, replace(SENT, state=ReplyState.UNKNOWN), Finding.NOT_SENT, id="a person looks"),
        pytest.param(FAILED, replace(SENT, state=ReplyState.BOUNCED), Finding.ALREADY_BOUNCED, id="again"),
    ],
)
def test_what_it_means(report: Bounce | NoReport, known: Known | None, finding: Finding) -> None:
    assert judge(report, known) is finding
