"""`mailer requests correct` and `reprocess`: a name that was misread, and verdicts by the rules of today."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli.decisions import show
from mailer.cli.opened import officer_of
from mailer.cli.options import AsLines, Because, OnlyTry, confirmed, dated, given
from mailer.cli.show import LARGEST, print_json, say, table
from mailer.errors import RefusedError, SetupError

if TYPE_CHECKING:
    from mailer.flow.override.corrections import Rejudged


def add_to(noun: typer.Typer) -> None:
    """The commands under `mailer requests`."""
    noun.command("correct", help=_("Say whom a held request is for, where its name was misread; a person then approves it."))(
        _correct
    )
    noun.command("reprocess", help=_("Judge held requests anew from their letters, by the rules in force."))(_reprocess)


def _correct(
    context: typer.Context,
    request: Annotated[int, typer.Argument(metavar="№", min=1, max=LARGEST)],
    *,
    name: Annotated[str, typer.Option("--name", help=_("Surname and initials."), metavar="NAME")],
    reason: Because,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import corrections as override

    why = given(reason)
    with officer_of(context, "requests correct", about=[request], dry_run=dry_run) as (office, worker):
        policy = office.policy(office.active_rules())
        decided = override.correct(worker, policy, request, name, reason=why, dry_run=dry_run)
        show([decided], office.config.zone, as_json=as_json)
    if not (as_json or dry_run):
        say(_("it waits for an approval: mailer requests approve {id}").format(id=request))


def _reprocess(
    context: typer.Context,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="№…", min=1, max=LARGEST)] = None,
    *,
    reason: Because,
    since: Annotated[
        datetime | None,
        dated("--since", help=_("All held requests from this day on instead of numbers.")),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask; only with numbers."))] = False,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import corrections as override
    from mailer.store import requests

    why = given(reason)
    if bool(numbers) == bool(since):
        raise SetupError("give either numbers of requests or --since with a day")
    if yes and not numbers:
        raise SetupError("--yes goes with numbers alone: what --since finds must be looked at first")
    with officer_of(context, "requests reprocess", about=numbers or [], dry_run=dry_run) as (office, worker):
        ruleset = office.active_rules()
        policy, stationery = office.policy(ruleset), office.stationery(ruleset)
        if since is not None:
            with office.database.reading() as tx:
                numbers = requests.held_since(tx, since.replace(tzinfo=office.config.zone))
        preview = override.reprocess(worker, policy, stationery, numbers or [], reason=why, dry_run=True)
        changing = [one.request for one in preview if one.changes]
        if dry_run or not changing:
            _show(preview, as_json=as_json)
            if dry_run and changing and not as_json:
                say(_("nothing was changed"))
            return
        if not yes:
            if as_json:
                raise RefusedError(
                    "nothing was changed: look at what changes with --dry-run, then name those requests and say --yes"
                )
            _show(preview, as_json=False)
            if not confirmed(_("Change {count} requests?").format(count=len(changing))):
                raise typer.Abort
        _show(override.reprocess(worker, policy, stationery, changing, reason=why), as_json=as_json)


def _show(found: Sequence[Rejudged], *, as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(
                {
                    "request_id": one.request,
                    "old": {"rule_id": one.old_rule, "reason": one.old_reason},
                    "new": {"rule_id": one.rule, "reason": one.reason},
                    "state": one.state.value,
                    "differs": one.changes,
                    "stays": one.stays,
                    "changed": one.record > 0,
                    "record_seq": one.record or None,
                }
            )
        return
    table(
        ["№", _("was"), _("is"), _("state"), _("entry")],
        ((one.request, _named(one.old_rule, one.old_reason), _new(one), one.state.value, one.record or "") for one in found),
        empty=_("no held request to judge anew"),
    )
    if found and not any(one.changes for one in found):
        say(_("nothing changes"))


def _new(one: Rejudged) -> str:
    if one.stays is not None:
        return _("not asked: {why}").format(why=_(one.stays))
    return _named(one.rule, one.reason) if one.changes else "="


def _named(rule: str, reason: str | None) -> str:
    return rule if reason in {None, rule} else f"{rule} ({reason})"
