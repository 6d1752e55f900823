"""What cells stand in a CSV file as offices have them? UTF-8 with or without BOM, or windows-1251; `,` or `;` (Excel's habit here).

Cells are given as they stand, nothing is tidied. UTF-8 that was damaged on its way is not taken for windows-1251. No complaint
quotes a cell: it may be a password. What we write ourselves is RFC 4180, and no cell of it is a formula to a spreadsheet: strangers
wrote some of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Final

from mailer.errors import SetupError

_FORMULA: Final = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # and their full-width twins, which Excel takes for them
_BREAKS: Final = ("\t", "\r", "\n")  # where a spreadsheet may begin a cell of its own
_GUARD: Final = "'"


def decoded(content: bytes) -> str | None:
    """The text, or None when it is in neither encoding."""
    for charset in ("utf-8-sig", "windows-1251"):
        try:
            text = content.decode(charset)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text or (charset == "windows-1251" and _is_damaged_utf8(content)) else text
    return None


def rows(text: str, problems: list[SetupError]) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of its first line; of one that is no CSV only the problem is told."""
    first_line = text.partition("\n")[0].partition("\r")[0]
    delimiter = ";" if first_line.count(";") > first_line.count(",") else ","
    table = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = table.line_num + 1
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:  # the next row begins on the next line
            problems.append(_broken(line, str(error)))
        else:
            yield line, cells


def written(rows: Iterable[Sequence[str]], *, semicolon: bool = False) -> str:
    """Rows as RFC 4180 has them, each ended by CRLF; `semicolon` for Excel in Russian. Formulas are neutralised."""
    text = StringIO(newline="")
    table = csv.writer(text, delimiter=";" if semicolon else ",", lineterminator="\r\n")
    table.writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def harmless(cell: str) -> str:
    """The cell with an apostrophe in front where a spreadsheet would calculate it instead of showing it.

    So has one that stood in such a form already, or `bared` would take its own apostrophe away.
    """
    return _GUARD + cell if _is_calculated(cell.lstrip(_GUARD)) else cell


def bared(cell: str) -> str:
    """A cell as it was before `harmless`."""
    return cell[1:] if cell.startswith(_GUARD) and _is_calculated(cell.lstrip(_GUARD)) else cell


def _is_calculated(cell: str) -> bool:
    return cell.startswith(_BREAKS) or cell.lstrip().startswith(_FORMULA)


def _broken(line: int, why: str) -> SetupError:
    """What the csv module says of a row, in words of ours."""
    if "end of data" in why:
        return SetupError("line {line}: a cell begins with a quote that is never closed", line=line)
    if "expected after" in why:
        return SetupError("line {line}: text stands behind a closing quote", line=line)
    if "field limit" in why:
        return SetupError("line {line}: a cell is longer than {limit} characters", line=line, limit=csv.field_size_limit())
    return SetupError("line {line}: {why}", line=line, why=why)


def _is_damaged_utf8(content: bytes) -> bool:
    """Whether more Cyrillic letters can be read as UTF-8 than cannot: in Russian windows-1251 text nearly none can."""
    text = content.decode("utf-8", "replace")
    return sum("\u0400" <= letter <= "\u04ff" for letter in text) > text.count("\ufffd")
