"""What stands in the cells of an Excel workbook? One sheet of text, as an office keeps a register; everything else is refused.

A workbook is a ZIP of XML files (ECMA-376) and may come from anybody. openpyxl is never given the package as it came: it is
unpacked here, piece by piece and up to a limit, each XML file is looked through for its depth, its size and document types
(entities), and what passed is packed anew. Refused, with a sentence each: encrypted and old binary files, macros, parts from
elsewhere and embedded ones, formulas, and whatever is larger than a register can be. A `mailto:` link, which Excel makes of every
typed address, loads nothing and is left aside; so are pictures and printer settings.

Cells are given as text, nothing is tidied: whole numbers without exponent and with the zeros that their format shows in front.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from io import BytesIO
from typing import Any, Final
from xml.parsers import expat

from mailer.errors import N_, SetupError

MOST_PARTS: Final = 500  # files in the package
MOST_BYTES: Final = 64 << 20  # of all its XML, unpacked
MOST_ROWS: Final = 100_000
MOST_COLUMNS: Final = 200
MOST_ELEMENTS: Final = 1_500_000  # of XML in a sheet or its texts
MOST_ELEMENTS_ELSEWHERE: Final = 50_000  # styles and the like, which openpyxl makes objects of
DEEPEST: Final = 40  # XML elements within each other; Excel's own reach about 15
LONGEST_NUMBER: Final = 10**15  # Excel keeps 15 digits and makes zeros of the others

_PIECE: Final = 1 << 16
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # MS-CFB: Excel 97, and every workbook with a password
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main "
_MACROS: Final = re.compile(r"vbaproject|vbadata|macrosheets/|activex/|customui", re.IGNORECASE)
_FOREIGN: Final = re.compile(r"externallinks/|embeddings/|connections\.xml|querytables/|webextensions/|xl/model/", re.IGNORECASE)
_XML: Final = re.compile(r"\.(?:xml|rels)$", re.IGNORECASE)
_LARGE: Final = re.compile(r"xl/(?:worksheets/[^/]+|sharedStrings)\.xml")
_ROW: Final = re.compile(r"[0-9]{1,9}")
_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_ONLY_ZEROS: Final = re.compile(r"0{1,40}")


class _Refused(Exception):
    """Ends the look through the package."""

    def __init__(self, problem: SetupError) -> None:
        super().__init__(str(problem))
        self.problem = problem


def is_workbook(content: bytes) -> bool:
    """Whether these bytes mean to be an Excel workbook of any kind; text never begins so."""
    return content.startswith((*_ZIP, _OLE))


def rows(content: bytes, problems: list[SetupError]) -> list[tuple[int, list[str]]]:
    """The rows that hold anything, each with its number in the sheet; of a bad cell or workbook only the problem is told."""
    try:
        return list(_cells(_repacked(content), problems))
    except _Refused as refused:
        problems.append(refused.problem)
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, NotImplementedError) as error:
        problems.append(_damaged(error))
    return []


def column(number: int) -> str:
    """The letters of a column as Excel names it, counted from 1: A, Z, AA."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _damaged(error: Exception) -> SetupError:
    return SetupError("the workbook is damaged ({why}): open it in Excel and save it again as .xlsx", why=error)


def _repacked(content: bytes) -> bytes:
    """A package of our own with the XML files of this one, looked through; what may not be read raises _Refused."""
    if content.startswith(_OLE):
        raise _Refused(SetupError("the workbook is encrypted or in the old .xls format: save it as .xlsx without a password"))
    packed = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as package, zipfile.ZipFile(packed, "w") as clean:
        parts = package.infolist()
        _check_names(parts)
        left = MOST_BYTES
        for part in parts:
            if _XML.search(part.filename):
                text = _unpacked(package, part, left)
                left -= len(text)
                _Look(part.filename).through(text)
                clean.writestr(part.filename, text)
    return packed.getvalue()


def _check_names(parts: Sequence[zipfile.ZipInfo]) -> None:
    if len(parts) > MOST_PARTS:
        raise _Refused(SetupError("the workbook holds more than {limit} files: copy the register into a new one", limit=MOST_PARTS))
    if len({part.filename.casefold() for part in parts}) != len(parts):
        raise _Refused(SetupError("the workbook holds a file twice: copy the register into a new one"))
    for part in parts:
        if part.flag_bits & 0x1:
            raise _Refused(SetupError("the workbook is encrypted: save it without a password"))
        if _MACROS.search(part.filename):
            raise _Refused(SetupError("the workbook holds macros ({part}): save it as .xlsx without them", part=part.filename))
        if _FOREIGN.search(part.filename):
            raise _Refused(
                SetupError(
                    "the workbook holds embedded files or data from elsewhere ({part}): copy the register into a new one",
                    part=part.filename,
                )
            )
    if not any(part.filename == "xl/workbook.xml" for part in parts):
        raise _Refused(SetupError("the file is no Excel workbook: save it as .xlsx or CSV"))


def _unpacked(package: zipfile.ZipFile, part: zipfile.ZipInfo, limit: int) -> bytes:
    """Piece by piece: a package may say that its files are smaller than they are, and `read` unpacks all the same."""
    pieces = []
    with package.open(part) as packed:
        while piece := packed.read(_PIECE):
            limit -= len(piece)
            if limit < 0:
                raise _Refused(
                    SetupError(
                        "unpacked, the workbook is larger than {size} MiB, as no register is: copy the register into a new one",
                        size=MOST_BYTES >> 20,
                    )
                )
            pieces.append(piece)
    return b"".join(pieces)


