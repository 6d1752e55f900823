"""`mailer status`: the house at a glance; exit 1 when something needs a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from gettext import gettext as _
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from mailer.cli.observed import observed_lines
from mailer.cli.opened import office_of
from mailer.cli.options import AsObject
from mailer.cli.pause import pause_line
from mailer.cli.show import local, plain, print_json, safe_text, say

if TYPE_CHECKING:
    from mailer.core.alarms import Alarm
    from mailer.flow.report.house import Status
    from mailer.store.outbox import Backoff


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Show what is there, what waits, and what needs a person (exit 1)."))
    def status(context: typer.Context, as_json: AsObject = False) -> int:
        with office_of(context) as office, office.database.reading() as tx:
            from mailer.flow.needs import needs, restored
            from mailer.flow.report import house
            from mailer.service.office import clock

            now = clock()
            found = house.status(tx, now)
            wanting = [*needs(tx, office.alarm_limits(), now), *restored(tx, office.erased().marks, now)]
            if as_json:
                print_json({"status": _status_as_object(found), "needs_a_person": [_as_object(alarm) for alarm in wanting]})
            else:
                _show(found, office.config.zone, office.config.mode)
                _show_needs(wanting, office.config.zone)
        return 1 if wanting else 0


def _show(found: Status, zone: ZoneInfo, mode: str) -> None:
    say(_("mode: {mode}").format(mode=mode))
    for title, counts in (
        (_("letters"), found.letters),
        (_("requests"), found.requests),
        (_("credentials"), found.credentials),
        (_("replies"), found.replies),
    ):
        say(f"{title}: {_counted(counts)}")
    say(_("senders in the register: {senders}; records: {records}").format(senders=found.senders, records=found.records))
    backlog = found.backlog
    say(
        _("waiting: {letters} letters to read, {issue} to issue, {send} to send now, {later} later").format(
            letters=backlog.letters + backlog.bounces,
            issue=backlog.to_issue + backlog.reserved,
            send=backlog.to_send,
            later=backlog.to_send_later,
        )
    )
    if found.backoff is not None:
        _show_backoff(found.backoff, zone)
    for line in observed_lines(found.observed, mode):
        say(line)
    for pause in found.pauses:
        say(pause_line(pause, zone))
    for holding in found.leases:
        worked = local(holding.worked_at, zone) or _("not yet")
        say(_("{name}: last went through {worked}").format(name=holding.name, worked=worked))
        if holding.trouble is not None:
            told = _("  since then, at {at}: {trouble}")
            say(told.format(at=local(holding.trouble_at, zone), trouble=safe_text(holding.trouble)))


def _show_backoff(backoff: Backoff, zone: ZoneInfo) -> None:
    told = _("waiting for another attempt: {replies} replies, the next at {next}; the oldest since {since}, attempts: {attempts}")
    say(
        told.format(
            replies=backoff.replies,
            next=local(backoff.next_at, zone),
            since=local(backoff.oldest_since, zone),
            attempts=backoff.oldest_attempts,
        )
    )
    say(_("  what stopped it last: {answer}").format(answer=safe_text(backoff.last_answer or "—")))


def _counted(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{state.value} {count}" for state, count in counts.items()) or "0"


def _show_needs(wanting: Sequence[Alarm], zone: ZoneInfo) -> None:
    """Since when, what, and on a line of its own what to do."""
    if not wanting:
        say(_("nothing needs a person"))
        return
    from mailer.core.alarms import words

    say()
    say(_("needs a person:"))
    for alarm in wanting:
        said = words(alarm, _)
        say("! " + safe_text(_("since {since}: {what}").format(since=local(alarm.since, zone), what=said.what)))
        say("  " + safe_text(said.to_do))


def _status_as_object(found: Status) -> dict[str, object]:
    """As `pause` has it: without a mailbox all of them are meant."""
    return {**plain(found), "pauses": [{**plain(one), "mailbox": one.mailbox or None} for one in found.pauses]}


def _as_object(alarm: Alarm) -> dict[str, object]:
    """`kind`, `place`, `since`, `count` and `numbers` are for programs, `what` and `to_do` for people."""
    from mailer.core.alarms import words

    said = words(alarm, _)
    return {
        "kind": alarm.kind.value,
        "place": alarm.place,
        "since": alarm.since,
        "count": alarm.count,
        "numbers": alarm.numbers,
        "what": said.what,
        "to_do": said.to_do,
    }
