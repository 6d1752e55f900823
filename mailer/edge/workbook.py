"""How does a table become an XLSX file? Row by row in constant memory, every cell as text: no formula, no link, no number.

A sheet holds a million rows; then the next begins. xlsxwriter would make links of `http://` and of UNC paths, and numbers and
formulas of what looks like them: all of that is off (audit.md, Export).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import xlsxwriter

ROWS_A_SHEET: Final = 1_000_000
LONGEST_CELL: Final = 32_767  # of Excel
CUT: Final = "…"


class Workbook:
    """One table. `widths` are in characters, one for each heading; `title` stands above the headings of every sheet."""

    def __init__(self, path: Path, headings: Sequence[str], widths: Sequence[int], *, title: str | None = None) -> None:
        options = {
            "constant_memory": True,
            "tmpdir": str(path.parent),
            "strings_to_numbers": False,
            "strings_to_formulas": False,
            "strings_to_urls": False,
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._bold = self._book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self._wrapped = self._book.add_format({"text_wrap": True, "valign": "top"}) if title else None
        self._headings, self._widths, self._title = headings, widths, title
        self._begin_sheet()

    def add(self, cells: Sequence[str]) -> None:
        if self._row - self._first == ROWS_A_SHEET:
            self._begin_sheet()
        for column, text in enumerate(cells):
            if text:
                shown = text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + CUT
                self._sheet.write_string(self._row, column, shown, self._wrapped)
        self._row += 1

    def close(self) -> None:
        """Write the file. OSError when it cannot be written."""
        try:
            self._book.close()
        except xlsxwriter.exceptions.FileCreateError as error:
            raise OSError(str(error)) from error

    def _begin_sheet(self) -> None:
        sheet = self._sheet = self._book.add_worksheet()
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        for column, width in enumerate(self._widths):
            sheet.set_column(column, column, width)
        above = 0 if self._title is None else 2
        if self._title is not None:
            sheet.write_string(0, 0, self._title, self._bold)
        for column, heading in enumerate(self._headings):
            sheet.write_string(above, column, heading, self._bold)
        sheet.freeze_panes(above + 1, 0)
        sheet.repeat_rows(above)
        self._first = self._row = above + 1
