"""`mailer demo`: the whole road of four letters on this machine, and of one's own letters after them."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli.noun import Noun
from mailer.cli.show import say
from mailer.errors import SetupError

if TYPE_CHECKING:
    from mailer.cli.story import Narrator
    from mailer.demo.letters import Ending, Sample
    from mailer.demo.place import Place
    from mailer.demo.program import Program, Service
    from mailer.demo.servers import Ports
    from mailer.demo.witness import Story, Witness
    from mailer.service.office import Office

DIRECTORY = Path("demo-data")
EXAMPLE = "Запрос атрибутов временного доступа = Иванов И.И."
START_SECONDS = 60.0  # a slow machine compiles everything first

Directory = Annotated[Path, typer.Option("--directory", help=_("The folder of the trial office."), metavar="DIR")]


def add_to(app: typer.Typer) -> None:
    noun = Noun(no_args_is_help=False)
    noun.callback(
        invoke_without_command=True, help=_("Show the work on this machine: four letters, their decisions, replies and records.")
    )(_demo)
    noun.command("send", help=_("Send a letter of one's own to the running demo, and show what becomes of it."))(_send)
    app.add_typer(noun, name="demo")


def _demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help=_("End by itself; exit 0 only if all four ended as they must."))] = False,
    directory: Directory = DIRECTORY,
) -> int:
    if context.invoked_subcommand is not None:
        return 0
    _refuse_without_servers()
    from mailer.demo.place import occupied
    from mailer.demo.program import Program

    # All three ends take the same way out, KeyboardInterrupt; a shell in the background starts us with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with occupied(directory) as place, _mail_servers() as ports:
        program = Program(place, os.environ)
        _found_office(place, program, ports)
        with _opened(place.config_path) as office:
            return _show_work(place, program, _witness(office, ports), office, once=once)


def _send(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help=_("The subject; it is all that is read."))],
    sender: Annotated[str, typer.Option("--from", help=_("Who writes."), metavar="ADDRESS")] = "",
    directory: Directory = DIRECTORY,
) -> int:
    _refuse_without_servers()
    from mailer.cli.story import Narrator
    from mailer.demo.letters import FIRST_ADDRESS
    from mailer.demo.place import ports_of_running

    address = _address(sender or FIRST_ADDRESS)
    ports = ports_of_running(directory)
    with _opened(directory / "mailer.toml") as office:
        story = _follow(Narrator(office.config.zone), _witness(office, ports), address, _one_line(subject))
    if not story.at_rest:
        say(_("the letter did not come to rest in time: see {path}").format(path=directory / "service.log"))
    return 0 if story.at_rest else 1


def _found_office(place: Place, program: Program, ports: Ports) -> None:
    """As an administrator would: mailer.toml, then `mailer init`, then the register."""
    say(_("mail servers: IMAP 127.0.0.1:{imap}, SMTP 127.0.0.1:{smtp}").format(imap=ports.imap, smtp=ports.smtp))
    place.furnish(ports)
    program.do("init")
    program.do("senders", "import", str(place.register_path))
    say(_("office: {path} (mailer init, mailer senders import)").format(path=_near(place.directory)))


def _show_work(place: Place, program: Program, witness: Witness, office: Office, *, once: bool) -> int:
    from mailer.cli.story import Narrator

    narrator = Narrator(office.config.zone)
    service = program.serve()
    try:
        _wait_for_work(witness, service, program)
        say(_("service: mailer run, process {pid}, log {path}").format(pid=service.pid, path=_near(place.log_path)))
        good = _four_letters(narrator, witness)
        if not once:
            place.announce(witness.ports)
            good = _stay(narrator, place, service) and good
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the way out is short; a second Ctrl-C must not leave anything behind
        stopped = service.stop()
    narrator.mark(
        stopped, _("the service stopped, nothing is left running") if stopped else _("the service did not stop by itself")
    )
    if not good or not stopped:
        say(program.last_words())
    return 0 if good and stopped else 1


def _wait_for_work(witness: Witness, service: Service, program: Program) -> None:
    deadline = monotonic() + START_SECONDS
    while not witness.service_works():
        if not service.runs() or monotonic() > deadline:
            raise SetupError("the service does not come to work:\n{log}", log=program.last_words())
        sleep(0.05)


def _four_letters(narrator: Narrator, witness: Witness) -> bool:
    from mailer.cli.story import what_is_wrong
    from mailer.demo.letters import SAMPLES

    results = []
    for number, sample in enumerate(SAMPLES, 1):
        narrator.headline(_("Letter {number} of {count}: {title}").format(number=number, count=len(SAMPLES), title=_title(sample)))
        note = _("written by an old program: bare windows-1251 in the headers") if sample.old_program else ""
        story = _follow(narrator, witness, sample.sender, sample.subject, note=note)
        flaw = witness.flaw(story, sample.ending)
        results.append((sample, flaw))
    narrator.headline(_("What became of them"))
    for number, (sample, flaw) in enumerate(results, 1):
        ended = _ended(sample.ending) if flaw is None else what_is_wrong(flaw)
        narrator.mark(flaw is None, _("{number}. {title}: {ended}").format(number=number, title=_title(sample), ended=ended))
    return all(flaw is None for _sample, flaw in results)


def _follow(narrator: Narrator, witness: Witness, sender: str, subject: str, *, note: str = "") -> Story:
    from datetime import UTC, datetime
    from smtplib import SMTPException

    from mailer.demo.letters import post, write

    posted = write(sender, subject, datetime.now(UTC), old_program=bool(note))
    foreseen = witness.foresee(posted)
    narrator.sent(posted, note)
    try:
        post(posted, witness.ports.smtp)
    except (OSError, SMTPException) as error:
        raise SetupError("the demo's mail server does not take the letter: {why}", why=error) from error
    story = witness.follow(posted, foreseen)
    narrator.became(story)
    return story


def _stay(narrator: Narrator, place: Place, service: Service) -> bool:
    """Until somebody ends it; False when the service ended first."""
    program = _as_typed()
    directory = _near(place.directory)
    where = "" if directory == str(DIRECTORY) else " --directory " + shlex.quote(directory)
    config = shlex.quote(_near(place.config_path))
    narrator.headline(_("Now your own letters"))
    say(_("The office stays open. In another terminal, from the same folder:"))
    say()
    say(f'  {program} demo send "{EXAMPLE}"{where}')
    for command in ("requests list", "requests show 1", "credentials list", "audit verify", "status"):
        say(f"  {program} --config {config} {command}")
    say()
    say(_("Ctrl-C ends it."))
    try:
        service.wait()
    except KeyboardInterrupt:
        say()
        return True
    say(_("the service ended unasked"))
    return False


def _title(sample: Sample) -> str:
    return {
        "good": _("a request as the form wants it"),
        "repaired": _("misspelt, but with only one meaning"),
        "placeholder": _("the example of the form instead of a name"),
        "stranger": _("a request from an unknown sender"),
    }[sample.name]


def _ended(ending: Ending) -> str:
    from mailer.demo.letters import Ending

    return {
        Ending.ANSWERED: _("issued and answered, the password is valid"),
        Ending.REFUSED: _("refused, and the refusal has arrived"),
        Ending.HELD: _("held for a person, nothing was answered"),
    }[ending]


def _near(path: Path) -> str:
    """The path as seen from here, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _as_typed() -> str:
    """How the reader started this program, to be typed again."""
    started = Path(sys.argv[0])
    return f"{shlex.quote(sys.executable)} -m mailer" if started.name == "__main__.py" else shlex.quote(sys.argv[0])


