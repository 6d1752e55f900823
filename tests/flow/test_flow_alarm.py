"""What needs a person is raised, told by letter and command once an hour at most, and cleared: on both databases."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from mailer.core import evidence
from mailer.core.alarms import Alarm, AlarmKind
from mailer.flow.alarm import AlarmStep
from mailer.flow.needs import needs
from mailer.model import Delivery
from mailer.service.office import REPLY_SUBJECTS
from mailer.states import ReplyState
from mailer.store import audit, leases, outbox, verification
from mailer.store.schema import credentials, letters, replies
from tests.e2e.bureau import body, header, request
from tests.flow.desks import CLINIC, OFFICER, Desk, until_done
from tests.store.offices import INSTANCE, START, Trial

ADDRESS = CLINIC.answer_to


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def look(desk: Desk, step: AlarmStep, *, minutes: float = 1) -> bool:
    """After so many minutes, and with the postman's round after it."""
    desk.trial.clock.move(minutes=minutes)
    told = step.step()
    desk.send()
    return told


def alarm_events(desk: Desk) -> list[tuple[str, str]]:
    with desk.trial.database.reading() as tx:
        sealed = audit.page(tx, after=0, limit=1000)
    assert verification.verify(desk.trial.database, desk.trial.pen.key).fault is None
    told = [(evidence.read_header(one)["event"], evidence.read_details(one)) for one in sealed]
    return [(event.removeprefix("alarm."), details["kind"]) for event, details in told if event.startswith("alarm.")]


def standing(desk: Desk, step: AlarmStep) -> list[Alarm]:
    with desk.trial.database.reading() as tx:
        return needs(tx, step._settings.limits, desk.trial.clock())


def to_officer(desk: Desk) -> list[bytes]:
    return [content for envelope, content in desk.postman.sent if envelope.recipient == OFFICER]


def heard(desk: Desk) -> list[dict[str, Any]]:
    return [json.loads(line) for line in desk.command.told]


def quarantine_one(desk: Desk, number: int = 1) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, number))
    with desk.trial.database.writing() as tx:
        tx.execute(update(letters).values(state="quarantined"))


def set_replies(desk: Desk, **values: object) -> None:
    with desk.trial.database.writing() as tx:
        tx.execute(update(replies).values(**values))


