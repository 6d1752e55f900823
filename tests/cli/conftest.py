"""The surroundings in which commands are typed: nothing is set for mailer, and English is read."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _english() -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("MAILER_")]:
        del os.environ[name]
    os.environ["LANGUAGE"] = "en"
    yield
    os.environ.clear()
    os.environ.update(before)
