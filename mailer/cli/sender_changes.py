"""`mailer senders add, edit, block, unblock, merge`: one sender of the register at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli.opened import officer_of
from mailer.cli.options import AsObject, Because, OnlyTry, agreed, dated, given, say_dry
from mailer.cli.senderwords import difference_lines, say_change, say_reached, say_row
from mailer.cli.show import LARGEST, local, print_json, safe_text, say, say_long
from mailer.errors import RefusedError, SetupError, SetupErrors
from mailer.states import CredentialState, LoginEffect, RequestState

if TYPE_CHECKING:
    from mailer.flow.override.register import Hands
    from mailer.model import Sender
    from mailer.service.office import Office
    from mailer.store.work import Worker

Code = Annotated[str, typer.Argument(metavar="CODE")]
Credentials = Annotated[
    LoginEffect,
    typer.Option("--credentials", help=_("What becomes of the sender's living logins: keep, suspend or revoke.")),
]
Day = Annotated[
    datetime | None,
    dated("--until", help=_("The last day of the block; without it, none."), metavar="DAY"),
]


def add_to(noun: typer.Typer) -> None:
    noun.command("add", help=_("Register a sender."))(_add)
    noun.command("edit", help=_("Change what the register says of a sender."))(_edit)
    noun.command("block", help=_("Refuse a sender's letters."))(_block)
    noun.command("unblock", help=_("Take a sender's letters again."))(_unblock)
    noun.command("merge", help=_("Lead all addresses of one code to another, and block the first."))(_merge)


def _add(
    context: typer.Context,
    code: Code,
    *,
    organisation: Annotated[str, typer.Option("--organisation", metavar="TEXT", help=_("Its name."))],
    reason: Because,
    addresses: Annotated[list[str] | None, typer.Option("--address", metavar="ADDRESS", help=_("May be repeated."))] = None,
    points: Annotated[
        list[str] | None, typer.Option("--subscriber", metavar="TEXT", help=_("A subscriber point; may be repeated."))
    ] = None,
    answer_to: Annotated[
        str, typer.Option("--answer-to", metavar="ADDRESS", help=_("Where answers go; else the first address."))
    ] = "",
    request: Annotated[
        int | None,
        typer.Option("--from-request", metavar="№", min=1, max=LARGEST, help=_("Also the address of this held request's letter.")),
    ] = None,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import register as override
    from mailer.model import Sender

    why = given(reason)
    with officer_of(context, "senders add", about=[code], dry_run=dry_run) as (office, worker):
        with office.database.reading() as tx:
            asking = [override.asking(tx, request)] if request is not None else []
            ways = list(dict.fromkeys([*asking, *_addresses(addresses or [])]))
            if not ways:
                raise typer.BadParameter(_("one address at least must be given"), param_hint="--address")
            row = Sender(
                code=_text("code", code),
                organisation=_text("organisation", organisation),
                answer_to=_addresses([answer_to])[0] if answer_to else ways[0],
                addresses=tuple(ways),
                points=tuple(_text("subscriber", point) for point in points or ()),
            )
            override.addable(tx, row, worker.pen.key)
        decided = None
        if not dry_run:
            override.add(worker, row, reason=why, request=request)
            decided = None if request is None else _judged(office, worker, request, reason=why)
    if as_json:
        print_json({"sender": row, "request_id": request, "request_state": decided, "changed": not dry_run})
        return
    say_row(row, changed=not dry_run)
    if request is not None and decided is not None:
        _say_judged(request, decided, row)


def _judged(office: Office, worker: Worker, request: int, *, reason: str) -> RequestState:
    """What the rules in force make of the request now that its sender is registered."""
    from mailer.flow.override import corrections

    ruleset = office.active_rules()
    (found,) = corrections.reprocess(worker, office.policy(ruleset), office.stationery(ruleset), [request], reason=reason)
    return found.state


def _say_judged(request: int, decided: RequestState, row: Sender) -> None:
    if decided is RequestState.HELD:
        say(_("request {id} is still held: `mailer requests approve {id}` has it answered").format(id=request))
        return
    say(_("request {id} by the rules in force: {state}").format(id=request, state=decided.value))
    if decided is RequestState.APPROVED:
        said = _("a login is made for it after the delay, and goes to {address}; until then: mailer requests hold {id}")
        say(said.format(id=request, address=safe_text(row.answer_to)))


def _edit(
    context: typer.Context,
    code: Code,
    *,
    reason: Because,
    organisation: Annotated[str | None, typer.Option("--organisation", metavar="TEXT", help=_("Its new name."))] = None,
    answer_to: Annotated[
        str | None, typer.Option("--answer-to", metavar="ADDRESS", help=_("Where answers go; the old address is told."))
    ] = None,
    add_addresses: Annotated[list[str] | None, typer.Option("--add-address", metavar="ADDRESS", help=_("May be repeated."))] = None,
    remove_addresses: Annotated[
        list[str] | None, typer.Option("--remove-address", metavar="ADDRESS", help=_("May be repeated."))
    ] = None,
    add_points: Annotated[list[str] | None, typer.Option("--add-subscriber", metavar="TEXT", help=_("May be repeated."))] = None,
    remove_points: Annotated[
        list[str] | None, typer.Option("--remove-subscriber", metavar="TEXT", help=_("May be repeated."))
    ] = None,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.core import registerplan
    from mailer.core.registerplan import Change, Edit
    from mailer.flow.override import register as override

    why = given(reason)
    wanted = Edit(
        organisation=None if organisation is None else _text("organisation", organisation),
        answer_to=None if answer_to is None else _addresses([answer_to])[0],
        add_addresses=tuple(_addresses(add_addresses or [])),
        remove_addresses=tuple(_addresses(remove_addresses or [])),
        add_points=tuple(_text("subscriber", point) for point in add_points or ()),
        remove_points=tuple(remove_points or ()),
    )
    with officer_of(context, "senders edit", about=[code], dry_run=dry_run) as (office, worker):
        if dry_run:
            with office.database.reading() as tx:
                before = override.believed(tx, code, worker.pen.key)
                change = Change(before=before, after=registerplan.edited(before, wanted))
                override.refuse_unchanged(change)
                override.refuse_taken(tx, change.after)
        else:
            change = override.edit(worker, hands(office), code, wanted, reason=why)
    say_change(change, as_json=as_json, changed=not dry_run)


def _block(
    context: typer.Context,
    code: Code,
    *,
    reason: Because,
    effect: Credentials,
    until: Day = None,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.core import registerplan
    from mailer.flow.override import closing
    from mailer.flow.override import register as override
    from mailer.service.office import clock

    why = given(reason)
    with officer_of(context, "senders block", about=[code], dry_run=dry_run) as (office, worker):
        zone = office.config.zone
        end = None if until is None else datetime.combine(until.date(), time(23, 59, 59), zone).astimezone(UTC)
        if end is not None and end < clock():
            raise RefusedError("the last day of the block is over already")
        if dry_run:
            with office.database.reading() as tx:
                after = registerplan.blocked(override.believed(tx, code, worker.pen.key), reason=why, until=end)
                reached = closing.reach(tx, code, effect)
        else:
            change, reached = override.block(worker, hands(office), code, until=end, effect=effect, reason=why)
            after = change.after
    if as_json:
        print_json({"sender": after, "reached": reached, "changed": not dry_run})
        return
    say(_("{code}: blocked, until {until}").format(code=safe_text(code), until=local(end, zone) or _("a person lifts it")))
    say_reached(reached, changed=not dry_run)


def _unblock(context: typer.Context, code: Code, *, reason: Because, dry_run: OnlyTry = False, as_json: AsObject = False) -> None:
    from mailer.flow.override import register as override
    from mailer.store import credentials

    why = given(reason)
    with officer_of(context, "senders unblock", about=[code], dry_run=dry_run) as (office, worker):
        if dry_run:
            with office.database.reading() as tx:
                after = override.unblocked(override.believed(tx, code, worker.pen.key))
        else:
            after = override.unblock(worker, hands(office), code, reason=why).after
        with office.database.reading() as tx:
            suspended = len(credentials.of_sender(tx, code, (CredentialState.SUSPENDED,)))
    if as_json:
        print_json({"sender": after, "suspended": suspended, "changed": not dry_run})
        return
    say(_("{code}: no longer blocked").format(code=safe_text(code)))
    if suspended:
        said = _(
            "logins that stay suspended: {count}; `mailer credentials list --state suspended` shows them, "
            "`mailer credentials reissue LOGIN --reason …` has a new one issued in place of one"
        )
        say_long(said.format(count=suspended), indent="")
    say_dry(changed=not dry_run)


def _merge(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help=_("The code that is closed."))],
    into: Annotated[str, typer.Argument(metavar="INTO", help=_("The code that lives on."))],
    *,
    reason: Because,
    effect: Credentials,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask."))] = False,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import closing
    from mailer.flow.override import register as override

    why = given(reason)
    with officer_of(context, "senders merge", about=[code, into], dry_run=dry_run) as (office, worker):
        with office.database.reading() as tx:
            changes = override.joined(tx, code, into, worker.pen.key, at=worker.clock(), reason=why)
            reached = closing.reach(tx, code, effect)
        if not as_json:
            for change in changes:
                say(safe_text(change.after.code))
                for line in difference_lines(change):
                    say("    " + line)
            said = _("{code} is blocked; its addresses and subscriber points lead to {into}")
            say(said.format(code=safe_text(code), into=safe_text(into)))
            say_reached(reached, changed=not dry_run)
        if not dry_run:
            if not agreed(yes=yes, needed=True, as_json=as_json):
                return
            reached = override.merge(worker, hands(office), code, into, effect=effect, reason=why)
    if as_json:
        after = [change.after for change in changes]
        print_json({"senders": after, "reached": reached, "changed": not dry_run})


def hands(office: Office) -> Hands:
    from mailer.flow.override.register import Hands
    from mailer.store import places

    return Hands(stationery=office.stationery(office.active_rules()), accounts=places)


def _addresses(written: Sequence[str]) -> list[str]:
    from mailer.core import register

    found = {one: register.bare_address(one.strip()) for one in written}
    bad = [SetupError("{written} is not a mail address", written=one) for one, address in found.items() if address is None]
    if bad:
        raise SetupErrors(bad)
    return [address for address in found.values() if address is not None]


def _text(column: str, written: str) -> str:
    from mailer.core import register

    said = " ".join(written.split())
    fault = register.text_fault(column, said)
    if fault is not None:
        raise fault
    return said
