"""Whoever can only write the database makes no login valid that is over as the record tells: a check says so, with an alarm."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.core import evidence
from mailer.core.accounts import Standing
from mailer.flow import places
from mailer.flow.alarm import AlarmStep
from mailer.flow.needs import needs
from mailer.flow.override import credentials as override
from mailer.states import CredentialState, RequestState
from mailer.store import audit, credentials, requests, standing
from mailer.store import places as inside
from tests.e2e.bureau import body, request
from tests.flow.desks import CLINIC, DENTIST, OFFICER, Desk, password_in
from tests.flow.test_flow_attacks import alarms, attack
from tests.store.offices import Trial


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    """Two logins were issued to two persons of two senders."""
    office = Desk(trial=trial, home=tmp_path)
    office.take(request("Пришва А.А.", CLINIC.answer_to, 1), request("Ли К.", DENTIST.answer_to, 2))
    office.run()
    return office


def check(desk: Desk, login: str, password: str) -> Standing | None:
    return places.check(desk.trial.worker(), desk.local, login, password).standing


def pairs(desk: Desk) -> list[tuple[str, str]]:
    return [password_in(content) for _, content in desk.postman.sent]


def later(desk: Desk) -> object:
    at = desk.trial.clock() + timedelta(days=3650)
    return at.isoformat(timespec="microseconds") if desk.trial.database.sqlite else at


ENDED = {
    "enable the account": ["UPDATE accounts_local SET enabled = true"],
    "enable it and call the credential active": [
        "UPDATE accounts_local SET enabled = true",
        "UPDATE credentials SET state = 'active'",
    ],
    "take the end for another's": [
        "UPDATE accounts_local SET enabled = true",
        "UPDATE credentials SET request_id = 3 - request_id",
    ],
}


@pytest.mark.parametrize("statements", ENDED.values(), ids=ENDED.keys())
def test_a_login_that_was_ended_does_not_come_back(desk: Desk, statements: list[str]) -> None:
    (login, password), _other = pairs(desk)
    override.revoke(desk.trial.worker(), inside, login, reason="уволен")
    assert check(desk, login, password) is Standing.ENDED
    if "3 - request_id" in statements[-1]:
        attack(desk, "DROP INDEX uq_credentials_request_id")
    attack(desk, *statements)
    assert check(desk, login, password) is Standing.DISTRUSTED
    assert [event for event, _ in alarms(desk)] == ["credential.distrusted"]


LIVING = {
    "push the account's end": ["UPDATE accounts_local SET expires_at = :later"],
    "push the credential's end too": [
        "UPDATE accounts_local SET expires_at = :later",
        "UPDATE credentials SET valid_until = :later",
    ],
}


@pytest.mark.parametrize("statements", LIVING.values(), ids=LIVING.keys())
def test_a_login_does_not_live_longer(desk: Desk, statements: list[str]) -> None:
    (login, password), _other = pairs(desk)
    attack(desk, *statements, later=later(desk))
    assert check(desk, login, password) is Standing.DISTRUSTED
    desk.trial.clock.move(days=365)
    assert check(desk, login, password) is Standing.DISTRUSTED
    assert [event for event, _ in alarms(desk)] == ["credential.distrusted"] * 2


def test_one_persons_password_does_not_open_anothers_login(desk: Desk) -> None:
    (first, password), (second, _other) = pairs(desk)
    attack(
        desk,
        f"UPDATE accounts_local SET login = 'x' WHERE login = '{first}'",
        f"UPDATE accounts_local SET login = '{first}' WHERE login = '{second}'",
        f"UPDATE accounts_local SET login = '{second}' WHERE login = 'x'",
    )
    assert check(desk, second, password) is not Standing.VALID
    attack(
        desk,
        f"UPDATE credentials SET login = 'x' WHERE login = '{first}'",
        f"UPDATE credentials SET login = '{first}' WHERE login = '{second}'",
        f"UPDATE credentials SET login = '{second}' WHERE login = 'x'",
    )
    assert check(desk, second, password) is Standing.DISTRUSTED
    assert {event for event, _ in alarms(desk)} == {"credential.distrusted"}


def test_the_record_itself_must_hold(desk: Desk) -> None:
    (login, password), _other = pairs(desk)
    assert check(desk, login, password) is Standing.VALID
    with desk.trial.database.reading() as tx:
        found = credentials.find(tx, login)
        account = desk.local.read_back(tx, found.id)
        assert account is not None
        assert standing.fault(tx, found, account, desk.trial.pen.key) is None
        assert standing.fault(tx, found, account, b"x" * 32) == "the MAC does not hold"


def test_the_comparison_of_accounts_names_what_was_meddled_with(desk: Desk) -> None:
    attack(desk, "UPDATE accounts_local SET expires_at = :later", "UPDATE credentials SET valid_until = :later", later=later(desk))
    with desk.trial.database.reading() as tx:
        found = places.reconcile(tx, [desk.local, desk.pool], desk.trial.clock(), key=desk.trial.pen.key)
    assert [one.why for one in found.distrusted] == ["it ends at another time than the record tells"] * 2
    assert found.other_end == [], "the two tables agree with each other"


def told_to_officer(desk: Desk, step: AlarmStep) -> list[str]:
    """What the officer reads within the next minutes about logins that are not as the record tells."""
    desk.postman.sent.clear()
    desk.trial.clock.move(minutes=1)
    step.step()
    desk.send()
    return [body(content) for envelope, content in desk.postman.sent if envelope.recipient == OFFICER]


def standing_alarms(desk: Desk, step: AlarmStep) -> list[tuple[str, int]]:
    with desk.trial.database.reading() as tx:
        return [(alarm.kind.value, alarm.count) for alarm in needs(tx, step._settings.limits, desk.trial.clock())]


def test_the_officer_is_told_until_the_login_is_ended(desk: Desk) -> None:
    (login, password), (other, other_password) = pairs(desk)
    step = desk.alarm()
    attack(desk, "UPDATE accounts_local SET expires_at = :later", later=later(desk))
    check(desk, login, password)
    check(desk, login, password)
    (said,) = told_to_officer(desk, step)
    assert "Логины расходятся с журналом: 1" in said.replace("\r\n", "\n")
    assert "mailer accounts reconcile" in said
    assert (login in said, "Пришва" in said) == (False, False)
    check(desk, other, other_password)
    assert standing_alarms(desk, step) == [("logins-distrusted", 2)]
    assert told_to_officer(desk, step) == [], "at most once an hour"
    override.revoke(desk.trial.worker(), inside, login, reason="вмешательство")
    assert standing_alarms(desk, step) == [("logins-distrusted", 1)]
    override.revoke(desk.trial.worker(), inside, other, reason="вмешательство")
    assert standing_alarms(desk, step) == []


def test_the_alarm_of_an_account_that_works_although_it_is_over_ends_with_the_account(desk: Desk) -> None:
    (login, password), _other = pairs(desk)
    step = desk.alarm()
    override.revoke(desk.trial.worker(), inside, login, reason="уволен")
    attack(desk, "UPDATE accounts_local SET enabled = true")
    check(desk, login, password)
    assert standing_alarms(desk, step) == [("logins-distrusted", 1)]
    places.disable_orphans(desk.trial.worker(), [desk.local, desk.pool], reason="сверка")
    assert standing_alarms(desk, step) == []


def test_what_nobody_ends_leaves_the_list_after_two_weeks(desk: Desk) -> None:
    (login, password), _other = pairs(desk)
    step = desk.alarm()
    attack(desk, "UPDATE accounts_local SET expires_at = :later", later=later(desk))
    check(desk, login, password)
    desk.trial.clock.move(days=14, seconds=-1)
    assert standing_alarms(desk, step) == [("logins-distrusted", 1)]
    desk.trial.clock.move(seconds=1)
    assert standing_alarms(desk, step) == []


def test_what_could_not_be_issued_is_issued_once_it_is_approved_again(trial: Trial, tmp_path: Path) -> None:
    """Its first credential was abandoned; the second has an id and a login of its own."""
    desk = Desk(trial=trial, home=tmp_path)
    desk.fail_to_issue(request("Пришва А.А.", CLINIC.answer_to, 1))
    with desk.trial.worker().writing() as unit:
        held = requests.get(unit.tx, 1)
        assert (held.state, held.reason) == (RequestState.HELD, "issuing-failed")
        unit.tx.execute(text("UPDATE requests SET state = 'approved'"))
        (approval,) = audit.of_request(unit.tx, 1, "request.approved")
        unit.tell("request.approved", sender=held.sender_code, request=1, decided=evidence.read_details(approval))
    desk.run()
    assert len(desk.postman.sent) == 1
    with desk.trial.database.reading() as tx:
        states = sorted(found.state for found in credentials.newest(tx, 5))
        assert states == [CredentialState.ABANDONED, CredentialState.ACTIVE]
        found = credentials.of_request(tx, 1)
        assert found is not None
        assert found.state is CredentialState.ACTIVE