def test_a_calm_office_says_nothing(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    step = desk.alarm()
    assert not look(desk, step)
    assert standing(desk, step) == []
    assert (desk.command.told, to_officer(desk), alarm_events(desk)) == ([], [], [])


def test_an_alarm_is_recorded_written_to_the_officer_and_given_to_the_command(desk: Desk) -> None:
    quarantine_one(desk)
    step = desk.alarm()
    assert look(desk, step)
    assert alarm_events(desk) == [("raised", "letters-quarantined")]
    assert heard(desk) == [
        {
            "instance": INSTANCE,
            "kind": "letters-quarantined",
            "place": "",
            "since": "2026-11-23T09:00:00.000000+00:00",
            "count": 1,
            "numbers": {},
            "what": "писем в карантине: 1",
            "to_do": "посмотрите их: `mailer letters list --quarantined`",
        }
    ]
    (letter,) = to_officer(desk)
    assert header(letter, "Subject") == "Требуется внимание: письма в карантине"
    assert header(letter, "Subject").startswith(REPLY_SUBJECTS)
    assert header(letter, "Auto-Submitted") == "auto-generated"
    said = body(letter).replace("\r\n", "\n")
    assert "1. Писем в карантине: 1\n" in said
    assert "С какого времени: 23.11.2026, 12:00:00 (МСК, UTC+3)\n" in said
    assert "Что делать: посмотрите их: `mailer letters list --quarantined`\n" in said
    assert desk.events()[-4:] == ["alarm.raised", "notice.queued", "reply.leased", "reply.sent"]
    with desk.trial.database.reading() as tx:
        assert outbox.counts(tx) == {ReplyState.SENT: 1}


def test_nothing_that_strangers_wrote_is_told(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.postman.answers = [Delivery.NEVER]
    desk.run()
    quarantine_one(desk, 2)
    look(desk, desk.alarm())
    told = "".join([*map(str, heard(desk)), *map(body, to_officer(desk)), str(standing(desk, desk.alarm()))])
    assert "replies-undelivered" in told
    assert [word for word in ("Пришва", ADDRESS, CLINIC.organisation, CLINIC.code, "550", "never") if word in told] == []


def test_between_the_minutes_nobody_looks(desk: Desk) -> None:
    step = desk.alarm()
    quarantine_one(desk)
    assert not look(desk, step, minutes=0.3)
    assert desk.surroundings.asked == []
    assert look(desk, step, minutes=0.1)
    assert not look(desk, step, minutes=0.9)
    assert len(desk.surroundings.asked) == 1


def test_of_a_kind_it_is_told_once_an_hour_and_only_with_news(desk: Desk) -> None:
    step = desk.alarm()
    quarantine_one(desk)
    assert look(desk, step)
    quarantine_one(desk, 2)
    assert not look(desk, step, minutes=59)
    assert look(desk, step, minutes=1)
    assert [one["count"] for one in heard(desk)] == [1, 2]
    assert not look(desk, step, minutes=120), "nothing new"
    assert look(desk, step, minutes=23 * 60), "a reminder"
    assert len(to_officer(desk)) == 3
    assert alarm_events(desk) == [("raised", "letters-quarantined")]


def test_kinds_do_not_silence_each_other_and_places_share_a_letter(desk: Desk) -> None:
    step = desk.alarm()
    quarantine_one(desk)
    assert look(desk, step)
    desk.surroundings.missing_keys = ["record.key", "pepper.key"]
    assert look(desk, step)
    _first, second = to_officer(desk)
    assert "карантине" not in body(second)
    assert header(second, "Subject") == "Требуется внимание: нет ключа"
    assert all(key in body(second) for key in ("record.key", "pepper.key"))
    assert [(one["kind"], one["place"]) for one in heard(desk)[1:]] == [
        ("key-missing", "pepper.key"),
        ("key-missing", "record.key"),
    ]


def test_what_is_over_is_cleared_and_raised_again_within_the_hour_it_is_not_told_again(desk: Desk) -> None:
    step = desk.alarm()
    desk.surroundings.free_bytes["database"] = 999
    assert look(desk, step)
    desk.surroundings.free_bytes["database"] = 10**9
    look(desk, step)
    assert standing(desk, step) == []
    desk.surroundings.free_bytes["database"] = 10
    assert not look(desk, step)
    assert [(one.kind, one.since) for one in standing(desk, step)] == [(AlarmKind.DISK_LOW, START + timedelta(minutes=3))]
    assert alarm_events(desk) == [("raised", "disk-low"), ("cleared", "disk-low"), ("raised", "disk-low")]
    assert len(to_officer(desk)) == len(desk.command.told) == 1
    assert look(desk, step, minutes=58), "the hour is over, and of this one nobody was told"
    assert len(to_officer(desk)) == len(desk.command.told) == 2


def test_a_cleared_alarm_is_forgotten_after_its_hour(desk: Desk) -> None:
    step = desk.alarm()
    desk.surroundings.free_bytes["database"] = 999
    look(desk, step)
    desk.surroundings.free_bytes["database"] = 10**9
    look(desk, step)
    look(desk, step, minutes=58)
    with desk.trial.database.reading() as tx:
        assert tx.execute(text("SELECT count(*) FROM alarms")).scalar_one() == 1
    look(desk, step)
    with desk.trial.database.reading() as tx:
        assert tx.execute(text("SELECT count(*) FROM alarms")).scalar_one() == 0


def test_without_an_officer_the_command_alone_is_told(desk: Desk) -> None:
    quarantine_one(desk)
    look(desk, desk.alarm(officer=None))
    assert (len(desk.command.told), desk.postman.sent) == (1, [])


def test_a_command_that_fails_is_told_to_the_log_and_stops_nothing(desk: Desk) -> None:
    desk.command.broken = True
    desk.surroundings.missing_keys = ["record.key", "pepper.key"]
    assert look(desk, desk.alarm())
    assert desk.troubles == ["alarm command for key-missing: EdgeError"] * 2
    assert len(to_officer(desk)) == 1


def test_commands_that_take_too_long_are_cut_short(desk: Desk) -> None:
    class Slow:
        def tell(self, content: bytes) -> None:
            desk.trial.clock.move(seconds=40)
            desk.command.told.append(content)

    desk.surroundings.missing_keys = ["a.key", "b.key", "c.key"]
    step = desk.alarm()
    step._command = Slow()
    look(desk, step)
    assert len(desk.command.told) == 2
    assert desk.troubles == ["alarm command for key-missing: EdgeError"]


def test_an_alarm_letter_that_does_not_arrive_is_an_alarm_that_no_letter_tells(desk: Desk) -> None:
    step = desk.alarm()
    quarantine_one(desk)
    desk.postman.answers = [Delivery.NEVER]
    look(desk, step)
    assert look(desk, step)
    assert [one.kind for one in standing(desk, step)] == [AlarmKind.LETTERS_QUARANTINED, AlarmKind.NOTICES_UNDELIVERED]
    assert heard(desk)[-1]["kind"] == "notices-undelivered"
    with desk.trial.database.reading() as tx:
        assert outbox.counts(tx) == {ReplyState.FAILED: 1}
    look(desk, step, minutes=61)
    look(desk, step, minutes=61)
    assert to_officer(desk) == []
    look(desk, step, minutes=14 * 24 * 60)
    assert AlarmKind.NOTICES_UNDELIVERED not in [one.kind for one in standing(desk, step)]


def test_a_notice_that_waits_is_no_reply_that_waits(desk: Desk) -> None:
    step = desk.alarm()
    quarantine_one(desk)
    desk.trial.clock.move(minutes=1)
    step.step()
    desk.trial.clock.move(minutes=61)
    step.step()
    assert {one.kind for one in standing(desk, step)} == {AlarmKind.LETTERS_QUARANTINED, AlarmKind.NOTICES_UNDELIVERED}


def test_notices_never_fill_the_caps_of_answers_and_stop_at_them(desk: Desk) -> None:
    desk.replies_daily = 2
    step = desk.alarm()
    quarantine_one(desk)
    look(desk, step)
    for key in ("record.key", "pepper.key"):
        desk.surroundings.missing_keys.append(key)
        look(desk, step, minutes=61)
    assert len(to_officer(desk)) == 2, "two are the cap"
    assert desk.troubles == ["letter to the officer: EdgeError"]
    assert len(desk.command.told) == 1 + 1 + 2, "the command knows no cap"
    desk.take(request("Ли К.", ADDRESS, 5))
    desk.run()
    assert [envelope.recipient for envelope, _content in desk.postman.sent].count(ADDRESS) == 1


def test_without_a_key_to_seal_with_the_alarm_stands_and_the_command_is_told(desk: Desk) -> None:
    quarantine_one(desk)
    for public in (desk.home / "keys" / "epochs").iterdir():
        public.unlink()
    step = desk.alarm()
    desk.trial.clock.move(minutes=1)
    assert step.step()
    assert desk.troubles == ["letter to the officer: SetupError"]
    assert (len(desk.command.told), alarm_events(desk)) == (1, [("raised", "letters-quarantined")])


def test_a_silent_mailbox_is_raised_and_cleared(desk: Desk) -> None:
    step = desk.alarm(silence=timedelta(minutes=15))
    worker = desk.trial.worker("intake:uc")
    assert worker.lease is not None
    with desk.trial.database.writing() as tx:
        leases.went_through(tx, worker.lease, began=desk.trial.clock())
    look(desk, step, minutes=14)
    assert standing(desk, step) == []
    look(desk, step)
    (alarm,) = standing(desk, step)
    assert (alarm.kind, alarm.place, alarm.since, alarm.numbers) == (AlarmKind.MAILBOX_SILENT, "uc", START, {"minutes": 15})
    with desk.trial.database.writing() as tx:
        leases.went_through(tx, worker.lease, began=desk.trial.clock())
    look(desk, step)
    assert alarm_events(desk) == [("raised", "mailbox-silent"), ("cleared", "mailbox-silent")]


def test_a_clock_that_is_set_back_is_an_alarm(desk: Desk) -> None:
    step = desk.alarm()
    desk.surroundings.uptime = iter(range(60, 10_000, 60)).__next__
    quarantine_one(desk)
    look(desk, step)
    look(desk, step, minutes=-90)
    (alarm,) = [one for one in standing(desk, step) if one.kind is AlarmKind.CLOCK_JUMPED]
    assert alarm.numbers["seconds"] < -3600


def later(**moved: float) -> datetime:
    return START + timedelta(**moved)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        pytest.param(
            {"state": "queued", "created_at": START, "finished_at": None}, ["replies-waiting"], id="waits-for-over-an-hour"
        ),
        pytest.param({"state": "queued", "created_at": later(minutes=90), "finished_at": None}, [], id="waits-for-half-an-hour"),
        pytest.param({"state": "unknown"}, ["replies-undelivered"], id="unknown"),
        pytest.param({"state": "failed"}, ["replies-undelivered"], id="failed"),
        pytest.param({"state": "bounced"}, ["replies-undelivered"], id="bounced"),
        pytest.param({"state": "confirmed", "key_epoch": "2026-11-01"}, [], id="confirmed-with-an-old-key"),
        pytest.param({"state": "failed", "key_epoch": "2026-11-01"}, ["replies-undelivered"], id="failed-with-an-old-key"),
        pytest.param(
            {"state": "unknown", "key_epoch": "2026-11-13"}, ["replies-undelivered", "key-old"], id="unknown-with-an-old-key"
        ),
        pytest.param(
            {"state": "queued", "created_at": START, "key_epoch": "2026-11-13"},
            ["replies-waiting", "key-old"],
            id="waits-with-an-old-key",
        ),
    ],
)
def test_replies_are_alarms_by_state_age_and_key(desk: Desk, change: dict[str, object], kinds: list[str]) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    set_replies(desk, **change)
    desk.trial.clock.move(hours=2)
    assert [one.kind.value for one in standing(desk, desk.alarm())] == kinds


