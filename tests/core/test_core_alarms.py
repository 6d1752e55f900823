"""What is an alarm, from when on, and when is it told?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from string import Formatter

import pytest

from mailer.core import alarms, standstill
from mailer.core.alarms import (
    Alarm,
    AlarmKind,
    Heap,
    Jump,
    Limits,
    OutsideSigns,
    Signs,
    Standing,
    StepSigns,
    due,
    jumped,
    watch,
    watch_outside,
    words,
)
from mailer.core.alarmwords import WORDS
from mailer.core.standstill import PauseSigns

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LIMITS = Limits(
    silence={"uc": timedelta(minutes=15)},
    stopped=timedelta(minutes=15),
    parts=("desk", "courier"),
    breaker=200,
    disk_free_bytes=200_000_000,
    low_stock=20,
)
SECOND = timedelta(seconds=1)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


LONG_AGO = ago(days=9)


def healthy(name: str) -> StepSigns:
    return StepSigns(name=name, expires_at=NOW + timedelta(seconds=20), worked_at=ago(seconds=10))


INTAKE, ANSWER, DELIVER = healthy("intake:uc"), healthy("answer"), healthy("deliver")
CALM = Signs(founded_at=ago(days=30), steps=(INTAKE, ANSWER, DELIVER), free_pairs=20)


def with_step(step: StepSigns) -> Signs:
    """A calm office in which one step is not as it should be."""
    return replace(CALM, steps=[*(one for one in CALM.steps if one.name != step.name), step])


def found(signs: Signs, limits: Limits = LIMITS) -> list[tuple[str, str, dict[str, int]]]:
    return [(alarm.kind.value, alarm.place, dict(alarm.numbers)) for alarm in watch(signs, limits, NOW)]


def test_a_calm_office_needs_nobody() -> None:
    assert found(CALM) == []


@pytest.mark.parametrize(
    ("worked_at", "silent"),
    [
        pytest.param(ago(minutes=15) + SECOND, False, id="just-not"),
        pytest.param(ago(minutes=15), True, id="exactly"),
        pytest.param(ago(days=2), True, id="long-since"),
        pytest.param(None, True, id="never-and-founded-long-ago"),
    ],
)
def test_a_mailbox_is_silent_from_its_limit_on(worked_at: datetime | None, silent: bool) -> None:
    alarm = watch(with_step(replace(INTAKE, worked_at=worked_at)), LIMITS, NOW)
    assert [(one.kind, one.place, one.since) for one in alarm] == (
        [(AlarmKind.MAILBOX_SILENT, "uc", worked_at or CALM.founded_at)] if silent else []
    )


def test_a_mailbox_that_was_never_checked_is_silent_since_the_office_was_founded() -> None:
    young = replace(CALM, founded_at=ago(minutes=14), steps=())
    assert found(young) == []
    old = replace(young, founded_at=ago(minutes=20))
    assert found(old) == [
        ("mailbox-silent", "uc", {"minutes": 20}),
        ("service-stopped", "desk", {}),
        ("service-stopped", "courier", {}),
    ]


def test_every_mailbox_has_its_own_limit_and_only_configured_ones_count() -> None:
    signs = with_step(replace(INTAKE, worked_at=ago(minutes=20)))
    patient = replace(LIMITS, silence={"uc": timedelta(hours=2)})
    assert found(signs, patient) == []
    assert found(with_step(replace(healthy("intake:gone"), worked_at=ago(days=9)))) == []


@pytest.mark.parametrize(
    ("steps", "stopped"),
    [
        pytest.param([INTAKE, ANSWER, DELIVER], [], id="both-run"),
        pytest.param([INTAKE, ANSWER, replace(DELIVER, expires_at=ago(minutes=15))], ["courier"], id="courier-away"),
        pytest.param([INTAKE, ANSWER, replace(DELIVER, expires_at=ago(minutes=14))], [], id="courier-just-restarted"),
        pytest.param(
            [INTAKE, ANSWER, replace(DELIVER, expires_at=ago(days=1)), healthy("deliver#2")], [], id="another-courier-runs"
        ),
        pytest.param([replace(INTAKE, expires_at=ago(hours=1)), ANSWER, DELIVER], [], id="one-step-of-the-desk-runs"),
        pytest.param(
            [replace(INTAKE, expires_at=ago(hours=1)), replace(ANSWER, expires_at=ago(hours=2)), DELIVER], ["desk"], id="desk-away"
        ),
    ],
)
def test_a_part_is_stopped_when_none_of_its_leases_lives(steps: Sequence[StepSigns], stopped: list[str]) -> None:
    alarm = watch(replace(CALM, steps=steps), LIMITS, NOW)
    assert [one.place for one in alarm if one.kind is AlarmKind.SERVICE_STOPPED] == stopped
    if stopped == ["desk"]:
        assert alarm[-1].since == ago(hours=1), "since the last of them ended"


def test_in_observe_no_courier_is_missed() -> None:
    assert found(replace(CALM, steps=(INTAKE, ANSWER)), replace(LIMITS, parts=("desk",))) == []


@pytest.mark.parametrize(
    ("worked_at", "trouble_at", "failing"),
    [
        pytest.param(ago(minutes=2), ago(seconds=1), True, id="for-two-minutes"),
        pytest.param(ago(minutes=2) + SECOND, ago(seconds=1), False, id="not-yet"),
        pytest.param(None, ago(seconds=1), True, id="never-worked"),
        pytest.param(ago(hours=1), ago(minutes=5), True, id="fresh"),
        pytest.param(ago(hours=1), ago(minutes=5) - SECOND, False, id="not-met-again: busy or stopped"),
        pytest.param(ago(hours=1), None, False, id="no-trouble"),
    ],
)
def test_a_step_fails_while_its_trouble_comes_again(worked_at: datetime | None, trouble_at: datetime | None, failing: bool) -> None:
    signs = with_step(replace(ANSWER, worked_at=worked_at, trouble_at=trouble_at))
    assert found(signs) == ([("step-failing", "answer", {})] if failing else [])


def test_a_failing_intake_is_its_mailboxs_alarm() -> None:
    assert found(with_step(replace(INTAKE, worked_at=ago(minutes=10), trouble_at=ago(seconds=1)))) == []


@pytest.mark.parametrize(
    ("losses", "lost_at", "fight"),
    [
        pytest.param(1, ago(seconds=5), False, id="stopped-for-a-while"),
        pytest.param(2, ago(seconds=5), False, id="twice"),
        pytest.param(3, ago(seconds=5), True, id="three-times"),
        pytest.param(9, ago(minutes=10), False, id="quiet-for-ten-minutes"),
    ],
)
def test_a_lease_that_is_lost_again_and_again_is_a_fight(losses: int, lost_at: datetime, fight: bool) -> None:
    signs = with_step(replace(ANSWER, losses=losses, lost_since=ago(hours=1), lost_at=lost_at))
    assert found(signs) == ([("lease-fight", "answer", {"losses": losses})] if fight else [])


@pytest.mark.parametrize(
    ("signs", "kind", "count", "numbers"),
    [
        pytest.param(replace(CALM, quarantined=Heap(count=2, since=ago(hours=3))), "letters-quarantined", 2, {}, id="quarantine"),
        pytest.param(replace(CALM, paused=Heap(count=7, since=ago(hours=3))), "issuing-paused", 7, {"limit": 200}, id="breaker"),
        pytest.param(replace(CALM, waiting=Heap(count=5, since=ago(hours=3))), "replies-waiting", 1, {"waiting": 5}, id="waiting"),
        pytest.param(replace(CALM, undelivered=Heap(count=1, since=ago(hours=3))), "replies-undelivered", 1, {}, id="undelivered"),
        pytest.param(replace(CALM, notices=Heap(count=3, since=ago(hours=3))), "notices-undelivered", 3, {}, id="notices"),
        pytest.param(replace(CALM, lingering=Heap(count=2, since=ago(hours=3))), "accounts-lingering", 2, {}, id="lingering"),
        pytest.param(replace(CALM, distrusted=Heap(count=2, since=ago(hours=3))), "logins-distrusted", 2, {}, id="distrusted"),
    ],
)
def test_what_piles_up_is_an_alarm_since_its_oldest(signs: Signs, kind: str, count: int, numbers: dict[str, int]) -> None:
    (alarm,) = watch(signs, LIMITS, NOW)
    assert (alarm.kind.value, alarm.count, dict(alarm.numbers), alarm.since) == (kind, count, numbers, ago(hours=3))


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        pytest.param({"2026-11-14": 3}, [], id="nine-days"),
        pytest.param({"2026-11-13": 3}, [(3, 10)], id="ten-days"),
        pytest.param({"2026-11-10": 1, "2026-11-13": 3, "2026-11-20": 9}, [(4, 13)], id="only-the-old-ones-are-counted"),
    ],
)
def test_a_key_is_old_from_its_tenth_day(epochs: dict[str, int], expected: list[tuple[int, int]]) -> None:
    found = [alarm for alarm in watch(replace(CALM, epochs=epochs), LIMITS, NOW) if alarm.kind is AlarmKind.KEY_OLD]
    assert [(alarm.count, alarm.numbers["days"]) for alarm in found] == expected


def outside(free: int = 10**12, missing: Sequence[str] = ()) -> OutsideSigns:
    return OutsideSigns(free_bytes={"database": free, "keys": 10**12}, missing_keys=missing, uptime_seconds=0.0)


@pytest.mark.parametrize(("free", "low"), [(200_000_000, False), (199_999_999, True), (0, True)])
def test_the_disk_is_low_below_its_limit(free: int, low: bool) -> None:
    found = watch_outside(outside(free), LIMITS, NOW, jump=None, newest_record=None)
    assert [(alarm.kind, alarm.place, alarm.numbers["free_mb"]) for alarm in found] == (
        [(AlarmKind.DISK_LOW, "database", free // 1_000_000)] if low else []
    )


def test_every_missing_key_is_named() -> None:
    found = watch_outside(outside(missing=["record.key", "pepper.key"]), LIMITS, NOW, jump=None, newest_record=None)
    assert [(alarm.kind.value, alarm.place) for alarm in found] == [("key-missing", "record.key"), ("key-missing", "pepper.key")]


@pytest.mark.parametrize(
    ("clock", "stopwatch", "by"),
    [
        pytest.param(60, 60.0, None, id="together"),
        pytest.param(119, 60.0, None, id="nearly-a-minute"),
        pytest.param(120, 60.0, 60, id="forward"),
        pytest.param(0, 60.0, -60, id="back"),
        pytest.param(3600, 3600.4, None, id="slow-look"),
    ],
)
def test_a_clock_that_was_set_is_seen_by_the_stopwatch(clock: int, stopwatch: float, by: int | None) -> None:
    jump = jumped((NOW, 5.0), (NOW + timedelta(seconds=clock), 5.0 + stopwatch))
    assert (jump and jump.by) == (None if by is None else timedelta(seconds=by))


@pytest.mark.parametrize(
    ("jump", "newest", "seconds"),
    [
        pytest.param(None, NOW, None, id="calm"),
        pytest.param(None, NOW + timedelta(seconds=59), None, id="clocks-of-hosts-differ-a-little"),
        pytest.param(None, NOW + timedelta(minutes=1), -60, id="behind-the-record"),
        pytest.param(Jump(by=timedelta(hours=2), at=ago(minutes=59)), NOW, 7200, id="jumped-within-the-hour"),
        pytest.param(Jump(by=timedelta(hours=2), at=ago(hours=1)), NOW, None, id="jumped-an-hour-ago"),
    ],
)
def test_the_clock_is_an_alarm(jump: Jump | None, newest: datetime, seconds: int | None) -> None:
    found = watch_outside(outside(), LIMITS, NOW, jump=jump, newest_record=newest)
    assert [alarm.numbers["seconds"] for alarm in found] == ([] if seconds is None else [seconds])


def standing(
    told_at: datetime | None,
    *,
    place: str = "",
    count: int = 1,
    told_count: int = 1,
    raised_at: datetime = LONG_AGO,
    over: bool = False,
) -> Standing:
    return Standing(
        alarm=Alarm(kind=AlarmKind.DISK_LOW, since=raised_at, place=place, count=count),
        raised_at=raised_at,
        cleared_at=ago(minutes=1) if over else None,
        told_at=told_at,
        told_count=told_count,
    )


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        pytest.param([standing(None)], True, id="new"),
        pytest.param([standing(ago(minutes=59), count=2)], False, id="more-within-the-hour"),
        pytest.param([standing(ago(hours=1), count=2)], True, id="more-after-an-hour"),
        pytest.param([standing(ago(hours=1), count=1, told_count=2)], False, id="fewer-are-no-news"),
        pytest.param([standing(ago(hours=23))], False, id="no-news"),
        pytest.param([standing(ago(days=1))], True, id="a-reminder-a-day"),
        pytest.param([standing(ago(minutes=59)), standing(None, place="keys")], False, id="another-place-within-the-hour"),
        pytest.param([standing(ago(hours=1)), standing(None, place="keys")], True, id="another-place-after-an-hour"),
        pytest.param([standing(ago(minutes=59), raised_at=ago(minutes=5))], False, id="raised-again-within-the-hour"),
        pytest.param([standing(ago(minutes=61), raised_at=ago(minutes=5))], True, id="raised-again-later"),
        pytest.param([standing(ago(minutes=5), over=True), standing(None, place="keys")], False, id="a-cleared-one-was-told"),
        pytest.param([standing(ago(days=9), over=True)], False, id="what-is-over-is-not-told"),
        pytest.param([standing(NOW + timedelta(hours=5), count=2)], True, id="the-clock-was-set-back"),
    ],
)
def test_a_kind_is_told_once_an_hour_with_news_and_else_once_a_day(rows: list[Standing], told: bool) -> None:
    assert due(rows, NOW) == ({AlarmKind.DISK_LOW} if told else set())


@pytest.mark.parametrize(
    ("free", "low_stock", "low"),
    [
        pytest.param(20, 20, False, id="just-enough"),
        pytest.param(19, 20, True, id="one-too-few"),
        pytest.param(0, 20, True, id="none"),
        pytest.param(0, 0, False, id="logins-do-not-come-from-a-pool"),
    ],
)
@pytest.mark.parametrize("since", [ago(hours=3), None], ids=["the-record-knows-since-when", "it-does-not"])
def test_the_pool_is_low_with_fewer_pairs_than_its_limit(free: int, low_stock: int, low: bool, since: datetime | None) -> None:
    alarm = watch(replace(CALM, free_pairs=free, pool_low_since=since), replace(LIMITS, low_stock=low_stock), NOW)
    assert alarm == ([Alarm(kind=AlarmKind.POOL_LOW, since=since or NOW, numbers={"free": free})] if low else [])


def test_every_kind_has_words_and_they_name_only_what_it_has() -> None:
    assert set(WORDS) == {kind.value for kind in AlarmKind}
    signs = Signs(
        founded_at=ago(days=1),
        steps=[
            replace(ANSWER, expires_at=ago(days=1), worked_at=None, trouble_at=NOW, losses=3, lost_at=NOW),
            replace(DELIVER, expires_at=ago(days=1)),
        ],
        quarantined=Heap(count=1, since=NOW),
        paused=Heap(count=1, since=None),
        waiting=Heap(count=1, since=NOW),
        undelivered=Heap(count=1, since=NOW),
        notices=Heap(count=1, since=NOW),
        lingering=Heap(count=1, since=NOW),
        distrusted=Heap(count=1, since=NOW),
        refused_since=NOW,
        epochs={"2026-01-01": 1},
        uncompacted_since=ago(hours=1),
    )
    all_of_them = [
        *watch(signs, LIMITS, NOW),
        *standstill.watch([PauseSigns(step=step, mailbox="", since=NOW, waiting=1) for step in ("intake", "issue")], ["uc"]),
        *watch_outside(outside(0, ["record.key"]), LIMITS, NOW, jump=Jump(by=timedelta(days=1), at=NOW), newest_record=None),
    ]
    assert {alarm.kind for alarm in all_of_them} == set(AlarmKind)
    for alarm in all_of_them:
        said = words(alarm, lambda text: text)
        assert not [text for text in (said.title, said.what, said.to_do) if "{" in text]
        places = {name for _text, name, _spec, _conversion in Formatter().parse(WORDS[alarm.kind.value].what) if name}
        assert all(str({"place": alarm.place, "count": alarm.count, **alarm.numbers}[name]) in said.what for name in places)


def test_outside_kinds_are_those_of_the_survey() -> None:
    inside = {alarm.kind for alarm in watch(replace(CALM, quarantined=Heap(count=1, since=NOW)), LIMITS, NOW)}
    assert not inside & alarms.OUTSIDE
