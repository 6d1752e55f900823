"""Do the lock files hold everything that is imported or declared, and nothing of the machine they were made on?"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def names(requirements: list[str]) -> set[str]:
    """Project names in their one form (PEP 503), without versions and extras."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower() for requirement in requirements}


def imported(part: Path) -> set[str]:
    """The top-level names of other people's packages that the files of `part` import, anywhere in them."""
    nodes = [node for file in part.rglob("*.py") for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"mailer", "tests"}


@cache
def provided() -> Mapping[str, list[str]]:
    """Which installed packages bring a top-level name; it reads the files of all of them."""
    return packages_distributions()


def locked(*locks: str) -> set[str]:
    return {
        name for lock in locks for name in names(re.findall(r"^(\S+)==", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))
    }


@pytest.mark.parametrize(
    ("part", "locks"),
    [
        pytest.param("mailer", ["requirements.lock"], id="program"),
        pytest.param("tests", ["requirements-dev.lock", "requirements-fuzz.lock"], id="tests"),
    ],
)
def test_what_is_imported_is_locked(part: str, locks: list[str]) -> None:
    providers = provided()
    assert [name for name in imported(ROOT / part) if not locked(*locks) & names(providers.get(name, [name]))] == []


@pytest.mark.parametrize(
    ("lock", "declared"),
    [
        pytest.param("requirements.lock", [*PROJECT["dependencies"], *EXTRAS["demo"]], id="program"),
        pytest.param("requirements-dev.lock", [*PROJECT["dependencies"], *EXTRAS["demo"], *EXTRAS["dev"]], id="checks"),
        pytest.param("requirements-fuzz.lock", EXTRAS["fuzz"], id="fuzz"),
    ],
)
def test_what_is_declared_is_locked(lock: str, declared: list[str]) -> None:
    assert names(declared) - locked(lock) == set()


@pytest.mark.parametrize(
    "lock", ["requirements-build.lock", "requirements.lock", "requirements-dev.lock", "requirements-fuzz.lock"]
)
def test_a_lock_names_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.findall(r"://|file:/|^-| @ ", text, re.MULTILINE) == []
