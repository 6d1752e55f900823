"""A command that declares the signing key lost is killed at each of its moments: either key stands then, and the same command again
finishes it. Never is anything called tampered, and the record tells the loss once.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mailer.config.load import load
from mailer.service.office import open_office
from tests.cli.offices import Shell, found
from tests.crash.moments import Way

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WORDS = ("audit", "declare-lost-key", "--reason", "диск", "--yes")
DECLARED = "audit.key-lost"
MOMENTS = [  # in their order; the signing key is written twice: the new private half beside, the public one in its place
    *(("signing key written", way, 1) for way in Way),
    *((DECLARED, way, 1) for way in Way),
    *(("checkpoint signed", way, 1) for way in Way),
    *(("checkpoint published", way, 1) for way in Way),
    *(("checkpoint noted", way, 1) for way in Way),
    *(("signing key written", way, 2) for way in Way),
]


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signed once; then the private half is lost."""
    home = tmp_path_factory.mktemp("office")
    found(home)
    office = open_office(load(home / "mailer.toml", {}), {})
    office.record_signer(office.worker("test")).publish()
    office.signing_key().private_path.unlink()
    office.close()
    return home


def die(home: Path, *doom: str) -> int:
    """Give the command in a process of its own, which ends there; its exit code."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.crash.doomed", *doom, "--", "--config", "mailer.toml", *WORDS]
    return subprocess.run(command, cwd=home, env=environ, capture_output=True, timeout=120, check=False).returncode


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0]}, {moment[1]}")
def test_a_declaration_that_was_cut_off_is_finished_by_the_same_command(
    founded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], moment: tuple[str, Way, int]
) -> None:
    home = shutil.copytree(founded, tmp_path / "office")
    public, shell = home / "keys" / "checkpoint.pub", Shell(home=home, capsys=capsys)
    old = public.read_text(encoding="utf-8").strip()
    at, way, nth = moment
    assert die(home, "--at", at, "--way", way, "--nth", str(nth)) == -signal.SIGKILL
    assert shell("audit", "verify").code in {0, 3}
    assert (public.read_text(encoding="utf-8").strip() == old) is (moment != MOMENTS[-1])

    assert shell(*WORDS).code == 0
    new = public.read_text(encoding="utf-8").strip()
    assert new != old
    assert shell("audit", "verify").code == 3
    confirmed = shell("audit", "verify", "--key", new, "--json")
    (loss,) = confirmed.objects[0]["lost_keys"]
    assert (confirmed.code, loss["carried_out"], loss["confirmed"], loss["new"]) == (0, True, True, new)
    events = [one["event"] for one in shell("audit", "list", "--json").objects]
    assert events.count(DECLARED) == 1
    assert shell(*WORDS).code == 3, "there is nothing to declare any more"
    assert not list((home / "keys").glob("*.next"))
