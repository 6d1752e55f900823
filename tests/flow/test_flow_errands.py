"""What people have intake do in its mailbox: what is put back is never read as new, and what was left is looked at again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.errors import EdgeError, RefusedError
from mailer.flow.override import letters as override
from mailer.model import Form
from mailer.store import errands, letters
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, Desk, until_done
from tests.store.offices import Trial

ADDRESS = CLINIC.answer_to
LETTER = request("Пришва А.А.", ADDRESS, 1)


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    """One letter was answered and lies in the done folder."""
    office = Desk(trial=trial, home=tmp_path)
    office.take(LETTER)
    office.run()
    return office


def forward(desk: Desk, *numbers: int) -> None:
    override.forward(desk.trial.worker(), numbers, reason="прочтёт сотрудник")


def kept(desk: Desk) -> int:
    with desk.trial.database.reading() as tx:
        return len(letters.newest(tx, 100))


def test_a_letter_is_put_back_for_people_and_never_read_as_new(desk: Desk) -> None:
    forward(desk, 1)
    desk.run()
    assert list(desk.mailbox.letters.values()) == [LETTER]
    events = desk.events()
    assert (events.count("letter.forwarded"), events.count("letter.returned"), kept(desk)) == (1, 1, 1)
    desk.mailbox.renumber(2)
    desk.run()
    desk.mailbox.drop(desk.mailbox.letters.pop(1002))  # a person took it out and put it back
    desk.run()
    assert list(desk.mailbox.letters.values()) == [LETTER]
    assert (kept(desk), len(desk.postman.sent)) == (1, 1)
    assert desk.events().count("letter.returned") == 1


@pytest.mark.parametrize("when", ["fail_before", "fail_after"])
def test_a_line_that_breaks_meanwhile_leaves_one_copy(desk: Desk, when: str) -> None:
    forward(desk, 1)
    getattr(desk.mailbox, when).add("put_back")
    intake = desk.intake()
    with pytest.raises(EdgeError):
        until_done(intake)
    intake.close()
    until_done(desk.intake())
    assert list(desk.mailbox.letters.values()) == [LETTER]
    assert kept(desk) == 1
    assert desk.events().count("letter.returned") == 1


def test_a_copy_that_is_no_longer_ours_to_keep_is_known_all_the_same(desk: Desk) -> None:
    forward(desk, 1)
    desk.ruleset = replace(desk.ruleset, form=Form(phrase="Прошу о доступе"))
    desk.mailbox.fail_after.add("put_back")
    with pytest.raises(EdgeError):
        until_done(desk.intake())
    until_done(desk.intake())
    assert list(desk.mailbox.letters.values()) == [LETTER]
    assert desk.events().count("letter.returned") == 1


def test_it_waits_while_the_office_only_observes(desk: Desk) -> None:
    forward(desk, 1)
    desk.observe = True
    until_done(desk.intake())
    assert desk.mailbox.letters == {}
    with pytest.raises(RefusedError, match="already"):
        forward(desk, 1)


def test_what_still_lies_there_is_not_put_back(desk: Desk) -> None:
    desk.take(request("Ли К.", "stranger@elsewhere.example", 2))
    with pytest.raises(RefusedError, match="still lies"):
        forward(desk, 1, 2)
    with desk.trial.database.reading() as tx:
        assert errands.pending(tx, "uc") == []


def test_a_letter_that_somebody_changed_goes_nowhere(desk: Desk) -> None:
    forward(desk, 1)
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE letters SET digest = 'x'"))
    until_done(desk.intake())
    assert desk.mailbox.letters == {}
    with desk.trial.database.reading() as tx:
        assert desk.headers(tx)[-1]["outcome"] == "failed"
        assert desk.headers(tx)[-1]["event"] == "letter.returned"
    with pytest.raises(RefusedError, match="not kept as it came"):
        forward(desk, 1)


def test_after_a_change_of_the_phrase_what_was_left_is_judged_anew(desk: Desk) -> None:
    other = request("", ADDRESS, 5, subject="Прошу о доступе = Ли К.")
    desk.take(other, request("", ADDRESS, 6, subject="Отчёт"), request("Юрьева Я.Я.", "stranger@elsewhere.example", 7))
    desk.ruleset = replace(desk.ruleset, form=Form(phrase="Прошу о доступе"))
    until_done(desk.intake())
    assert kept(desk) == 2
    override.rescan(desk.trial.worker(), ["uc"], date(2026, 11, 1), reason="новая тема")
    desk.run()
    assert kept(desk) == 3
    assert len(desk.postman.sent) == 2
    assert desk.events().count("rescan.asked") == desk.events().count("rescan.begun") == 1
    assert len(desk.mailbox.letters) == 2
    until_done(desk.intake())
    assert kept(desk) == 3


def test_what_was_put_back_for_people_stays_theirs_when_all_is_looked_at_again(desk: Desk) -> None:
    forward(desk, 1)
    desk.run()
    override.rescan(desk.trial.worker(), ["uc"], date(2026, 11, 1), reason="новый реестр")
    desk.run()
    assert list(desk.mailbox.letters.values()) == [LETTER]
    assert (kept(desk), len(desk.postman.sent)) == (1, 1)


def test_only_letters_since_that_day_are_looked_at_again(desk: Desk) -> None:
    desk.take(request("", ADDRESS, 6, subject="Отчёт"))
    override.rescan(desk.trial.worker(), ["uc"], date(2026, 11, 24), reason="новый реестр")
    until_done(desk.intake())
    with desk.trial.database.reading() as tx:
        assert errands.pending(tx, "uc") == []
        assert desk.headers(tx)[-1]["event"] == "rescan.begun"
