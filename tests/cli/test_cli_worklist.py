"""Does the work list say in plain words who waits and what to do, fit a terminal, page, and record who looked for whom?"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mailer.cli.app import run
from tests.cli.offices import NOW, Shell, desk_in
from tests.e2e import timely
from tests.e2e.bureau import ROOT, request
from tests.flow.desks import CLINIC, DENTIST

STRANGER, FAR = "stranger@elsewhere.example", "far\u202e@elsewhere.example"
CLINICS = ("Пришва А.А.", "Артёмов Ё.Ё.", "Иванов И.И.", "Иванов B.C.", "Иванов")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1-5 of the clinic, 6 of the dentist, 7-9 of a stranger, 10 for the clinic's first person again, 11 a day later."""
    home = tmp_path_factory.mktemp("office")
    assert run(["init", "--eject", "--config", str(home / "mailer.toml")]) == 0
    with desk_in(home) as desk:
        asked = [(name, CLINIC.answer_to) for name in CLINICS] + [("Иванов И.И.", DENTIST.answer_to)]
        for number, (name, sender) in enumerate(asked + [(f"Чужой {letter}.", STRANGER) for letter in "АБВ"]):
            desk.take(request(name, sender, number))
            desk.trial.clock.move(minutes=10)
            desk.run()
        desk.take(request("", CLINIC.answer_to, 20, subject="Re: Запрос атрибутов временного доступа = Пришва А.А."))
        desk.run()
        desk.trial.clock.move(hours=24)
        desk.take(request("Ли К.", CLINIC.answer_to, 21))
        desk.run()
    return home


@pytest.fixture
def shell(home: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(home=home, capsys=capsys)


def numbers(shell: Shell, *options: str) -> list[int]:
    said = shell("requests", "list", "--json", *options)
    assert said.code == 0, said.err
    return [line["id"] for line in said.objects]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param([], list(range(11, 0, -1)), id="all"),
        pytest.param(["--held"], [4, 7, 10], id="held"),
        pytest.param(["--state", "held"], [10, 9, 8, 7, 4], id="state-is-not-grouped"),
        pytest.param(["--held", "--reason", "unknown-sender"], [7, 8, 9], id="held-with-another-wish-is-not-grouped"),
        pytest.param(["--sender", "290002"], [6], id="sender"),
        pytest.param(["--person", "иванов"], [6, 4, 3], id="person"),
        pytest.param(["--find", "Apтeмoв"], [2], id="find"),
        pytest.param(["--find", "зубная иванов"], [6], id="find-organisation-and-person"),
        pytest.param(["--find", STRANGER], [9, 8, 7], id="find-address"),
        pytest.param(["--since", "24.11.2026"], [11], id="since"),
        pytest.param(["--until", "2026-11-23", "--sender", "290001"], [10, 5, 4, 3, 2, 1], id="until"),
        pytest.param(["--limit", "2", "--before", "5"], [4, 3], id="before"),
        pytest.param(["--limit", "2", "--after", "5"], [7, 6], id="after"),
        pytest.param(["--held", "--after", "4", "--limit", "1"], [7], id="held-after"),
    ],
)
def test_the_list_holds_what_is_asked_for(shell: Shell, options: list[str], expected: list[int]) -> None:
    assert numbers(shell, *options) == expected


def test_a_line_for_programs_has_these_fields(shell: Shell) -> None:
    (line,) = shell("requests", "list", "--json", "--held", "--after", "4", "--limit", "1").objects
    created_at = line.pop("created_at")
    assert created_at.startswith("2026-11-23T")
    assert line == {
        "id": 7,
        "sender_code": None,
        "organisation": None,
        "stranger": STRANGER,
        "standing": "unknown",
        "person": "Чужой А.",
        "state": "held",
        "verdict": "hold",
        "rule_id": "unknown-sender",
        "reason": "unknown-sender",
        "reissue_of": None,
        "own_words": None,
        "alike": 3,
    }


def test_who_waits_is_told_why_and_what_to_do(shell: Shell) -> None:
    said = shell("requests", "list", "--held")
    rows = said.out.splitlines()
    assert rows[2].split("  ")[0] == "7"
    assert f"{STRANGER} (3 letters)" in rows[2]
    assert rows[2].endswith("the sender is not in the register")
    assert "`mailer senders add CODE --organisation … --from-request 7 --reason …`" in " ".join(said.out.split())
    assert "`mailer requests approve 10 --reason …`" in " ".join(said.out.split())
    assert max(map(len, rows)) <= 132  # an address as long as may be stands in full where no terminal folds it
    assert said.err == ""


@pytest.mark.parametrize(
    ("options", "way_on"),
    [
        pytest.param(["--limit", "3"], "there are older ones: --before 9", id="older"),
        pytest.param(["--limit", "3", "--after", "2"], "there are newer ones: --after 5", id="newer"),
        pytest.param(["--held", "--limit", "1"], "there are newer ones: --after 4", id="held"),
        pytest.param(["--held", "--limit", "1", "--before", "10"], "there are older ones: --before 7", id="held-back"),
        pytest.param(["--limit", "11"], "", id="all"),
    ],
)
def test_how_to_see_more_is_said_beside_the_table(shell: Shell, options: list[str], way_on: str) -> None:
    for more in ([], ["--json"]):
        assert shell("requests", "list", *options, *more).err.rstrip("\n") == way_on


