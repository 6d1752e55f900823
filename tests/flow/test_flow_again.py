"""An officer lets a login live longer, has it issued anew or its answer sent again; what is refused changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from mailer.core.accounts import Standing
from mailer.errors import RefusedError
from mailer.flow.override import again
from mailer.flow.override import credentials as override
from mailer.flow.override import requests as decisions
from mailer.flow.override.credentials import Caps, Choice
from mailer.model import Delivery
from mailer.states import CredentialState, ReplyState, RequestState
from mailer.store import credentials, outbox, requests
from mailer.store import places as inside
from tests.e2e.bureau import body, header, request
from tests.flow.desks import CLINIC, DENTIST, ZONE, Desk, password_in, until_done
from tests.flow.test_flow_attacks import alarms, attack
from tests.flow.test_flow_places import ask, fill, told
from tests.flow.test_flow_standing import check
from tests.store.offices import Trial

CAPS = Caps(months=3, max_days=None, extensions=2, daily=30, warn_days=(14, 3), zone=ZONE)
NO_DELAY = timedelta(0)


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    """Two logins were issued to persons of two senders."""
    office = Desk(trial=trial, home=tmp_path, warn_days=(14, 3))
    office.take(request("Пришва А.А.", CLINIC.answer_to, 1), request("Ли К.", DENTIST.answer_to, 2))
    office.run()
    return office


def pair(desk: Desk, place: int = 0) -> tuple[str, str]:
    return password_in(desk.postman.sent[place][1])


def found(desk: Desk, login: str) -> credentials.Credential:
    with desk.trial.database.reading() as tx:
        return credentials.find(tx, login)


def extend(desk: Desk, login: str, wanted: date | int, caps: Caps = CAPS, *, dry_run: bool = False) -> credentials.Credential:
    places = [desk.local, desk.pool]
    worker = desk.trial.worker()
    return override.extend(worker, places, desk.stationery, login, wanted, reason="отпуск", caps=caps, dry_run=dry_run)


def reissue(desk: Desk, login: str, caps: Caps = CAPS) -> int:
    return again.reissue(desk.trial.worker(), login, reason="пароль утерян", delay=NO_DELAY, caps=caps)


def resend(desk: Desk, login: str) -> outbox.Reply:
    return again.resend(desk.trial.worker(), [desk.local, desk.pool], login, reason="сервер исправлен")


def test_an_extended_login_is_valid_longer_and_its_holder_is_told(desk: Desk) -> None:
    login, password = pair(desk)
    desk.trial.clock.move(days=30)
    extended = extend(desk, login, 3)
    assert extended.valid_until == datetime(2027, 3, 23, 20, 59, 59, tzinfo=UTC)
    assert extended.term_rule == "extended by 3 calendar months from 2026-12-23, Europe/Moscow"
    desk.run()
    envelope, letter = desk.postman.sent[-1]
    assert (envelope.recipient, header(letter, "Subject")) == (CLINIC.answer_to, "Срок действия логина продлён: Пришва А.А.")
    assert "23.03.2027, 23:59:59 (МСК, UTC+3)" in body(letter).splitlines()
    assert password not in body(letter)
    desk.trial.clock.move(days=80)
    desk.run()
    assert check(desk, login, password) is Standing.VALID, "the record tells of the longer term too"
    desk.trial.clock.move(days=40)
    desk.run()
    assert check(desk, login, password) is Standing.ENDED
    assert alarms(desk) == []
    (one,) = told(desk, "credential.extended")
    assert (one["reason"], one["importance"], one["before"]) == ("отпуск", "notice", "2027-02-23T20:59:59.000000+00:00")


def test_of_the_new_end_there_are_warnings_again(desk: Desk) -> None:
    login, _password = pair(desk)
    desk.trial.clock.move(days=89)
    desk.run()
    assert [one["days"] for one in told(desk, "credential.warned")] == [3, 3]
    extend(desk, login, date(2027, 4, 1))
    desk.run()
    desk.trial.clock.move(days=26)
    desk.run()
    assert [one["days"] for one in told(desk, "credential.warned")] == [3, 3, 14]


REFUSED_TERMS = {
    "not later": (date(2027, 2, 23), CAPS, "already"),
    "longer than a new login": (date(2027, 3, 24), CAPS, "no login lives longer"),
    "an older password than is allowed": (date(2027, 3, 1), replace(CAPS, max_days=90), "days old"),
    "too often": (3, replace(CAPS, extensions=0), "max_extensions"),
    "too many a day": (3, replace(CAPS, daily=0), "operator_daily"),
}


@pytest.mark.parametrize(("wanted", "caps", "why"), REFUSED_TERMS.values(), ids=REFUSED_TERMS.keys())
def test_how_far_a_term_may_be_extended(desk: Desk, wanted: date | int, caps: Caps, why: str) -> None:
    login, _password = pair(desk)
    desk.trial.clock.move(days=30)
    before, events = found(desk, login), desk.events()
    with pytest.raises(RefusedError, match=why):
        extend(desk, login, wanted, caps)
    assert (found(desk, login), desk.events()) == (before, events)


def test_a_login_is_extended_twice_and_no_third_time(desk: Desk) -> None:
    login, _password = pair(desk)
    for _ in range(2):
        desk.trial.clock.move(days=10)
        extend(desk, login, 3)
    desk.trial.clock.move(days=10)
    with pytest.raises(RefusedError, match="max_extensions"):
        extend(desk, login, 3)


def test_a_trial_of_an_extension_leaves_nothing(desk: Desk) -> None:
    login, _password = pair(desk)
    desk.trial.clock.move(days=30)
    before, events = found(desk, login), desk.events()
    assert extend(desk, login, 3, dry_run=True).last_day == date(2027, 3, 23)
    assert (found(desk, login), desk.events()) == (before, events)


def test_what_has_ended_or_was_meddled_with_is_not_extended(desk: Desk) -> None:
    (first, _), (second, _) = pair(desk, 0), pair(desk, 1)
    override.revoke(desk.trial.worker(), inside, first, reason="уволен")
    desk.trial.clock.move(days=30)
    with pytest.raises(RefusedError, match="reissue"):
        extend(desk, first, 3)
    attack(desk, "UPDATE credentials SET answer_to_id = (SELECT answer_to_id FROM requests WHERE id = 1) WHERE request_id = 2")
    with pytest.raises(RefusedError, match="its answer went to another address"):
        extend(desk, second, 3)


def test_a_ready_pair_cannot_be_extended(trial: Trial, tmp_path: Path) -> None:
    desk = Desk(trial=trial, home=tmp_path, kind="pool")
    fill(desk, {"uc-1": "x"})
    ask(desk, "Пришва А.А.")
    desk.run()
    desk.trial.clock.move(days=30)
    with pytest.raises(RefusedError, match="set where it was made"):
        extend(desk, "uc-1", 3)
    assert "credential.extended" not in desk.events()


def test_a_new_login_replaces_the_old_one_once_its_answer_has_left(desk: Desk) -> None:
    login, password = pair(desk)
    number = reissue(desk, login)
    until_done(desk.issue())
    assert check(desk, login, password) is Standing.VALID, "the new answer has not left"
    desk.run()
    newer = password_in(desk.postman.sent[-1][1])
    assert desk.postman.sent[-1][0].recipient == CLINIC.answer_to
    assert check(desk, *newer) is Standing.VALID
    assert check(desk, login, password) is Standing.ENDED
    assert found(desk, login).state is CredentialState.SUPERSEDED
    with desk.trial.database.reading() as tx:
        assert requests.get(tx, number).state is RequestState.ANSWERED
    (asked,) = told(desk, "credential.reissue-asked")
    assert (asked["by"], asked["reason"], asked["actor"]) == (number, "пароль утерян", "test")
    assert alarms(desk) == []


def test_until_it_is_made_a_reissue_can_be_undone(desk: Desk) -> None:
    login, _password = pair(desk)
    number = again.reissue(desk.trial.worker(), login, reason="x", delay=timedelta(seconds=30), caps=CAPS)
    until_done(desk.issue())
    decisions.undo(desk.trial.worker(), [number], reason="нашёлся")
    desk.trial.clock.move(minutes=5)
    desk.run()
    assert len(desk.postman.sent) == 2


REFUSED_REISSUES = {
    "asked for already": (lambda desk: reissue(desk, pair(desk)[0]), "repeats this one already"),
    "a blocked sender": (lambda desk: attack(desk, "UPDATE senders SET blocked = true WHERE code = '290001'"), "register"),
    "another address in the register": (
        lambda desk: attack(desk, "UPDATE senders SET answer_to = 'x@evil.example' WHERE code = '290001'"),
        "register",
    ),
    "another address in the credential": (
        lambda desk: attack(desk, "UPDATE credentials SET answer_to_id = (SELECT answer_to_id FROM requests WHERE id = 2)"),
        "its answer went to another address",
    ),
    "an erased person": (
        lambda desk: attack(desk, "UPDATE personal SET value = NULL, salt = NULL WHERE value = 'Пришва А.А.'"),
        "another person",
    ),
}


@pytest.mark.parametrize(("before", "why"), REFUSED_REISSUES.values(), ids=REFUSED_REISSUES.keys())
def test_when_nothing_is_issued_anew(desk: Desk, before, why: str) -> None:
    login, _password = pair(desk)
    before(desk)
    events = desk.events()
    with pytest.raises(RefusedError, match=why):
        reissue(desk, login)
    assert desk.events() == events


def test_an_older_login_is_not_issued_anew_beside_a_newer_one(desk: Desk) -> None:
    login, _password = pair(desk)
    reissue(desk, login)
    desk.run()
    with pytest.raises(RefusedError, match="newer login"):
        reissue(desk, login)


@pytest.fixture
def undelivered(trial: Trial, tmp_path: Path) -> Desk:
    """The answer of one person was refused by the mail server: the login is blocked, and a reissue is held."""
    office = Desk(trial=trial, home=tmp_path)
    office.postman.answers = [Delivery.NEVER]
    office.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    office.run()
    return office


def only_login(desk: Desk) -> str:
    with desk.trial.database.reading() as tx:
        return credentials.newest(tx, 1)[0].login


def test_a_failed_answer_is_sent_again_as_it_was_and_its_login_works(undelivered: Desk) -> None:
    desk = undelivered
    with desk.trial.database.reading() as tx:
        (before,) = outbox.of_request(tx, 1)
    assert (before.state, found(desk, only_login(desk)).state) == (ReplyState.FAILED, CredentialState.SUSPENDED)
    queued = resend(desk, only_login(desk))
    assert (queued.state, queued.message_id, queued.sealed) == (ReplyState.QUEUED, before.message_id, before.sealed)
    desk.run()
    ((envelope, letter),) = desk.postman.sent
    assert (envelope.recipient, header(letter, "Message-ID")) == (CLINIC.answer_to, before.message_id)
    assert check(desk, *password_in(letter)) is Standing.VALID
    with desk.trial.database.reading() as tx:
        assert [requests.get(tx, number).state for number in (1, 2)] == [RequestState.ANSWERED, RequestState.WITHDRAWN]
    assert {"credential.resumed", "reply.requeued"} <= set(desk.events())
    assert alarms(desk) == []
    with pytest.raises(RefusedError, match=r"erased here.*reissue"):
        resend(desk, only_login(desk))


def test_an_answer_in_doubt_is_sent_again(trial: Trial, tmp_path: Path) -> None:
    desk = Desk(trial=trial, home=tmp_path)
    desk.postman.answers = [Delivery.UNKNOWN] * 3
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    desk.run()
    tried = len(desk.postman.sent)
    resend(desk, only_login(desk))
    desk.run()
    assert len(desk.postman.sent) == tried + 1
    with desk.trial.database.reading() as tx:
        assert outbox.of_request(tx, 1)[0].state is ReplyState.SENT


def test_an_answer_put_back_by_nobody_stays(undelivered: Desk) -> None:
    attack(undelivered, "UPDATE replies SET state = 'queued'", "UPDATE credentials SET state = 'active'")
    undelivered.trial.clock.move(hours=1)
    undelivered.send()
    assert undelivered.postman.sent == []


def test_when_nothing_is_sent_again(undelivered: Desk) -> None:
    desk = undelivered
    login = only_login(desk)
    desk.trial.clock.move(days=14)
    with pytest.raises(RefusedError, match=r"14 days only.*reissue"):
        resend(desk, login)
    desk.trial.clock.move(days=-13)
    override.revoke(desk.trial.worker(), inside, login, reason="уволен")
    with pytest.raises(RefusedError, match=r"no longer works.*reissue"):
        resend(desk, login)


@pytest.mark.parametrize("state", ["suspended", "active"])
def test_a_login_that_a_person_ended_is_not_brought_back_by_its_row(undelivered: Desk, state: str) -> None:
    desk = undelivered
    login = only_login(desk)
    override.revoke(desk.trial.worker(), inside, login, reason="уволен")
    attack(desk, f"UPDATE credentials SET state = '{state}'")
    before = desk.events()
    with pytest.raises(RefusedError, match="not as the record tells"):
        resend(desk, login)
    desk.send()
    assert desk.events() == before
    assert desk.postman.sent == []


def test_of_an_organisation_that_nobody_wrote_no_extension_tells(desk: Desk) -> None:
    login, _password = pair(desk)
    attack(desk, "UPDATE senders SET organisation = 'позвоните +7 900' WHERE code = '290001'")
    desk.trial.clock.move(days=30)
    before, sent = found(desk, login), len(desk.postman.sent)
    with pytest.raises(RefusedError, match="not as the record tells"):
        extend(desk, login, 3)
    desk.send()
    assert (found(desk, login), len(desk.postman.sent)) == (before, sent)


def test_many_are_ended_only_by_who_has_seen_the_list(desk: Desk) -> None:
    worker, dentists = desk.trial.worker(), Choice(sender="290002")
    with desk.trial.database.reading() as tx:
        everybody = override.choose(tx, Choice(), at_most=2)
        theirs = override.choose(tx, dentists, at_most=2)
        with pytest.raises(RefusedError, match="revoke_at_once"):
            override.choose(tx, Choice(), at_most=1)
        with pytest.raises(RefusedError, match="no living login"):
            override.choose(tx, Choice(since=desk.trial.clock() + timedelta(seconds=1)), at_most=9)
    assert [one.sender_code for one in theirs] == ["290002"]
    with pytest.raises(RefusedError, match="code"):
        override.revoke_chosen(worker, inside, dentists, code=override.code_of(everybody), reason="x", at_most=9)
    desk.take(request("Юн Я.", DENTIST.answer_to, 7))
    desk.run()
    with pytest.raises(RefusedError, match="code"):
        override.revoke_chosen(worker, inside, dentists, code=override.code_of(theirs), reason="x", at_most=9)
    assert "credential.revoked" not in desk.events()
    with desk.trial.database.reading() as tx:
        theirs = override.choose(tx, dentists, at_most=9)
    ended = override.revoke_chosen(worker, inside, dentists, code=override.code_of(theirs), reason="x", at_most=9)
    assert [one.state for one in ended] == [CredentialState.REVOKED] * 2
    with desk.trial.database.reading() as tx:
        assert credentials.counts(tx) == {CredentialState.ACTIVE: 1, CredentialState.REVOKED: 2}


def test_of_several_named_logins_all_are_ended_or_none(desk: Desk) -> None:
    (first, _), (second, _) = pair(desk, 0), pair(desk, 1)
    override.revoke(desk.trial.worker(), inside, first, reason="x")
    with pytest.raises(RefusedError, match="cannot be revoked"):
        override.revoke(desk.trial.worker(), inside, second, first, reason="x")
    assert found(desk, second).state is CredentialState.ACTIVE
