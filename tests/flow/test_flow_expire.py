"""Before its end a login's holder is warned, at its end it is disabled: once each, whatever else fails meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailer.errors import EdgeError
from mailer.flow import needs
from mailer.flow.override import credentials as override
from mailer.model import Delivery
from mailer.states import CredentialState
from mailer.store import credentials
from mailer.store import places as inside
from mailer.store.db import Tx
from tests.e2e.bureau import body, header, request
from tests.flow.desks import CLINIC, DENTIST, Desk, password_in, until_done
from tests.flow.test_flow_attacks import alarms, attack
from tests.flow.test_flow_places import told
from tests.store.offices import Trial

WARNING = "Срок действия логина заканчивается: "
LAST_DAY = 92  # days after the start: 23.02.2027


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    """Two logins were issued, at noon in Moscow, to persons of two senders."""
    office = Desk(trial=trial, home=tmp_path, warn_days=(14, 3))
    office.take(request("Пришва А.А.", CLINIC.answer_to, 1), request("Ли К.", DENTIST.answer_to, 2))
    office.run()
    return office


def warnings(desk: Desk) -> list[tuple[str, str]]:
    """Recipient and subject of every warning that left."""
    letters = [(envelope.recipient, header(content, "Subject")) for envelope, content in desk.postman.sent]
    return sorted((recipient, subject) for recipient, subject in letters if subject.startswith(WARNING))


def pass_days(desk: Desk, days: int) -> None:
    """A day at a time, the service running."""
    for _ in range(days):
        desk.trial.clock.move(days=1)
        desk.run()


@pytest.mark.slow
def test_everybody_is_warned_on_the_fourteenth_and_on_the_third_day_before(desk: Desk) -> None:
    pass_days(desk, LAST_DAY - 15)
    assert warnings(desk) == []
    pass_days(desk, 1)
    first = [(DENTIST.answer_to, WARNING + "Ли К."), (CLINIC.answer_to, WARNING + "Пришва А.А.")]
    assert warnings(desk) == first
    pass_days(desk, 10)
    assert warnings(desk) == first
    pass_days(desk, 1)
    assert warnings(desk) == sorted(first * 2)
    pass_days(desk, 10)
    assert warnings(desk) == sorted(first * 2)
    assert [(one["days"], one["importance"]) for one in told(desk, "credential.warned")] == [(14, "info")] * 2 + [(3, "info")] * 2


def test_a_warning_begins_with_the_day_in_the_funds_zone(desk: Desk) -> None:
    desk.trial.clock.move(days=LAST_DAY - 15, hours=11, minutes=59)  # 23:59 in Moscow
    desk.run()
    assert warnings(desk) == []
    desk.trial.clock.move(minutes=10)
    desk.run()
    assert len(warnings(desk)) == 2


def test_a_warning_names_login_and_end_and_no_password(desk: Desk) -> None:
    answers = dict(zip((envelope.recipient for envelope, _ in desk.postman.sent), map(password_in, _contents(desk)), strict=True))
    desk.trial.clock.move(days=LAST_DAY - 14)
    desk.run()
    for envelope, content in desk.postman.sent[2:]:
        login, password = answers[envelope.recipient]
        lines = body(content).splitlines()
        assert login in lines
        assert "23.02.2027, 23:59:59 (МСК, UTC+3)" in lines
        assert password not in body(content)
        assert header(content, "Auto-Submitted") == "auto-generated"
        assert "Запрос атрибутов временного доступа = " in body(content)


def test_after_a_stand_still_there_is_one_warning_not_two(desk: Desk) -> None:
    desk.trial.clock.move(days=LAST_DAY - 1)
    desk.run()
    assert len(warnings(desk)) == 2
    pass_days(desk, 3)
    assert len(warnings(desk)) == 2
    assert [one["days"] for one in told(desk, "credential.warned")] == [3, 3]


def test_who_has_no_login_any_more_is_not_warned(desk: Desk) -> None:
    (revoked, _), _other = map(password_in, _contents(desk))
    override.revoke(desk.trial.worker(), inside, revoked, reason="уволен")
    desk.take(request("Ли К.", DENTIST.answer_to, 3))
    pass_days(desk, 1)
    desk.trial.clock.move(days=LAST_DAY - 15)
    desk.run()
    assert warnings(desk) == []
    with desk.trial.database.reading() as tx:
        assert credentials.counts(tx)[CredentialState.SUPERSEDED] == 1, "the newer login is not near its end"


def test_while_a_newer_answer_is_on_its_way_the_older_login_is_not_warned_of(desk: Desk) -> None:
    desk.trial.clock.move(days=LAST_DAY - 16)
    desk.run()
    desk.mailbox.received_at = desk.trial.clock()
    desk.take(request("Ли К.", DENTIST.answer_to, 3))
    until_done(desk.answer())
    until_done(desk.issue())
    desk.trial.clock.move(days=2)
    until_done(desk.expire())
    desk.send()
    assert warnings(desk) == [(CLINIC.answer_to, WARNING + "Пришва А.А.")]


def test_an_answer_that_has_not_left_is_no_login_to_be_warned_of(trial: Trial, tmp_path: Path) -> None:
    desk = Desk(trial=trial, home=tmp_path, warn_days=(14, 3))
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    until_done(desk.answer())
    until_done(desk.issue())
    desk.trial.clock.move(days=LAST_DAY - 3)
    until_done(desk.expire())
    assert "credential.warned" not in desk.events()


def test_an_undelivered_warning_ends_nobodys_login(desk: Desk) -> None:
    desk.trial.clock.move(days=LAST_DAY - 14)
    desk.postman.answers = [Delivery.NEVER] * 2
    desk.run()
    assert [one["name"] for one in told(desk, "reply.queued")][2:] == ["expiring"] * 2
    assert desk.events().count("reply.failed") == 2
    with desk.trial.database.reading() as tx:
        assert credentials.counts(tx) == {CredentialState.ACTIVE: 2}


MOVED = {
    "to another's address": "UPDATE credentials SET answer_to_id = (SELECT answer_to_id FROM requests WHERE id = 2)"
    " WHERE request_id = 1",
    "under another name": "UPDATE personal SET value = 'Юн Я.', surname = 'Юн', initials = 'Я.' WHERE value = 'Пришва А.А.'",
    "with another login": "UPDATE credentials SET login = 'admin' WHERE request_id = 1",
    "from another organisation": "UPDATE senders SET organisation = 'позвоните +7 900' WHERE code = '290001'",
    "with another end": "UPDATE credentials SET last_day = '2027-02-20', valid_until = :end WHERE request_id = 1",
}


@pytest.mark.parametrize("what", MOVED)
def test_what_somebody_meddled_with_is_not_written_to_anybody(desk: Desk, what: str) -> None:
    attack(desk, MOVED[what], end="2027-02-20T20:59:59.000000+00:00")
    desk.trial.clock.move(days=LAST_DAY - 14)
    for _ in range(3):
        desk.run()
        desk.trial.clock.move(hours=1)
    assert warnings(desk) == [(DENTIST.answer_to, WARNING + "Ли К.")]
    assert alarms(desk) == [("credential.distrusted", 1)], "once"


def test_a_warning_that_the_table_forgot_is_not_written_again(desk: Desk) -> None:
    desk.trial.clock.move(days=LAST_DAY - 14)
    desk.run()
    attack(desk, "UPDATE credentials SET warned_days = NULL WHERE request_id = 1")
    desk.trial.clock.move(minutes=11)
    desk.run()
    attack(desk, "UPDATE credentials SET warned_days = 20 WHERE request_id = 1")
    desk.trial.clock.move(days=11)
    desk.run()
    assert alarms(desk) == [("credential.distrusted", 1)]
    assert len(warnings(desk)) == 4, "each of both ends once, on the fourteenth and on the third day before"


def test_a_warning_that_cannot_be_written_keeps_back_no_other(desk: Desk) -> None:
    attack(desk, "UPDATE credentials SET sender_code = 'nobody' WHERE request_id = 1")
    desk.trial.clock.move(days=LAST_DAY - 14)
    desk.run()
    assert warnings(desk) == [(DENTIST.answer_to, WARNING + "Ли К.")]
    assert desk.troubles
    attack(desk, "UPDATE credentials SET sender_code = '290001' WHERE request_id = 1")
    desk.trial.clock.move(minutes=11)
    desk.run()
    assert len(warnings(desk)) == 2


@dataclass(kw_only=True)
class Stubborn:
    """A place of validity that does not disable some logins; `done`: it did, and says it did not."""

    refuses: set[str] = field(default_factory=set)
    done: bool = False
    asked: int = 0

    def disable(self, tx: Tx, credential_id: str) -> None:
        if credential_id in self.refuses:
            self.asked += 1
            if self.done:
                inside.disable(tx, credential_id)
            raise EdgeError("the directory does not answer")
        inside.disable(tx, credential_id)


def of(desk: Desk, request_id: int) -> credentials.Credential:
    with desk.trial.database.reading() as tx:
        found = credentials.of_request(tx, request_id)
    assert found is not None
    return found


def enabled(desk: Desk, request_id: int) -> bool:
    credential = of(desk, request_id)
    with desk.trial.database.reading() as tx:
        account = desk.local.read_back(tx, credential.id)
    assert account is not None
    return account.enabled


def lingering(desk: Desk) -> int:
    with desk.trial.database.reading() as tx:
        found = needs.needs(tx, desk.alarm()._settings.limits, desk.trial.clock())
    return sum(alarm.count for alarm in found if alarm.kind.value == "accounts-lingering")


@pytest.mark.parametrize("done", [False, True], ids=["it failed", "it failed, but was done"])
def test_a_place_that_fails_keeps_no_other_login_alive_and_is_asked_until_it_is_done(desk: Desk, *, done: bool) -> None:
    place = Stubborn(refuses={of(desk, 1).id}, done=done)
    desk.accounts = place
    desk.trial.clock.move(days=LAST_DAY + 1)
    step = desk.expire()
    until_done(step)
    assert (enabled(desk, 1), enabled(desk, 2)) == (True, False), "what it did was rolled back with what it said"
    assert of(desk, 1).state is CredentialState.EXPIRED
    assert lingering(desk) == 1
    assert alarms(desk) == [("account.disabling-failed", 1)]
    desk.trial.clock.move(seconds=59)
    until_done(step)
    assert place.asked == 1
    for _ in range(3):
        desk.trial.clock.move(seconds=61)
        until_done(step)
    assert (place.asked, alarms(desk)) == (4, [("account.disabling-failed", 1)])
    place.refuses.clear()
    desk.trial.clock.move(seconds=61)
    until_done(step)
    assert not enabled(desk, 1)
    assert lingering(desk) == 0
    assert [one["reason"] for one in told(desk, "account.disabled")] == ["tried again"]
    until_done(step)


def test_a_clock_that_ran_ahead_delays_no_disabling(desk: Desk) -> None:
    place = Stubborn(refuses={of(desk, 1).id})
    desk.accounts = place
    desk.trial.clock.move(days=LAST_DAY + 50)
    until_done(desk.expire())
    desk.trial.clock.move(days=-49)
    place.refuses.clear()
    until_done(desk.expire())
    assert not enabled(desk, 1)


def test_what_a_person_ends_is_over_though_the_place_fails(desk: Desk) -> None:
    credential = of(desk, 1)
    place = Stubborn(refuses={credential.id})
    override.revoke(desk.trial.worker(), place, credential.login, reason="уволен")
    assert (of(desk, 1).state, lingering(desk)) == (CredentialState.REVOKED, 1)
    desk.trial.clock.move(minutes=2)
    until_done(desk.expire())
    assert not enabled(desk, 1)


def _contents(desk: Desk) -> list[bytes]:
    return [content for _, content in desk.postman.sent]
