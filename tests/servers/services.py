"""What happens when a service that the tests need is not installed here? Its tests are skipped, or with CI=true they fail.

A server class raises `ServiceMissing`; a fixture wraps it in `needed()`. It must not look for services itself: each server class
knows where its program lies.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

_MARK: Final = "service missing: "


class ServiceMissing(Exception):
    """The service is not installed on this machine; `package` is Debian's name of what to install."""

    def __init__(self, service: str, package: str) -> None:
        super().__init__(f"{service} is not installed (Debian: apt-get install {package})")


@contextmanager
def needed() -> Iterator[None]:
    """Around the start of a server, in a fixture or a test: a missing service skips the test, or fails it with CI=true."""
    try:
        yield
    except ServiceMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{_MARK}{missing}", pytrace=False)
        pytest.skip(f"{_MARK}{missing}")


def last_lines(skipped: Iterable[pytest.TestReport]) -> list[str]:
    """One line for each missing service, with the number of tests that were skipped for it."""
    reasons = Counter(report.longrepr[2].partition(_MARK)[2] for report in skipped if isinstance(report.longrepr, tuple))
    return [f"NOT TESTED: {reason}: {count} tests skipped" for reason, count in sorted(reasons.items()) if reason]
