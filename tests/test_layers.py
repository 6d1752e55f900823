"""Does every module keep to its floor? architecture.md's table of rooms, checked against the imports of the source itself.

Imports inside functions and under TYPE_CHECKING count: knowing a type is knowing the room.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

FLOORS: Final = {
    "errors": 0,
    "states": 0,
    "model": 0,
    "config": 1,
    "core": 1,
    "store": 2,
    "edge": 2,
    "flow": 3,
    "service": 4,
    "demo": 4,
    "cli": 5,
    "console": 5,
    "__main__": 6,
}
SHARED_BY_STEPS: Final = (  # themselves no steps
    "mailer.flow.approving",  # how a decision comes to stand in the record
    "mailer.flow.ending",  # how a login ends, and its account wherever it is valid
    "mailer.flow.errands",  # how intake does in its mailbox what people ask for
    "mailer.flow.export",  # how the record leaves the house, as a bundle too
    "mailer.flow.filer",  # how kept letters leave the folder they came to
    "mailer.flow.keeping",  # how letters that came are judged and kept
    "mailer.flow.refusing",  # how a refusal is written
    "mailer.flow.reserving",  # how it is settled what will be issued
    "mailer.flow.signing",  # how the record is signed
    "mailer.flow.stationery",  # how every reply comes to stand in the outbox
    "mailer.flow.tidings",  # how a person learns that a login's term changes or ends
    "mailer.flow.tray",  # how kept letters are taken in hand
    "mailer.flow.undelivered",  # what follows when a reply will never arrive
)
MEET_INSIDE: Final = {"config", "core", "store", "service", "demo", "cli", "console"}  # not flow: its steps meet only in the tables
ASK_CLOCK_AND_CHANCE: Final = {"service", "demo", "cli", "console"}

# A stopwatch (time.monotonic) is not the clock: it times a connection and decides nothing.
CLOCK_AND_CHANCE: Final = {
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.gmtime",
    "time.localtime",
    "func.now",
    "os.urandom",
    "os.getrandom",
    "uuid.uuid1",
    "uuid.uuid4",
    "utils.localtime",
    "utils.make_msgid",
}
SQL: Final = {"sqlalchemy", "alembic", "sqlite3", "psycopg"}
NOT_PURE: Final = SQL | {
    *("time", "random", "secrets", "uuid"),
    *("os", "sys", "pathlib", "shutil", "tempfile", "glob"),
    *("socket", "ssl", "select", "selectors", "asyncio", "threading", "multiprocessing", "subprocess", "signal"),
    *("http", "imaplib", "smtplib", "imapclient", "aiosmtplib", "httpx"),
    *("logging", "structlog", "warnings", "typer", "rich"),
}

Check = Callable[[str, ast.Module], Iterator[str]]


def imports(tree: ast.Module, module: str) -> Iterator[str]:
    """The dotted name of each thing imported: `from mailer.core import mime` is mailer.core.mime."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            yield from (".".join([*package, *filter(None, [node.module]), alias.name]) for alias in node.names)


def room(module: str) -> str:
    return module.split(".")[1]


def thing(module: str) -> str:
    """The thing an edge serves: imap for mailer.edge.imap_idle, accounts for mailer.edge.accounts.ldap; in flow, the package."""
    return module.split(".")[2].partition("_")[0]


def may_import(module: str, other: str) -> bool:
    own, target = room(module), room(other)
    if own != target:
        return FLOORS[target] < FLOORS[own]
    return own in MEET_INSIDE or (own in {"edge", "flow"} and thing(module) == thing(other)) or other.startswith(SHARED_BY_STEPS)


def floors(module: str, tree: ast.Module) -> Iterator[str]:
    """Only lower floors, and siblings where the room allows it; a package's own file imports nothing, except the command line's."""
    ours = [name for name in imports(tree, module) if name.startswith("mailer.")]
    if module.endswith("__init__") and room(module) != "cli":
        yield from (f"{module} imports {name}" for name in imports(tree, module))
    else:
        yield from (f"{module} imports {name}" for name in ours if not may_import(module, name))


def purity(module: str, tree: ast.Module) -> Iterator[str]:
    """core/ has no clock, chance, files, sockets, SQL or logging."""
    if room(module) != "core":
        return
    yield from (f"{module} imports {name}" for name in imports(tree, module) if name.split(".")[0] in NOT_PURE)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "print", "input"}:
            yield f"{module} calls {node.func.id}"


def clock_and_chance(module: str, tree: ast.Module) -> Iterator[str]:
    """Time and chance are arguments; only the wiring and what people start asks for them."""
    if room(module) in ASK_CLOCK_AND_CHANCE:
        return
    used = [*imports(tree, module), *(ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute))]
    for name in used:
        last_two = ".".join(name.split(".")[-2:])
        if last_two in CLOCK_AND_CHANCE or name.split(".")[0] in {"random", "secrets"}:
            yield f"{module} uses {name}"


