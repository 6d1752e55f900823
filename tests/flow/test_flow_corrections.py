"""Names set right, verdicts by today's rules, and logins that were asked for without a letter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.errors import NotFoundError, RefusedError
from mailer.flow.override import corrections, orders
from mailer.flow.override import requests as override
from mailer.flow.override.corrections import Rejudged
from mailer.states import RequestState
from mailer.store import personal, requests, worklist
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import body, header, request
from tests.flow.desks import CLINIC, DENTIST, Desk, until_done
from tests.flow.test_flow_decisions import ADDRESS, STRANGER, approve, recipients, state_of, works
from tests.flow.test_flow_places import fill
from tests.store.offices import Trial


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def correct(desk: Desk, number: int, name: str) -> None:
    corrections.correct(desk.trial.worker(), desk.policy(), number, name, reason="по телефону")


def reprocess(desk: Desk, *numbers: int, dry_run: bool = False) -> list[Rejudged]:
    return corrections.reprocess(
        desk.trial.worker(), desk.policy(), desk.stationery, numbers, reason="новые правила", dry_run=dry_run
    )


def issue(desk: Desk, name: str, *, code: str = CLINIC.code, dry_run: bool = False) -> override.Decided:
    return orders.issue(desk.trial.worker(), desk.policy(), name, code, reason="по телефону", dry_run=dry_run)


def later(desk: Desk, **step: float) -> None:
    desk.trial.clock.move(**(step or {"seconds": 30}))
    desk.run()


def hold(desk: Desk, *letters: bytes) -> None:
    """They came too late to be answered without a person."""
    desk.trial.clock.move(days=15)
    desk.take(*letters)
    until_done(desk.answer())


@pytest.mark.parametrize("written", ["Пришва А.А.", "Иванов"], ids=["misread", "unread"])
def test_a_corrected_name_is_issued_once_a_person_approves(desk: Desk, written: str) -> None:
    hold(desk, request(written, ADDRESS, 1))
    correct(desk, 1, "Пришвина Анна Андреевна")
    assert state_of(desk, 1) == (RequestState.HELD, "name-corrected")
    assert reprocess(desk, 1)[0].stays == corrections.BY_PERSON
    later(desk)
    assert desk.postman.sent == []
    approve(desk, 1)
    later(desk)
    ((_, content),) = desk.postman.sent
    assert header(content, "Subject") == "Логин и пароль: Пришвина А.А."
    assert works(desk, content)


def test_both_names_are_kept(desk: Desk) -> None:
    hold(desk, request("Пришва А.А.", ADDRESS, 1))
    with desk.trial.database.reading() as tx:
        before = requests.get(tx, 1).person_id
    correct(desk, 1, "Пришвин А.А.")
    with desk.trial.database.reading() as tx:
        after = requests.get(tx, 1).person_id
        assert before is not None
        assert after is not None
        assert [personal.get(tx, row).value for row in (before, after)] == ["Пришва А.А.", "Пришвин А.А."]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        pytest.param("Иванов", "initials are missing", id="no-initials"),
        pytest.param("Иван Иванов", "cannot be told apart", id="ambiguous"),
        pytest.param("Фамилия И.О.", "own example", id="placeholder"),
        pytest.param("Иванов A.C.", "not Russian", id="latin"),
        pytest.param("Пришва А.А.", "names this very person already", id="the-same"),
    ],
)
def test_a_correction_that_leaves_a_doubt_is_refused(desk: Desk, written: str, why: str) -> None:
    hold(desk, request("Пришва А.А.", ADDRESS, 1))
    with pytest.raises(RefusedError, match=why):
        correct(desk, 1, written)
    assert "request.corrected" not in desk.events()


def test_what_was_answered_is_neither_corrected_nor_judged_anew(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    with pytest.raises(RefusedError, match="is answered"):
        correct(desk, 1, "Пришвин А.А.")
    with pytest.raises(RefusedError, match="is answered"):
        reprocess(desk, 1)


def test_a_sender_who_was_registered_since_is_answered_after_judging_anew(desk: Desk) -> None:
    desk.take(request("Юрьева Я.Я.", STRANGER, 1), request("Ли К.", ADDRESS, 2))
    until_done(desk.answer())
    assert [one.changes for one in reprocess(desk, 1)] == [False]
    desk.trial.register(replace(DENTIST, code="290003", addresses=(STRANGER,), answer_to=STRANGER, points=()))
    (judged,) = reprocess(desk, 1)
    assert (judged.old_rule, judged.rule, judged.state, judged.changes) == (
        "unknown-sender",
        "issue",
        RequestState.APPROVED,
        True,
    )
    later(desk)
    assert sorted(recipients(desk)) == sorted([ADDRESS, STRANGER])
    with pytest.raises(RefusedError):
        reprocess(desk, 1)
    later(desk)
    assert len(desk.postman.sent) == 2


def test_only_what_changes_is_touched_and_a_dry_run_touches_nothing(desk: Desk) -> None:
    hold(desk, request("Пришва А.А.", ADDRESS, 1), request("Ли К.", STRANGER, 2), request("Иванов", ADDRESS, 3))
    desk.trial.clock.move(days=-15)  # as if the office had set a longer max_age_days
    before = desk.events()
    found = reprocess(desk, 1, 2, 3, dry_run=True)
    assert [(one.request, one.changes, one.state.value) for one in found] == [
        (1, True, "approved"),
        (2, False, "held"),
        (3, True, "refused"),
    ]
    assert desk.events() == before
    found = reprocess(desk, 1, 2, 3)
    assert [bool(one.record) for one in found] == [True, False, True]
    assert desk.events()[len(before) :] == ["request.approved", "request.refused", "reply.queued"]
    later(desk)
    assert {header(content, "Subject") for _, content in desk.postman.sent} == {
        "Логин и пароль: Пришва А.А.",
        "Отказ: не указаны инициалы",
    }


def test_a_repetition_of_what_was_just_issued_is_withdrawn(desk: Desk) -> None:
    hold(desk, request("Пришва А.А.", ADDRESS, 1), request("Пришва А.А.", ADDRESS, 2))
    desk.trial.clock.move(days=-15)
    found = reprocess(desk, 1, 2)
    assert [(one.rule, one.state.value) for one in found] == [("issue", "approved"), ("just-issued", "withdrawn")]
    later(desk)
    assert len(desk.postman.sent) == 1


def test_what_a_person_held_is_not_approved_behind_his_back(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    until_done(desk.answer())
    override.hold(desk.trial.worker(), [1], reason="перезвонить")
    (judged,) = reprocess(desk, 1)
    assert (judged.stays, judged.changes, judged.state) == (corrections.BY_PERSON, False, RequestState.HELD)


def test_what_waited_for_pairs_goes_on(trial: Trial, tmp_path: Path) -> None:
    desk = Desk(trial=trial, home=tmp_path, kind="pool")
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    fill(desk, {"uc-1": "x"})
    reprocess(desk, 1)
    later(desk)
    assert recipients(desk) == [ADDRESS]


def test_a_request_that_somebody_changed_is_read_from_its_letter_again(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", STRANGER, 1), request("Ли К.", ADDRESS, 2))
    until_done(desk.answer())
    with desk.trial.database.writing() as tx:
        tx.execute(
            text(
                "UPDATE requests SET sender_code = '290001', answer_to_id = (SELECT answer_to_id FROM requests WHERE id = 2),"
                " person_id = (SELECT person_id FROM requests WHERE id = 2) WHERE id = 1"
            )
        )
    (judged,) = reprocess(desk, 1)
    assert (judged.rule, judged.changes) == ("unknown-sender", True)
    with desk.trial.database.reading() as tx:
        found = requests.get(tx, 1)
    assert (found.sender_code, found.answer_to_id) == (None, None)


def test_what_was_asked_for_by_telephone_is_issued_after_the_delay(desk: Desk) -> None:
    decided = issue(desk, "Иванов Иван Иванович")
    assert (decided.state, decided.answer_to) == (RequestState.APPROVED, ADDRESS)
    desk.run()
    assert desk.postman.sent == []
    later(desk)
    ((envelope, content),) = desk.postman.sent
    assert envelope.recipient == ADDRESS
    assert header(content, "Subject") == "Логин и пароль: Иванов И.И."
    assert "In-Reply-To" not in content.decode()
    assert f"№ {decided.request}" in body(content)
    assert works(desk, content)
    with pytest.raises(RefusedError, match="just-issued"):
        issue(desk, "Иванов И.И.")


def test_it_can_be_undone(desk: Desk) -> None:
    decided = issue(desk, "Иванов И.И.")
    override.undo(desk.trial.worker(), [decided.request], reason="не тот")
    later(desk, minutes=5)
    assert desk.postman.sent == []


def test_where_a_rule_would_hold_a_letter_it_needs_its_own_approval(desk: Desk) -> None:
    desk.sender_daily = 1
    issue(desk, "Иванов И.И.")
    decided = issue(desk, "Петров П.П.")
    assert (decided.state, decided.issue_after) == (RequestState.HELD, None)
    assert state_of(desk, decided.request) == (RequestState.HELD, "sender-limit")
    later(desk)
    assert len(desk.postman.sent) == 1
    approve(desk, decided.request)
    later(desk)
    assert len(desk.postman.sent) == 2


@pytest.mark.parametrize("bar", ["cap", "own", "blocked", "nobody", "doubt"])
def test_the_gate_binds_it_and_nothing_is_left(desk: Desk, bar: str) -> None:
    before = desk.events()
    match bar:
        case "cap":
            desk.replies_daily = 0
        case "own":
            desk.trial.register(replace(CLINIC, answer_to=desk.address))
        case "blocked":
            with desk.trial.database.writing() as tx:
                tx.execute(text("UPDATE senders SET blocked = true"))
    with pytest.raises(NotFoundError if bar == "nobody" else RefusedError):
        issue(desk, "Иванов" if bar == "doubt" else "Иванов И.И.", code="x" if bar == "nobody" else CLINIC.code)
    assert [event for event in desk.events()[len(before) :] if event.startswith("request")] == []


def test_a_dry_run_opens_no_request(desk: Desk) -> None:
    assert issue(desk, "Иванов И.И.", dry_run=True).record == 0
    with desk.trial.database.reading() as tx:
        assert not worklist.page(tx, Wanted(), Page(limit=9)).requests
