"""A missing service is never passed over in silence: it stands in the last line, and with CI=true it fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SUITE = """
import pytest
from tests.servers.services import ServiceMissing, needed

@pytest.fixture(scope="session")
def post_office():
    with needed():
        raise ServiceMissing("The post office", "post-office")

def test_one(post_office): ...
def test_two(post_office): ...
def test_three(): ...
"""


@pytest.mark.parametrize(
    ("ci", "code", "counts"),
    [pytest.param("", 0, "1 passed, 2 skipped", id="skipped"), pytest.param("true", 1, "1 passed, 2 errors", id="failed-in-ci")],
)
def test_missing_service(tmp_path: Path, ci: str, code: int, counts: str) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)]

    run = subprocess.run(command, cwd=ROOT, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False)

    assert run.returncode == code, run.stdout + run.stderr
    assert counts in run.stdout
    last = run.stdout.splitlines()[-1]
    told = "NOT TESTED: The post office is not installed (Debian: apt-get install post-office): 2 tests skipped"
    assert (last == told) is (code == 0)
