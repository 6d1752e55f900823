"""Somebody who can write the database puts into one row what cannot be read: no step stops for all others, no alarm is silenced.

SQLite keeps any type in any column, and a time of PostgreSQL may be `-infinity`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.core.accounts import Standing
from mailer.flow.needs import needs
from mailer.flow.places import check
from mailer.store import errands, pauses
from mailer.store.db import DatabaseError
from mailer.store.errands import ErrandKind
from mailer.store.leases import LAST
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, DENTIST, OFFICER, Desk, password_in, until_done
from tests.flow.test_flow_attacks import alarms, attack, recipients
from tests.store.offices import Trial

ROWS = {  # what cannot be read: the steps before, the statement, the alarms it raises
    "the kind of a letter": ("kept", "UPDATE letters SET kind = 'x' WHERE id = 1", ["letter.quarantined"]),
    "the time of a letter": ("kept", "UPDATE letters SET received_at = :bad WHERE id = 1", ["letter.quarantined"]),
    "the time of a request": ("approved", "UPDATE requests SET created_at = :bad WHERE id = 1", []),
    "from when on it is issued": ("approved", "UPDATE requests SET issue_after = :bad WHERE id = 1", []),
    "the end of a block": ("approved", f"UPDATE senders SET blocked_until = :bad WHERE code = '{CLINIC.code}'", ["request.held"]),
    "the salt of a person": ("approved", "UPDATE personal SET salt = 'text' WHERE surname = 'Пришва'", ["request.held"]),
    "the time of a reply": ("issued", "UPDATE replies SET created_at = :bad WHERE request_id = 1", []),
    "when it was first tried": ("issued", "UPDATE replies SET started_at = :bad WHERE request_id = 1", []),
    "the bytes of a reply": ("issued", "UPDATE replies SET sealed = 'text' WHERE request_id = 1", ["reply.failed"]),
}
ONE_ALARM = (
    "INSERT INTO alarms (kind, place, raised_at, since, count, numbers) SELECT {}, created_at, created_at, 1, {} FROM instance"
)
SILENCING = {
    "an alarm of no kind": ONE_ALARM.format("'x', ''", "'{}'"),
    "an alarm without numbers": ONE_ALARM.format("'letters-quarantined', ''", "'x'"),
    "an alarm of other numbers": ONE_ALARM.format("'letters-quarantined', ''", "'[]'"),
    "an alarm of no number": ONE_ALARM.format("'letters-quarantined', ''", """'{"a": "x"}'"""),
    "a pause of no step": "INSERT INTO pauses SELECT 'x', '', created_at, 'a', 'b' FROM instance",
    "a key of no day": "UPDATE replies SET key_epoch = 'x', state = 'unknown'",
    "a lease of no name": "INSERT INTO leases (name, owner, fence, expires_at) SELECT x'00', '', 0, created_at FROM instance",
    "losses of no number": "UPDATE leases SET losses = 'x'",
    "a text that is none": "INSERT INTO pauses SELECT 'x', '', created_at, CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT) FROM instance",
}
SQLITE_ALONE = "losses of no number"


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def unreadable(desk: Desk) -> str:
    return "x" if desk.trial.database.sqlite else "-infinity"


@pytest.mark.parametrize("what", ROWS)
def test_one_row_stops_no_step_for_all_others(desk: Desk, what: str) -> None:
    begun, statement, told = ROWS[what]
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1), request("Ли К.", DENTIST.answer_to, 2))
    if begun != "kept":
        until_done(desk.answer())
    if begun == "issued":
        until_done(desk.issue())
    attack(desk, statement, bad=unreadable(desk))
    desk.trial.clock.move(minutes=2)
    desk.run()
    until_done(desk.expire())
    assert DENTIST.answer_to in recipients(desk)
    assert [event for event, _ in alarms(desk)] == told


def test_a_login_that_stands_in_anothers_account_is_issued_to_nobody(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    desk.run()
    desk.take(request("Юн Я.", CLINIC.answer_to, 2), request("Ли К.", DENTIST.answer_to, 3))
    until_done(desk.answer())
    desk.issue().reserving.reserve()
    attack(desk, "UPDATE accounts_local SET login = (SELECT login FROM credentials WHERE request_id = 2)")
    desk.run()
    assert recipients(desk) == [DENTIST.answer_to, CLINIC.answer_to], "the first of the clinic's left before"
    assert alarms(desk) == [("request.held", 2)]


def test_leases_at_the_last_number_are_taken_all_the_same(desk: Desk) -> None:
    desk.take(request("Ли К.", DENTIST.answer_to, 2))
    until_done(desk.answer())
    attack(desk, f"UPDATE leases SET fence = {LAST}")
    desk.run()
    assert recipients(desk) == [DENTIST.answer_to]


def test_wrong_passwords_of_no_credential_are_told_as_those_of_no_login(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    desk.run()
    login, password = password_in(desk.postman.sent[0][1])
    attack(desk, "INSERT INTO check_failures SELECT 'nobody', created_at, 1, created_at, false FROM instance")
    desk.trial.clock.move(minutes=2)
    assert check(desk.trial.worker(), desk.local, login, password).standing is Standing.VALID
    with desk.trial.database.reading() as tx:
        (told,) = [header for header in desk.headers(tx) if header["event"] == "credential.check-failed"]
    assert (told["sender"], told["request"]) == (None, None)


@pytest.mark.parametrize("what", SILENCING)
def test_no_row_keeps_the_officer_from_hearing_of_the_others(desk: Desk, what: str) -> None:
    desk.take(request("Ли К.", DENTIST.answer_to, 2))
    desk.run()
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    attack(desk, "UPDATE letters SET digest = '0' WHERE id = 2")
    until_done(desk.answer())
    if what == SQLITE_ALONE and not desk.trial.database.sqlite:
        with pytest.raises(DatabaseError):  # PostgreSQL keeps nothing of another type in a column
            attack(desk, SILENCING[what])
        return
    attack(desk, SILENCING[what])
    alarm = desk.alarm()
    for _ in range(2):
        desk.trial.clock.move(minutes=2)
        alarm.step()
        desk.send()
    assert recipients(desk).count(OFFICER) == 1, "told, and told once"
    assert desk.events().count("alarm.raised") == len(standing(desk)), "each raised once"


def standing(desk: Desk) -> list[str]:
    with desk.trial.database.reading() as tx:
        return [alarm.kind.value for alarm in needs(tx, desk.alarm()._settings.limits, desk.trial.clock())]


def test_a_pause_of_no_step_is_none(desk: Desk) -> None:
    attack(desk, SILENCING["a pause of no step"])
    with desk.trial.database.reading() as tx:
        assert pauses.every(tx) == []


@pytest.mark.parametrize("kind", ["x", "forward"])
def test_an_errand_for_nothing_keeps_back_no_other(desk: Desk, kind: str) -> None:
    """One of no kind, or for no letter, planted before what a person asks for."""
    attack(desk, f"INSERT INTO errands (mailbox, kind, asked_at) SELECT 'uc', '{kind}', created_at FROM instance")
    with desk.trial.worker().writing() as unit:
        errands.ask(unit.tx, "uc", ErrandKind.RESCAN, at=unit.at, since=unit.at.date())
    desk.take(request("Ли К.", DENTIST.answer_to, 1))
    desk.run()
    assert "rescan.begun" in desk.events()
    assert recipients(desk) == [DENTIST.answer_to]
    assert desk.troubles == []
