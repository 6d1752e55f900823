"""Does an officer wait? What each list, `show` and `status` costs over 1,000,000 requests, on both databases (time that passes).

Building both offices takes some minutes and 6 GB in the folder for temporary files; both are gone afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mailer.core import alarms, folding
from mailer.edge import office
from mailer.flow.needs import needs
from mailer.flow.report.credentials import credential_lines
from mailer.flow.report.dossier import dossier
from mailer.flow.report.house import status
from mailer.flow.report.requests import listed
from mailer.model import Own
from mailer.states import CredentialState, RequestState
from mailer.store.db import Tx
from mailer.store.worklist import Page, Wanted
from tests.bench import million
from tests.bench.figures import Figure, lasted
from tests.bench.million import NOW, REQUESTS, code
from tests.servers.postgres import Postgres

GOAL: Final = 0.3
TIMES: Final = 5
MIDDLE: Final = NOW - timedelta(days=579)
HELD: Final = (RequestState.HELD,)
OWN: Final = Own(message_id_domain="fond.example")
STATES: Final = (
    *(CredentialState.ACTIVE, CredentialState.EXPIRED, CredentialState.SUPERSEDED, CredentialState.REVOKED),
    CredentialState.SUSPENDED,
)
LIMITS: Final = alarms.Limits(silence={}, stopped=timedelta(minutes=15), parts=(), breaker=200, disk_free_bytes=1, low_stock=0)

LISTS: Final[Mapping[str, tuple[Wanted, Page]]] = {
    "list": (Wanted(), Page(limit=50)),
    "list --before, in the middle": (Wanted(), Page(limit=50, before=REQUESTS // 2)),
    "list --after, in the middle": (Wanted(), Page(limit=50, after=REQUESTS // 2)),
    "list --state refused": (Wanted(states=(RequestState.REFUSED,)), Page(limit=50)),
    "list --state answered --reason (none)": (Wanted(states=(RequestState.ANSWERED,), reason="several-names"), Page(limit=50)),
    "list --held": (Wanted(states=HELD, strangers_in_one=True), Page(limit=50, oldest_first=True)),
    "list --held --after": (Wanted(states=HELD, strangers_in_one=True), Page(limit=50, oldest_first=True, after=100_007)),
    "list --sender": (Wanted(sender=code(776)), Page(limit=50)),
    "list --sender --state withdrawn": (Wanted(sender=code(776), states=(RequestState.WITHDRAWN,)), Page(limit=50)),
    "list --reason": (Wanted(reason="several-names"), Page(limit=50)),
    "list --since --until, a day": (Wanted(since=MIDDLE, until=MIDDLE + timedelta(days=1)), Page(limit=50)),
    "list --since --until --reason": (Wanted(since=MIDDLE, reason="initials-missing"), Page(limit=50)),
    "list --undelivered": (Wanted(undelivered=True), Page(limit=50)),
    "list --person, common": (Wanted(person=folding.terms("Иванов А.Б.")), Page(limit=50)),
    "list --person, rare": (Wanted(person=folding.terms("Барабов")), Page(limit=50)),
    "list --find, common surname": (Wanted(text=folding.terms("Apтeмов")), Page(limit=50)),
    "list --find, surname and organisation": (Wanted(text=folding.terms("иванов больница 77")), Page(limit=50)),
    "list --find, two letters each": (Wanted(text=folding.terms("ив ку")), Page(limit=50)),
    "list --find, every organisation": (Wanted(text=folding.terms("больница")), Page(limit=50)),
    "list --find, a stranger's address": (Wanted(text=folding.terms("clinic77@elsewhere")), Page(limit=50)),
    "list --find, nobody": (Wanted(text=folding.terms("ыыы")), Page(limit=50)),
    "list --find --state held": (Wanted(text=folding.terms("артемов"), states=HELD), Page(limit=50)),
}


def figures() -> list[Figure]:
    found = []
    for name, address in _databases():
        trial = million.build(address, office.rule_texts(None))
        try:
            with trial.database.reading() as tx:
                found += [lasted(f"{name}: {what}", deed, times=TIMES, goal=GOAL) for what, deed in _deeds(tx).items()]
        finally:
            trial.database.close()
    return found


def _databases() -> Iterator[tuple[str, str]]:
    with TemporaryDirectory() as home:
        yield "SQLite", f"sqlite:///{Path(home) / 'mailer.db'}"
    with Postgres() as server:
        yield "PostgreSQL", server.fresh()


def _deeds(tx: Tx) -> dict[str, Callable[[], object]]:
    lists: dict[str, Callable[[], object]] = {
        what: lambda wanted=wanted, where=where: listed(tx, wanted, where) for what, (wanted, where) in LISTS.items()
    }
    lists |= {
        f"credentials list --state {state}": lambda state=state: credential_lines(tx, 50, states=(state,)) for state in STATES
    }
    return lists | {
        "show, of a known sender": lambda: dossier(tx, REQUESTS - 100, OWN),
        "show, of a stranger": lambda: dossier(tx, 500_007 + 1000, OWN),
        "status": lambda: (status(tx, NOW), needs(tx, LIMITS, NOW)),
    }
