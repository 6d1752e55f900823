"""`mailer personal`: what stands here of one person, handed over or destroyed; and what was kept long enough."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import progress
from mailer.cli.newfiles import new_file
from mailer.cli.noun import Noun
from mailer.cli.opened import officer_of
from mailer.cli.options import AsLines, AsObject, OnlyTry, given
from mailer.cli.personal_show import show_cleared, show_erased, show_found
from mailer.cli.show import plain, safe_text, say
from mailer.errors import EdgeError, SetupError

if TYPE_CHECKING:
    from mailer.edge.papers import Papers
    from mailer.flow.override.destruction import Order
    from mailer.flow.override.personal import Asked
    from mailer.service.office import Office
    from mailer.store.work import Worker

Name = Annotated[str, typer.Argument(metavar="NAME", help=_("As «Иванов И.И.»."))]
Senders = Annotated[
    list[str] | None,
    typer.Option("--sender", metavar="CODE", help=_("At this organisation only; - is none in the register; may be repeated.")),
]
Because = Annotated[str, typer.Option("--reason", help=_("Why; stands in record and act, and names no person."), metavar="TEXT")]
Acts = Annotated[Path | None, typer.Option("--acts", help=_("The folder for act and extract."), metavar="DIR")]


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("Personal data: found, handed over, destroyed."))
    noun.command("find", help=_("Show where the data of one person stands: numbers and counts."))(_find)
    noun.command("export", help=_("Write all that we hold of one person to a new JSON file, for that person."))(_export)
    noun.command("erase", help=_("Destroy the data of one person, or what was kept long enough; writes the act."))(_erase)
    noun.command("reapply", help=_("Destroy once more what a restored database holds again, and tidy its files."))(_reapply)
    noun.command("clear", help=_("Remove letters from the done folders: those erased here, or kept there too long."))(_clear)
    app.add_typer(noun, name="personal")


def _find(context: typer.Context, name: Name, sender: Senders = None, as_json: AsObject = False) -> None:
    from mailer.flow.override import personal

    with officer_of(context, "personal find") as (office, worker), _watched(worker) as advance:
        found = personal.find(worker, _asked(office, name, sender), advance)
    show_found(found, as_json=as_json)


def _export(
    context: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("A file that is not there yet."))],
    sender: Senders = None,
) -> None:
    from mailer.flow.override import personal

    with officer_of(context, "personal export") as (office, worker), new_file(file) as target, _watched(worker) as advance:
        held = personal.export(worker, _asked(office, name, sender), advance)
        written = json.dumps(plain(held), ensure_ascii=False, indent=2) + "\n"
        target.write(written.encode())
    say(_("{path}: all that is held of this person").format(path=safe_text(file)))


def _erase(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help=_("As «Иванов И.И.»; without it --expired."))] = None,
    *,
    reason: Because,
    sender: Senders = None,
    expired: Annotated[bool, typer.Option("--expired", help=_("What was kept for as long as the configuration says."))] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help=_("First end logins, waiting answers and open requests."))] = False,
    acts: Acts = None,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import destruction, personal

    why = given(reason)
    if (name is None) is not expired or (expired and (sender or revoke)):
        raise typer.BadParameter(_("give a name, or --expired alone"), param_hint="NAME")
    with officer_of(context, "personal erase", dry_run=dry_run) as (office, worker):
        if name is not None:
            with _watched(worker) as advance:
                found = personal.find(worker, _asked(office, name, sender), advance)
            order = destruction.order_of(found, reason=why, revoke=revoke)
            register = found.register
        else:
            order, register = _expired(office, worker, why), []
        _carry_out(office, worker, order, acts, dry_run=dry_run, as_json=as_json)
    if register and not as_json:
        told = _("the register of senders names this person: {codes}. That is changed there, with `mailer senders`")
        say(told.format(codes=safe_text(", ".join(register))))


def _reapply(
    context: typer.Context,
    reason: Because,
    acts: Acts = None,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import destruction

    why = given(reason)
    with officer_of(context, "personal reapply", dry_run=dry_run) as (office, worker):
        bureau = office.bureau()
        with worker.reading() as tx:
            order = destruction.returned(tx, bureau, reason=why)
            left = destruction.unfinished(tx, bureau.outside)
        if order.again:
            _carry_out(office, worker, order, acts, dry_run=dry_run, as_json=as_json)
        elif not left.uncompacted:
            _say_nothing(worker, order, _("nothing that was destroyed stands here"), as_json=as_json)
        elif dry_run:
            said = _("the files of the database would be written anew; nothing was changed")
            _say_nothing(worker, order, said, as_json=as_json)
        else:
            _compact(office, worker)
            _say_nothing(worker, order, _("the files of the database were written anew"), as_json=as_json, changed=True)


def _clear(
    context: typer.Context,
    reason: Because,
    acts: Acts = None,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from datetime import timedelta

    from mailer.flow.override import filed
    from mailer.service.office import clock

    why = given(reason)
    with officer_of(context, "personal clear", dry_run=dry_run) as (office, worker):
        days = office.config.retention.done_days
        before = None if days is None else clock() - timedelta(days=days)
        for settings in office.config.mailbox:
            folder, paths = office.done_folder(settings), list[Path]()
            try:
                found = filed.condemned(worker, folder, settings.name, before=before)
                if found and not dry_run:
                    with _papers(office, acts, "-" + settings.name) as papers:
                        filed.remove(worker, office.bureau(), papers, folder, found, mailbox=settings.name, reason=why)
                        paths = papers.paths
            finally:
                folder.close()
            show_cleared(settings.name, found, paths, as_json=as_json)


def _papers(office: Office, acts: Path | None, more: str = "") -> Papers:
    from mailer.edge.papers import Papers
    from mailer.service.office import clock

    folder = acts or office.config.path(office.config.retention.acts)
    return Papers(folder, f"{clock().astimezone(office.config.zone):%Y%m%d-%H%M%S}{more}")


def _expired(office: Office, worker: Worker, reason: str) -> Order:
    from mailer.flow.override import destruction
    from mailer.service.office import clock

    letters_days, names_days = office.config.letters.keep_days, office.config.retention.names_days
    if letters_days is None and names_days is None:
        raise SetupError("nothing ends by time: set [letters] keep_days or [retention] names_days")
    with worker.reading() as tx:
        return destruction.expired(tx, clock(), letters_days=letters_days, names_days=names_days, reason=reason)


def _carry_out(office: Office, worker: Worker, order: Order, acts: Path | None, *, dry_run: bool, as_json: bool) -> None:
    from mailer.flow.override import destruction
    from mailer.store import compaction, db

    if dry_run:
        with worker.reading() as tx:
            held, living = destruction.foresee(tx, order)
        show_erased(held, [], living, as_json=as_json, changed=False)
        return
    if not (order.person_ids or order.letter_ids or order.again):
        _say_nothing(worker, order, _("there is nothing to destroy"), as_json=as_json)
        return
    owner = db.Database(office.config.owner_url)
    try:
        compaction.check(owner)
    finally:
        owner.close()
    with _papers(office, acts) as papers:
        held = destruction.destroy(worker, office.bureau(), papers, order)
        paths = papers.paths
    show_erased(held, paths, [], as_json=as_json, changed=True)
    _compact(office, worker)


def _say_nothing(worker: Worker, order: Order, sentence: str, *, as_json: bool, changed: bool = False) -> None:
    """Nothing was destroyed: a sentence, or the object with nothing in it."""
    from mailer.flow.override import destruction

    if not as_json:
        say(sentence)
        return
    with worker.reading() as tx:
        held, living = destruction.foresee(tx, order)
    show_erased(held, [], living, as_json=True, changed=changed)


def _compact(office: Office, worker: Worker) -> None:
    from mailer.flow.override import destruction
    from mailer.store import compaction, db

    owner = db.Database(office.config.owner_url)
    try:
        compaction.compact(owner)
    except EdgeError as error:
        raise EdgeError(
            "erased, but it may still lie in the files of the database; sign no act before `mailer personal reapply` has written "
            "them anew. {why}",
            why=error,
        ) from error
    finally:
        owner.close()
    destruction.compacted(worker)


def _asked(office: Office, name: str, sender: Sequence[str] | None) -> Asked:
    from mailer.flow.override import personal

    codes = None if not sender else {"" if code == "-" else code for code in sender}
    return personal.asked_for(name, codes, office.active_rules().form, office.own())


@contextmanager
def _watched(worker: Worker) -> Iterator[Callable[[int], object]]:
    """While letters are looked through."""
    from mailer.store import erasure

    with worker.reading() as tx:
        count = erasure.count_with_bytes(tx)
    with progress.bar(_("letters"), count) as advance:
        yield advance
