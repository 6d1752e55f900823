"""`mailer status`: the house at a glance; exit 1 when something needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from mailer.cli.opened import office_of
from mailer.cli.show import local, print_json, safe_text, say
from mailer.states import LetterState, ReplyState

if TYPE_CHECKING:
    from mailer.flow.report import Status

NEEDS_A_PERSON = (ReplyState.UNKNOWN, ReplyState.FAILED, ReplyState.BOUNCED)


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Show what is there, what waits, and what needs a person (exit 1)."))
    def status(
        context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help=_("As one JSON object."))] = False
    ) -> int:
        with office_of(context) as office, office.database.reading() as tx:
            from mailer.flow import report
            from mailer.service.office import clock

            found = report.status(tx, clock())
            needs = _needs(found)
            if as_json:
                print_json({"status": found, "needs_a_person": needs})
            else:
                _show(found, needs, office.config.zone, office.config.mode)
        return 1 if needs else 0


def _show(found: Status, needs: list[str], zone: ZoneInfo, mode: str) -> None:
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
    for holding in found.leases:
        worked = local(holding.worked_at, zone) or _("not yet")
        say(_("{name}: last went through {worked}").format(name=holding.name, worked=worked))
    for line in needs:
        say("! " + safe_text(line))


def _counted(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{state.value} {count}" for state, count in counts.items()) or "0"


def _needs(found: Status) -> list[str]:
    """What waits for a person, each as a sentence with the command to look with."""
    needs = [
        _("{step}: {trouble}").format(step=holding.name, trouble=holding.trouble)
        for holding in found.leases
        if holding.trouble is not None
    ]
    quarantined = found.letters.get(LetterState.QUARANTINED, 0)
    if quarantined:
        needs.append(_("{count} letters are quarantined: mailer letters list --quarantined").format(count=quarantined))
    undelivered = sum(found.replies.get(state, 0) for state in NEEDS_A_PERSON)
    if undelivered:
        needs.append(_("{count} replies did not arrive for certain: mailer requests list --undelivered").format(count=undelivered))
    return needs