class _Look:
    """One pass over an XML file of the package, by a parser that loads nothing and stops at the first thing that may not be."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._depth = 0
        self._row = 0
        self._cell = ""
        self._elements = MOST_ELEMENTS if _LARGE.fullmatch(part) else MOST_ELEMENTS_ELSEWHERE
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._begins
        self._parser.EndElementHandler = self._ends
        self._parser.StartDoctypeDeclHandler = self._doctype

    def through(self, content: bytes) -> None:
        self._parser.Parse(content, True)

    def _doctype(self, *_declared: object) -> None:
        raise self._refused(N_("the workbook declares entities ({part}), as no register does: copy it into a new one"))

    def _ends(self, _name: str) -> None:
        self._depth -= 1

    def _begins(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements -= 1
        if self._depth > DEEPEST:
            raise self._refused(N_("the workbook is nested too deeply ({part}): copy the register into a new one"))
        if self._elements < 0:
            raise self._refused(N_("the workbook holds more than a register can ({part}): copy the register into a new one"))
        if name.startswith(_MAIN):
            self._check_sheet(name.removeprefix(_MAIN), attributes)
            return
        if name.endswith(" Relationship"):
            self._check_target(attributes)
        if "macroenabled" in attributes.get("ContentType", "").lower():
            raise self._refused(N_("the workbook holds macros ({part}): save it as .xlsx without them"))

    def _check_sheet(self, name: str, attributes: dict[str, str]) -> None:
        """Wherever a sheet lies in the package: its rows and cells are named so, and nothing else is."""
        match name:
            case "row":
                self._check_row(attributes.get("r", ""))
            case "c":
                self._check_cell(attributes.get("r", ""))
            case "f":
                raise _Refused(
                    SetupError("the cell {cell} holds a formula: in Excel, paste the register as values only", cell=self._cell)
                )

    def _check_target(self, attributes: dict[str, str]) -> None:
        is_mail = attributes.get("Type", "").endswith("/hyperlink") and attributes.get("Target", "").lower().startswith("mailto:")
        if attributes.get("TargetMode") == "External" and not is_mail:
            raise self._refused(N_("the workbook refers to something outside ({part}): remove its links, or copy the values alone"))

    def _check_row(self, written: str) -> None:
        self._row = int(written) if _ROW.fullmatch(written) else self._row + 1
        if self._row > MOST_ROWS or (written and not _ROW.fullmatch(written)):
            raise _Refused(SetupError("the sheet goes on beyond row {limit}, as no register does", limit=MOST_ROWS))

    def _check_cell(self, written: str) -> None:
        self._cell = written[:20]
        reference = _REFERENCE.fullmatch(written)
        if written and (reference is None or int(reference[2]) > MOST_ROWS or _number(reference[1]) > MOST_COLUMNS):
            raise _Refused(
                SetupError(
                    "the cell {cell} stands outside of what a register can hold ({rows} rows, {columns} columns)",
                    cell=self._cell,
                    rows=MOST_ROWS,
                    columns=MOST_COLUMNS,
                )
            )

    def _refused(self, message: str) -> _Refused:
        return _Refused(SetupError(message, part=self._part))


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _cells(package: bytes, problems: list[SetupError]) -> Iterator[tuple[int, list[str]]]:
    import openpyxl  # noqa: PLC0415  slow to load, and most registers are CSV
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        book = openpyxl.load_workbook(BytesIO(package), read_only=True, data_only=False, keep_links=False)
        sheets = [sheet for sheet in book.worksheets if _holds_anything(sheet)]
    except (InvalidFileException, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        # What a crooked package makes openpyxl trip over; it reads all cells once before any is taken.
        raise _Refused(_damaged(error)) from error
    if not sheets:
        raise _Refused(SetupError("the workbook is empty"))
    if len(sheets) > 1:
        raise _Refused(
            SetupError(
                "the workbook has several sheets that hold something ({sheets}): leave only the register in it",
                sheets=", ".join(sheet.title for sheet in sheets),
            )
        )
    yield from _rows_of(sheets[0], problems)


def _holds_anything(sheet: Any) -> bool:
    sheet.reset_dimensions()  # what the file says of its own size is not believed
    return any(cell.value is not None for row in sheet.iter_rows() for cell in row)


def _rows_of(sheet: Any, problems: list[SetupError]) -> Iterator[tuple[int, list[str]]]:
    for line, row in enumerate(sheet.iter_rows(), 1):
        cells = [_text(cell, line, place, problems) for place, cell in enumerate(row, 1)]
        while cells and not cells[-1]:
            cells.pop()  # a shorter row is filled up by who reads it
        if cells:
            yield line, cells


def _text(cell: Any, line: int, place: int, problems: list[SetupError]) -> str:
    """The cell as Excel shows it, or "" with a problem."""
    value = cell.value
    complaint = None
    match value:
        case None:
            return ""
        case str() if cell.data_type == "e":
            complaint = N_("line {line}, column {column}: the cell holds an error of Excel's, {value}")
        case str():
            return value
        case bool() | date() | time() | timedelta():
            complaint = N_("line {line}, column {column}: the cell holds no text but {value}: format the column as text")
        case int() | float() if not abs(value) < LONGEST_NUMBER or value != int(value):  # so written for what is no number
            complaint = N_(
                "line {line}, column {column}: the number {value} may have been changed by Excel: format the column as text"
            )
        case int() | float():
            return _as_shown(int(value), str(cell.number_format))
        case _:
            complaint = N_("line {line}, column {column}: the cell holds no text but {value}: format the column as text")
    problems.append(SetupError(complaint, line=line, column=column(place), value=str(value)[:100]))
    return ""


def _as_shown(number: int, number_format: str) -> str:
    """A code like 000042 is often a number with a format of zeros."""
    return f"{number:0{len(number_format)}d}" if _ONLY_ZEROS.fullmatch(number_format) else str(number)