@pytest.mark.parametrize("state", ["superseded", "revoked", "expired"])
def test_an_undelivered_answer_whose_login_has_ended_needs_nobody(desk: Desk, state: str) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    set_replies(desk, state="failed")
    step = desk.alarm()
    assert [one.kind.value for one in standing(desk, step)] == ["replies-undelivered"]
    with desk.trial.database.writing() as tx:
        tx.execute(update(credentials).values(state="suspended"))
    assert len(standing(desk, step)) == 1
    with desk.trial.database.writing() as tx:
        tx.execute(update(credentials).values(state=state))
    assert standing(desk, step) == []


def test_an_undelivered_refusal_needs_a_person_for_two_weeks(desk: Desk) -> None:
    desk.take(request("Иванов", ADDRESS, 1))
    desk.postman.answers = [Delivery.NEVER]
    desk.run()
    step = desk.alarm()
    assert len(standing(desk, step)) == 1
    desk.trial.clock.move(days=14)
    assert standing(desk, step) == []


def test_the_breaker_is_an_alarm_while_requests_wait_for_it(desk: Desk) -> None:
    desk.breaker = 1
    desk.take(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", ADDRESS, 2))
    desk.run()
    step = desk.alarm()
    (alarm,) = standing(desk, step)
    assert (alarm.kind, alarm.count, alarm.since, alarm.numbers) == (AlarmKind.ISSUING_PAUSED, 1, START, {"limit": 1})
    desk.trial.clock.move(minutes=11)
    until_done(desk.issue())
    assert standing(desk, step) == []


def test_backoff_tells_of_the_oldest_reply_that_did_not_leave(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", ADDRESS, 2))
    desk.postman.answers = [Delivery.LATER, Delivery.LATER]
    desk.run()
    with desk.trial.database.reading() as tx:
        backoff = outbox.backoff(tx)
    assert backoff is not None
    assert (backoff.replies, backoff.oldest_since, backoff.oldest_attempts, backoff.last_answer) == (2, START, 1, "250 later")
    assert backoff.next_at == START + timedelta(minutes=1)


def test_the_keys_that_replies_need_are_looked_for(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.postman.answers = [Delivery.LATER]
    desk.run()
    desk.trial.clock.move(minutes=1)
    desk.alarm().step()
    step = desk.alarm()
    desk.trial.clock.move(minutes=1)
    step.step()
    assert desk.surroundings.asked == [["2026-11-23"]]
    assert desk.keyring.missing(["2026-11-23"]) == ["checkpoint.key"]
    (desk.home / "keys" / "checkpoint.key").touch()
    assert desk.keyring.missing(["2026-11-23"]) == []
    desk.forget_keys()
    (desk.home / "keys" / "courier").mkdir()
    (desk.home / "keys" / "pepper.key").unlink()
    assert desk.keyring.missing(["2026-11-23"]) == ["pepper.key", "courier/2026-11-23.key"]
