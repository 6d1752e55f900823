"""The office's own program is started without a shell, gets its JSON, and can neither hang nor harm us."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from mailer.edge.hook import Hook
from mailer.errors import EdgeError, SetupError

CONTENT = '{"kind": "disk-low", "what": "мало места"}\n'.encode()


def program(folder: Path, source: str) -> Path:
    path = folder / "alarm"
    path.write_text(f"#!{sys.executable}\n{source}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_it_gets_its_arguments_as_they_are_and_the_content_on_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAP_PASSWORD", "secret")
    path = program(
        tmp_path,
        "import json, os, sys\n"
        "heard = sys.stdin.buffer.read().decode()\n"
        "json.dump([sys.argv[2:], heard, sorted(os.environ)], open(sys.argv[1], 'w'))",
    )
    Hook([str(path), str(tmp_path / "heard"), "$(id) ; *", ""]).tell(CONTENT)
    arguments, heard, environment = json.loads((tmp_path / "heard").read_text())
    assert (arguments, heard) == (["$(id) ; *", ""], CONTENT.decode())
    assert "PATH" in environment
    assert "IMAP_PASSWORD" not in environment


def test_one_that_reads_nothing_and_ends_well_is_fine(tmp_path: Path) -> None:
    path = program(tmp_path, "import pathlib, sys\npathlib.Path(sys.argv[1]).touch()")
    Hook([str(path), str(tmp_path / "ran")]).tell(b"x" * 1_000_000)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param("raise SystemExit(3)", "ended with code 3", id="fails"),
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with code -9", id="killed"),
        pytest.param("import time; time.sleep(600)", "took longer than 0.5 seconds", id="hangs"),
        pytest.param(
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)", "took longer", id="deaf"
        ),
    ],
)
def test_its_failure_says_what_it_was(tmp_path: Path, source: str, complaint: str) -> None:
    with pytest.raises(EdgeError, match=complaint):
        Hook([str(program(tmp_path, source))], time_limit_seconds=0.5).tell(CONTENT)


def test_what_a_hanging_one_started_is_killed_with_it(tmp_path: Path) -> None:
    child = "import time; time.sleep(2); open(sys.argv[1], 'w')"
    path = program(
        tmp_path,
        f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import sys; ' + {child!r}, sys.argv[1]]).wait()",
    )
    with pytest.raises(EdgeError, match="took longer"):
        Hook([str(path), str(tmp_path / "late")], time_limit_seconds=0.7).tell(CONTENT)
    time.sleep(2.5)
    assert not (tmp_path / "late").exists()


def test_one_that_runs_can_be_interrupted(tmp_path: Path) -> None:
    path = program(tmp_path, "import sys, time\nopen(sys.argv[1], 'w').close()\ntime.sleep(600)")
    hook = Hook([str(path), str(tmp_path / "started")], time_limit_seconds=600)
    met: list[EdgeError] = []

    def tell() -> None:
        try:
            hook.tell(CONTENT)
        except EdgeError as error:
            met.append(error)

    thread = threading.Thread(target=tell)
    thread.start()
    while not (tmp_path / "started").exists():
        assert thread.is_alive()
        time.sleep(0.01)
    hook.interrupt()
    thread.join(10)
    assert [str(error) for error in met] == ["the alarm command ended with code -9"]
    hook.interrupt()


def test_a_missing_one_is_a_wrong_setup_and_later_a_failure(tmp_path: Path) -> None:
    hook = Hook([str(tmp_path / "nowhere")])
    with pytest.raises(SetupError, match="not there or may not be executed"):
        hook.check()
    with pytest.raises(EdgeError, match="cannot be started: No such file"):
        hook.tell(CONTENT)
    there = program(tmp_path, "pass")
    Hook([str(there)]).check()
    there.chmod(0o644)
    with pytest.raises(SetupError, match=r"alarm is not there or may not be executed"):
        Hook([str(there)]).check()
    with pytest.raises(EdgeError, match="cannot be started: Permission denied"):
        Hook([str(there)]).tell(CONTENT)
