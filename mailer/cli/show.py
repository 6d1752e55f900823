"""How do results look on a terminal? Everything strangers wrote goes through `safe_text`; machines get JSON.

Rich lets C1 controls and direction marks through and turns `[link=…]` into links, so it is never given such text unescaped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from gettext import gettext as _
from typing import Any, Final
from zoneinfo import ZoneInfo

import typer

from mailer.core.legible import harmless
from mailer.core.legible import safe_text as safe_text  # noqa: PLC0414  commands take it from here
from mailer.errors import MailerError, SetupErrors

LARGEST: Final = 2**53  # of the numbers a command takes: no database counts further


def say(line: str = "") -> None:
    """One line of output."""
    typer.echo(line)


def complain(error: MailerError) -> None:
    """What is wrong and what to do, on standard error, in the reader's language."""
    for problem in error.problems if isinstance(error, SetupErrors) else (error,):
        lines = translated(problem).splitlines() or [type(problem).__name__]
        typer.echo("\n".join(safe_text(line) for line in lines), err=True)


def translated(error: MailerError) -> str:
    values = {name: translated(value) if isinstance(value, MailerError) else value for name, value in error.values.items()}
    return _(error.message).format(**values)


def print_json(value: object) -> None:
    """One JSON document, or one line of a stream of them; what `safe_text` would not let through stands as JSON escapes."""
    line = json.dumps(plain(value), ensure_ascii=False)
    sys.stdout.write("".join(one if harmless(one) else json.dumps(one)[1:-1] for one in line) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table as wide as the terminal; `empty` is said instead when there is no row."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(Text(column), overflow="fold")
    for row in rows:
        drawn.add_row(*(Text("" if cell is None else safe_text(cell)) for cell in row))
    if drawn.row_count == 0:
        say(empty)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(drawn)


def local(at: datetime | None, zone: ZoneInfo) -> str:
    """A moment in the fund's zone, to the second, with its offset; empty for None."""
    return "" if at is None else at.astimezone(zone).strftime("%d.%m.%Y %H:%M:%S %z")


def brief(details: Mapping[str, Any]) -> str:
    """The details of a record on one line: digests shortened, what is empty left out."""
    parts = []
    for key, value in details.items():
        match value:
            case _ if value in (None, "", [], {}):
                continue
            case {"ref": ref, **_rest}:
                parts.append(f"{key}=#{ref}")
            case dict():
                parts.append(f"{key}=({brief(value)})")
            case list():
                parts.append(f"{key}={','.join(str(one) for one in value)}")
            case str() if len(value) in {32, 64} and value.isalnum():
                parts.append(f"{key}={value[:8]}…")
            case _:
                parts.append(f"{key}={value}")
    return " ".join(parts)


def plain(value: object) -> Any:
    """As JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value