@contextmanager
def _mail_servers() -> Iterator[Ports]:
    from mailer.demo.place import FUND_ADDRESS
    from mailer.demo.servers import Office as MailServers

    servers = MailServers(FUND_ADDRESS)
    ports = servers.start()
    try:
        yield ports
    finally:
        servers.stop()


@contextmanager
def _opened(config_path: Path) -> Iterator[Office]:
    from mailer.config.load import load
    from mailer.demo.program import clean
    from mailer.service.office import open_office

    environ = clean(os.environ)
    office = open_office(load(config_path, environ), environ)
    try:
        yield office
    finally:
        office.close()


def _witness(office: Office, ports: Ports) -> Witness:
    from mailer.demo.witness import Witness

    return Witness(
        database=office.database,
        ruleset=office.active_rules(),
        own=office.own(),
        limits=office.limits(),
        key=office.pen().key,
        accounts=office.local_accounts(),
        ports=ports,
    )


def _address(written: str) -> str:
    from mailer.core import addresses

    found = addresses.only(written.encode("utf-8", "surrogateescape"))
    if found is None:
        raise typer.BadParameter(_("must be one mail address"), param_hint="--from")
    return found.address


def _one_line(subject: str) -> str:
    if not subject.isprintable():
        raise typer.BadParameter(_("must be one line of readable text"), param_hint="SUBJECT")
    return subject


def _refuse_without_servers() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("pymap", "aiosmtpd") if find_spec(name) is None]
    if missing:
        raise SetupError("the demo needs {packages}: install mailer[demo]", packages=", ".join(missing))
