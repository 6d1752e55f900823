"""Can text of strangers do anything to a terminal, and does a machine read back what was shown to it?"""

from __future__ import annotations

import errno
import json
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.cli.app import speak
from mailer.cli.show import OF_THE_SYSTEM, brief, complain, local, print_json, safe_text, table
from mailer.errors import SetupError, SetupErrors

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param("Больница № 1, ё «й» — 100 %", "Больница № 1, ё «й» — 100 %", id="plain"),
        pytest.param("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m", id="escape"),
        pytest.param("a\0b\tc\nd\re\x7f", "a\\x00b\\x09c\\x0ad\\x0de\\x7f", id="c0"),
        pytest.param("\x9b31m\x85", "\\x9b31m\\x85", id="c1"),
        pytest.param("\u202eexe.txt\u2066", "\\u202eexe.txt\\u2066", id="bidi"),
        pytest.param("a\u200bb\u00ad\ufeff", "a\\u200bb\\xad\\ufeff", id="invisible"),
        pytest.param("a\u2028b\u2029c", "a\\u2028b\\u2029c", id="line-separators"),
        pytest.param("a\u00a0b\u3000c", "a\\xa0b\\u3000c", id="other-spaces"),
        pytest.param("\ud800", "\\ud800", id="surrogate"),
        pytest.param("\ue000\U000e0041", "\\ue000\\U000e0041", id="private-and-tags"),
        pytest.param("\U0001f600", "\U0001f600", id="emoji"),
        pytest.param(None, "None", id="no-text"),
    ],
)
def test_what_could_act_is_written_out(written: object, shown: str) -> None:
    assert safe_text(written) == shown


@given(ANY_TEXT)
def test_nothing_shown_can_act(written: str) -> None:
    shown = safe_text(written)
    assert all(character == " " or unicodedata.category(character)[0] not in "CZ" for character in shown)
    assert safe_text(shown) == shown
    assert shown.encode().decode() == shown


HOSTILE = "[link=https://x.example]щёлк[/link] [bold red]x[/] :smile: \x1b]8;;https://x.example\x1b\\ \u202e"


def test_a_table_draws_no_markup_and_no_links(capsys: pytest.CaptureFixture[str]) -> None:
    table(["№", "[bold]тема[/bold]"], [(1, HOSTILE), (None, "вторая")], empty="пусто")
    drawn = capsys.readouterr().out
    assert "[bold]тема[/bold]" in drawn
    assert "[link=https://x.example]щёлк[/link] [bold red]x[/] :smile: \\x1b]8;;https://x.example\\x1b\\ \\u202e" in drawn
    assert "\x1b" not in drawn
    assert "None" not in drawn


def test_a_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table(["№"], [], empty="пусто")
    assert capsys.readouterr().out == "пусто\n"


def test_a_long_cell_is_folded_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    table(["тема"], [("ы" * 1000,)], empty="пусто")
    assert capsys.readouterr().out.count("ы") == 1000


def test_a_narrow_column_is_whole_where_a_wide_one_is_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "40"}.items():
        monkeypatch.setenv(name, value)
    table(["логин", "тема"], [("tmp-29-sb3j7v3f", "слово " * 10)], empty="")
    heading, _rule, first, *more = capsys.readouterr().out.splitlines()
    assert "логин" in heading
    assert first.startswith("tmp-29-sb3j7v3f  слово слово")
    assert [line.split()[0] for line in more] == ["слово"] * 3


def test_a_column_beneath_has_lines_of_its_own(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(1, "letter.kept", "слово " * 20), (2, "letter.shown", "")]
    table(["№", "событие", "сведения"], rows, empty="", beneath=True)
    assert len(capsys.readouterr().out.splitlines()) == 3
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    table(["№", "событие", "сведения"], rows, empty="", beneath=True)
    words = ("слово " * 20).split()
    assert capsys.readouterr().out.splitlines() == [
        "№  событие",
        "1  letter.kept",
        "    " + " ".join(words[:16]),
        "    " + " ".join(words[16:]),
        "2  letter.shown",
    ]


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    at: datetime
    day: date
    colour: Colour
    content: bytes
    parts: tuple[object, ...]
    counts: Mapping[Colour, int]
    nothing: None = None


