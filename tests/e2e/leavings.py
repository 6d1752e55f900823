"""What does an office leave behind? Its files, its database in every form, what its commands print and export, its letters to the
officer: wherever something could stand that must stand nowhere.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from mailer.cli.exporting import Form
from tests.cli.offices import Shell
from tests.e2e.bureau import Bureau
from tests.flow.desks import OFFICER
from tests.servers.postgres import programs

LISTS = (
    "status",
    "senders list",
    "senders export",
    "persons list",
    "accounts list",
    "accounts reconcile",
    "letters list --limit 1000",
    "requests list --limit 1000",
    "requests list --held",
    "requests list --undelivered",
    "requests list --observed",
    "credentials list --limit 1000",
    "rules show",
    "rules test",
    "keys list",
    "audit list --limit 1000",
    "audit verify",
)
SHOWS = {  # what shows one thing -> what lists them, and the field by which each is known
    "senders show": ("senders list", "code"),
    "persons show": ("persons list", "sender_code"),
    "letters show": ("letters list --limit 1000", "id"),
    "requests show": ("requests list --limit 1000", "id"),
    "credentials show": ("credentials list --limit 1000", "credential.id"),
}


def database_bytes(url: str) -> Iterator[tuple[str, bytes]]:
    """A dump of the database and every file of its server, the write-ahead log among them."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return  # its files lie in the office's folder
    home = Path(str(parsed.query["host"]))
    with psycopg.connect(host=str(home), user=parsed.username, dbname=parsed.database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    dump = [programs() / "pg_dump", "--host", home, "--username", parsed.username or "", parsed.database or ""]
    yield "pg_dump", subprocess.run([str(word) for word in dump], capture_output=True, check=True).stdout
    for path in (home / "data").rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def everything(bureau: Bureau, shell: Shell, url: str, *, person: str) -> Iterator[tuple[str, bytes]]:
    """All of it, each with its place; `person` is whose data are handed over. Letters to others than the officer are theirs."""
    yield from said(shell, person=person)
    export(bureau, shell, person=person)
    for path in bureau.home.rglob("*"):
        if path.is_file() and bureau.outbox not in path.parents:
            yield str(path.relative_to(bureau.home)), path.read_bytes()
    yield from database_bytes(url)
    for letter in bureau.received():
        if OFFICER in letter.recipients:
            yield f"letter to the officer: {letter.content.partition(b'Subject:')[2][:80]!r}", letter.content


def said(shell: Shell, *, person: str) -> Iterator[tuple[str, bytes]]:
    """What every command prints that lists or shows, for people and for machines."""
    listed = {command: shell(*command.split(), "--json").objects for command in LISTS}
    shown = [
        [*command.split(), str(reduce(getitem, field.split("."), one))]
        for command, (source, field) in SHOWS.items()
        for one in listed[source]
    ]
    for words in [*(command.split() for command in LISTS), *shown, ["personal", "find", person]]:
        for form in ([], ["--json"]):
            told = shell(*words, *form)
            assert not told.err, f"{words}: {told.err}"
            yield " ".join([*words, *form]), (told.out + told.err).encode()


def export(bureau: Bureau, shell: Shell, *, person: str) -> None:
    """Every form in which anything leaves the house, into the folder `exports`."""
    folder = bureau.home / "exports"
    folder.mkdir()
    commands: list[list[Any]] = [["audit", "export", folder / f"record.{form.value}", "--format", form.value] for form in Form]
    commands.append(["audit", "export", folder / "record-excel.csv", "--format", "csv", "--excel"])
    commands.append(["personal", "export", person, folder / "person.json"])
    for one in shell("letters", "list", "--limit", "1000", "--json").objects:
        commands.append(["letters", "export", one["id"], folder / f"letter-{one['id']}.eml"])
    for command in commands:
        told = shell(*map(str, command))
        assert told.code == 0, f"{command}: {told.err}"
