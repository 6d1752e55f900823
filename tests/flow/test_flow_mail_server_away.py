"""The mail server takes nothing for an hour, a day, fifteen days: what is tried, what is recorded, and who is answered first?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from mailer.flow.deliver import Deliver
from mailer.flow.report import house, requests
from mailer.model import Delivery
from mailer.states import ReplyState
from mailer.store import outbox, verification
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import header, request
from tests.flow.desks import CLINIC, DENTIST, Desk, until_done
from tests.store.offices import Trial

ADDRESSES = (CLINIC.answer_to, DENTIST.answer_to)
CONNECTIONS = 4
HOUR, DAY = 3600, 86400


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


@pytest.fixture
def courier(desk: Desk) -> Iterator[Deliver]:
    """The step that goes on all the while; `desk.send()` is one that was started anew."""
    deliver = desk.deliver()
    yield deliver
    deliver.close()


def queue(desk: Desk, *initials: str) -> None:
    """One request for each, a second after the other; its answer waits in the outbox."""
    intake, answer, issue = desk.intake(), desk.answer(), desk.issue()
    for n, letter in enumerate(initials):
        desk.mailbox.drop(request(f"Иванов {letter}.И.", ADDRESSES[n % 2], n))
        for step in (intake, answer, issue):
            until_done(step)
        desk.trial.clock.move(seconds=1)


def replies(desk: Desk) -> list[outbox.Reply]:
    with desk.trial.database.reading() as tx:
        lines = requests.listed(tx, Wanted(), Page(limit=100)).lines
        return [reply for line in reversed(lines) for reply in outbox.of_request(tx, line.id)]


def pass_time(desk: Desk, courier: Deliver, seconds: int) -> None:
    """Time passes, and the courier works whenever a reply is due; nobody looks at the hours between."""
    clock = desk.trial.clock
    end = clock() + timedelta(seconds=seconds)
    until_done(courier)
    while (due := next_due(desk)) is not None and due <= end:
        clock.now = max(clock(), due)
        until_done(courier)
    clock.now = end
    until_done(courier)


def next_due(desk: Desk) -> datetime | None:
    with desk.trial.database.reading() as tx:
        return outbox.next_due(tx)


def test_of_many_replies_only_a_handful_ask_a_server_that_is_away(desk: Desk) -> None:
    queue(desk, *"АБВГДЕЖЗИКЛМНОПРСТУФ")
    before = len(desk.events())
    desk.postman.down = True

    desk.send()

    assert desk.postman.asked == CONNECTIONS
    told = desk.events()[before:]
    assert told == ["reply.leased"] * CONNECTIONS + ["delivery.paused"] + ["reply.postponed"] * CONNECTIONS
    with desk.trial.database.reading() as tx:
        backlog = house.backlog(tx, desk.trial.clock())
    assert (backlog.to_send, backlog.to_send_later) == (0, 20)
    assert backlog.next_send is not None
    assert (backlog.next_send - desk.trial.clock()).total_seconds() == 60


def test_a_reply_written_meanwhile_is_not_tried_before_the_pause_is_over(desk: Desk, courier: Deliver) -> None:
    queue(desk, "А")
    desk.postman.down = True
    until_done(courier)
    queue(desk, *"БВГ")

    until_done(courier)

    assert desk.postman.asked == 1
    desk.trial.clock.move(seconds=61)
    until_done(courier)
    assert desk.postman.asked == 2, "one asks again for all"
    assert [reply.attempts for reply in replies(desk)] == [2, 0, 0, 0]


def test_down_for_a_day_then_up_all_leave_at_once_and_in_their_order(desk: Desk, courier: Deliver) -> None:
    people = "АБВГДЕЖЗИКЛМ"
    queue(desk, *people)
    desk.postman.down = True
    pass_time(desk, courier, 3 * HOUR)
    assert desk.postman.asked < 30, "one in ten minutes, and no more at any number of replies"
    desk.trial.clock.move(days=1)
    events = desk.events()
    assert events.count("delivery.paused") == 1
    assert events.count("reply.leased") == desk.postman.asked

    desk.postman.down = False
    pass_time(desk, courier, 11 * 60)

    assert [header(content, "Subject") for _, content in desk.postman.sent] == [
        f"Логин и пароль: Иванов {letter}.И." for letter in people
    ]
    assert desk.events().count("delivery.resumed") == 1
    assert {reply.state for reply in replies(desk)} == {ReplyState.SENT}


def test_after_the_outage_no_more_go_together_than_there_are_connections(desk: Desk, courier: Deliver) -> None:
    queue(desk, *"АБВГДЕЖЗИК")
    desk.postman.down = True
    until_done(courier)
    desk.postman.down = False
    desk.trial.clock.move(minutes=2)

    sizes = []
    while courier.step():
        sizes.append(len(desk.postman.sent) - sum(sizes))

    assert sizes == [1, 4, 4, 1]


def test_fifteen_days_without_a_server_end_in_failure_after_fourteen_and_not_before(desk: Desk, courier: Deliver) -> None:
    queue(desk, *"АБВГДЕЖЗ")
    oldest = replies(desk)[0].created_at
    desk.postman.down = True
    pass_time(desk, courier, HOUR)
    desk.trial.clock.now = oldest + timedelta(days=14) - timedelta(seconds=1)  # the days between would be like that hour
    pass_time(desk, courier, 0)
    assert {reply.state for reply in replies(desk)} == {ReplyState.QUEUED}

    pass_time(desk, courier, 11 * 60)

    ended = replies(desk)
    assert {reply.state for reply in ended} == {ReplyState.FAILED}
    assert all(reply.sealed is not None for reply in ended), "what nobody got stays until a person has seen it"
    assert all("cannot be reached" in (reply.outcome or "") for reply in ended)
    assert desk.events().count("reply.failed") == 8
    assert desk.postman.asked < 30
    assert verification.verify(desk.trial.database, desk.trial.pen.key).fault is None


def test_one_reply_that_fails_for_fifteen_days_is_tried_hourly_and_given_up(desk: Desk, courier: Deliver) -> None:
    """Its reader's mailbox is full: that is about this letter, and the others do not wait for it."""
    queue(desk, *"АБ")
    created = replies(desk)[0].created_at
    desk.postman.answers = [Delivery.LATER, Delivery.SENT, *[Delivery.LATER] * 1000]
    pass_time(desk, courier, DAY)
    first, second = replies(desk)
    assert (first.state, second.state) == (ReplyState.QUEUED, ReplyState.SENT)
    assert first.attempts < 24 + 7

    desk.trial.clock.now = created + timedelta(days=14) - timedelta(seconds=1)
    pass_time(desk, courier, 0)
    assert replies(desk)[0].state is ReplyState.QUEUED
    pass_time(desk, courier, 2)
    assert replies(desk)[0].state is ReplyState.FAILED
    assert "delivery.paused" not in desk.events()


def test_a_queue_that_is_full_for_an_hour_is_asked_six_times(desk: Desk, courier: Deliver) -> None:
    queue(desk, "А")
    desk.postman.answers = [Delivery.LATER] * 6
    seen = []
    for _ in range(64):
        until_done(courier)
        with desk.trial.database.reading() as tx:
            next_send = house.backlog(tx, desk.trial.clock()).next_send
        if next_send is not None and (not seen or seen[-1] != next_send):
            seen.append(next_send)
        desk.trial.clock.move(minutes=1)
    until_done(courier)

    assert [(later - earlier).total_seconds() / 60 for earlier, later in pairwise(seen)] == [2, 4, 8, 16, 32]
    assert len(desk.postman.sent) == 1


def test_who_gets_through_is_not_held_back_by_another_worker_that_does_not(desk: Desk) -> None:
    queue(desk, "А")
    desk.send()
    queue(desk, *"БВГДЕЖЗ")
    desk.postman.down = True

    desk.send()

    tried = [reply.attempts for reply in replies(desk)]
    assert tried == [1, *[1] * CONNECTIONS, *[0] * 3]
    with desk.trial.database.reading() as tx:
        assert outbox.count_due(tx, desk.trial.clock()) == 3, "left to the one that gets through"
