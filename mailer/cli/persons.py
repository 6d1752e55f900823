"""`mailer persons`: for whom an organisation may ask, where the office has a list of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli.noun import Noun
from mailer.cli.opened import office_of, officer_of
from mailer.cli.options import AsLines, AsObject, Because, OnlyTry, agreed, say_dry
from mailer.cli.senders import read_file
from mailer.cli.show import local, print_json, safe_text, say, table
from mailer.errors import SetupError, SetupErrors

if TYPE_CHECKING:
    from mailer.core.personlist import Listing
    from mailer.model import PersonName
    from mailer.service.office import Office


def add_to(app: typer.Typer) -> None:
    noun = Noun(
        help=_("Lists of persons for whom organisations may ask; with a list, a letter for anybody else waits for a person."),
    )
    noun.command("import", help=_("Take in lists from a CSV or XLSX file; a file with a bad row changes nothing."))(_import)
    noun.command("list", help=_("Show which senders have a list."))(_list)
    noun.command("show", help=_("Show who is on a sender's list; that you looked is recorded."))(_show)
    app.add_typer(noun, name="persons")


def _import(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help=_("CSV or XLSX; - is standard input."))],
    *,
    replaces: Annotated[
        bool, typer.Option("--replace", help=_("The file holds the whole lists of its senders: take off who is not in it."))
    ] = False,
    reason: Because = "",
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask."))] = False,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import persons as override

    content = read_file(file)
    with officer_of(context, "persons import", dry_run=dry_run) as (office, worker):
        people = _checked(office, file, content)
        with office.database.reading() as tx:
            plan = override.planned(tx, people, worker.pen.key, replaces=replaces)
        if not as_json:
            _preview(plan)
            say_dry(changed=not dry_run)
        if not dry_run:
            if not agreed(yes=yes, needed=any(one.removed or one.is_new for one in plan), as_json=as_json):
                return
            digest = hashlib.sha256(content).hexdigest()
            override.import_file(worker, people, plan, replaces=replaces, reason=reason.strip(), file_digest=digest)
    if as_json:
        changed = not dry_run and any(one.added or one.removed or one.is_new for one in plan)
        print_json({"lists": plan, "changed": changed})


def _checked(office: Office, file: str, content: bytes) -> Mapping[str, Sequence[PersonName]]:
    from mailer.core import personlist
    from mailer.store import senders

    with office.database.reading() as tx:
        codes = {sender.code for sender in senders.every(tx)}
    people, problems = personlist.read(content, codes)
    if not people and not problems:
        problems = [SetupError("the file names nobody")]
    if problems:
        raise SetupErrors([*problems, SetupError("{path}: nothing was imported", path=file)])
    return people


def _preview(plan: Sequence[Listing]) -> None:
    for listing in plan:
        if listing.is_new:
            say(
                _("{code}: the first list; letters for anybody else will wait for a person").format(
                    code=safe_text(listing.sender_code)
                )
            )
        for sign, people in (("+", listing.added), ("-", listing.removed)):
            for person in people:
                say(safe_text(f"{sign} {listing.sender_code}  {person.canonical}"))
    say(
        _("{lists} lists: {added} persons new, {removed} taken off, {same} as before").format(
            lists=len(plan),
            added=sum(len(one.added) for one in plan),
            removed=sum(len(one.removed) for one in plan),
            same=sum(one.same for one in plan),
        )
    )


def _list(context: typer.Context, as_json: AsLines = False) -> None:
    from mailer.store import persons

    with office_of(context) as office, office.database.reading() as tx:
        found, faults = persons.lists(tx, office.pen().key), persons.faults(tx, office.pen().key)
    if as_json:
        for one in found:
            print_json(one)
        return
    table(
        [_("code"), _("persons"), _("loaded")],
        ((one.sender_code, one.listed_persons, local(one.loaded_at, office.config.zone)) for one in found),
        empty="" if faults else _("there are no lists: any sender may ask for anybody"),
    )
    for code, why in faults.items():
        say(_("{code}: {why}: nobody counts as listed").format(code=safe_text(code), why=_(why)))


def _show(context: typer.Context, code: Annotated[str, typer.Argument(metavar="CODE")], as_json: AsObject = False) -> None:
    from mailer.errors import MailerError, RefusedError
    from mailer.flow.override import persons as override

    with officer_of(context, "persons show", about=[code]) as (_office, worker):
        found, fault = override.show(worker, code)
    names = None if found is None else [one.value for one in found]
    if as_json:
        print_json({"sender_code": code, "persons": names, "fault": fault})
    else:
        _say_names(code, names, fault)
    if fault is not None:
        raise RefusedError(
            "nothing of this list is believed, each request waits for a person: {why}: "
            "`mailer persons import --replace` of the whole list writes it anew",
            why=MailerError(fault),
        )


def _say_names(code: str, names: Sequence[str | None] | None, fault: str | None) -> None:
    if names is None and fault is None:
        say(_("{code} has no list: it may ask for anybody").format(code=safe_text(code)))
    for name in names or ():
        say(safe_text(name) if name is not None else _("(erased)"))