def test_nouns_become_json(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 11, 23, 9, tzinfo=UTC)
    print_json(Thing(at=at, day=at.date(), colour=Colour.RED, content=b"\xff", parts=(1, at, True), counts={Colour.RED: 2}))
    assert json.loads(capsys.readouterr().out) == {
        "at": "2026-11-23T09:00:00.000000+00:00",
        "day": "2026-11-23",
        "colour": "red",
        "content": "ff",
        "parts": [1, "2026-11-23T09:00:00.000000+00:00", True],
        "counts": {"red": 2},
        "nothing": None,
    }


def test_json_is_legible_and_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"тема": "ё \x1b[0m \x9b1m \u2028 \u202e \ud800 \U000e0041"})
    said = capsys.readouterr().out
    assert said == '{"тема": "ё \\u001b[0m \\u009b1m \\u2028 \\u202e \\ud800 \\udb40\\udc41"}\n'


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.integers() | st.none() | st.lists(st.booleans())))
def test_json_is_one_line_and_reads_back(value: dict[str, Any]) -> None:
    import io
    from contextlib import redirect_stdout

    with redirect_stdout(io.StringIO()) as said:
        print_json(value)
    (line,) = said.getvalue().splitlines()
    assert json.loads(line) == json.loads(json.dumps(value))
    assert line.encode()


@pytest.mark.parametrize(
    ("details", "line"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"a": None, "b": "", "c": [], "d": {}}, "", id="empty-values"),
        pytest.param({"a": 0, "b": False}, "a=0 b=False", id="zero-says-something"),
        pytest.param({"note": "ё", "count": 3}, "note=ё count=3", id="plain"),
        pytest.param({"ruleset": "ab" * 32, "reply": "12" * 16}, "ruleset=abababab… reply=12121212…", id="digests"),
        pytest.param({"why": "x" * 31 + " "}, "why=" + "x" * 31 + " ", id="as-long-as-a-digest"),
        pytest.param({"person": {"ref": 7, "digest": "ab" * 32}}, "person=#7", id="personal"),
        pytest.param({"repairs": ["case", "dash"]}, "repairs=case,dash", id="list"),
        pytest.param({"decided": {"rule": "issue", "reason": None}}, "decided=(rule=issue)", id="inside"),
    ],
)
def test_details_on_one_line(details: Mapping[str, Any], line: str) -> None:
    assert brief(details) == line


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("the credential {login} is {state} and cannot be revoked", "логин … в состоянии …: отозвать его нельзя"),
        ("the file names nobody; {path}: nothing was imported", "в файле нет ни одного лица; …: ничего не загружено"),
        ("по решению офицера", "по решению офицера"),
    ],
    ids=["one", "several", "of a rule"],
)
def test_why_a_command_was_refused_stands_in_the_readers_language(told: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "ru")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    speak()
    assert brief({"why": told}) == f"why={shown}"


def test_a_moment_is_shown_in_the_funds_zone() -> None:
    assert local(datetime(2026, 11, 23, 21, 30, 5, 999, tzinfo=UTC), ZoneInfo("Europe/Moscow")) == "24.11.2026 00:30:05 +0300"
    assert local(None, ZoneInfo("Europe/Moscow")) == ""


def test_complaints_are_harmless_and_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    inner = SetupError("why: {name}", name="\x1b[31m{x}")
    complain(SetupErrors([SetupError("{file}: {why}", file="a.toml", why=inner), SetupError("second")]))
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "a.toml: why: \\x1b[31m{x}\nsecond\n")


@pytest.mark.parametrize(
    ("why", "said"),
    [
        pytest.param(FileNotFoundError(2, "No such file or directory", "x"), "нет такого файла или папки", id="error"),
        pytest.param("Is a directory", "это папка", id="its-words"),
        pytest.param("Something else", "Something else", id="unknown"),
    ],
)
def test_what_the_system_says_is_told_in_the_readers_language(
    why: object, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "ru")
    speak()
    complain(SetupError("the file {path} cannot be read: {why}", path="x", why=why))
    assert capsys.readouterr().err == f"файл x не читается: {said}\n"


def test_it_is_the_system_that_says_so() -> None:
    of_names = {"Name or service not known", "Temporary failure in name resolution"}
    assert {os.strerror(code) for code in errno.errorcode} >= OF_THE_SYSTEM - of_names
