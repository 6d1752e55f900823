"""What does a table say that an office keeps? A header row and rows of text, CSV or an Excel workbook, columns in any order.

Cells are tidied: Excel leaves no-break spaces and line breaks in them, other systems letters that are taken apart, and our own
export an apostrophe before what a spreadsheet would take for a formula. Empty columns at the right edge, as Excel leaves them,
header row included, do not count; a row with a cell too few or too many is not guessed at. A row is named by the line on which it
begins.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mailer.core import csvtext, sheet
from mailer.errors import SetupError

Cells = Mapping[str, str]
Columns = Mapping[str, Sequence[str]]  # name -> other names under which offices have the same column


def read(content: bytes, columns: Columns) -> tuple[list[tuple[int, Cells]], list[SetupError]]:
    """The rows that hold anything, each with its line and its cells by column, and what is wrong with the others."""
    problems: list[SetupError] = []
    rows: list[tuple[int, Cells]] = []
    lines = iter(_lines(content, problems))
    if problems:
        return rows, problems
    first, header = next(lines, (1, []))
    names = _names(_without_empty_end(header, len(header), len(columns)), columns)
    problems += _header_problems(names, columns, first)
    if not problems:
        for line, cells in lines:
            if any(cells):
                _take(names, _without_empty_end(cells, len(header), len(names)), line, rows, problems)
    return rows, problems


def in_order(problems: Sequence[SetupError]) -> list[SetupError]:
    """By their lines."""
    return sorted(problems, key=lambda problem: int(str(problem.values.get("line", 0))))


def _lines(content: bytes, problems: list[SetupError]) -> Iterable[tuple[int, list[str]]]:
    if sheet.is_workbook(content):
        found = [(line, _tidied(cells)) for line, cells in sheet.rows(content, problems)]
        width = max((len(cells) for _line, cells in found), default=0)
        return [(line, cells + [""] * (width - len(cells))) for line, cells in found]  # a sheet has no cells too few
    text = csvtext.decoded(content)
    if text is None:
        problems.append(SetupError("the file is neither UTF-8 nor windows-1251 text"))
        return []
    return _tidied_lines(csvtext.rows(text, problems))


def _tidied_lines(lines: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    for line, cells in lines:
        yield line, _tidied(cells)


def _tidied(cells: Sequence[str]) -> list[str]:
    return [unicodedata.normalize("NFC", " ".join(csvtext.bared(cell).split())) for cell in cells]


def _names(header: Sequence[str], columns: Columns) -> list[str]:
    known = {other.casefold(): name for name, others in columns.items() for other in (name, *others)}
    return [known.get(name.casefold(), name.casefold()) for name in header]


def _without_empty_end(cells: Sequence[str], width: int, known: int) -> Sequence[str]:
    """The cells without those that stand, empty, under empty names; `width` is that of the header row as written."""
    if len(cells) <= width and not any(cells[known:]):
        return cells[:known]
    return cells


def _header_problems(names: Sequence[str], columns: Columns, line: int) -> list[SetupError]:
    problems = [
        SetupError("line {line}: the column {name} is missing", line=line, name=name) for name in columns if name not in names
    ]
    problems += [
        SetupError("line {line}: unknown column {name}; known are {known}", line=line, name=name, known=", ".join(columns))
        for name in names
        if name not in columns
    ]
    problems += [
        SetupError("line {line}: the column {name} stands twice", line=line, name=name) for name in columns if names.count(name) > 1
    ]
    return problems


def _take(names: Sequence[str], cells: Sequence[str], line: int, rows: list[tuple[int, Cells]], problems: list[SetupError]) -> None:
    if len(cells) != len(names):
        problems.append(
            SetupError("line {line}: {count} cells instead of {wanted}", line=line, count=len(cells), wanted=len(names))
        )
        return
    rows.append((line, dict(zip(names, cells, strict=True))))
