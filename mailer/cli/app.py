"""How does a command start and end? Locale, `--config` wherever it stands, and errors turned into a sentence and an exit code."""

from __future__ import annotations

import gettext
import os
import sys
from collections.abc import Callable, Sequence
from gettext import gettext as _
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.core import TyperOption
from typer.exceptions import Abort, Exit, TyperException
from typer.main import get_command

from mailer.cli.noun import Noun
from mailer.cli.show import complain, safe_text
from mailer.cli.usage import in_words
from mailer.errors import (
    N_,
    EdgeError,
    LeaseLostError,
    MailerError,
    NotFoundError,
    RecordError,
    RefusedError,
    SetupError,
)
from mailer.service.words import LOCALE

DONE, NEGATIVE, WRONG, REFUSED, WAITING, NO_RECORD = range(6)
EXIT_CODES: Final = (
    (SetupError, WRONG),
    (RecordError, NO_RECORD),
    (RefusedError, REFUSED),
    (NotFoundError, NEGATIVE),
    (EdgeError, NEGATIVE),
    (LeaseLostError, NEGATIVE),
)
COMMANDS: Final = (
    "init",
    "check",
    "doctor",
    "run",
    "status",
    "pause",
    "resume",
    "explain",
    "senders",
    "persons",
    "accounts",
    "letters",
    "requests",
    "issue",
    "credentials",
    "rules",
    "keys",
    "personal",
    "audit",
    "demo",
    "help",
)
# What typer itself says through gettext; marked here so that it comes into our catalogue, which is the process's one.
WORDS_OF_TYPER: Final = (
    N_("Arguments"),
    N_("Options"),
    N_("Commands"),
    N_("default: {default}"),
    N_("required"),
    N_("env var: {var}"),
    N_("(dynamic)"),
    N_("Aborted!"),
    N_("Show completion for the current shell, to copy it or customize the installation."),
)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    speak()
    try:
        outcome = _run(_config_first(arguments))
    except Exit as end:
        return int(end.exit_code)
    except TyperException as error:
        _complain_of_usage(error)
        return WRONG
    except Abort:
        return NEGATIVE
    except MailerError as error:
        complain(error)
        return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), NEGATIVE)
    except BrokenPipeError:  # the reader of our output (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return outcome if isinstance(outcome, int) else DONE


def _run(arguments: Sequence[str]) -> object:
    if any("\udc80" <= character <= "\udcff" for character in "".join(arguments)):  # bytes that Python could not decode
        raise SetupError("an argument is not text in the encoding of this terminal")
    return _program(arguments)(arguments, prog_name="mailer", standalone_mode=False)


def _program(arguments: Sequence[str]) -> Callable[..., object]:
    """The program, with `--show-completion` in the reader's language; typer's other option would write into the user's files."""
    command = get_command(build(arguments))
    command.params = [parameter for parameter in command.params if parameter.name != "install_completion"]
    for parameter in command.params:
        if isinstance(parameter, TyperOption) and parameter.name == "show_completion" and parameter.help:
            parameter.help = _(parameter.help)
    return command


def _complain_of_usage(error: TyperException) -> None:
    said = error.format_message()
    if type(error).__name__ != "NoArgsIsHelpError":  # that one's message is the help itself; typer keeps the class to itself
        said = _("wrong usage: {why} (see --help)").format(why=safe_text(in_words(" ".join(said.split()))))
    typer.echo(said, err=True)


def speak() -> None:
    """Choose the language by the locale; typer's and click's own words come from the same catalogue."""
    gettext.bindtextdomain("mailer", str(LOCALE))
    gettext.textdomain("mailer")


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The program with all its commands; with the one command alone that these arguments name, since making all takes time."""
    app = Noun(
        name="mailer",
        help=_("The request desk: takes letters, decides by rules, issues portal access, answers and keeps the record."),
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    app.callback()(_root)
    for noun in [argument for argument in arguments if argument in COMMANDS] or COMMANDS:
        import_module(f"mailer.cli.{noun}").add_to(app)
    return app


def _root(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Option("--config", envvar="MAILER_CONFIG", help=_("The configuration; also after the command."), metavar="FILE"),
    ] = Path("mailer.toml"),
) -> None:
    context.obj = config


def _config_first(arguments: Sequence[str]) -> list[str]:
    """`mailer run --config FILE` means the same as `mailer --config FILE run`."""
    rest: list[str] = []
    config: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            return [*config, *rest, argument, *waiting]
        if argument == "--config":
            config = [argument, *[value for value in [next(waiting, None)] if value is not None]]
        elif argument.startswith("--config="):
            config = [argument]
        else:
            rest.append(argument)
    return [*config, *rest]
