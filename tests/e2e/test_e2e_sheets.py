"""Do our spreadsheets open in a spreadsheet program, and say there what we wrote? LibreOffice turns them into CSV again."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from mailer.core import recordforms
from mailer.store import audit
from tests.cli.offices import Shell, desk_in, found
from tests.servers.services import ServiceMissing, needed

pytestmark = pytest.mark.slow

HOSTILE = (
    '=HYPERLINK("http://evil.example";"тут")',
    "  +7 900 000-00-00",
    "=1+1",
    "-2+3+cmd|' /C calc'!A0",
    "＝1+1",
    "строка\r\n;вторая",
    "имя\u202eлиам",
    "http://evil.example/x",
    "\\\\evil\\share",
    "00017",
    "1e5",
    "23.11.2026",
)
UTF_8 = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false"  # comma, quotes, UTF-8; cells as they are shown


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    home = tmp_path / "office"
    home.mkdir()
    found(home)
    capsys.readouterr()
    return Shell(home=home, capsys=capsys)


def opened(path: Path) -> list[list[str]]:
    """The cells of the first sheet as LibreOffice shows them."""
    with needed():
        program = shutil.which("soffice")
        if program is None:
            raise ServiceMissing("LibreOffice", "libreoffice-calc-nogui")
    subprocess.run(
        [program, f"-env:UserInstallation=file://{path.parent}/profile", "--headless", "--convert-to", UTF_8, path.name],
        cwd=path.parent,
        check=True,
        capture_output=True,
        timeout=120,
    )
    with path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_sheet_of_records_shows_what_was_written(shell: Shell) -> None:
    with desk_in(shell.home) as desk, desk.trial.worker().writing() as unit:
        for text in HOSTILE:
            unit.tell("letter.dropped", importance="notice", letter=1, reason=text)
    target = shell.home / "records.xlsx"
    assert shell("audit", "export", str(target), "--format", "xlsx").code == 0
    heading, *rows = opened(target)
    assert heading == list(recordforms.COLUMNS)
    with desk_in(shell.home) as desk, desk.trial.database.reading() as tx:
        written = [recordforms.cells(one) for one in audit.page(tx, after=0, limit=len(rows))]
    assert rows == written


def test_the_journal_opens(shell: Shell) -> None:
    target = shell.home / "journal.xlsx"
    assert shell("audit", "export", str(target), "--format", "journal").code == 0
    title, _, heading, *rows = opened(target)
    assert title[0] == "Журнал учёта выдачи реквизитов доступа"
    assert (heading[0], heading[-1]) == ("№ п/п", "Подпись")
    assert [(row[0], row[3], row[8]) for row in rows] == [("1", "Пришва А.А.", "действует")]
