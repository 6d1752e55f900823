"""When the day's digest is due, and what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from mailer.core.alarms import Alarm, AlarmKind
from mailer.core.digest import Ending, Findings, Held, due_day, values
from mailer.core.replyvalues import DigestLine, LetterValues

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
EIGHT = time(8)
FOUNDED = datetime(2026, 1, 1, tzinfo=UTC)
ABOUT = LetterValues(fund_name="Фонд", contact="отдел", portal_url="https://portal.example/")


def local(zone: ZoneInfo, *when: int) -> datetime:
    return datetime(*when, tzinfo=zone).astimezone(UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("now", "zone", "at", "founded", "expected"),
    [
        pytest.param(local(MOSCOW, 2026, 11, 24, 7, 59), MOSCOW, EIGHT, FOUNDED, date(2026, 11, 23), id="before-the-hour"),
        pytest.param(local(MOSCOW, 2026, 11, 24, 8, 0), MOSCOW, EIGHT, FOUNDED, date(2026, 11, 24), id="at-the-hour"),
        pytest.param(local(MOSCOW, 2026, 11, 24, 23, 59), MOSCOW, EIGHT, FOUNDED, date(2026, 11, 24), id="late"),
        pytest.param(local(MOSCOW, 2026, 11, 24, 0, 0), MOSCOW, time(0), FOUNDED, date(2026, 11, 24), id="at-midnight"),
        pytest.param(
            local(MOSCOW, 2026, 11, 24, 12), MOSCOW, EIGHT, local(MOSCOW, 2026, 11, 24, 9), None, id="founded-today-after-it"
        ),
        pytest.param(local(MOSCOW, 2026, 11, 24, 7), MOSCOW, EIGHT, local(MOSCOW, 2026, 11, 23, 9), None, id="the-first-night"),
        pytest.param(
            local(MOSCOW, 2026, 11, 24, 8),
            MOSCOW,
            EIGHT,
            local(MOSCOW, 2026, 11, 24, 7),
            date(2026, 11, 24),
            id="founded-before-it",
        ),
        # On 28.03.2027 there is no 02:30 in Berlin, on 25.10.2026 there are two.
        pytest.param(
            datetime(2027, 3, 28, 0, 59, tzinfo=UTC), BERLIN, time(2, 30), FOUNDED, date(2027, 3, 27), id="before-a-skipped-hour"
        ),
        pytest.param(
            datetime(2027, 3, 28, 1, 0, tzinfo=UTC), BERLIN, time(2, 30), FOUNDED, date(2027, 3, 28), id="after-a-skipped-hour"
        ),
        pytest.param(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), BERLIN, time(2, 30), FOUNDED, date(2026, 10, 25), id="hour-twice"),
        pytest.param(
            datetime(2026, 10, 25, 1, 0, tzinfo=UTC), BERLIN, time(2, 30), FOUNDED, date(2026, 10, 24), id="between-the-two"
        ),
        pytest.param(
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC), BERLIN, time(2, 30), FOUNDED, date(2026, 10, 25), id="the-same-day-again"
        ),
    ],
)
def test_the_newest_day_whose_hour_has_come(
    now: datetime, zone: ZoneInfo, at: time, founded: datetime, expected: date | None
) -> None:
    assert due_day(now, zone, at, founded) == expected


def findings(told: Mapping[tuple[str, bool], int], **more: object) -> Findings:
    nothing: dict[str, object] = {
        "since": FOUNDED,
        "until": FOUNDED,
        "held": (),
        "held_count": 0,
        "ending": (),
        "ending_count": 0,
        "quarantined": 0,
        "to_issue": 0,
        "to_send": 0,
        "alarms": (),
    }
    return Findings(told=told, **(nothing | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({("letter.kept", False): 4}, {"letters": 4}, id="letters"),
        pytest.param(
            {("request.approved", False): 3, ("request.approved", True): 2}, {"approved": 5, "approved_by_hand": 2}, id="approved"
        ),
        pytest.param({("request.refused", True): 1}, {"refused": 1, "refused_by_hand": 1}, id="refused-by-hand"),
        pytest.param({("request.held", False): 1}, {"left_to_people": 1}, id="held"),
        pytest.param({("letter.ignored", False): 7}, {"ignored": 7}, id="ignored"),
        pytest.param({("reply.sent", False): 7}, {"sent": 7}, id="sent"),
        pytest.param({("reply.bounced", False): 1, ("reply.failed", False): 2}, {"undelivered": 3}, id="undelivered"),
    ],
)
def test_what_was_done_is_counted(told: Mapping[tuple[str, bool], int], expected: dict[str, int]) -> None:
    names = (
        "letters",
        "approved",
        "approved_by_hand",
        "refused",
        "refused_by_hand",
        "left_to_people",
        "ignored",
        "sent",
        "undelivered",
    )
    made = values(findings(told), ABOUT, date(2026, 11, 24), MOSCOW, str)
    assert {name: getattr(made, name) for name in names if getattr(made, name)} == expected


def test_what_waits_and_ends_stands_with_number_code_and_local_time() -> None:
    at = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)
    found = findings(
        {},
        held=[Held(request=12, code="290001", since=at), Held(request=13, code=None, since=at)],
        held_count=30,
        ending=[Ending(request=3, code="290002", last_day=date(2026, 12, 1))],
        ending_count=1,
    )
    made = values(found, ABOUT, date(2026, 11, 25), MOSCOW, str)
    told = "25.11.2026, 00:30:00 (МСК, UTC+3)"
    assert made.held == (DigestLine(request=12, code="290001", at=told), DigestLine(request=13, code="", at=told))
    assert made.ending == (DigestLine(request=3, code="290002", at="01.12.2026"),)
    assert (made.held_count, made.ending_count, made.ending_days, made.day) == (30, 1, 14, "25.11.2026")


def test_pauses_stand_apart_from_alarms() -> None:
    alarms = [
        Alarm(kind=AlarmKind.STEP_PAUSED, place="issue", since=FOUNDED, numbers={"waiting": 2}),
        Alarm(kind=AlarmKind.LETTERS_QUARANTINED, since=FOUNDED, count=1),
    ]
    made = values(findings({}, alarms=alarms), ABOUT, date(2026, 11, 24), MOSCOW, str)
    assert [line.what for line in made.pauses] == ["the step issue was paused by a person; waiting for it: 2"]
    assert [line.what for line in made.alarms] == ["letters in quarantine: 1"]
