"""The steps one after another: what they leave in the tables, in the record, in the mailbox and on the line."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.core.accounts import Standing
from mailer.core.lifecycle import CredentialEvent
from mailer.core.secret import Secret
from mailer.errors import EdgeError, RecordError, SetupError
from mailer.flow.override import credentials as override
from mailer.flow.report import requests as report
from mailer.model import Delivery
from mailer.states import CredentialState, ReplyState, RequestState
from mailer.store import accounts_local, credentials, letters, outbox, requests
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import PHRASE, body, header, request
from tests.flow.desks import CLINIC, DENTIST, Desk, password_in, until_done
from tests.store.offices import Trial

ADDRESS = CLINIC.answer_to


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def states(desk: Desk) -> list[tuple[str, str | None]]:
    with desk.trial.database.reading() as tx:
        return [(line.state, line.reason) for line in report.listed(tx, Wanted(), Page(limit=100)).lines]


def credential_states(desk: Desk) -> list[CredentialState]:
    with desk.trial.database.reading() as tx:
        return [found.state for found in reversed(credentials.newest(tx, 100))]


def test_one_letter_goes_the_whole_way(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    assert desk.events() == [
        "letter.kept",
        "request.approved",
        "credential.reserved",
        "credential.issued",
        "reply.queued",
        "reply.leased",
        "reply.sent",
        "request.answered",
    ]
    ((envelope, content),) = desk.postman.sent
    assert (envelope.sender, envelope.recipient) == ("uc@fond.example", ADDRESS)
    assert header(content, "Subject") == "Логин и пароль: Пришва А.А."
    login, password = password_in(content)
    with desk.trial.database.reading() as tx:
        assert desk.local.check(tx, login, Secret(password), desk.trial.clock()) is Standing.VALID
        assert desk.local.check(tx, login, Secret(password[:-1] + "b"), desk.trial.clock()) is not Standing.VALID
        (reply,) = outbox.of_request(tx, 1)
    assert (reply.state, reply.sealed) == (ReplyState.SENT, None)
    assert list(desk.mailbox.filed) == [1]


def test_what_is_not_ours_is_neither_fetched_nor_kept_nor_moved(desk: Desk) -> None:
    desk.take(request("", ADDRESS, 1, subject="Отчёт"), request("", "x@y.example", 2, subject="атрибуты доступа"))
    assert desk.mailbox.fetched == []
    assert list(desk.mailbox.letters) == [1, 2]
    assert desk.events() == []
    until_done(desk.intake())
    with desk.trial.database.reading() as tx:
        assert letters.newest(tx, 10) == []


def test_of_an_unknown_senders_request_only_headers_are_kept_and_nothing_is_answered(desk: Desk) -> None:
    desk.take(request("Иванов И.И.", "stranger@elsewhere.example", 1), request("Иванов", "stranger@elsewhere.example", 2))
    desk.run()
    assert desk.mailbox.fetched == []
    assert list(desk.mailbox.letters) == [1, 2]
    assert states(desk) == [("held", "unknown-sender")]
    assert desk.postman.sent == []
    with desk.trial.database.reading() as tx:
        assert {kept.whole for kept in letters.newest(tx, 10)} == {False}


def test_a_refusal_says_what_to_mend(desk: Desk) -> None:
    desk.take(request("Иванов", ADDRESS, 1))
    desk.run()
    assert states(desk) == [("refused", "initials-missing")]
    ((_, content),) = desk.postman.sent
    assert header(content, "Subject").startswith("Отказ")
    assert f"{PHRASE} = Иванов" in body(content)


def test_the_same_letter_twice_is_answered_once(desk: Desk) -> None:
    letter = request("Пришва А.А.", ADDRESS, 1)
    desk.take(letter, letter)
    desk.run()
    assert len(desk.postman.sent) == 1
    assert "letter.ignored" in desk.events()


def test_renumbered_letters_are_known_again(desk: Desk) -> None:
    desk.observe = True
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.mailbox.renumber(2)
    until_done(desk.intake())
    assert desk.events() == ["letter.kept", "letter.renumbered"]


@pytest.mark.parametrize("call", ["open", "items", "heads", "whole", "file"])
@pytest.mark.parametrize("when", ["fail_before", "fail_after"])
def test_intake_broken_anywhere_keeps_each_letter_once(desk: Desk, call: str, when: str) -> None:
    desk.mailbox.drop(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", DENTIST.answer_to, 2))
    getattr(desk.mailbox, when).add(call)
    intake = desk.intake()
    with pytest.raises(EdgeError):
        intake.step()
    intake.close()
    until_done(desk.intake())
    assert desk.events().count("letter.kept") == 2
    assert desk.mailbox.letters == {}
    desk.run()
    assert len(desk.postman.sent) == 2


def test_a_letter_the_server_left_out_is_fetched_in_the_next_round(desk: Desk) -> None:
    desk.mailbox.omitted = {1}
    intake = desk.intake()
    desk.mailbox.drop(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", ADDRESS, 2))
    intake.step()
    assert list(desk.mailbox.filed) == [2]
    desk.mailbox.omitted = set()
    intake.step()
    assert sorted(desk.mailbox.filed) == [1, 2]


def test_a_large_request_is_judged_by_its_headers(desk: Desk) -> None:
    desk.max_bytes = 2000
    desk.take(request("Пришва А.А.", ADDRESS, 1) + b"x" * 3000)
    desk.run()
    assert desk.mailbox.fetched == []
    assert states(desk) == [("answered", None)]


def test_observing_opens_no_request_and_moves_nothing(desk: Desk) -> None:
    desk.observe = True
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    until_done(desk.answer())
    assert desk.events() == ["letter.kept", "letter.observed"]
    assert list(desk.mailbox.letters) == [1]
    assert states(desk) == []


def test_caps_hold_inside_a_batch(desk: Desk) -> None:
    desk.sender_daily = 2
    desk.take(*(request(f"Иванов {letter}.И.", ADDRESS, n) for n, letter in enumerate("АБВГ")))
    desk.run()
    assert sorted(states(desk), key=str) == [("answered", None)] * 2 + [("held", "sender-limit")] * 2


def test_the_breaker_pauses_issuing_and_tells_so_once(desk: Desk) -> None:
    desk.breaker = 1
    desk.take(request("Иванов И.И.", ADDRESS, 1), request("Петров П.П.", ADDRESS, 2))
    until_done(desk.answer())
    issue = desk.issue()
    until_done(issue)
    until_done(issue)
    assert credential_states(desk) == [CredentialState.ACTIVE]
    assert desk.events().count("issuing.paused") == 1
    desk.trial.clock.move(minutes=11)
    until_done(issue)
    assert credential_states(desk) == [CredentialState.ACTIVE, CredentialState.ACTIVE]
    assert desk.events().count("issuing.resumed") == 1


def test_a_letter_that_is_too_old_is_held(desk: Desk) -> None:
    desk.trial.clock.move(days=15)
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    assert states(desk) == [("held", "too-old")]


def test_the_older_login_ends_only_when_the_new_answer_has_left(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    desk.trial.clock.move(hours=1)
    desk.take(request("Пришва А.А.", ADDRESS, 2))
    until_done(desk.answer())
    until_done(desk.issue())
    assert credential_states(desk) == [CredentialState.ACTIVE, CredentialState.ACTIVE]
    desk.send()
    assert credential_states(desk) == [CredentialState.SUPERSEDED, CredentialState.ACTIVE]
    login, password = password_in(desk.postman.sent[0][1])
    with desk.trial.database.reading() as tx:
        assert desk.local.check(tx, login, Secret(password), desk.trial.clock()) is not Standing.VALID


def test_a_repeat_within_15_minutes_is_ignored(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    desk.take(request("Пришва А.А.", ADDRESS, 2))
    desk.run()
    assert len(desk.postman.sent) == 1


def test_a_credential_expires_and_is_never_valid_longer(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    login, password = password_in(desk.postman.sent[0][1])
    desk.trial.clock.move(days=93)
    with desk.trial.database.reading() as tx:
        assert desk.local.check(tx, login, Secret(password), desk.trial.clock()) is not Standing.VALID, "before any sweep"
    until_done(desk.expire())
    assert credential_states(desk) == [CredentialState.EXPIRED]
    assert desk.events()[-1] == "credential.expired"


def test_a_revoked_login_is_no_longer_valid_and_the_reason_is_told(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    login, password = password_in(desk.postman.sent[0][1])
    override.revoke(desk.trial.worker(), accounts_local, login, reason="уволен")
    with desk.trial.database.reading() as tx:
        assert desk.local.check(tx, login, Secret(password), desk.trial.clock()) is not Standing.VALID
    assert desk.events()[-1] == "credential.revoked"


def test_a_changed_answer_address_is_held(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    desk.trial.clock.move(hours=1)
    desk.trial.register(replace(CLINIC, answer_to="other@clinic.example"))
    desk.take(request("Пришва А.А.", ADDRESS, 2))
    desk.run()
    assert states(desk)[0] == ("held", "address-changed")


def test_a_display_name_of_another_sender_is_held(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", f'"29(Зуб) Сидоров" <{ADDRESS}>', 1))
    desk.run()
    assert states(desk) == [("held", "display-name")]


@pytest.mark.parametrize(
    "meddling",
    [
        pytest.param("UPDATE requests SET state = 'approved', issue_after = created_at WHERE id = 1", id="approve a held request"),
        pytest.param(
            "UPDATE requests SET state = 'approved', issue_after = created_at, sender_code = '290001',"
            " answer_to_id = 1, person_id = 1 WHERE id = 1",
            id="approve it for a known sender",
        ),
    ],
)
def test_who_can_only_write_the_database_approves_nothing(desk: Desk, meddling: str) -> None:
    desk.take(request("Пришва А.А.", "stranger@elsewhere.example", 1), request("Ли К.", ADDRESS, 2))
    until_done(desk.answer())
    with desk.trial.database.writing() as tx:
        tx.execute(text(meddling))
    desk.run()
    assert len(desk.postman.sent) == 1
    with desk.trial.database.reading() as tx:
        assert requests.get(tx, 1).state is RequestState.HELD


def test_a_reservation_that_somebody_wrote_is_not_carried_out(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", "stranger@elsewhere.example", 2))
    until_done(desk.answer())
    with desk.trial.database.writing() as tx:
        tx.execute(
            text(
                "INSERT INTO credentials (id, request_id, sender_code, person_id, answer_to_id, login, state, reserved_at,"
                " valid_until, last_day, term_rule) SELECT 'f', id, '290001', person_id, 2, 'thief', 'reserved', created_at,"
                " created_at, '2126-01-01', 'x' FROM requests WHERE id = 2"
            )
        )
        tx.execute(text("UPDATE requests SET state = 'approved' WHERE id = 2"))
    desk.run()
    assert len(desk.postman.sent) == 1
    assert credential_states(desk).count(CredentialState.ABANDONED) == 1


def test_a_letter_that_is_not_as_it_was_kept_is_not_decided(desk: Desk) -> None:
    desk.take(request("Ли К.", "stranger@elsewhere.example", 1))
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE letters SET proven = NOT proven"))
    desk.run()
    assert states(desk) == []
    assert desk.postman.sent == []
    assert "letter.quarantined" in desk.events()


def test_a_record_that_cannot_be_written_is_not_the_letters_fault(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    answer = desk.answer()
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE audit_head SET seq = seq - 1"))  # the next record would take a seq that is taken
    for _ in range(5):
        with pytest.raises(RecordError):
            answer.step()
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE audit_head SET seq = seq + 1"))
    desk.run()
    assert states(desk) == [("answered", None)]


def test_without_a_public_key_letters_wait_and_are_not_blamed(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    epochs = desk.home / "keys" / "epochs"
    epochs.rename(desk.home / "away")
    with pytest.raises(SetupError, match="public key"):
        desk.answer().step()
    (desk.home / "away").rename(epochs)
    desk.run()
    assert states(desk) == [("answered", None)]


@pytest.mark.parametrize(
    "meddling",
    [
        pytest.param(
            "UPDATE replies SET recipient_id = (SELECT recipient_id FROM replies WHERE request_id = 2) WHERE request_id = 1",
            id="redirect",
        ),
        pytest.param("UPDATE personal SET value = 'thief@evil.example' WHERE kind = 'address'", id="rewrite the address"),
        pytest.param(
            "UPDATE replies SET sealed = (SELECT sealed FROM replies WHERE request_id = 2) WHERE request_id = 1", id="swap"
        ),
        pytest.param("UPDATE replies SET id = 'f' WHERE request_id = 1", id="rename"),
    ],
)
def test_a_reply_that_is_not_as_recorded_never_leaves(desk: Desk, meddling: str) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", DENTIST.answer_to, 2))
    until_done(desk.answer())
    until_done(desk.issue())
    with desk.trial.database.writing() as tx:
        tx.execute(text(meddling))
    desk.send()
    assert not [envelope for envelope, _ in desk.postman.sent if envelope.recipient not in {DENTIST.answer_to}]
    assert "reply.failed" in desk.events()


@pytest.mark.parametrize(
    ("answers", "state", "sent"),
    [
        pytest.param([Delivery.LATER], ReplyState.QUEUED, 0, id="later"),
        pytest.param([Delivery.NEVER], ReplyState.FAILED, 0, id="never"),
        pytest.param([Delivery.UNKNOWN, Delivery.SENT], ReplyState.SENT, 2, id="lost after the dot, then sent"),
        pytest.param([Delivery.UNKNOWN] * 3, ReplyState.UNKNOWN, 3, id="lost after the dot three times"),
    ],
)
def test_what_becomes_of_a_reply(desk: Desk, answers: list[Delivery], state: ReplyState, sent: int) -> None:
    desk.postman.answers = list(answers)
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    with desk.trial.database.reading() as tx:
        (reply,) = outbox.of_request(tx, 1)
    assert reply.state is state
    assert len(desk.postman.sent) == sent
    assert len(set(desk.postman.sent)) <= 1, "byte for byte the same"


def test_a_postponed_reply_waits_a_minute_and_goes(desk: Desk) -> None:
    desk.postman.answers = [Delivery.LATER]
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    desk.send()
    assert desk.postman.sent == []
    desk.trial.clock.move(seconds=61)
    desk.send()
    assert len(desk.postman.sent) == 1


def test_replies_taken_by_a_sender_that_died_go_out_again(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    until_done(desk.answer())
    until_done(desk.issue())
    dead = desk.trial.worker("deliver")
    assert dead.lease is not None
    with dead.writing() as unit:
        (reply,) = outbox.due(unit.tx, unit.at, 1)
        outbox.lease(unit.tx, reply, dead.lease, at=unit.at, next_at=unit.at)
    desk.send()
    assert len(desk.postman.sent) == 1
    assert "reply.returned" in desk.events()


def test_without_the_private_key_a_reply_waits_and_says_why(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    until_done(desk.answer())
    until_done(desk.issue())
    desk.forget_keys()
    desk.send()
    with desk.trial.database.reading() as tx:
        (reply,) = outbox.of_request(tx, 1)
    assert reply.state is ReplyState.QUEUED
    assert "missing" in (reply.outcome or "")


def test_a_reserved_credential_is_carried_out_after_a_crash(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    until_done(desk.answer())
    issue = desk.issue()
    issue.reserving.reserve()
    assert credential_states(desk) == [CredentialState.RESERVED]
    desk.run()
    assert credential_states(desk) == [CredentialState.ACTIVE]
    assert len(desk.postman.sent) == 1


def test_no_password_and_no_name_stand_in_the_record(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    _, password = password_in(desk.postman.sent[0][1])
    with desk.trial.database.reading() as tx:
        stored = b"".join(row.header + row.details for row in tx.execute(text("SELECT header, details FROM records")))
    for secret in (password, "Пришва", ADDRESS):
        assert secret.encode() not in stored


def test_a_superseded_credential_cannot_be_revoked(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    with desk.trial.worker().writing() as unit:
        credentials.move(unit.tx, credentials.newest(unit.tx, 1)[0], CredentialEvent.SUPERSEDED, at=unit.at)
        unit.tell("credential.superseded")
    with desk.trial.database.reading() as tx:
        login = credentials.newest(tx, 1)[0].login
    with pytest.raises(Exception, match="cannot be revoked"):
        override.revoke(desk.trial.worker(), accounts_local, login, reason="x")


def test_many_letters_of_many_senders_in_any_order_each_get_one_answer(desk: Desk) -> None:
    people = [f"{surname} {first}.{second}." for surname in ("Ли", "Юн", "Ким") for first in "АБВ" for second in "АБ"]
    arrived = [request(person, random.Random(person).choice([ADDRESS, DENTIST.answer_to]), n) for n, person in enumerate(people)]
    desk.take(*arrived)
    desk.run()
    assert len({header(content, "Subject") for _, content in desk.postman.sent}) == len(people)
    assert len(desk.postman.sent) == len(people)
