"""Start, stop, crash and change of configuration, as the record tells of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailer.config.load import load
from mailer.core import evidence
from mailer.flow import runs
from mailer.flow.runs import Run, Setup
from mailer.service.office import open_office
from mailer.service.setup import setup_of
from mailer.store import audit
from tests.cli.offices import found
from tests.store.offices import Trial

DESK = Run(part="desk", process="host:1:1:desk", steps=("intake", "answer"), version="1", mode="answer")
COURIER = replace(DESK, part="courier", process="host:2:1:courier", steps=("deliver",))
SETUP = Setup(configuration='{"fund": "ivanov@fund.example"}', templates="{}", rules="aa")


def told(trial: Trial) -> list[tuple[str, dict[str, Any]]]:
    with trial.database.reading() as tx:
        return [(evidence.read_header(one)["event"], evidence.read_details(one)) for one in audit.page(tx, after=0)]


def again(run: Run) -> Run:
    host, pid, *rest = run.process.split(":")
    return replace(run, process=":".join([host, str(int(pid) + 10), *rest]))


def start(trial: Trial, run: Run, setup: Setup = SETUP, *, gone: bool = True) -> None:
    runs.start(trial.worker(), run, setup, is_gone=lambda process: gone and process != run.process)


def test_a_start_says_by_what_it_works_and_gives_nothing_away(trial: Trial) -> None:
    start(trial, DESK)
    ((event, details),) = told(trial)
    assert event == "service.started"
    assert (details["part"], details["process"], details["steps"]) == ("desk", "host:1:1:desk", ["intake", "answer"])
    assert details["rules"] == "aa"
    assert details["configuration"] == evidence.personal_digest(trial.pen.key, SETUP.configuration)
    assert "ivanov" not in str(details)


def test_a_run_that_stopped_is_not_missed(trial: Trial) -> None:
    start(trial, DESK)
    runs.stop(trial.worker(), DESK)
    start(trial, again(DESK))
    assert [event for event, _ in told(trial)] == ["service.started", "service.stopped", "service.started"]


def test_a_run_that_never_told_its_end_is_told_by_the_next_once(trial: Trial) -> None:
    start(trial, DESK)
    start(trial, COURIER)
    start(trial, again(DESK))
    runs.stop(trial.worker(), again(DESK))
    start(trial, again(again(DESK)))
    lost = [details for event, details in told(trial) if event == "service.lost"]
    assert lost == [{"part": "desk", "process": "host:1:1:desk", "started": 1}], "the courier is for the courier to tell"


def test_a_run_that_may_still_live_is_not_lost(trial: Trial) -> None:
    """Another machine's, or a second one that stands by."""
    start(trial, DESK)
    start(trial, again(DESK), gone=False)
    assert [event for event, _ in told(trial)] == ["service.started", "service.started"]


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("configuration", replace(SETUP, configuration="{}")),
        ("templates", replace(SETUP, templates='{"act": ""}')),
        ("rules", replace(SETUP, rules="bb")),
    ],
)
def test_what_changed_since_the_last_start_is_told_by_each_part_once(trial: Trial, what: str, changed: Setup) -> None:
    for run, setup in [(DESK, SETUP), (COURIER, SETUP), (again(DESK), changed), (again(again(DESK)), changed)]:
        start(trial, run, setup)
        runs.stop(trial.worker(), run)
    changes = [details for event, details in told(trial) if event == "configuration.changed"]
    assert [(one["part"], one["what"]) for one in changes] == [("desk", what)]
    before, after = (setup.digests(trial.pen.key)[what] for setup in (SETUP, changed))
    assert (changes[0]["before"], changes[0]["after"]) == (before, after)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("office")
    found(home)
    return home


def test_the_setup_holds_no_password_and_follows_every_text(founded: Path, tmp_path: Path) -> None:
    home = shutil.copytree(founded, tmp_path / "office")
    office = open_office(load(home / "mailer.toml", {}), {})
    config = office.config.model_copy(
        update={"database": office.config.database.model_copy(update={"owner_url": "postgresql://owner:canary@db/mailer"})}
    )
    before = setup_of(replace(office, config=config), office.running_rules())
    assert "owner:***@db" in before.configuration
    assert "canary" not in before.configuration
    body = home / "templates/reply/issued/body.txt"
    body.write_text(body.read_text(encoding="utf-8") + "\n.", encoding="utf-8")
    after = setup_of(replace(office, config=config), office.running_rules())
    assert after.templates != before.templates
    assert (after.configuration, after.rules) == (before.configuration, before.rules)
    office.close()


def mailer(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "mailer", "--config", str(home / "mailer.toml"), *arguments]


def listed(home: Path) -> list[dict[str, Any]]:
    said = subprocess.run(mailer(home, "audit", "list", "--json", "--limit", "200"), capture_output=True, check=True, timeout=60)
    return [
        one for line in said.stdout.splitlines() if (one := json.loads(line))["event"].startswith(("service.", "configuration."))
    ]


@pytest.mark.slow
def test_a_killed_part_is_told_by_its_next_start_and_a_stop_is_signed(founded: Path, tmp_path: Path) -> None:
    home = shutil.copytree(founded, tmp_path / "office")
    run = mailer(home, "run", "--only", "answer,checkpoint")
    killed = subprocess.Popen(run)
    try:
        while not listed(home):
            assert killed.poll() is None
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    stopped = subprocess.Popen(run, env={**os.environ, "MAILER_LETTERS__MAX_AGE_DAYS": "17"})
    try:
        while listed(home)[-1]["event"] != "configuration.changed":
            assert stopped.poll() is None
    finally:
        stopped.send_signal(signal.SIGTERM)
        assert stopped.wait(20) == 0
    events = [one["event"] for one in listed(home)]
    assert events == ["service.started", "service.lost", "service.started", "configuration.changed", "service.stopped"]
    verified = subprocess.run(mailer(home, "audit", "verify"), capture_output=True, check=True, timeout=60)
    assert verified.stdout.startswith(b"OK: ")
