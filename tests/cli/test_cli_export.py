"""`mailer audit export` as it is typed; what leaves is read with an outsider's means: csv, zip and XML, the shipped verifier."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mailer.store import audit
from tests.cli.offices import Shell, desk_in, found

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
EVIL = '=HYPERLINK("http://evil.example";"\u202eтут")'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("office")
    found(home)
    return home


@pytest.fixture
def shell(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    home = tmp_path / "office"
    shutil.copytree(made, home)
    for file in (home / "mailer.toml",):
        file.write_text(file.read_text(encoding="utf-8").replace(str(made), str(home)), encoding="utf-8")
    capsys.readouterr()
    return Shell(home=home, capsys=capsys)


def heads(shell: Shell) -> tuple[int, list[str]]:
    with desk_in(shell.home) as desk, desk.trial.database.reading() as tx:
        return audit.head(tx), [json.loads(one.header)["event"] for one in audit.last(tx, 1)]


def test_json_lines_hold_every_record_up_to_the_one_that_tells_of_the_export(shell: Shell) -> None:
    target = shell.home / "out.jsonl"
    assert shell("audit", "export", str(target), "--reason", "проверка").code == 0
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    last = next(number for number, line in enumerate(lines, 1) if line["event"] == "audit.exported")
    assert [line["seq"] for line in lines] == list(range(1, last + 1))
    assert (lines[-1]["details"]["form"], lines[-1]["details"]["reason"]) == ("jsonl", "проверка")
    assert lines[-1]["actor"].startswith("operator:")
    assert target.stat().st_mode & 0o777 == 0o600


def test_what_is_asked_for_leaves_and_nothing_else(shell: Shell) -> None:
    said = shell("audit", "export", "-", "--event", "reply.queued", "--sender", "290001")
    assert {(line["event"], line["sender"]) for line in said.objects} == {("reply.queued", "290001")}
    assert shell("audit", "export", "-", "--from", "2031-01-01").objects == []
    assert shell("audit", "export", "-", "--to", "31.12.2030", "--actor", "nobody").objects == []


def test_a_file_that_is_there_is_not_overwritten_and_a_refused_export_leaves_none(shell: Shell) -> None:
    target = shell.home / "out"
    target.write_text("mine")
    assert shell("audit", "export", str(target)).code == 3
    assert shell("audit", "export", str(target), "--format", "bundle").code == 3
    assert target.read_text() == "mine"
    assert shell("audit", "export", str(shell.home / "nowhere/out")).code == 2
    for wrong in (["-", "--format", "xlsx"], ["x", "--format", "journal", "--actor", "a"], ["x", "--excel"]):
        assert shell("audit", "export", *wrong).code == 2
    assert not (shell.home / "x").exists()


def test_csv_opens_in_russian_excel(shell: Shell) -> None:
    tell(shell, EVIL)
    target = shell.home / "out.csv"
    assert shell("audit", "export", str(target), "--format", "csv", "--excel").code == 0
    content = target.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfseq;at;event;")
    rows = list(csv.reader(content.decode("utf-8-sig").splitlines(), delimiter=";", strict=True))
    (evil,) = [row for row in rows if "evil.example" in row[8]]
    assert len(evil) == 9
    assert "\u202e" not in evil[8]


def test_cef_lines_are_one_a_record(shell: Shell) -> None:
    said = shell("audit", "export", "-", "--format", "cef", "--event", "letter.kept")
    assert said.code == 0
    assert len(said.out.splitlines()) == 4
    assert all(
        re.match(r"CEF:0\|mailer\|mailer\|[^|]+\|letter\.kept\|letter\.kept\|2\|rt=\d{13} externalId=", line)
        for line in said.out.splitlines()
    )


def test_a_sheet_holds_text_alone(shell: Shell) -> None:
    tell(shell, EVIL)
    target = shell.home / "out.xlsx"
    assert shell("audit", "export", str(target), "--format", "xlsx").code == 0
    rows = sheet(target)
    assert rows[0][:3] == ["seq", "at", "event"]
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(1, len(rows))]


def test_the_journal_lists_what_was_issued(shell: Shell) -> None:
    target = shell.home / "journal.xlsx"
    assert shell("audit", "export", str(target), "--format", "journal").code == 0
    title, *rest = sheet(target)
    heading, *rows = [row for row in rest if any(row)]
    assert title[0] == "Журнал учёта выдачи реквизитов доступа"
    assert heading == [
        *("№ п/п", "Дата выдачи", "Кому выдано", "На кого", "Входящий № и дата", "Ответ № и дата"),
        *("Подтверждение получения", "Срок действия", "Состояние", "Подпись"),
    ]
    (row,) = rows
    assert row[0] == "1"
    assert "ГБ1" in row[2] or "больница" in row[2].lower()
    assert row[3] == "Пришва А.А."
    assert re.fullmatch(r"1 от \d\d\.\d\d\.\d{4}", row[4])
    assert re.fullmatch(r"1/1 от \d\d\.\d\d\.\d{4}", row[5])
    assert row[6] == "принят почтовым сервером"
    assert row[8] == "действует"
    _, (event,) = heads(shell)
    assert event == "audit.exported"


def test_a_bundle_verifies_alone(shell: Shell) -> None:
    folder = bundle(shell)
    said = verify(folder)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.startswith("OK: records 1 to ")
    key = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["public_key"]
    assert verify(folder, "--key", key).returncode == 0
    assert {path.name for path in folder.iterdir()} == {
        *("records.jsonl", "manifest.json", "checkpoint.note", "verify_export.py", "README.txt")
    }


def test_a_bundle_of_some_shows_the_headers_of_all(shell: Shell) -> None:
    folder = bundle(shell, "--event", "reply.queued")
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    shown = [json.loads(line["header"])["event"] for line in lines if "details" in line]
    assert set(shown) == {"reply.queued"}
    assert all("header" in line for line in lines)
    assert f"{len(shown)} shown in full" in verify(folder).stdout


def test_a_bundle_of_no_record_in_time_still_verifies(shell: Shell) -> None:
    folder = bundle(shell, "--from", "2031-01-01")
    said = verify(folder)
    assert said.returncode == 0, said.stdout
    assert (folder / "records.jsonl").read_bytes() == b""


Attack = Callable[[list[dict[str, object]]], object]
ATTACKS: dict[str, tuple[Attack, str]] = {
    "details edited": (lambda lines: lines[2].update(details="{}"), "do not lead to the root"),
    "header edited": (
        lambda lines: lines[2].update(header=str(lines[2]["header"]).replace("info", "alarm")),
        "do not lead to the root",
    ),
    "record left out": (lambda lines: lines.pop(2), "record 3 is missing"),
    "last left out": (lambda lines: lines.pop(), "is missing: the list ends before it"),
    "two swapped": (lambda lines: lines.insert(2, lines.pop(3)), "record 3 is missing, or not in its place"),
    "one inserted": (lambda lines: lines.insert(2, dict(lines[2])), "record 4 is missing, or not in its place"),
    "nonce edited": (lambda lines: lines[0].update(nonce="00" * 16), "do not lead to the root"),
    "line broken": (lambda lines: lines[4].pop("header"), "record 5 cannot be read"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_bundle_is_found_out(shell: Shell, attack: str) -> None:
    folder = bundle(shell)
    change, why = ATTACKS[attack]
    file = folder / "records.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    change(lines)
    file.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["records_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    said = verify(folder)
    assert said.returncode == 1
    assert said.stdout.startswith("TAMPERED: ")
    assert why in said.stdout


def test_a_forged_checkpoint_or_another_key_is_found_out(shell: Shell) -> None:
    folder = bundle(shell)
    note = folder / "checkpoint.note"
    whole = note.read_text(encoding="utf-8")
    note.write_text(whole.replace("\nat 20", "\nat 19"), encoding="utf-8")
    assert "the signature of checkpoint.note does not hold" in verify(folder).stdout
    note.write_text(whole, encoding="utf-8")
    other = "mailer/other+" + "00" * 4 + "+" + "AQ" * 22
    assert verify(folder, "--key", other).returncode == 2


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_openssl_verifies_where_the_package_cryptography_is_not(shell: Shell) -> None:
    folder = bundle(shell)
    bare = [sys.executable, "-I", "-S"]
    assert verify(folder, python=bare).returncode == 0
    note = folder / "checkpoint.note"
    note.write_text(note.read_text(encoding="utf-8").replace("\nat 20", "\nat 19"), encoding="utf-8")
    assert "the signature of checkpoint.note does not hold" in verify(folder, python=bare).stdout


def test_a_record_that_was_edited_is_not_put_into_a_bundle(shell: Shell) -> None:
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        for trigger in tx.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
            tx.exec_driver_sql(f"DROP TRIGGER {trigger}")
        tx.exec_driver_sql("UPDATE records SET actor = 'nobody' WHERE seq = 3")
    said = shell("audit", "export", str(shell.home / "bundle"), "--format", "bundle")
    assert said.code == 3
    assert not (shell.home / "bundle").exists()


def tell(shell: Shell, reason: str) -> None:
    with desk_in(shell.home) as desk, desk.trial.worker().writing() as unit:
        unit.tell("letter.dropped", importance="notice", reason=reason, letter=1)


def bundle(shell: Shell, *asked: str) -> Path:
    folder = shell.home / "bundle"
    said = shell("audit", "export", str(folder), "--format", "bundle", *asked)
    assert said.code == 0, said.err
    return folder


def verify(folder: Path, *more: str, python: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """As an outsider runs it: another working directory, nothing of ours on the path."""
    command = [*(python or [sys.executable]), str(folder / "verify_export.py"), str(folder), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env={"PATH": os.environ["PATH"]})


def sheet(path: Path) -> list[list[str]]:
    """The cells of the first sheet, all of them text; whatever else a sheet can hold fails the test."""
    with zipfile.ZipFile(path) as book:
        names = book.namelist()
        assert not [name for name in names if "rels" in name and "sheet" in name], "links"
        shared = []
        if "xl/sharedStrings.xml" in names:
            shared = ["".join(one.itertext()) for one in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
        tree = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    assert not [*tree.iter(f"{SHEET}f"), *tree.iter(f"{SHEET}hyperlink")]
    rows: dict[int, list[str]] = {}
    for row in tree.iter(f"{SHEET}row"):
        cells = [""] * 10
        for one in row:
            column = ord(one.attrib["r"][0]) - ord("A")
            assert one.attrib["t"] in {"inlineStr", "s"}, one.attrib
            text = "".join(one.itertext())
            cells[column] = shared[int(text)] if one.attrib["t"] == "s" else text
        rows[int(row.attrib["r"])] = cells
    return [rows[number] for number in sorted(rows)]
