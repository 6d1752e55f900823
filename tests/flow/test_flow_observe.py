"""While the office only observes, nothing leaves and nothing moves, and what would have been done is shown: on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mailer.core.replyvalues import LetterValues
from mailer.errors import EdgeError
from mailer.flow.report import observed as report
from mailer.flow.report.observed import Means, Would
from mailer.model import Verdict
from mailer.store import observed
from tests.e2e.bureau import body, header, request
from tests.flow.desks import CLINIC, ZONE, Desk
from tests.store.offices import START, Trial

ADDRESS = CLINIC.answer_to


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path, observe=True)


def lines(desk: Desk) -> list[Would]:
    means = Means(
        templates=desk.stationery.templates,
        about=LetterValues(fund_name="ТФОМС АО", contact="отдел", portal_url="https://portal.example/"),
        form=desk.ruleset.form,
        own=desk.own,
        zone=ZONE,
        months=3,
        max_days=None,
    )
    with desk.trial.database.reading() as tx:
        return report.lines(tx, 50, means)


def left_alone(desk: Desk) -> dict[Verdict, int]:
    with desk.trial.database.reading() as tx:
        return observed.unanswered(tx)


def three_letters(desk: Desk) -> None:
    desk.take(
        request("Пришва А.А.", ADDRESS, 1), request("Иванов", ADDRESS, 2), request("Юрьева Я.Я.", "stranger@elsewhere.example", 3)
    )
    desk.run()


def test_nothing_leaves_and_nothing_moves(desk: Desk) -> None:
    three_letters(desk)
    assert desk.events() == ["letter.kept"] * 3 + ["letter.observed"] * 3
    assert (desk.postman.sent, list(desk.mailbox.letters), desk.mailbox.filed) == ([], [1, 2, 3], {})


def test_what_was_left_to_be_moved_before_is_not_moved_either(desk: Desk) -> None:
    """The office answered, died before it moved a letter, and was set to observe."""
    desk.observe = False
    desk.mailbox.fail_before = {"file"}
    with pytest.raises(EdgeError):
        desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.observe = True
    desk.take()
    assert (list(desk.mailbox.letters), desk.mailbox.filed) == ([1], {})
    desk.observe = False
    desk.take()
    assert (list(desk.mailbox.letters), list(desk.mailbox.filed)) == ([], [1])


def test_verdict_rule_reason_and_what_would_follow_are_shown(desk: Desk) -> None:
    three_letters(desk)
    stranger, nameless, good = lines(desk)
    assert (good.letter_id, good.verdict, good.rule_id, good.sender_code, good.person) == (
        1,
        "issue",
        "issue",
        "290001",
        "Пришва А.А.",
    )
    assert (good.last_day, good.body, good.observed_at) == (date(2027, 2, 23), None, START)
    assert (nameless.verdict, nameless.reason, nameless.person) == ("refuse", "initials-missing", None)
    assert nameless.subject == "Отказ: не указаны инициалы"
    assert nameless.body is not None
    assert "Организация: ГБУЗ «Больница»" in nameless.body
    assert (stranger.verdict, stranger.reason, stranger.last_day, stranger.body) == ("hold", "unknown-sender", None, None)


def test_the_refusal_that_is_shown_is_the_one_that_would_be_sent(desk: Desk) -> None:
    desk.take(request("Иванов", ADDRESS, 1))
    desk.run()
    (shown,) = lines(desk)
    desk.observe = False
    desk.trial.clock.move(minutes=1)
    desk.take(request("Иванов", ADDRESS, 2))
    desk.run()
    ((_envelope, sent),) = desk.postman.sent
    assert shown.body is not None
    assert header(sent, "Subject") == shown.subject
    assert body(sent).replace("\r\n", "\n").strip() == shown.body.replace("№ 0", "№ 1").strip()


def test_what_nobody_would_do_anything_about_is_not_listed(desk: Desk) -> None:
    desk.take(b"Return-Path: <>\r\n" + request("", "MAILER-DAEMON@clinic.example", 1, subject="Undelivered Mail"))
    desk.run()
    assert "letter.observed" in desk.events()
    assert (lines(desk), left_alone(desk)) == ([], {})


def test_after_observing_they_are_never_answered_by_themselves(desk: Desk) -> None:
    three_letters(desk)
    counts = {Verdict.ISSUE: 1, Verdict.REFUSE: 1, Verdict.HOLD: 1}
    assert left_alone(desk) == counts
    desk.observe = False
    desk.trial.clock.move(days=1)
    desk.run()
    assert desk.postman.sent == []
    assert left_alone(desk) == counts
    desk.mailbox.received_at = desk.trial.clock()
    desk.take(request("Пришва А.А.", ADDRESS, 9))
    desk.run()
    assert len(desk.postman.sent) == 1, "the sender wrote again"


def test_the_term_is_that_of_the_day_it_was_observed(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    desk.trial.clock.move(days=40)
    (line,) = lines(desk)
    assert line == replace(line, last_day=date(2027, 2, 23))
