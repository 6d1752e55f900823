"""The done folder of a real Dovecot: only what was erased here, or lies there too long, is removed, and only by number."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from imapclient import IMAPClient
from sqlalchemy import text

from mailer.core import mime
from mailer.edge.imap import ImapMailbox
from mailer.edge.marks_erased import ErasedFile
from mailer.edge.papers import Papers
from mailer.errors import EdgeSetupError
from mailer.flow.override import filed
from mailer.model import Kind, RawLetter
from mailer.store import letters
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, Desk
from tests.flow.test_flow_personal import REASON, bureau
from tests.servers.dovecot import Dovecot
from tests.servers.imap_account import account
from tests.servers.services import needed
from tests.store.offices import Trial

FOREIGN = b"From: a@b.example\r\nSubject: not ours\r\nMessage-ID: <f@b.example>\r\n\r\nx\r\n"
OURS = [request(f"Фомин {initial}.Ф.", CLINIC.answer_to, number) for number, initial in enumerate("АБВ", 1)]


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    desk = Desk(trial=trial, home=tmp_path)
    ErasedFile(tmp_path / "keys").make()
    return desk


def moved(server: Dovecot, desk: Desk) -> None:
    """Our letters are kept, read and moved, as the steps do; a foreign one lies among them, marked by its owner as deleted."""
    server.drop([*OURS, FOREIGN])
    with closing(ImapMailbox(account(server))) as mailbox:
        epoch = mailbox.open()
        heads = mailbox.heads(mailbox.items(full=True))
        with desk.trial.worker().writing() as unit:
            for head, content in zip(heads[:3], OURS, strict=True):
                raw = RawLetter(
                    mailbox="uc",
                    epoch=epoch,
                    item=head.item,
                    received_at=head.received_at,
                    size_bytes=head.size_bytes,
                    content=content,
                    whole=True,
                )
                letter = mime.read(content)
                assert letter is not None
                letters.keep(
                    unit.tx,
                    raw,
                    letter,
                    kind=Kind.REQUEST,
                    proven=True,
                    sender_code=None,
                    digest=letter.digest,
                    at=desk.trial.clock(),
                )
        mailbox.file([head.item for head in heads])
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE letters SET state = 'read'"))
    with in_done(server) as client:
        client.add_flags(client.search(["SUBJECT", "not ours"]), [b"\\Deleted"])


class in_done:
    def __init__(self, server: Dovecot) -> None:
        self._client = IMAPClient(server.host, server.port, ssl=False)
        self._client.login("desk", "desk-password")
        self._client.select_folder("Обработано")

    def __enter__(self) -> IMAPClient:
        return self._client

    def __exit__(self, *_error: object) -> None:
        self._client.shutdown()


def count_in_done(server: Dovecot) -> int:
    with in_done(server) as client:
        return len(client.search("ALL"))


@pytest.fixture
def server(dovecot: Dovecot, desk: Desk) -> Dovecot:
    moved(dovecot, desk)
    return dovecot


def done_of(server: Dovecot) -> ImapMailbox:
    return ImapMailbox(replace(account(server), folder="Обработано"))


def clear(desk: Desk, server: Dovecot, before: datetime | None = None) -> list[int]:
    worker = desk.trial.worker()
    with closing(done_of(server)) as folder:
        found = filed.condemned(worker, folder, "uc", before=before)
        if found:
            with Papers(desk.home / "acts", str(len(found))) as papers:
                filed.remove(worker, bureau(desk), papers, folder, found, mailbox="uc", reason=REASON)
    return sorted(found.values())


def test_what_was_erased_here_goes_there_too_and_nothing_else(desk: Desk, server: Dovecot) -> None:
    assert clear(desk, server) == []
    with desk.trial.database.writing() as tx:
        tx.execute(letters.letters.update().where(letters.letters.c.id == 2).values(content=b"", erased_at=desk.trial.clock()))
    assert clear(desk, server) == [2]
    assert count_in_done(server) == 3, "another's letter that he marked as deleted is his to remove"
    assert desk.events()[-2:] == ["personal.condemned", "personal.removed"]
    act = (desk.home / "acts" / "act-1.txt").read_text()
    assert "UID EXPUNGE" in act
    assert "personal.removed" in act
    assert clear(desk, server) == []


def test_what_lies_there_too_long_goes(desk: Desk, server: Dovecot) -> None:
    assert clear(desk, server, desk.trial.clock()) == []
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE letters SET state = 'quarantined' WHERE id = 3"))
    desk.trial.clock.move(days=1)
    assert clear(desk, server, desk.trial.clock()) == [1, 2]
    assert count_in_done(server) == 2


def test_a_server_that_cannot_remove_single_letters_is_refused(desk: Desk) -> None:
    with needed(), Dovecot(capabilities="IMAP4rev1 NAMESPACE IDLE MOVE") as server:
        moved(server, desk)
        desk.trial.clock.move(days=1)
        with pytest.raises(EdgeSetupError, match="UIDPLUS"):
            clear(desk, server, desk.trial.clock())
        assert count_in_done(server) == 4
    assert not list(desk.home.glob("acts/*"))
