"""Are an office's workbooks read as Excel shows them, and is every other one refused with a sentence? All are made here."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import register, sheet
from mailer.core.register import Row
from mailer.errors import SetupError

HEADER = ["code", "organisation", "subscriber", "address", "answer_to"]
GOOD = ["290001", "ГБУЗ «Больница»", "29(Б) Иванова", "a@x.example", None]
SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(*rows: Sequence[Any], change: Callable[[Any], None] = lambda book: None) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    change(book)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def with_parts(parts: Mapping[str, bytes], content: bytes | None = None) -> bytes:
    """The workbook with these files put in, or in place of its own."""
    changed = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(content or workbook(HEADER, GOOD))) as package,
        zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in package.namelist():
            if name not in parts:
                new.writestr(name, package.read(name))
        for name, text in parts.items():
            new.writestr(name, text)
    return changed.getvalue()


def sheet_of(rows: str, before: str = "") -> bytes:
    return f'<?xml version="1.0"?>{before}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def relations(kind: str, target: str) -> bytes:
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId9" Type="{DOCUMENT}/{kind}" Target="{target}" TargetMode="External"/></Relationships>'
    ).encode()


def read(content: bytes) -> tuple[list[tuple[int, list[str]]], list[str]]:
    problems: list[SetupError] = []
    rows = sheet.rows(content, problems)
    return rows, [str(problem) for problem in problems]


def encrypted(content: bytes) -> bytes:
    """The same package, its first file marked as encrypted."""
    marked = bytearray(content)
    struct.pack_into("<H", marked, 6, struct.unpack_from("<H", marked, 6)[0] | 1)
    central = marked.index(b"PK\x01\x02")
    struct.pack_into("<H", marked, central + 8, struct.unpack_from("<H", marked, central + 8)[0] | 1)
    return bytes(marked)


def lying(unpacked_bytes: int) -> bytes:
    """A sheet that says it has ten bytes, with the checksum of those, and unpacks to many."""
    body = b"<worksheet" + b" " * (unpacked_bytes - 10)
    content = with_parts({"xl/styles.xml": b"0" * 10, SHEET: body})
    place = content.rindex(b"PK\x01\x02")  # of the part put in last
    lied = bytearray(content)
    struct.pack_into("<I", lied, place + 16, zlib.crc32(body[:10]))
    struct.pack_into("<I", lied, place + 24, 10)
    local = struct.unpack_from("<I", lied, place + 42)[0]
    struct.pack_into("<I", lied, local + 14, zlib.crc32(body[:10]))
    struct.pack_into("<I", lied, local + 22, 10)
    return bytes(lied)


def test_a_register_is_read_from_a_workbook_as_from_csv() -> None:
    rows, problems = register.read(workbook(["Код", "Организация", "Абонентский пункт", "Адрес", "Адрес для ответа"], GOOD))
    assert problems == []
    assert rows == [
        Row(line=2, code="290001", organisation="ГБУЗ «Больница»", subscriber="29(Б) Иванова", address="a@x.example", answer_to="")
    ]


def test_bad_rows_are_named_by_the_line_of_the_sheet() -> None:
    content = workbook([], HEADER, GOOD, [], ["290002", None, None, "nowhere", None])
    _rows, problems = register.read(content)
    assert [str(problem) for problem in problems] == [
        "line 5: organisation is empty",
        "line 5: address is not a mail address: nowhere",
    ]


def test_columns_beside_the_register_are_named() -> None:
    assert "unknown column телефон" in str(register.read(workbook([*HEADER, "телефон"], [*GOOD, "12"]))[1][0])


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        pytest.param("текст", "General", "текст", id="text"),
        pytest.param(290001, "General", "290001", id="number"),
        pytest.param(290001.0, "General", "290001", id="number-with-empty-fraction"),
        pytest.param(42, "000000", "000042", id="zeros-of-the-format"),
        pytest.param("007", "@", "007", id="text-of-digits"),
    ],
)
def test_a_cell_is_read_as_it_is_shown(value: Any, number_format: str, shown: str) -> None:
    def change(book: Any) -> None:
        book.active["A1"].number_format = number_format

    assert read(workbook([value], change=change)) == ([(1, [shown])], [])


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        pytest.param(1.5, "line 2, column B: the number 1.5 may have been changed", id="fraction"),
        pytest.param(2.9e17, "line 2, column B: the number", id="more-digits-than-excel-keeps"),
        pytest.param(True, "line 2, column B: the cell holds no text but True", id="boolean"),
        pytest.param(date(2026, 3, 2), "line 2, column B: the cell holds no text but 2026-03-02", id="date"),
        pytest.param("#REF!", "line 2, column B: the cell holds an error of Excel's, #REF!", id="error"),
    ],
)
def test_a_cell_that_is_no_text_is_named(value: Any, complaint: str) -> None:
    _rows, problems = read(workbook(["a", "b"], ["x", value]))
    assert len(problems) == 1
    assert complaint in problems[0]


def test_numbers_without_end_are_no_codes() -> None:
    endless = "".join(f'<c r="{column}1"><v>{value}</v></c>' for column, value in (("A", "1e999"), ("B", "nan")))
    rows, problems = read(with_parts({SHEET: sheet_of(f'<row r="1">{endless}</row>')}))
    assert problems
    assert rows == []


def test_links_that_excel_makes_of_addresses_do_no_harm() -> None:
    def change(book: Any) -> None:
        book.active["D2"].hyperlink = "mailto:a@x.example"

    rows, problems = read(workbook(HEADER, GOOD, change=change))
    assert problems == []
    assert rows[1] == (2, [*GOOD[:4]])


def two_sheets(book: Any) -> None:
    book.create_sheet("Архив")["A1"] = "старое"


def formula(book: Any) -> None:
    book.active["B2"] = "=1+1"


def web_link(book: Any) -> None:
    book.active["B2"].hyperlink = "https://x.example/"


HOSTILE = [
    pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "encrypted or in the old .xls format", id="ole"),
    pytest.param(encrypted(workbook(HEADER)), "is encrypted: save it without a password", id="encrypted-part"),
    pytest.param(b"PK\x03\x04 and nothing more", "is damaged", id="no-zip"),
    pytest.param(workbook(HEADER, GOOD)[:-400], "is damaged", id="cut"),
    pytest.param(with_parts({"xl/vbaProject.bin": b"x"}), "holds macros (xl/vbaProject.bin)", id="macros"),
    pytest.param(with_parts({"xl/macrosheets/sheet1.xml": b"<a/>"}), "holds macros", id="macro-sheet"),
    pytest.param(
        with_parts(
            {"[Content_Types].xml": b'<T><Override ContentType="application/vnd.ms-excel.sheet.macroEnabled.main+xml"/></T>'}
        ),
        "holds macros",
        id="macros-by-content-type",
    ),
    pytest.param(with_parts({"xl/externalLinks/externalLink1.xml": b"<a/>"}), "data from elsewhere", id="external-link"),
    pytest.param(with_parts({"xl/embeddings/oleObject1.bin": b"x"}), "holds embedded files", id="embedded"),
    pytest.param(with_parts({"xl/connections.xml": b"<a/>"}), "data from elsewhere", id="connection"),
    pytest.param(
        with_parts({"xl/worksheets/_rels/sheet1.xml.rels": relations("image", "\\\\host\\share")}), "outside", id="unc-image"
    ),
    pytest.param(with_parts({"xl/worksheets/_rels/sheet1.xml.rels": relations("image", "mailto:a@x")}), "outside", id="mail-image"),
    pytest.param(workbook(HEADER, GOOD, change=web_link), "refers to something outside", id="web-link"),
    pytest.param(workbook(HEADER, GOOD, change=formula), "the cell B2 holds a formula", id="formula"),
    pytest.param(
        with_parts({"xl/other.xml": sheet_of('<row r="1"><c r="A1"><f>1</f></c></row>')}),
        "the cell A1 holds a formula",
        id="formula-aside",
    ),
    pytest.param(with_parts({SHEET: sheet_of("", '<!DOCTYPE a [<!ENTITY b "c">]>')}), "declares entities", id="entities"),
    pytest.param(
        with_parts({SHEET: sheet_of("", '<!DOCTYPE a [<!ENTITY b "c">]>').decode().encode("utf-16")}),
        "declares entities",
        id="utf-16",
    ),
    pytest.param(with_parts({SHEET: b"<a>" * 1000 + b"</a>" * 1000}), "nested too deeply", id="deep"),
    pytest.param(with_parts({SHEET: b"<a>"}), "is damaged", id="broken-xml"),
    pytest.param(with_parts({SHEET: sheet_of(" " * (sheet.MOST_BYTES + 1))}), "larger than 64 MiB", id="bomb"),
    pytest.param(with_parts({"xl/styles.xml": b"<a>" + b"<b/>" * 50_001 + b"</a>"}), "more than a register can", id="styles-bomb"),
    pytest.param(with_parts({f"docProps/{n}.xml": b"<a/>" for n in range(501)}), "more than 500 files", id="many-parts"),
    pytest.param(with_parts({SHEET.upper(): b"<a/>"}), "holds a file twice", id="part-twice"),
    pytest.param(with_parts({SHEET: sheet_of('<row r="999999999"><c r="A1"/></row>')}), "beyond row 100000", id="far-row"),
    pytest.param(with_parts({SHEET: sheet_of(f'<row r="{"9" * 5000}"/>')}), "beyond row 100000", id="endless-row"),
    pytest.param(with_parts({SHEET: sheet_of('<row r="1"><c r="XFD1"/></row>')}), "the cell XFD1 stands outside", id="far-column"),
    pytest.param(with_parts({SHEET: sheet_of('<row r="1"><c r="A-1"/></row>')}), "the cell A-1 stands outside", id="no-reference"),
    pytest.param(with_parts({SHEET: sheet_of('<row r="1"><c r="A1" t="s"><v>77</v></c></row>')}), "is damaged", id="missing-text"),
    pytest.param(workbook(HEADER, GOOD, change=two_sheets), "several sheets that hold something (Sheet, Архив)", id="two-sheets"),
    pytest.param(workbook(), "the workbook is empty", id="empty"),
]


@pytest.mark.parametrize(("content", "sentence"), HOSTILE)
def test_what_is_no_plain_register_is_refused_with_a_sentence(content: bytes, sentence: str) -> None:
    rows, problems = read(content)
    assert rows == []
    assert len(problems) == 1
    assert sentence in problems[0]


def test_a_document_of_another_program_is_no_workbook() -> None:
    other = BytesIO()
    with zipfile.ZipFile(other, "w") as package:
        package.writestr("content.xml", b"<a/>")
    assert "no Excel workbook" in read(other.getvalue())[1][0]


def test_a_part_that_lies_about_its_size_is_not_unpacked() -> None:
    """Python's zipfile would unpack all of it: what was looked through, and nothing else, is what openpyxl is given."""
    rows, problems = read(lying(200 << 20))
    assert rows == []
    assert problems


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=20))
def test_a_spoilt_workbook_never_raises(place: int, spoilt: bytes) -> None:
    content = bytearray(workbook(HEADER, GOOD))
    place %= len(content)
    content[place : place + len(spoilt)] = spoilt
    if sheet.is_workbook(bytes(content)):
        read(bytes(content))


def test_columns_are_named_as_in_excel() -> None:
    assert [sheet.column(number) for number in (1, 26, 27, 702, 703)] == ["A", "Z", "AA", "ZZ", "AAA"]