def test_a_table_in_a_file_is_a_line_a_row_and_nothing_but_text(shell: Shell) -> None:
    said = shell("requests", "list", "--sender", "290001")
    assert [line.split()[0] for line in said.out.splitlines()] == ["№", "11", "10", "5", "4", "3", "2", "1"]
    assert not set("─━│┃\x1b") & set(said.out)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--held", "--state", "refused"], id="held-and-state"),
        pytest.param(["--find", "« — »"], id="nothing-to-find"),
        pytest.param(["--person", " "], id="nobody"),
        pytest.param(["--since", "вчера"], id="no-date"),
        pytest.param(["--limit", "1001"], id="too-many"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, options: list[str]) -> None:
    said = shell("requests", "list", *options)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("wrong usage: ")


def test_a_page_beside_a_request_that_is_not_there_is_a_negative_answer(shell: Shell) -> None:
    said = shell("requests", "list", "--before", "99")
    assert (said.code, said.out, said.err) == (1, "", "there is no request 99: `mailer requests list` shows those there are\n")


def test_a_request_is_shown_with_what_is_needed_to_decide_it(shell: Shell) -> None:
    drawn = shell("requests", "show", "10").out
    assert "subject: Re: Запрос атрибутов временного доступа = Пришва А.А." in drawn
    assert "read: surname Пришва, initials А.А." in drawn
    assert "repairs: prefix" in drawn
    assert "✓ reply-with-active: fits, hence hold" in drawn
    assert "latin-initials: no, repairs is prefix" in drawn
    assert "earlier requests for the same person:" in drawn
    (view,) = shell("requests", "show", "10", "--json").objects
    assert [one["id"] for one in view["earlier_of_person"]] == [1]
    assert [one["id"] for one in view["earlier_of_sender"]] == [5, 4, 3, 2, 1]
    assert view["rules"][-1] | {"why": ""} == {
        "name": "reply-with-active",
        "verdict": "hold",
        "why": "",
        "unmet": None,
        "found": None,
    }


def test_namesakes_and_open_requests_are_flagged(shell: Shell) -> None:
    assert "! the same surname and initials under other senders:" in shell("requests", "show", "6").out
    (view,) = shell("requests", "show", "6", "--json").objects
    assert [(one["sender_code"], one["request_id"]) for one in view["namesakes"]] == [("290001", 3)]
    (stranger,) = shell("requests", "show", "8", "--json").objects
    assert (stranger["stranger"], [one["id"] for one in stranger["earlier_of_sender"]]) == (STRANGER, [7])


def test_looking_at_somebody_is_recorded_once_and_listing_is_not(shell: Shell) -> None:
    def told() -> list[tuple[str, int | None]]:
        records = shell("audit", "list", "--limit", "1000", "--json").objects
        return [(one["event"], one["request_id"]) for one in records if one["event"] in {"request.shown", "requests.searched"}]

    before = told()
    shell("requests", "list")
    shell("requests", "list", "--held", "--json")
    assert told() == before
    shell("requests", "show", "4")
    shell("requests", "list", "--find", "иванов", "--person", "иванов")
    shell("requests", "show", "99")
    assert told() == [*before, ("request.shown", 4), ("requests.searched", None)]
    (last,) = shell("audit", "list", "--limit", "1", "--json").objects
    assert (last["actor"].startswith("operator:"), len(last["details"]["digest"])) == (True, 64)
    assert "иванов" not in str(last)


def on_a_terminal(shell: Shell, *arguments: str, until: str | None = None) -> tuple[int, str]:
    """Exit code and everything that is drawn on 100 columns; it is interrupted as by Ctrl+C once `until` has been drawn."""
    ours, theirs = pty.openpty()
    at_a_prompt = ["env", "--default-signal=INT"]  # tests may run where Ctrl+C is ignored, and a child inherits that
    clock = shell.home / "clock"
    timely.write(clock, NOW)
    command = [*at_a_prompt, sys.executable, timely.__file__, str(clock), "--config", shell.config, *arguments]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40", "LANGUAGE": "en", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ)
    os.close(theirs)
    drawn = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            drawn += os.read(ours, 65536)
        except OSError:  # EIO: nobody writes any more
            break
        if until is not None and until in drawn.decode(errors="ignore"):
            process.send_signal(signal.SIGINT)
            until = None
    os.close(ours)
    return process.wait(60), drawn.decode()


def test_a_table_fits_a_terminal_of_100_columns(shell: Shell) -> None:
    code, drawn = on_a_terminal(shell, "requests", "list", "--held")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in drawn.splitlines()]
    assert code == 0
    assert max(map(len, lines)) <= 100
    assert any("─" * 50 in line for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_watching_goes_on_until_ctrl_c(shell: Shell) -> None:
    code, drawn = on_a_terminal(shell, "requests", "watch", "--held", until="Ctrl+C ends")
    assert code == 0
    assert "Чужой А." in drawn, "what waits is listed"
    assert "Traceback" not in drawn


def test_watching_needs_a_terminal(shell: Shell) -> None:
    said = shell("requests", "watch")
    assert (said.code, said.out) == (3, "")
    assert "`mailer requests list`" in said.err
