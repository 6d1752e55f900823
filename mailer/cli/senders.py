"""`mailer senders`: the office's register of who may ask: what stands in it, and whole files of it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import sender_changes
from mailer.cli.noun import Noun
from mailer.cli.opened import office_of, officer_of
from mailer.cli.options import AsLines, AsObject, Because, OnlyTry, agreed, say_dry
from mailer.cli.sender_changes import hands
from mailer.cli.senderwords import difference_lines, reached_lines
from mailer.cli.show import local, print_json, safe_text, say, say_long, table
from mailer.errors import RefusedError, SetupError, SetupErrors
from mailer.states import LoginEffect

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mailer.core.registerplan import Plan
    from mailer.flow.override.closing import Reach
    from mailer.model import Sender
    from mailer.service.office import Office
    from mailer.store.db import Tx

EXAMPLE = (
    "code,organisation,subscriber,address,answer_to\n"
    '290001,"ГБУЗ АО «Городская больница № 1»",29(ГБ1) Регистратура Иванова И.И.,gb1@clinic.example,\n'
    "290002,ООО «Зубная клиника»,,office@dent.example,answers@dent.example\n"
)


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("The register of senders."))
    noun.command("import", help=_("Fill the register from a CSV or XLSX file; a file with a bad row changes nothing."))(_import)
    noun.command("list", help=_("Show the register."))(_list)
    noun.command("show", help=_("Show one sender; that you looked is recorded."))(_show)
    noun.command("export", help=_("Print the register as a file that import reads; that you did is recorded."))(_export)
    noun.command("template", help=_("Print an example file."))(_template)
    sender_changes.add_to(noun)
    app.add_typer(noun, name="senders")


def _import(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help=_("CSV or XLSX; - is standard input."))],
    *,
    replaces: Annotated[
        bool,
        typer.Option("--replace", help=_("The file is the whole register: block who is not in it, remove what it does not name.")),
    ] = False,
    effect: Annotated[
        LoginEffect | None, typer.Option("--credentials", help=_("With --replace: what becomes of the logins of who is blocked."))
    ] = None,
    reason: Because = "",
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask."))] = False,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import register as override

    if replaces and not (effect and reason.strip()):
        raise typer.BadParameter(_("needs --credentials and --reason beside it"), param_hint="--replace")
    content = read_file(file)
    with officer_of(context, "senders import", dry_run=dry_run) as (office, worker):
        found = _checked(office, file, content, replaces=replaces)
        with office.database.reading() as tx:
            plan = override.planned(tx, found, worker.pen.key, replaces=replaces)
            reached = _reach(tx, plan, effect)
        if not as_json:
            _preview(plan, reached, len(found))
            say_dry(changed=not dry_run)
        if not dry_run:
            if not agreed(yes=yes, needed=bool(plan.changed or plan.anew or plan.removed), as_json=as_json):
                return
            override.import_file(
                worker,
                hands(office),
                found,
                plan,
                replaces=replaces,
                effect=effect or LoginEffect.KEEP,
                reason=reason.strip(),
                file_digest=hashlib.sha256(content).hexdigest(),
            )
    if as_json:
        print_json({**_as_object(plan), "reached": reached, "changed": not dry_run and not plan.is_empty})


def read_file(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SetupError("the file {path} cannot be read: {why}", path=file, why=error.strerror) from error


def _checked(office: Office, file: str, content: bytes, *, replaces: bool) -> list[Sender]:
    """What the file says; SetupErrors with all that is wrong in it. What a stranger wrote into the register counts for nothing."""
    from mailer.core import officetable, register
    from mailer.store import senders

    rows, problems = register.read(content)
    if not rows and not problems:
        problems = [SetupError("the file names no sender")]
    with office.database.reading() as tx:
        faults = senders.faults(tx, office.pen().key)
        every = senders.every(tx)
    named = {row.code for row in rows}
    believed = [one for one in every if one.code not in faults or one.code not in named]
    others = [one for one in believed if one.code not in named] if replaces else believed
    problems = officetable.in_order([*problems, *register.conflicts(rows, others)])
    if problems:
        raise SetupErrors([*problems, SetupError("{path}: nothing was imported", path=file)])
    return register.senders(rows, believed)


def _reach(tx: Tx, plan: Plan, effect: LoginEffect | None) -> Reach:
    from mailer.flow.override import closing

    reaches = [closing.reach(tx, sender.code, effect) for sender in plan.removed if effect is not None]
    return sum(reaches, closing.Reach())


def _preview(plan: Plan, reached: Reach, count: int) -> None:
    """What the import does, row by row, and the sum last, where the question follows."""
    for sender in plan.new:
        say("+ " + _row(sender))
    for change in plan.changed:
        say("~ " + safe_text(change.after.code))
        for line in difference_lines(change):
            say("    " + line)
    for sender in plan.anew:
        say("! " + _row(sender) + "  " + _("(the row was changed by somebody else and is written anew)"))
    for sender in plan.removed:
        say("- " + _row(sender) + "  " + _("(is blocked)"))
    for line in reached_lines(reached):
        say(line)
    said = _("{count} senders read: {new} new, {changed} changed").format(
        count=count, new=len(plan.new), changed=len(plan.changed) + len(plan.anew)
    )
    say(said + (_(", {removed} not in the file are blocked").format(removed=len(plan.removed)) if plan.removed else ""))


def _row(sender: Sender) -> str:
    return safe_text(f"{sender.code}  {sender.organisation}  {', '.join(sender.addresses)} -> {sender.answer_to}")


def _as_object(plan: Plan) -> dict[str, object]:
    from mailer.core import registerplan

    return {
        "new": plan.new,
        "edited": [
            {
                "sender_code": change.after.code,
                "changes": [
                    {"column": column, "before": before or None, "after": after or None}
                    for column, before, after in registerplan.differences(change.before, change.after)
                ],
            }
            for change in plan.changed
            if change.before is not None
        ],
        "anew": plan.anew,
        "removed": [sender.code for sender in plan.removed],
        "same": plan.same,
    }


def _list(context: typer.Context, as_json: AsLines = False) -> None:
    from mailer.service.office import clock
    from mailer.store import senders

    with office_of(context) as office, office.database.reading() as tx:
        found = senders.every(tx)
    if as_json:
        for sender in found:
            print_json(sender)
        return
    now, zone = clock(), office.config.zone
    table(
        [_("code"), _("organisation"), _("addresses"), _("subscriber points"), _("answers to"), _("blocked")],
        (
            (
                sender.code,
                sender.organisation,
                ", ".join(sender.addresses),
                "; ".join(sender.points),
                sender.answer_to,
                (local(sender.blocked_until, zone) or _("yes")) if sender.is_blocked(now) else "",
            )
            for sender in found
        ),
        empty=_("the register is empty: mailer senders import FILE.csv"),
    )


def _show(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE")],
    as_json: AsObject = False,
) -> None:
    from mailer.errors import MailerError
    from mailer.flow.override import register as override
    from mailer.service.office import clock
    from mailer.store import persons

    with officer_of(context, "senders show", about=[code]) as (office, worker):
        row = override.show(worker, code)
        with office.database.reading() as tx:
            listed = {one.sender_code: one.listed_persons for one in persons.lists(tx, worker.pen.key)}.get(code)
            of_list = persons.fault(tx, code, worker.pen.key)
    sender, zone = row.sender, office.config.zone
    blocked = sender.is_blocked(clock())
    if as_json:
        print_json({"sender": sender, "is_blocked": blocked, "fault": row.fault, "listed_persons": listed, "list_fault": of_list})
    else:
        for name, said in _about(sender, blocked=blocked, listed=listed, zone=zone):
            say_long(f"{name}: {safe_text(said)}", indent="")
        if of_list is not None:
            say(_("{code}: {why}: nobody counts as listed").format(code=safe_text(code), why=_(of_list)))
    if row.fault is not None:
        raise RefusedError("nothing of this row is believed: {why}", why=MailerError(row.fault))


def _about(sender: Sender, *, blocked: bool, listed: int | None, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    yield _("code"), sender.code
    yield _("organisation"), sender.organisation
    yield from ((_("address"), address) for address in sender.addresses)
    yield from ((_("subscriber point"), point) for point in sender.points)
    yield _("answers to"), sender.answer_to
    if sender.answer_changed_at is not None:
        yield _("changed"), local(sender.answer_changed_at, zone)
    if blocked:
        yield _("blocked"), sender.block_reason or _("yes")
        yield _("until"), local(sender.blocked_until, zone) or _("a person lifts it")
    if listed is not None:
        yield _("persons on its list"), str(listed)


def _export(
    context: typer.Context,
    *,
    bom: Annotated[bool, typer.Option("--bom", help=_("Begin with a byte order mark, for Excel."))] = False,
    semicolon: Annotated[bool, typer.Option("--semicolon", help=_("Part cells by semicolons, for Excel in Russian."))] = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import register as override

    with officer_of(context, "senders export") as (_office, worker):
        found = override.export(worker)
    if as_json:
        for sender in found:
            print_json(sender)
        return
    sys.stdout.buffer.write(_csv(found, semicolon=semicolon).encode("utf-8-sig" if bom else "utf-8"))
    sys.stdout.flush()


def _csv(found: Sequence[Sender], *, semicolon: bool) -> str:
    from mailer.core import csvtext, register, registerplan

    lines = [list(register.COLUMNS), *(line for sender in found for line in registerplan.lines_of(sender))]
    return csvtext.written(lines, semicolon=semicolon)


def _template() -> None:
    say(EXAMPLE.rstrip("\n"))
