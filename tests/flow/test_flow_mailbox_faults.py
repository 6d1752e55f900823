"""Letters that could not be moved, came again under other numbers, or from another server: is any answered twice, or in vain?"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailer.errors import EdgeError
from mailer.flow.intake import NUMBER_MAX, epoch_of
from mailer.flow.report import requests as report
from mailer.model import Sender
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, DENTIST, Desk, until_done
from tests.store.offices import START, Trial, set_up

ADDRESS = CLINIC.answer_to
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def states(desk: Desk) -> Counter[tuple[str, str | None]]:
    with desk.trial.database.reading() as tx:
        return Counter((line.state, line.reason) for line in report.listed(tx, Wanted(), Page(limit=1000)).lines)


def test_letters_that_cannot_be_moved_are_answered_once_and_moved_later(desk: Desk) -> None:
    desk.mailbox.refuses_filing = True
    intake, answer, issue = desk.intake(), desk.answer(), desk.issue()

    def go_on() -> None:
        for step in (intake, answer, issue):
            until_done(step)
        desk.send()

    desk.mailbox.drop(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", DENTIST.answer_to, 2))
    go_on()
    desk.mailbox.drop(request("Ким В.Г.", ADDRESS, 3))
    go_on()
    desk.trial.clock.move(minutes=10)
    go_on()
    assert desk.mailbox.is_open, "what refuses a move can still be read"
    assert sorted(desk.mailbox.letters) == [1, 2, 3]
    assert len(desk.postman.sent) == 3
    assert desk.events().count("filing.refused") == 1

    desk.mailbox.refuses_filing = False
    desk.trial.clock.move(minutes=10)
    go_on()

    assert sorted(desk.mailbox.filed) == [1, 2, 3]
    assert desk.events().count("filing.resumed") == 1
    assert len(desk.postman.sent) == 3


def test_many_letters_left_behind_are_moved_in_one_round(desk: Desk) -> None:
    desk.mailbox.refuses_filing = True
    desk.take(*(request(f"Иванов {letter}.{other}.", ADDRESS, n) for n, letter in enumerate("АБВГДЕ") for other in "ЖЗ"))
    desk.mailbox.refuses_filing = False
    desk.batch = 5

    until_done(desk.intake())

    assert len(desk.mailbox.filed) == 12
    assert desk.mailbox.letters == {}


def test_a_full_listing_is_taken_in_batch_by_batch(desk: Desk) -> None:
    """Between two batches the step shows life; one call for 100,000 letters would look like a step that hangs."""
    desk.batch = 5
    desk.mailbox.drop(*(request(f"Иванов {letter}.И.", ADDRESS, n) for n, letter in enumerate("АБВГДЕЖЗИКЛМ")))
    intake = desk.intake()

    kept = []
    while intake.step():
        kept.append(desk.events().count("letter.kept"))

    assert kept[:3] == [5, 10, 12]


def test_a_letter_that_the_server_cannot_read_itself_holds_up_no_other(desk: Desk) -> None:
    desk.batch = 8
    desk.mailbox.drop(*(request(f"Иванов {letter}.И.", ADDRESS, n) for n, letter in enumerate("АБВГДЕЖЗИКЛМ", 1)))
    desk.mailbox.damaged = {6}
    broken = 0
    for _ in range(20):
        intake = desk.intake()
        try:
            until_done(intake)
        except EdgeError:
            broken += 1
            intake.close()
        else:
            break
    assert broken == 3 + 3, "8, 4 and 2, then three times alone"
    desk.run()
    assert len(desk.postman.sent) == 11
    assert list(desk.mailbox.letters) == [6]
    assert desk.events().count("letter.unreachable") == 1


@pytest.mark.parametrize(
    ("told", "epoch"),
    [
        pytest.param(1, 1, id="small"),
        pytest.param(2**32, 2**32, id="over 32 bits"),
        pytest.param(2**63, 0, id="over what a column takes"),
        pytest.param(2**64 - 1, NUMBER_MAX, id="64 bits"),
        pytest.param(0, -1_795_435_200_000_000, id="none: one of its own"),
    ],
)
def test_the_epoch_of_what_the_server_says(told: int, epoch: int) -> None:
    assert epoch_of(told, NOON) == epoch


@pytest.mark.parametrize("epoch", [2**32 + 1, 2**63, 2**64 - 1])
def test_letters_under_a_large_uidvalidity_are_answered(desk: Desk, epoch: int) -> None:
    desk.mailbox.epoch = epoch
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    assert len(desk.postman.sent) == 1


def test_a_server_that_keeps_no_numbers_hides_no_letter_and_repeats_none(desk: Desk) -> None:
    """UIDVALIDITY 0: after a reconnection another letter may stand under a number that is known."""
    desk.mailbox.epoch = 0
    desk.mailbox.refuses_filing = True
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    desk.mailbox.letters = {1: request("Ли К.", DENTIST.answer_to, 2), 2: request("Пришва А.А.", ADDRESS, 1)}
    desk.trial.clock.move(minutes=1)

    desk.run()

    assert len(desk.postman.sent) == 2
    assert states(desk) == {("answered", None): 2}


@pytest.mark.parametrize("days", [0, 3], ids=["the same day", "days later"])
@pytest.mark.parametrize("dates", ["kept", "new"])
def test_a_folder_that_was_made_anew_with_the_same_letters_answers_none_twice(desk: Desk, dates: str, days: int) -> None:
    letters = [request("Пришва А.А.", ADDRESS, 1), request("Ли К.", DENTIST.answer_to, 2)]
    desk.take(*letters)
    desk.run()
    desk.trial.clock.move(days=days, hours=1)
    desk.mailbox.filed = {}
    desk.mailbox.letters = dict(enumerate((b"Received: by another host\r\n" + letter for letter in letters), 1))
    desk.mailbox.epoch = 2
    if dates == "new":
        desk.mailbox.received_at = desk.trial.clock() - timedelta(minutes=1)

    desk.run()

    assert len(desk.postman.sent) == 2
    assert desk.events().count("letter.renumbered") == 2
    assert sorted(desk.mailbox.filed) == [1, 2], "known, and moved all the same"


def test_two_letters_without_an_id_are_not_taken_for_one(desk: Desk) -> None:
    """Their headers are the same by chance, month after month; only the server's date tells a renumbered one."""
    plain = f"From: {ADDRESS}\r\nSubject: ".encode() + "Запрос атрибутов временного доступа = Ли К.\r\n\r\n".encode()
    desk.take(plain)
    desk.run()
    desk.trial.clock.move(days=30)
    desk.mailbox.received_at = desk.trial.clock()
    desk.mailbox.renumber(2)
    desk.take(plain)

    desk.run()

    assert len(desk.postman.sent) == 2


