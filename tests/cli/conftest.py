"""The surroundings in which commands are typed: nothing is set for mailer, English is read, each test has its own office."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.offices import Shell, found


@pytest.fixture(scope="module", autouse=True)
def _english() -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("MAILER_")]:
        del os.environ[name]
    os.environ["LANGUAGE"] = "en"
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """At the prompt of an office as `found` makes it, to be changed."""
    found(tmp_path / "office")
    capsys.readouterr()  # what was said while it was made
    return Shell(home=tmp_path / "office", capsys=capsys)
