"""A known sender whose request is held is told that the letter came, if the office wants that, and nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.core import kinds, mime
from mailer.flow.answer import Answer, AnswerSettings
from mailer.model import Delivery, Kind
from mailer.states import RequestState
from tests.e2e.bureau import PHRASE, body, header, request
from tests.flow.desks import CLINIC, Desk, until_done, unwatched
from tests.flow.test_flow_decisions import ADDRESS, STRANGER, approve, recipients, state_of
from tests.store.offices import Trial


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def answer(desk: Desk, *, receipts: bool = True) -> None:
    settings = AnswerSettings(ruleset=desk.ruleset, own=desk.own, limits=desk.limits, observe=False, receipts=receipts)
    step = Answer(desk.trial.worker("answer"), desk.stationery, settings, on_trouble=desk.trouble, watched=unwatched)
    until_done(step)


def test_a_held_request_is_acknowledged_without_a_name(desk: Desk) -> None:
    desk.trial.clock.move(days=15)
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    answer(desk)
    desk.send()
    ((envelope, content),) = desk.postman.sent
    assert envelope.recipient == ADDRESS
    assert header(content, "Subject") == "Письмо получено: № 1"
    assert "Пришва" not in body(content)
    assert PHRASE not in body(content)
    assert state_of(desk, 1)[0] is RequestState.HELD
    approve(desk, 1)
    desk.trial.clock.move(seconds=30)
    desk.run()
    assert state_of(desk, 1)[0] is RequestState.ANSWERED
    assert recipients(desk) == [ADDRESS, ADDRESS]


def test_a_receipt_that_leaves_late_does_not_pass_for_the_answer(desk: Desk) -> None:
    desk.trial.clock.move(days=15)
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    answer(desk)
    approve(desk, 1)
    desk.trial.clock.move(seconds=30)
    until_done(desk.issue())
    desk.postman.answers = [Delivery.SENT, Delivery.LATER]
    deliver = desk.deliver()
    deliver.step()
    deliver.close()
    assert [header(content, "Subject") for _, content in desk.postman.sent] == ["Письмо получено: № 1"]
    assert state_of(desk, 1)[0] is RequestState.ISSUED
    desk.trial.clock.move(minutes=2)
    desk.send()
    assert state_of(desk, 1)[0] is RequestState.ANSWERED


@pytest.mark.parametrize("why", ["off", "stranger", "machine", "cap", "own"])
def test_the_gate_binds_receipts_too(desk: Desk, why: str) -> None:
    desk.trial.clock.move(days=15)
    letter = request("Пришва А.А.", STRANGER if why == "stranger" else ADDRESS, 1)
    if why == "machine":
        letter = letter.replace(b"Subject:", b"Auto-Submitted: auto-generated\r\nSubject:", 1)
    if why == "cap":
        desk.replies_daily = 0
    if why == "own":
        desk.address = CLINIC.answer_to
    desk.take(letter)
    answer(desk, receipts=why != "off")
    desk.send()
    assert state_of(desk, 1)[0] is RequestState.HELD
    assert desk.postman.sent == []


def test_an_answer_to_a_receipt_is_no_request(desk: Desk) -> None:
    desk.own = type(desk.own)(message_id_domain="fond.example", reply_subjects=("Письмо получено:",))
    letter = mime.read(request("", ADDRESS, 2, subject="Re: Письмо получено: № 1"))
    assert kinds.judge(letter, desk.ruleset.form, desk.own).kind is Kind.ANSWER_TO_US
