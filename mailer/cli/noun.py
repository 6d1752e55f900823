"""How does a group of commands describe itself? In the reader's language, also where the library knows English alone."""

from __future__ import annotations

from gettext import gettext as _
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption


class Noun(typer.Typer):
    """Commands about one thing, and the program with all of them; without a command it shows its help."""

    def __init__(self, **settings: Any) -> None:
        """`settings`: as `typer.Typer`."""
        words = {"options_metavar": _("[OPTIONS]"), "subcommand_metavar": _("COMMAND [ARGS]...")}
        super().__init__(**{"cls": _Group, "no_args_is_help": True, **words, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """`settings`: as `typer.Typer.command`."""
        return super().command(name, cls=_Command, options_metavar=_("[OPTIONS]"), **settings)


class _Command(TyperCommand):
    def format_usage(self, ctx: Any, formatter: Any) -> None:
        _write_usage(self, ctx, formatter)

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        return _described(super().get_help_option(ctx))


class _Group(TyperGroup):
    def format_usage(self, ctx: Any, formatter: Any) -> None:
        _write_usage(self, ctx, formatter)

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        return _described(super().get_help_option(ctx))


def _write_usage(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    formatter.write_usage(ctx.command_path, " ".join(command.collect_usage_pieces(ctx)), prefix=_("Usage: "))


def _described(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.help = _("Show this help and exit.")
    return option
