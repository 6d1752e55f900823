"""`mailer requests approve|refuse|hold|withdraw|undo`: what a person decides about requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mailer.cli.opened import officer_of
from mailer.cli.options import AsLines, Because, Numbers, OnlyTry, given
from mailer.cli.show import local, print_json, safe_text, say
from mailer.errors import SetupError
from mailer.model import Reason

if TYPE_CHECKING:
    from mailer.flow.override.requests import Decided


def add_to(noun: typer.Typer) -> None:
    """The commands under `mailer requests`."""
    noun.command("approve", help=_("Have logins issued for held requests, after a delay in which it can be undone."))(_approve)
    noun.command("refuse", help=_("Refuse held requests; the sender gets a letter."))(_refuse)
    noun.command("hold", help=_("Hold approved requests for which no login was made yet."))(_hold)
    noun.command("withdraw", help=_("Close held or approved requests without a letter."))(_withdraw)
    noun.command("undo", help=_("Take approvals back while their delay lasts."))(_undo)


def _approve(
    context: typer.Context, numbers: Numbers, *, reason: Because, dry_run: OnlyTry = False, as_json: AsLines = False
) -> None:
    from mailer.flow.override import requests as override

    why = given(reason)
    with officer_of(context, "requests approve", about=numbers, dry_run=dry_run) as (office, worker):
        policy = office.policy(office.active_rules())
        show(override.approve(worker, policy, numbers, reason=why, dry_run=dry_run), office.config.zone, as_json=as_json)


def _refuse(
    context: typer.Context,
    numbers: Numbers,
    *,
    reason: Because,
    template: Annotated[str, typer.Option("--template", help=_("Which letter."), metavar="NAME")] = "refused",
    why: Annotated[
        Reason | None, typer.Option("--why", help=_("What the letter `refused` explains; without it, it asks to get in touch."))
    ] = None,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.core.replyvalues import REFUSALS
    from mailer.flow.override import requests as override

    because = given(reason)
    if template not in REFUSALS:
        raise SetupError("there is no refusal {name}; known: {known}", name=template, known=", ".join(REFUSALS))
    with officer_of(context, "requests refuse", about=numbers, dry_run=dry_run) as (office, worker):
        refusal = override.Refusal(template=template, reason=why)
        ruleset = office.active_rules()
        policy, stationery = office.policy(ruleset), office.stationery(ruleset)
        decided = override.refuse(worker, policy, stationery, numbers, refusal, reason=because, dry_run=dry_run)
        show(decided, office.config.zone, as_json=as_json)


def _hold(context: typer.Context, numbers: Numbers, *, reason: Because, dry_run: OnlyTry = False, as_json: AsLines = False) -> None:
    from mailer.flow.override import requests as override

    why = given(reason)
    with officer_of(context, "requests hold", about=numbers, dry_run=dry_run) as (office, worker):
        show(override.hold(worker, numbers, reason=why, dry_run=dry_run), office.config.zone, as_json=as_json)


def _withdraw(
    context: typer.Context, numbers: Numbers, *, reason: Because, dry_run: OnlyTry = False, as_json: AsLines = False
) -> None:
    from mailer.flow.override import requests as override

    why = given(reason)
    with officer_of(context, "requests withdraw", about=numbers, dry_run=dry_run) as (office, worker):
        show(override.withdraw(worker, numbers, reason=why, dry_run=dry_run), office.config.zone, as_json=as_json)


def _undo(context: typer.Context, numbers: Numbers, *, reason: Because, dry_run: OnlyTry = False, as_json: AsLines = False) -> None:
    from mailer.flow.override import requests as override

    why = given(reason)
    with officer_of(context, "requests undo", about=numbers, dry_run=dry_run) as (office, worker):
        show(override.undo(worker, numbers, reason=why, dry_run=dry_run), office.config.zone, as_json=as_json)


def show(decided: Sequence[Decided], zone: ZoneInfo, *, as_json: bool) -> None:
    """What was decided, a request a line; record 0 stands for a dry run."""
    for one in decided:
        if as_json:
            print_json(
                {
                    "request_id": one.request,
                    "state": one.state.value,
                    "changed": one.record > 0,
                    "record_seq": one.record or None,
                    "issue_after": one.issue_after,
                    "answer_to": one.answer_to,
                }
            )
        else:
            for line in _lines(one, zone):
                say(line)


def _lines(one: Decided, zone: ZoneInfo) -> Iterator[str]:
    where = {"id": one.request, "state": one.state.value, "address": safe_text(one.answer_to or "")}
    if not one.record:
        said = _("request {id} would be {state}; nothing was changed") if not one.answer_to else None
        said = said or _("request {id} would be {state}, the answer goes to {address}; nothing was changed")
        yield said.format(**where)
    elif one.issue_after is not None:
        yield _("request {id}: {state}, record {record}; the answer goes to {address}").format(**where, record=one.record)
        said = _("issued from {at} on; until then: mailer requests undo {id}")
        yield "    " + said.format(id=one.request, at=local(one.issue_after, zone))
    elif one.answer_to is not None:
        yield _("request {id}: {state}, record {record}; a letter goes to {address}").format(**where, record=one.record)
    else:
        yield _("request {id}: {state}, record {record}").format(**where, record=one.record)
