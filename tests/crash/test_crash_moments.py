"""Is the list of moments complete, and does a process really die at one of them?"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.crash.campaign import DATABASES, plan
from tests.crash.moments import ALL, CALLS, ELSEWHERE, EVENTS, SILENT, TOLD_WITH, Way

ROOT = Path(__file__).parents[2]


def test_every_event_of_the_record_is_a_moment() -> None:
    table = (ROOT / "docs/audit.md").read_text(encoding="utf-8").partition("\n## Events\n")[2]
    assert set(re.findall(r"^\| `([a-z]+\.[a-z-]+)` \|", table, re.M)) == set(EVENTS) | set(TOLD_WITH) | set(ELSEWHERE)
    assert set(TOLD_WITH.values()) <= set(EVENTS)


@pytest.mark.parametrize(("event", "test"), ELSEWHERE.items())
def test_what_the_campaign_leaves_out_is_tried_elsewhere(event: str, test: str) -> None:
    assert f'"{event}"' in (ROOT / test).read_text(encoding="utf-8")


def test_every_moment_comes_in_both_ways_and_once() -> None:
    assert len(set(ALL)) == len(ALL)
    assert {(moment.part, moment.place, moment.name) for moment in ALL if moment.way is Way.FAILED} == {
        (moment.part, moment.place, moment.name) for moment in ALL if moment.way is Way.DONE
    }


@pytest.mark.parametrize("path", [*SILENT.values(), *CALLS.values()])
def test_what_is_caught_inside_the_process_is_there(path: str) -> None:
    module, _, name = path.partition(":")
    found = import_module(module)
    for one in name.split("."):
        found = getattr(found, one)
    assert callable(found)


@pytest.mark.parametrize("kills", [30, 500])
def test_the_plan_is_fixed_by_its_seed_and_shared_by_the_databases(kills: int) -> None:
    first, second = (plan(kills, 1, shift) for shift in range(len(DATABASES)))
    assert first == plan(kills, 1, 0) != plan(kills, 2, 0)
    assert len(first) == len(second)
    if len(first) >= len(ALL):
        assert set(first) == set(second) == set(ALL), "a long campaign leaves out nothing"
    else:
        assert not set(first) & set(second), "two short ones share the work"


@pytest.mark.parametrize(("way", "activated"), [(Way.FAILED, 0), (Way.DONE, 1)])
def test_a_process_dies_before_or_after_the_commit(tmp_path: Path, way: Way, activated: int) -> None:
    """`mailer init` tells one event, when it activates the rules."""
    command = [sys.executable, "-m", "tests.crash.doomed", "--at", "rules.activated", "--way", way, "--"]
    died = subprocess.run(
        [*command, "--config", str(tmp_path / "mailer.toml"), "init"], cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "mailer", "--config", str(tmp_path / "mailer.toml"), "audit", "list", "--json"],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count(b"rules.activated") == activated
