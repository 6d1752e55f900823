"""A command that gives the record another signing key, named by the old one or because that is lost, is killed at each of its
moments: either key stands then, and the same command again finishes it. Never is anything called tampered, and the record tells it
once.
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
from mailer.core.checkpoints import Published
from mailer.errors import SetupError
from mailer.service.office import open_office
from tests.cli.offices import Shell, found
from tests.crash.moments import Way

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOSS = ("audit", "declare-lost-key", "--reason", "диск", "--yes")
CHANGE = ("audit", "change-key", "--reason", "раз в год")
TOLD = {LOSS: "audit.key-lost", CHANGE: "audit.key-changed"}
Moment = tuple[str, Way, int]


def moments(told: str) -> list[Moment]:
    """In their order; the signing key is written twice: the new private half beside, the public one in its place."""
    once = (told, "checkpoint signed", "checkpoint published", "checkpoint noted")
    places = [("signing key written", 1), *((at, 1) for at in once), ("signing key written", 2)]
    return [(at, way, nth) for at, nth in places for way in Way]


def by_moment(command: tuple[str, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("moment", moments(TOLD[command]), ids=lambda moment: ", ".join(map(str, moment)))


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signed once."""
    home = tmp_path_factory.mktemp("office")
    found(home)
    sign(home)
    return home


def sign(home: Path) -> None:
    office = open_office(load(home / "mailer.toml", {}), {})
    try:
        assert isinstance(office.record_signer(office.worker("test")).publish(), Published)
    finally:
        office.close()


def die(home: Path, moment: Moment, command: tuple[str, ...]) -> None:
    """Give the command in a process of its own, which ends there."""
    at, way, nth = moment
    doom = ("--at", at, "--way", way, "--nth", str(nth))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")} | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "tests.crash.doomed", *doom, "--", "--config", "mailer.toml", *command]
    assert subprocess.run(words, cwd=home, env=environ, capture_output=True, timeout=120, check=False).returncode == -signal.SIGKILL


def public(home: Path) -> str:
    return (home / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()


def events(shell: Shell) -> list[object]:
    return [one["event"] for one in shell("audit", "list", "--json").objects]


@by_moment(LOSS)
def test_a_declaration_that_was_cut_off_is_finished_by_the_same_command(
    founded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], moment: Moment
) -> None:
    home = shutil.copytree(founded, tmp_path / "office")
    (home / "keys" / "checkpoint.key").unlink()
    old, shell = public(home), Shell(home=home, capsys=capsys)
    die(home, moment, LOSS)
    assert shell("audit", "verify").code in {0, 3}
    assert (public(home) == old) is (moment != moments(TOLD[LOSS])[-1])

    assert shell(*LOSS).code == 0
    new = public(home)
    assert new != old
    assert shell("audit", "verify").code == 3
    confirmed = shell("audit", "verify", "--key", new, "--json")
    (loss,) = confirmed.objects[0]["lost_keys"]
    assert (confirmed.code, loss["carried_out"], loss["confirmed"], loss["new"]) == (0, True, True, new)
    assert events(shell).count(TOLD[LOSS]) == 1
    assert shell(*LOSS).code == 3, "there is nothing to declare any more"
    assert not list((home / "keys").glob("*.next"))


@by_moment(CHANGE)
def test_a_change_that_was_cut_off_is_finished_by_the_same_command(
    founded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], moment: Moment
) -> None:
    home = shutil.copytree(founded, tmp_path / "office")
    old, shell = public(home), Shell(home=home, capsys=capsys)
    die(home, moment, CHANGE)
    assert shell("audit", "verify").code == 0
    if moment == moments(TOLD[CHANGE])[-1]:  # the public half is in its place, the private one is not
        with pytest.raises(SetupError, match="finish it with `mailer audit change-key"):
            sign(home)
    else:
        assert public(home) == old
        sign(home)
        assert shell("audit", "verify").code == 0

    assert shell(*CHANGE).code == 0
    assert public(home) != old
    sign(home)
    verified = shell("audit", "verify", "--key", old, "--json")
    assert (verified.code, verified.objects[0]["lost_keys"]) == (0, [])
    assert events(shell).count(TOLD[CHANGE]) == 1
    kept = sorted(path.name for path in (home / "keys").glob("checkpoint*.*"))
    assert len(kept) == 5, f"both pairs, and the checkpoints: {kept}"