def sql_in_store(module: str, tree: ast.Module) -> Iterator[str]:
    """The only SQL is in store/."""
    if room(module) != "store":
        yield from (f"{module} imports {name}" for name in imports(tree, module) if name.split(".")[0] in SQL)


@cache
def modules() -> Sequence[tuple[str, ast.Module]]:
    return [
        (".".join(file.relative_to(ROOT).with_suffix("").parts), ast.parse(file.read_text(encoding="utf-8")))
        for file in sorted((ROOT / "mailer").rglob("*.py"))
    ]


@pytest.mark.parametrize("check", [floors, purity, clock_and_chance, sql_in_store])
def test_every_module_keeps_to_its_floor(check: Check) -> None:
    broken = [line for module, tree in modules() for line in check(module, tree)]
    assert not broken, "\n".join(broken)


def test_every_module_has_a_floor() -> None:
    assert {room(module) for module, _ in modules()} <= FLOORS.keys() | {"__init__"}


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        pytest.param(floors, "mailer.core.mime", "from mailer.store import letters", id="core-imports-store"),
        pytest.param(floors, "mailer.core.mime", "import mailer.config", id="same-floor-other-room"),
        pytest.param(floors, "mailer.model", "from .errors import SetupError", id="ground-floor-relative"),
        pytest.param(floors, "mailer.store.letters", "from mailer.edge.imap import Mailbox", id="store-imports-edge"),
        pytest.param(floors, "mailer.edge.smtp", "from mailer.edge import imap", id="edges-know-each-other"),
        pytest.param(floors, "mailer.edge.smtp", "from . import imap", id="edges-know-each-other-relative"),
        pytest.param(floors, "mailer.flow.issue", "from mailer.flow.answer import decide", id="steps-know-each-other"),
        pytest.param(floors, "mailer.flow.issue", "from mailer.flow.report import house", id="step-looks-at-a-report"),
        pytest.param(floors, "mailer.flow.issue", "def f():\n    import mailer.service", id="inside-a-function"),
        pytest.param(floors, "mailer.core.mime", "if TYPE_CHECKING:\n    from mailer.flow import intake", id="for-a-type"),
        pytest.param(floors, "mailer.store.__init__", "from mailer.store.db import connect", id="package-file"),
        pytest.param(purity, "mailer.core.terms", "import time", id="core-clock"),
        pytest.param(purity, "mailer.core.rules", "from pathlib import Path", id="core-files"),
        pytest.param(purity, "mailer.core.rules", "text = open('rules')", id="core-opens"),
        pytest.param(purity, "mailer.core.decide", "import logging.handlers", id="core-logging"),
        pytest.param(clock_and_chance, "mailer.core.terms", "from datetime import datetime\ndatetime.now()", id="now"),
        pytest.param(clock_and_chance, "mailer.flow.issue", "import datetime as dt\nf(dt.datetime.utcnow)", id="now-as-value"),
        pytest.param(clock_and_chance, "mailer.store.audit", "at = func.now()", id="now-of-the-database"),
        pytest.param(clock_and_chance, "mailer.edge.keys", "from os import urandom", id="chance"),
        pytest.param(clock_and_chance, "mailer.flow.issue", "import secrets", id="chance-module"),
        pytest.param(sql_in_store, "mailer.flow.report.house", "from sqlalchemy import select", id="sql-in-flow"),
    ],
)
def test_a_broken_rule_is_seen(check: Check, module: str, source: str) -> None:
    assert len(list(check(module, ast.parse(source)))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("mailer.core.decide", "from mailer.core import rules\nfrom mailer.model import Facts", id="core"),
        pytest.param("mailer.edge.imap_idle", "from mailer.edge.imap import Session\nimport time\ntime.monotonic()", id="edge"),
        pytest.param("mailer.edge.accounts.ldap", "from .fields import Field", id="edge-package"),
        pytest.param("mailer.flow.issue", "from mailer.store import credentials\nfrom mailer.core import terms", id="flow"),
        pytest.param("mailer.flow.report.requests", "from mailer.flow.report.records import Entry", id="flow-package"),
        pytest.param("mailer.cli.__init__", "from mailer.cli.letters import letters", id="cli-package-file"),
        pytest.param("mailer.service", "from datetime import datetime\nimport secrets\ndatetime.now()", id="service"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    checks = [floors, purity, clock_and_chance, sql_in_store]
    assert [broken for check in checks for broken in check(module, ast.parse(source))] == []
