"""What a person decides about a request: an approval is issued by the very steps, and nobody gets past record and gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.core.accounts import Standing
from mailer.core.secret import Secret
from mailer.errors import NotFoundError, RefusedError
from mailer.flow.override import requests as override
from mailer.flow.override.requests import Decided, Refusal
from mailer.flow.report import requests as report
from mailer.model import Delivery, Reason
from mailer.states import CredentialState, RequestState
from mailer.store import credentials, requests, senders
from tests.e2e.bureau import body, header, request
from tests.flow.desks import CLINIC, DENTIST, Desk, password_in, until_done
from tests.flow.test_flow_places import fill
from tests.store.offices import Trial

ADDRESS = CLINIC.answer_to
STRANGER = "stranger@elsewhere.example"


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def state_of(desk: Desk, number: int) -> tuple[RequestState, str | None]:
    with desk.trial.database.reading() as tx:
        found = requests.get(tx, number)
    return found.state, found.reason


def approve(desk: Desk, *numbers: int) -> list[Decided]:
    return override.approve(desk.trial.worker(), desk.policy(), numbers, reason="проверено по телефону")


def hold_old(desk: Desk, *names: str) -> None:
    """Requests that came too late to be answered without a person."""
    desk.trial.clock.move(days=15)
    desk.take(*(request(name, ADDRESS, number) for number, name in enumerate(names)))
    until_done(desk.answer())


def works(desk: Desk, content: bytes) -> bool:
    login, password = password_in(content)
    with desk.trial.database.reading() as tx:
        return desk.local.check(tx, login, Secret(password), desk.trial.clock()) is Standing.VALID


def recipients(desk: Desk) -> Sequence[str]:
    return [envelope.recipient for envelope, _ in desk.postman.sent]


def test_an_approved_request_is_issued_once_its_delay_is_over(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.")
    (decided,) = approve(desk, 1)
    assert decided.issue_after == desk.trial.clock() + timedelta(seconds=30)
    assert (decided.state, decided.answer_to) == (RequestState.APPROVED, ADDRESS)
    with desk.trial.database.reading() as tx:
        assert report.show_request(tx, 1).timeline[-1].seq == decided.record
    desk.trial.clock.move(seconds=29)
    desk.run()
    assert desk.postman.sent == []
    desk.trial.clock.move(seconds=1)
    desk.run()
    assert state_of(desk, 1) == (RequestState.ANSWERED, "too-old")
    ((_, content),) = desk.postman.sent
    assert works(desk, content)
    assert header(content, "Subject") == "Логин и пароль: Пришва А.А."


def test_an_approval_does_not_wait_for_a_time_that_a_fast_clock_has_shown(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.")
    desk.trial.clock.move(days=2)
    approve(desk, 1)
    desk.trial.clock.move(days=-2)
    desk.run()
    assert state_of(desk, 1)[0] is RequestState.ANSWERED


def test_a_reissue_goes_to_the_address_that_the_register_has_by_then(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.postman.answers = [Delivery.NEVER]
    desk.run()
    assert state_of(desk, 2) == (RequestState.HELD, "answer-failed")
    desk.trial.register(replace(CLINIC, answer_to="new@clinic.example"))
    approve(desk, 2)
    desk.trial.clock.move(seconds=30)
    desk.run()
    assert state_of(desk, 2)[0] is RequestState.ANSWERED
    assert recipients(desk) == ["new@clinic.example"]
    assert works(desk, desk.postman.sent[0][1])


def test_what_was_held_for_want_of_a_pair_is_issued_once_there_are_pairs(trial: Trial, tmp_path: Path) -> None:
    desk = Desk(trial=trial, home=tmp_path, kind="pool")
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    assert state_of(desk, 1) == (RequestState.HELD, "no-pair")
    fill(desk, {"uc-1": "x"})
    approve(desk, 1)
    desk.trial.clock.move(seconds=30)
    desk.run()
    assert state_of(desk, 1)[0] is RequestState.ANSWERED


def test_what_could_not_be_issued_is_issued_after_all(desk: Desk) -> None:
    desk.fail_to_issue(request("Пришва А.А.", ADDRESS, 1))
    assert state_of(desk, 1) == (RequestState.HELD, "issuing-failed")
    approve(desk, 1)
    desk.trial.clock.move(seconds=30)
    desk.run()
    assert state_of(desk, 1)[0] is RequestState.ANSWERED
    with desk.trial.database.reading() as tx:
        found = credentials.of_request(tx, 1)
        assert found is not None
        assert found.state is CredentialState.ACTIVE
        assert [one.state for one in credentials.newest(tx, 9) if one.id != found.id] == [CredentialState.ABANDONED]
    assert works(desk, desk.postman.sent[0][1])


MEDDLING = {
    "another person": "UPDATE requests SET person_id = (SELECT person_id FROM requests WHERE id = 2) WHERE id = 1",
    "another sender": "UPDATE requests SET sender_code = '290002' WHERE id = 1",
    "another address": "UPDATE requests SET answer_to_id = (SELECT answer_to_id FROM requests WHERE id = 3) WHERE id = 1",
    "another name": "UPDATE personal SET value = 'Вор В.В.', surname = 'Вор', initials = 'В.В.' WHERE value = 'Пришва А.А.'",
    "another letter": "UPDATE letters SET content = (SELECT content FROM letters WHERE id = 2) WHERE id = 1",
    "no letter": "UPDATE requests SET letter_id = NULL WHERE id = 1",
    "the register": "UPDATE senders SET answer_to = 'thief@evil.example' WHERE code = '290001'",
}


@pytest.mark.parametrize("statement", MEDDLING.values(), ids=MEDDLING.keys())
def test_nobody_approves_what_somebody_else_wrote_into_the_database(desk: Desk, statement: str) -> None:
    desk.trial.clock.move(days=15)
    desk.take(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", ADDRESS, 2), request("Юрьева Я.Я.", DENTIST.answer_to, 3))
    until_done(desk.answer())
    with desk.trial.database.writing() as tx:
        tx.execute(text(statement))
    with pytest.raises(RefusedError):
        approve(desk, 1)
    assert desk.events().count("request.approved") == 0


def test_what_was_withdrawn_is_not_brought_back_by_writing_its_state(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.")
    override.withdraw(desk.trial.worker(), [1], reason="ошибка")
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE requests SET state = 'held'"))
    with pytest.raises(RefusedError):
        approve(desk, 1)


def test_a_person_vouches_for_a_sender_who_was_registered_since(desk: Desk) -> None:
    desk.take(request("Юрьева Я.Я.", STRANGER, 1))
    until_done(desk.answer())
    with pytest.raises(RefusedError, match="senders add CODE --organisation … --from-request 1 --reason"):
        approve(desk, 1)
    desk.trial.register(replace(DENTIST, code="290003", addresses=(STRANGER,), answer_to=STRANGER, points=()))
    approve(desk, 1)
    desk.trial.clock.move(seconds=30)
    desk.run()
    assert recipients(desk) == [STRANGER]
    assert works(desk, desk.postman.sent[0][1])


def test_a_blocked_sender_gets_nothing_and_is_refused_by_letter(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.")
    with desk.trial.worker().writing() as unit:
        unit.tx.execute(text("UPDATE senders SET blocked = true WHERE code = '290001'"))
        senders.register(unit, "290001", desk.trial.pen)
    with pytest.raises(RefusedError, match="blocked"):
        approve(desk, 1)
    override.refuse(
        desk.trial.worker(), desk.policy(), desk.stationery, [1], Refusal(template="refused-sender"), reason="заблокирован"
    )
    desk.send()
    assert header(desk.postman.sent[0][1], "Subject") == "Отказ: запрос не принят"


def test_machine_mail_is_never_answered_whoever_approves(desk: Desk) -> None:
    machine = request("Пришва А.А.", ADDRESS, 1).replace(b"Subject:", b"Auto-Submitted: auto-generated\r\nSubject:", 1)
    desk.take(machine)
    until_done(desk.answer())
    assert state_of(desk, 1) == (RequestState.HELD, "machine-mail")
    with pytest.raises(RefusedError, match="nothing is ever answered"):
        approve(desk, 1)
    with pytest.raises(RefusedError, match="nothing is ever answered"):
        override.refuse(desk.trial.worker(), desk.policy(), desk.stationery, [1], Refusal(), reason="робот")
    override.withdraw(desk.trial.worker(), [1], reason="робот")
    assert state_of(desk, 1)[0] is RequestState.WITHDRAWN


def test_nothing_goes_to_our_own_address(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.")
    desk.trial.register(replace(CLINIC, answer_to=desk.address))
    with pytest.raises(RefusedError, match="our own address"):
        approve(desk, 1)


def test_a_cap_binds_people_too_and_counts_what_they_approve_together(desk: Desk) -> None:
    desk.replies_daily = 1
    hold_old(desk, "Пришва А.А.", "Ли К.")
    with pytest.raises(RefusedError, match="used up"):
        approve(desk, 1, 2)
    assert state_of(desk, 1)[0] is RequestState.HELD, "all or none"
    approve(desk, 1)


def test_one_that_cannot_be_approved_keeps_the_others_back(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.", "Иванов")
    with pytest.raises(RefusedError, match="request 2 names nobody"):
        approve(desk, 1, 2)
    with pytest.raises(NotFoundError):
        approve(desk, 1, 99)
    assert state_of(desk, 1)[0] is RequestState.HELD
    assert "request.approved" not in desk.events()


def test_an_approval_is_undone_while_it_waits_and_not_later(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.")
    approve(desk, 1)
    desk.trial.clock.move(seconds=29)
    override.undo(desk.trial.worker(), [1], reason="не тот")
    assert state_of(desk, 1) == (RequestState.HELD, "too-old")
    assert desk.events()[-1] == "request.undone"
    desk.trial.clock.move(minutes=10)
    desk.run()
    assert desk.postman.sent == []
    approve(desk, 1)
    desk.trial.clock.move(seconds=30)
    with pytest.raises(RefusedError, match="time to undo"):
        override.undo(desk.trial.worker(), [1], reason="поздно")
    desk.run()
    with pytest.raises(RefusedError, match="credentials revoke"):
        override.undo(desk.trial.worker(), [1], reason="поздно")


def test_what_the_rules_approved_is_held_or_withdrawn_until_its_login_is_made(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", ADDRESS, 2), request("Юрьева Я.Я.", ADDRESS, 3))
    until_done(desk.answer())
    with pytest.raises(RefusedError, match="by the rules"):
        override.undo(desk.trial.worker(), [1], reason="x")
    override.hold(desk.trial.worker(), [1], reason="перезвонить")
    override.withdraw(desk.trial.worker(), [2], reason="отозвали")
    desk.run()
    assert [state_of(desk, number)[0].value for number in (1, 2, 3)] == ["held", "withdrawn", "answered"]
    for act in (override.hold, override.withdraw):
        with pytest.raises(RefusedError, match="credentials revoke"):
            act(desk.trial.worker(), [3], reason="поздно")
    assert state_of(desk, 1) == (RequestState.HELD, "person")


def test_a_login_that_is_reserved_is_no_longer_held_back(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    until_done(desk.answer())
    issue = desk.issue()
    issue.reserving.reserve()
    with pytest.raises(RefusedError, match="credentials revoke"):
        override.withdraw(desk.trial.worker(), [1], reason="поздно")
    until_done(issue)
    assert state_of(desk, 1)[0] is RequestState.ISSUED


def test_a_refusal_by_a_person_says_why(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.", "Ли К.")
    refusal = Refusal(reason=Reason.SEVERAL_NAMES)
    override.refuse(desk.trial.worker(), desk.policy(), desk.stationery, [1, 2], refusal, reason="двое в письме")
    desk.send()
    assert recipients(desk) == [ADDRESS, ADDRESS]
    content = desk.postman.sent[0][1]
    assert header(content, "Subject") == "Отказ: указано несколько человек"
    assert "только одного пользователя" in body(content)
    assert state_of(desk, 2)[0] is RequestState.REFUSED
    with pytest.raises(RefusedError):
        Refusal(template="refused-sender", reason=Reason.SEVERAL_NAMES)


def test_a_dry_run_says_the_same_and_leaves_nothing(desk: Desk) -> None:
    hold_old(desk, "Пришва А.А.")
    before = desk.events()
    (decided,) = override.approve(desk.trial.worker(), desk.policy(), [1], reason="x", dry_run=True)
    assert (decided.state, decided.record, decided.answer_to) == (RequestState.APPROVED, 0, ADDRESS)
    override.refuse(desk.trial.worker(), desk.policy(), desk.stationery, [1], Refusal(), reason="x", dry_run=True)
    with pytest.raises(NotFoundError):
        override.approve(desk.trial.worker(), desk.policy(), [2], reason="x", dry_run=True)
    assert desk.events() == before
    assert state_of(desk, 1)[0] is RequestState.HELD
    desk.send()
    assert desk.postman.sent == []
