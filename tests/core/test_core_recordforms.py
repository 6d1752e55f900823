"""Records as lines and cells: what strangers or attackers put into them stays inside its place."""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime
from io import StringIO

import pytest

from mailer.core import bundle, evidence, merkle, recordforms
from mailer.core.csvtext import written
from mailer.core.evidence import Record, Sealed

AT = datetime(2026, 11, 23, 9, 0, 0, 123456, UTC)
HOSTILE = [
    pytest.param('=HYPERLINK("http://evil.example";"тут")', id="formula"),
    pytest.param("  +7 900 000-00-00", id="plus-after-blanks"),
    pytest.param("@SUM(A1)", id="at"),
    pytest.param("-2+3+cmd|' /C calc'!A0", id="dde"),
    pytest.param("＝1+1", id="full-width"),
    pytest.param("\t=1", id="tab"),
    pytest.param('строка\r\n;вторая,"третья"', id="line-break"),
    pytest.param("имя\u202eлиам", id="bidi"),
    pytest.param("\x1b]0;x\x07", id="terminal"),
    pytest.param("a=b|c\\d cs1=поддельно", id="cef"),
    pytest.param("http://evil.example/x", id="link"),
    pytest.param("\\\\evil\\share", id="unc"),
]


def sealed(text: str, *, seq: int = 7) -> Sealed:
    """A record whose actor, sender and details hold the text."""
    record = Record(event="letter.dropped", actor=text, sender=text, request=3, importance="alarm", details={"reason": text})
    return evidence.seal(record, seq=seq, at=AT, nonce=b"n" * 16, key=b"k" * 32)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_json_line_gives_back_what_was_written_in_one_line(text: str) -> None:
    line = recordforms.json_line(sealed(text))
    assert line.count(b"\n") == 1
    read = json.loads(line)
    assert (read["seq"], read["actor"], read["details"]) == (7, text, {"reason": text})
    assert list(read) == [*evidence.HEADER_KEYS, "details"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("semicolon", [False, True], ids=["comma", "semicolon"])
def test_a_csv_row_stays_a_row_and_no_cell_is_a_formula(text: str, semicolon: bool) -> None:
    table = written([recordforms.COLUMNS, recordforms.cells(sealed(text))], semicolon=semicolon)
    heading, row = csv.reader(StringIO(table, newline=""), delimiter=";" if semicolon else ",", strict=True)
    assert heading == list(recordforms.COLUMNS)
    assert len(row) == len(heading)
    for one in row:
        assert not one.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r"))
        assert one.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cef_line_has_its_eight_parts_and_no_key_that_a_stranger_wrote(text: str) -> None:
    line = recordforms.cef_line(sealed(text), version="1.0").decode()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    parts = _split(line[:-1], "|", 7)
    assert parts[:7] == ["CEF:0", "mailer", "mailer", "1.0", "letter.dropped", "letter.dropped", "9"]
    told = _pairs(parts[7])
    assert list(told) == ["rt", "externalId", "suser", "outcome", "cs1Label", "cs1", "cn1Label", "cn1", "cs2Label", "cs2"]
    assert told["rt"] == "1795424400123"


def test_cef_escapes_are_read_back() -> None:
    told = _pairs(_split(recordforms.cef_line(sealed("a=b\\c"), version="1").decode()[:-1], "|", 7)[7])
    assert told["suser"] == "a=b\\c"


def test_the_right_edge_of_a_bundle_completes_the_tree() -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(70)]
    for size in range(71):
        for last in range(size + 1):
            edge = [(1, leaf) for leaf in leaves[:last]]
            spans = list(bundle.right_spans(last, size))
            assert [place for span in spans for place in range(*span)] == list(range(last, size))
            edge += [(end - start, merkle.root_of(leaves[start:end])) for start, end in spans]
            assert _joined(edge) == merkle.root_of(leaves[:size])


def test_a_withheld_line_tells_the_header_and_nothing_else() -> None:
    one = sealed("тайна", seq=random.Random(1).randrange(1, 10**6))
    line = json.loads(bundle.record_line(one, withheld=True))
    assert set(line) == {"seq", "header", "details_hash"}
    assert "nonce" not in line


def _split(text: str, mark: str, times: int) -> list[str]:
    """At marks that no backslash stands before."""
    parts, start, place = [], 0, 0
    while place < len(text) and len(parts) < times:
        if text[place] == "\\":
            place += 1
        elif text[place] == mark:
            parts.append(text[start:place])
            start = place + 1
        place += 1
    return [*parts, text[start:]]


def _pairs(extension: str) -> dict[str, str]:
    """Keys and values as a SIEM reads them: a key is the word before a bare equals sign."""
    found: dict[str, str] = {}
    pieces = _split(extension, "=", 10**6)
    key = pieces[0]
    for piece in pieces[1:-1]:
        value, _, following = piece.rpartition(" ")
        found[key] = _bare(value)
        key = following
    found[key] = _bare(pieces[-1])
    return found


def _bare(value: str) -> str:
    return value.replace("\\=", "=").replace("\\\\", "\\")


def _joined(subtrees: list[tuple[int, bytes]]) -> bytes:
    edge: list[tuple[int, bytes]] = []
    for leaves, root in subtrees:
        count, found = leaves, root
        while edge and edge[-1][0] == count:
            found = merkle.node_hash(edge.pop()[1], found)
            count *= 2
        edge.append((count, found))
    if not edge:
        return merkle.EMPTY_ROOT
    joined = edge[-1][1]
    for _, left in reversed(edge[:-1]):
        joined = merkle.node_hash(left, joined)
    return joined
