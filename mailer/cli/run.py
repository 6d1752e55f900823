"""`mailer run`: the service. Without `--only` a supervisor with desk and courier, with it those steps alone (a service unit)."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mailer.cli.observed import observed_lines
from mailer.cli.opened import config_of, office_of
from mailer.cli.pause import pause_line
from mailer.cli.show import local, safe_text, say
from mailer.errors import SetupError

if TYPE_CHECKING:
    from mailer.service.idle import Summary
    from mailer.service.office import Office


def add_to(app: typer.Typer) -> None:
    @app.command(name="run", help=_("Take letters and answer them, until stopped (SIGTERM, Ctrl-C)."))
    def run(
        context: typer.Context,
        until_idle: Annotated[bool, typer.Option("--until-idle", help=_("Do what there is to do, then end."))] = False,
        only: Annotated[
            str,
            typer.Option(
                "--only", help=_("Only these steps: intake,answer,bounce,issue,deliver,expire,alarm,checkpoint."), metavar="STEPS"
            ),
        ] = "",
        supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    ) -> int:
        gc.enable()  # off only for the start of short commands
        with office_of(context) as office:
            if only:
                return _run_steps(office, _steps(only), supervised=supervised, until_idle=until_idle)
            return _supervise(context, office, until_idle=until_idle)


def _steps(only: str) -> list[str]:
    from mailer.service.run import STEPS

    steps = [step.strip() for step in only.split(",") if step.strip()]
    for step in steps or [only]:
        if step not in STEPS:
            raise SetupError("--only: there is no step {step}; known: {known}", step=step, known=", ".join(STEPS))
    return steps


def _run_steps(office: Office, steps: list[str], *, supervised: bool, until_idle: bool) -> int:
    from mailer.service.idle import watch
    from mailer.service.log import make_log
    from mailer.service.run import House

    lifeline = socket.socket(fileno=os.dup(0)) if supervised else None
    house = House(office, steps, make_log(sys.stderr), lifeline)
    _on_signals(house.stop)
    if not until_idle:
        return 0 if house.run() else 1
    found: list[Summary] = []

    def until() -> None:
        try:
            found.append(watch(office, steps))
        finally:
            house.stop()

    threading.Thread(target=until, name="idle", daemon=True).start()
    ended = house.run()
    return _conclude(found, office.config.zone) if ended else 1


def _supervise(context: typer.Context, office: Office, *, until_idle: bool) -> int:
    from mailer.service.idle import watch
    from mailer.service.log import make_log
    from mailer.service.run import STEPS
    from mailer.service.supervisor import Supervisor
    from mailer.store import observed

    _refuse_wrong_setup(office)
    if config_of(context).mode == "observe":
        say(_("mode observe: letters are decided, recorded and shown; nothing is issued, sent or moved"))
    with office.database.reading() as tx:
        left_alone = observed.unanswered(tx)
    for line in observed_lines(left_alone, office.config.mode):
        say(line)
    supervisor = Supervisor(context.obj, make_log(sys.stderr))
    _on_signals(supervisor.stop.set)
    found: list[Summary] = []
    if until_idle:

        def until() -> None:
            try:
                found.append(watch(office, STEPS))
            finally:
                supervisor.stop.set()

        threading.Thread(target=until, name="idle", daemon=True).start()
    if not supervisor.run():
        return 2
    return _conclude(found, office.config.zone) if until_idle else 0


def _refuse_wrong_setup(office: Office) -> None:
    """Everything the children will need is opened once here, so that a wrong setup ends the command at once and with a message."""
    office.open_epoch(office.worker("mailer-courier"))
    office.stationery(office.running_rules())
    office.pen()
    office.accounts()
    office.logins()
    office.hook()
    if not office.config.mailbox:
        raise SetupError("there is no [[mailbox]]: no letter can arrive")
    for mailbox in office.config.mailbox:
        office.mailbox(mailbox)
    if office.config.mode == "answer":
        office.postman()


def _conclude(found: list[Summary], zone: ZoneInfo) -> int:
    if not found:
        say(_("stopped before all was done"))
        return 1
    summary = found[0]
    say(
        _(
            "done: {kept} letters kept; {approved} approved, {refused} refused, {held} held, {ignored} ignored; {sent} replies sent"
        ).format(
            kept=summary.told("letter.kept"),
            approved=summary.told("request.approved"),
            refused=summary.told("request.refused"),
            held=summary.told("request.held"),
            ignored=summary.told("letter.ignored") + summary.told("letter.observed"),
            sent=summary.told("reply.sent"),
        )
    )
    if summary.later:
        say(_("{count} replies wait for their next attempt at {at}").format(count=summary.later, at=local(summary.next_send, zone)))
    if summary.paused:
        say(_("issuing is paused: more than [limits] issues_per_10_minutes; {count} requests wait").format(count=summary.paused))
    for pause in summary.standing_still:
        say(pause_line(pause, zone))
    for name, trouble in summary.troubles.items():
        say(_("{step} did not get through: {trouble}").format(step=name, trouble=safe_text(trouble)))
    return 1 if summary.troubles or summary.paused or summary.standing_still else 0


def _on_signals(stop: Callable[[], None]) -> None:
    def heed(_signal: int, _frame: object) -> None:
        threading.Thread(target=stop).start()  # an Event set inside a handler can wait for the very thread it interrupted

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, heed)
