"""Step 7: once a minute the office is looked over; what needs a person is recorded, and told by letter and by a command.

The list itself needs no step: `flow/needs.py` makes it anew whenever somebody asks; here it is compared with what was raised
before. A letter about an alarm is never the cause of another: an undelivered one stands in the list and goes to the command only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from mailer.core import alarms, evidence, standstill
from mailer.core.alarms import NOT_BY_LETTER, Alarm, Jump, Limits, OutsideSigns
from mailer.core.reply import local_moment
from mailer.core.replyvalues import AlarmLine, AlarmValues
from mailer.errors import EdgeError, SetupError
from mailer.flow.stationery import Stationery
from mailer.store import alarms as raised_alarms
from mailer.store import audit, outbox, pauses, personal, signs
from mailer.store.facts import start_of_day
from mailer.store.work import Pulse, Unit, Worker

EVERY: Final = timedelta(minutes=1)
FIRST_AFTER: Final = timedelta(seconds=20)  # after a start the mailboxes are first looked through
COMMANDS_WITHIN: Final = timedelta(minutes=1)  # for all alarms of one look


class Surroundings(Protocol):
    """What the database does not show."""

    def look(self, epochs: Sequence[str]) -> OutsideSigns:
        """`epochs`: days whose keys are still needed."""


class SecondChannel(Protocol):
    """A program of the office's own."""

    def tell(self, content: bytes) -> None:
        """EdgeError when it did not take it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmSettings:
    """`officer`: whom to write to, None for nobody. The caps, `replies_daily` and `address_replies_daily`, bound these letters."""

    limits: Limits
    officer: str | None
    replies_daily: int
    address_replies_daily: int
    zone: ZoneInfo


class AlarmStep:
    """The step. `say` translates into the language of letters; `on_trouble` hears of a letter or command that failed."""

    def __init__(
        self,
        worker: Worker,
        stationery: Stationery,
        surroundings: Surroundings,
        command: SecondChannel | None,
        settings: AlarmSettings,
        *,
        say: Callable[[str], str],
        on_trouble: Callable[[str, Exception], None],
    ) -> None:
        self._worker = worker
        self._stationery = stationery
        self._surroundings = surroundings
        self._command = command
        self._settings = settings
        self._say = say
        self._on_trouble = on_trouble
        self._pulse = Pulse(worker)
        self._looked = worker.clock() - EVERY + FIRST_AFTER
        self._seen: tuple[datetime, float] | None = None
        self._jump: Jump | None = None

    def step(self) -> bool:
        """Look the office over if it is time to; whether anything was told."""
        now = self._worker.clock()
        if timedelta(0) <= now - self._looked < EVERY:
            return False
        self._looked = now
        with self._worker.reading() as tx:
            needed = signs.epochs(tx)
        outside = self._surroundings.look(needed)
        with self._worker.writing() as unit:
            found = self._find(unit, outside)
            tell = self._settle(unit, found)
            self._write(unit, [alarm for alarm in tell if alarm.kind not in NOT_BY_LETTER])
        self._run_command(tell)
        return bool(tell)

    def _find(self, unit: Unit, outside: OutsideSigns) -> list[Alarm]:
        limits = self._settings.limits
        seen = (unit.at, outside.uptime_seconds)
        self._jump = (self._seen and alarms.jumped(self._seen, seen)) or self._jump
        self._seen = seen
        newest = audit.newest_at(unit.tx)
        paused = standstill.watch(pauses.signs(unit.tx, unit.at), limits.silence)
        return [
            *alarms.watch(signs.gather(unit.tx, unit.at, breaker=limits.breaker), limits, unit.at),
            *(alarm for alarm in paused if standstill.is_long(alarm, unit.at)),
            *alarms.watch_outside(outside, limits, unit.at, jump=self._jump, newest_record=newest),
        ]

    def _settle(self, unit: Unit, found: Sequence[Alarm]) -> list[Alarm]:
        """Carry what stands now into the table and the record; the alarms to tell."""
        before = {(one.alarm.kind, one.alarm.place): one.alarm for one in raised_alarms.every(unit.tx) if one.cleared_at is None}
        now = {(alarm.kind, alarm.place): alarm for alarm in found}
        for key, alarm in now.items():
            if key in before:
                raised_alarms.goes_on(unit.tx, alarm)
            else:
                raised_alarms.raised(unit.tx, alarm, at=unit.at)
                unit.tell("alarm.raised", importance="alarm", outcome="failed", decided=_told(alarm))
        for key, alarm in before.items():
            if key not in now:
                raised_alarms.cleared(unit.tx, alarm, at=unit.at)
                unit.tell("alarm.cleared", importance="notice", decided=_told(alarm))
        raised_alarms.forget(unit.tx, now=unit.at)
        standing = raised_alarms.every(unit.tx)
        kinds = alarms.due(standing, unit.at)
        raised_alarms.told(unit.tx, kinds, at=unit.at)
        return [one.alarm for one in standing if one.alarm.kind in kinds and one.cleared_at is None]

    def _write(self, unit: Unit, tell: Sequence[Alarm]) -> None:
        """One letter for all that is to be told. If none can be written, the alarms stand all the same, and the command is run."""
        officer = self._settings.officer
        if not tell or officer is None:
            return
        try:
            self._stationery.ready()
        except SetupError as error:
            self._on_trouble("letter to the officer", error)
            return
        recipient = personal.address(unit, "", officer, self._stationery.randbytes)
        if self._is_capped(unit, recipient.id):
            self._on_trouble("letter to the officer", EdgeError("today's cap of letters is reached"))
            return
        fund = self._stationery.fund
        values = AlarmValues(
            fund_name=fund.name,
            contact=fund.contact,
            portal_url=fund.portal_url,
            alarms=tuple(self._line(alarm) for alarm in tell),
        )
        self._stationery.write(
            unit, request_id=None, sender_code=None, recipient=recipient, name="alarm", values=values, answered=None
        )

    def _is_capped(self, unit: Unit, recipient_id: int) -> bool:
        """The caps bound these letters; these letters are not counted when an answer asks whether a cap is reached."""
        today = start_of_day(unit.at, self._settings.zone)
        in_all = outbox.put_since(unit.tx, today, notices=True)
        here = outbox.put_since(unit.tx, today, recipient_id, notices=True)
        return in_all >= self._settings.replies_daily or here >= self._settings.address_replies_daily

    def _line(self, alarm: Alarm) -> AlarmLine:
        said = alarms.words(alarm, self._say)
        since = local_moment(alarm.since, self._stationery.fund.zone)
        return AlarmLine(title=said.title, what=said.what, since=since, to_do=said.to_do)

    def _run_command(self, tell: Sequence[Alarm]) -> None:
        """Once for each alarm, after the commit. What it fails at is told to the log; it stops nothing."""
        if self._command is None:
            return
        begun = self._worker.clock()
        for alarm in tell:
            if not timedelta(0) <= self._worker.clock() - begun < COMMANDS_WITHIN:
                self._on_trouble(f"alarm command for {alarm.kind.value}", EdgeError("the commands before it took too long"))
                continue
            try:
                self._command.tell(self._message(alarm))
            except EdgeError as error:
                self._on_trouble(f"alarm command for {alarm.kind.value}", error)
            self._pulse()

    def _message(self, alarm: Alarm) -> bytes:
        """One line of JSON, UTF-8."""
        said = alarms.words(alarm, self._say)
        content = {
            "instance": self._stationery.instance,
            **_told(alarm),
            "what": said.what,
            "to_do": said.to_do,
        }
        return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def _told(alarm: Alarm) -> Mapping[str, object]:
    """The alarm without words: as the record and the command have it."""
    return {
        "kind": alarm.kind.value,
        "place": alarm.place,
        "since": evidence.instant(alarm.since),
        "count": alarm.count,
        "numbers": dict(alarm.numbers),
    }
