"""The clock jumps forward an hour and back: nothing waits for the time that it showed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailer.model import Delivery
from tests.e2e.bureau import request
from tests.fakes import FakeMailbox
from tests.flow.desks import CLINIC, Desk, until_done
from tests.store.offices import Trial

ADDRESS = CLINIC.answer_to


@dataclass
class CountingMailbox(FakeMailbox):
    """Remembers how the folder was listed."""

    listed: list[bool] = field(default_factory=list)

    def items(self, *, full: bool) -> list[int]:
        self.listed.append(full)
        return super().items(full=full)


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path, breaker=2)


def test_what_was_approved_while_the_clock_ran_ahead_is_issued_at_once(desk: Desk) -> None:
    desk.trial.clock.move(hours=1)
    desk.take(request("Ли К.", ADDRESS, 1))
    until_done(desk.answer())
    desk.trial.clock.move(hours=-1)
    until_done(desk.issue())
    assert "credential.issued" in desk.events()


def test_a_reply_that_was_queued_while_the_clock_ran_ahead_leaves_at_once(desk: Desk) -> None:
    desk.trial.clock.move(hours=1)
    desk.take(request("Ли К.", ADDRESS, 1))
    until_done(desk.answer())
    until_done(desk.issue())
    desk.trial.clock.move(hours=-1)
    desk.send()
    assert len(desk.postman.sent) == 1


def test_a_reply_that_was_put_off_while_the_clock_ran_ahead_does_not_wait_for_that_time(desk: Desk) -> None:
    desk.trial.clock.move(hours=1)
    desk.postman.answers = [Delivery.LATER]
    desk.take(request("Ли К.", ADDRESS, 1))
    desk.run()
    assert desk.postman.sent == []
    desk.trial.clock.move(hours=-1)
    desk.send()
    assert len(desk.postman.sent) == 1


def test_the_breaker_does_not_stay_tripped(desk: Desk) -> None:
    desk.trial.clock.move(hours=1)
    desk.take(*(request(person, ADDRESS, n) for n, person in enumerate(("Ли К.", "Ким Я.", "Юрьева Я.Я."))))
    desk.run()
    assert desk.events().count("credential.issued") == 2
    desk.trial.clock.move(hours=-1)
    desk.run()
    assert desk.events().count("credential.issued") == 3


@pytest.mark.parametrize("hours", [1, -1], ids=["forward", "back"])
def test_the_folder_is_listed_in_full_again_soon(desk: Desk, hours: int) -> None:
    mailbox = CountingMailbox()
    desk.mailbox = mailbox
    intake = desk.intake()
    intake.step()
    intake.step()
    assert mailbox.listed == [True, False]
    desk.trial.clock.move(hours=hours)
    intake.step()
    assert mailbox.listed[-1]


@pytest.mark.parametrize("hours", [1, -1], ids=["forward", "back"])
def test_the_holder_of_a_lease_goes_on(desk: Desk, hours: int) -> None:
    intake, answer = desk.intake(), desk.answer()
    desk.trial.clock.move(hours=hours)
    desk.mailbox.drop(request("Ли К.", ADDRESS, 1))
    until_done(intake)
    until_done(answer)
    assert "request.approved" in desk.events()