def moved_house(letter: bytes) -> bytes:
    """A letter as a migration left it: the new server's own Message-ID and form of address."""
    return letter.replace(b"Message-ID: <", b"Message-ID: <new-").replace(b"To: uc@fond.example", b"To: <uc@fond.example>")


def test_a_migrated_mailbox_with_its_old_dates_is_held_by_age(desk: Desk) -> None:
    letters = [request(f"Иванов {letter}.И.", ADDRESS, n) for n, letter in enumerate("АБВГД")]
    desk.take(*letters)
    desk.run()
    assert len(desk.postman.sent) == 5
    desk.trial.clock.move(days=20)
    desk.mailbox.letters = {n: moved_house(letter) for n, letter in enumerate(letters, 1)}
    desk.mailbox.epoch = 2

    desk.run()

    assert len(desk.postman.sent) == 5
    assert states(desk) == {("answered", None): 5, ("held", "too-old"): 5}


def test_a_migrated_mailbox_with_new_dates_is_held_by_the_breaker(tmp_path: Path) -> None:
    """Headers and dates rewritten: nothing tells old letters from new ones but their number. (500 of them: `make faults`.)"""
    trial = set_up(f"sqlite:///{tmp_path / 'mailer.db'}")
    desk = Desk(trial=trial, home=tmp_path, breaker=40)
    clinics = [
        Sender(code=f"2901{n:02}", organisation="Клиника", answer_to=f"c{n}@clinic.example", addresses=(f"c{n}@clinic.example",))
        for n in range(5)
    ]
    trial.register(*clinics)
    initials = "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭ"
    old = [request(f"Иванов {letter}.И.", clinic.answer_to, n) for n, clinic in enumerate(clinics) for letter in initials]
    desk.mailbox.received_at = START

    desk.take(*old)
    desk.run()

    assert len(old) == 125
    assert len(desk.postman.sent) == 40
    assert desk.events().count("issuing.paused") == 1
    assert states(desk) == {("answered", None): 40, ("approved", None): 85}
    trial.database.close()
