"""How do results look on a terminal? Everything strangers wrote goes through `safe_text`; machines get JSON.

Rich lets C1 controls and direction marks through and turns `[link=…]` into links, so it is never given such text unescaped.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import typer

from mailer.cli.termwords import term_words
from mailer.core.legible import harmless
from mailer.core.legible import safe_text as safe_text  # noqa: PLC0414  commands take it from here
from mailer.errors import N_, MailerError, SetupErrors
from mailer.model import PersonName

if TYPE_CHECKING:
    from rich.table import Table

WIDEST: Final = 100  # columns
WIDEST_CELL: Final = 48
NARROWEST: Final = 14  # what a column of a table is folded to at most
GAP: Final = 2  # between the columns of a table
OF_THE_SYSTEM: Final = frozenset(  # what it says in English of a file or a connection, whatever the locale
    {
        N_("Connection refused"),
        N_("Connection timed out"),
        N_("File exists"),
        N_("Is a directory"),
        N_("Name or service not known"),
        N_("No such file or directory"),
        N_("No space left on device"),
        N_("Not a directory"),
        N_("Permission denied"),
        N_("Read-only file system"),
        N_("Temporary failure in name resolution"),
    }
)
PLACE: Final = re.compile(r"\{\w+(:[^}]*)?\}")  # of a value in a sentence
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
    return _(error.message).format(**{name: _said(value) for name, value in error.values.items()})


def _said(value: object) -> object:
    if isinstance(value, MailerError):
        return translated(value)
    said = value.strerror if isinstance(value, OSError) and value.strerror else value
    return _(said) if isinstance(said, str) and said in OF_THE_SYSTEM else said


def print_json(value: object) -> None:
    """One JSON document, or one line of a stream of them; what `safe_text` would not let through stands as JSON escapes."""
    line = json.dumps(plain(value), ensure_ascii=False)
    sys.stdout.write("".join(one if harmless(one) else json.dumps(one)[1:-1] for one in line) + "\n")


def hint(line: str, *, as_json: bool) -> None:
    """What can be done next: beside the output, where that is for a file or another program."""
    typer.echo(line, err=as_json or not sys.stdout.isatty())


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str, beneath: bool = False) -> None:
    """On a terminal a table as wide as it is; elsewhere a row a line, no boxes, no colour. `empty` is said when there is no row.

    `beneath`: the last column is long, and on a terminal stands under its row.
    """
    from rich.console import Console

    cells = [["" if cell is None else safe_text(cell) for cell in row] for row in rows]
    console = Console(highlight=False)
    if not cells:
        say(empty)
    elif console.is_terminal and beneath:
        for line, last in zip(_aligned([row[:-1] for row in (columns, *cells)]), ("", *(row[-1] for row in cells)), strict=True):
            say_long(line, indent="")
            say_long(last, indent="    ")
    elif console.is_terminal:
        console.print(drawn(columns, cells, width=console.width))
    else:
        for line in _aligned([columns, *cells]):
            say(line)


def drawn(columns: Sequence[str], cells: Sequence[Sequence[str]], *, width: int) -> Table:
    """Cells as a table for a terminal of this width: text, never markup; they must have gone through `safe_text`."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    whole = _whole([max(map(_width, column)) for column in zip(columns, *cells, strict=True)], width)
    for place, column in enumerate(columns):
        made.add_column(Text(column), overflow="fold", no_wrap=place in whole)
    for row in cells:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _whole(widths: Sequence[int], room: int) -> set[int]:
    """The columns that are not folded: the narrowest, as long as the others still get NARROWEST each."""
    left = room - GAP * (len(widths) - 1)
    found: set[int] = set()
    for place in sorted(range(len(widths)), key=widths.__getitem__):
        left -= widths[place]
        if left < NARROWEST * (len(widths) - len(found) - 1):
            break
        found.add(place)
    return found


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns side by side; a cell longer than WIDEST_CELL stands out of its column, so that the others stay narrow."""
    from rich.cells import set_cell_size

    widths = [
        max((width for cell in column if (width := _width(cell)) <= WIDEST_CELL), default=0) for column in zip(*rows, strict=True)
    ]
    for row in rows:
        padded = (cell if _width(cell) > width else set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _width(cell: str) -> int:
    from rich.cells import cell_len

    return cell_len(cell)


def say_long(text: str, *, indent: str = "  ", then: str = "    ") -> None:
    """Text on lines of WIDEST columns at most, indented, from the second one on by `then`; it may be parted at its spaces."""
    for line in textwrap.wrap(text, WIDEST, initial_indent=indent, subsequent_indent=then, break_on_hyphens=False):
        say(line)


def minute(at: datetime | None, zone: ZoneInfo) -> str:
    """A moment in the fund's zone, to the minute, for lists; empty for None."""
    return "" if at is None else at.astimezone(zone).strftime("%d.%m.%Y %H:%M")


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
            case str() if key == "term_rule":
                parts.append(f"{key}={term_words(value)}")
            case str() if key == "why":
                parts.append(f"{key}={_why(value)}")
            case str() if len(value) in {32, 64} and value.isalnum():
                parts.append(f"{key}={value[:8]}…")
            case _:
                parts.append(f"{key}={value}")
    return " ".join(parts)


def _why(told: str) -> str:
    """Why a command was refused: the record holds the sentence, or several, without its values, since some are names."""
    whole = _(told)
    return PLACE.sub("…", whole if whole != told else "; ".join(_(one) if one else "" for one in told.split("; ")))


def plain(value: object) -> Any:
    """As JSON has it, in the form that docs/json.md promises."""
    if is_dataclass(value) and not isinstance(value, type):
        told = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return told | {"canonical": value.canonical} if isinstance(value, PersonName) else told
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return _plain_one(value)


def _plain_one(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, (Path, MailerError)) else value
