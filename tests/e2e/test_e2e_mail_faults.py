"""The whole service while its mail servers have a bad day: nothing is lost, nothing answered twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient

from tests.e2e.bureau import Bureau, request
from tests.servers.dovecot import Dovecot
from tests.servers.services import needed

pytestmark = pytest.mark.slow

GOOD, OTHER = "gb1@clinic.example", "dent@clinic.example"
PATIENCE_SECONDS = 120  # a step that failed comes back after a pause that doubles, and the machine may be busy
UIDPLUS_ONLY = "IMAP4rev1 NAMESPACE IDLE UIDPLUS QUOTA"


@pytest.fixture
def bureau(tmp_path: Path, dovecot: Dovecot) -> Iterator[Bureau]:
    with Bureau(tmp_path, f"sqlite:///{tmp_path / 'mailer.db'}", dovecot) as office:
        office.register([GOOD, OTHER])
        yield office


def officer(dovecot: Dovecot) -> IMAPClient:
    client = IMAPClient(dovecot.host, dovecot.port, ssl=False)
    client.login("desk", "desk-password")
    return client


def answered(bureau: Bureau, count: int) -> None:
    bureau.wait_for(lambda: len(bureau.received()) >= count, f"answer {count}", PATIENCE_SECONDS)
    assert len(bureau.received()) == count


def shows(bureau: Bureau, words: str) -> None:
    """`status` says it, as something that a person should look at."""
    bureau.wait_for(lambda: words in bureau.mailer("status"), words, PATIENCE_SECONDS)


def test_a_day_of_an_unlucky_mailbox(bureau: Bureau) -> None:
    """Restart, login refused, folder renamed: each time `status` says why, and the next letter is answered once it is over."""
    dovecot = bureau.dovecot
    with officer(dovecot) as client:
        client.create_folder("Запросы")
    bureau.config.write_text(
        bureau.config.read_text(encoding="utf-8").replace('user = "desk"', 'user = "desk"\nfolder = "Запросы"')
    )
    bureau.start()
    drop(dovecot, request("Пришва А.А.", GOOD, 1))
    answered(bureau, 1)

    dovecot.stop()
    shows(bureau, "does not answer")
    dovecot.start()
    drop(dovecot, request("Ли К.", GOOD, 2))
    answered(bureau, 2)

    dovecot.admit(desk="another-password")
    dovecot.stop()
    dovecot.start()
    shows(bureau, "refuses the login of desk")
    dovecot.admit(desk="desk-password")
    drop(dovecot, request("Ким В.Г.", GOOD, 3))
    answered(bureau, 3)

    with officer(dovecot) as client:
        client.rename_folder("Запросы", "Старые запросы")
    dovecot.stop()
    dovecot.start()
    shows(bureau, "does not open the folder Запросы")
    with officer(dovecot) as client:
        client.rename_folder("Старые запросы", "Запросы")
    drop(dovecot, request("Юн Д.Е.", OTHER, 4))
    answered(bureau, 4)
    bureau.wait_for(lambda: len(dovecot.letters("Обработано")) == 4, "the letters to be moved", PATIENCE_SECONDS)
    bureau.mailer("audit", "verify", exit_code=0)


def drop(dovecot: Dovecot, *letters: bytes) -> None:
    with officer(dovecot) as client:
        for letter in letters:
            client.append("Запросы", letter)


def test_a_folder_made_anew_with_the_same_letters_answers_none_twice(bureau: Bureau) -> None:
    dovecot = bureau.dovecot
    letters = [request("Пришва А.А.", GOOD, 1), request("Ли К.", OTHER, 2), request("", GOOD, 3, subject="Отчёт")]
    dovecot.drop(letters)
    bureau.mailer("run", "--until-idle", exit_code=0)
    assert len(bureau.received()) == 2
    dovecot.stop()
    dovecot.renumber()
    dovecot.drop(letters[:2])
    dovecot.start()

    bureau.mailer("run", "--until-idle", exit_code=0)

    assert len(bureau.received()) == 2
    assert len(dovecot.letters("Обработано")) == 4
    assert dovecot.letters() == letters[2:]
    assert bureau.mailer("audit", "list", "--limit", "1000").count("letter.renumbered") == 2


def test_a_full_done_folder_holds_up_no_answer(tmp_path: Path) -> None:
    """Dovecot's quota: a copy counts as one more letter, so a server without MOVE refuses to file."""
    with (
        needed(),
        Dovecot(capabilities=UIDPLUS_ONLY, quota_letters=2) as dovecot,
        Bureau(tmp_path, f"sqlite:///{tmp_path / 'mailer.db'}", dovecot) as bureau,
    ):
        bureau.register([GOOD, OTHER])
        dovecot.drop([request("Пришва А.А.", GOOD, 1), request("Ли К.", OTHER, 2)])
        bureau.mailer("run", "--until-idle", exit_code=0)
        assert len(bureau.received()) == 2
        assert len(dovecot.letters()) == 2
        assert dovecot.letters("Обработано") == []
        dovecot.drop([request("Ким В.Г.", GOOD, 3)])
        bureau.mailer("run", "--until-idle", exit_code=0)
        assert len(bureau.received()) == 3

        config = dovecot.home / "dovecot.conf"
        config.write_text(config.read_text(encoding="utf-8").replace("messages=2", "messages=20"), encoding="utf-8")
        dovecot.stop()
        dovecot.start()
        bureau.mailer("run", "--until-idle", exit_code=0)

        assert len(bureau.received()) == 3
        assert dovecot.letters() == []
        assert len(dovecot.letters("Обработано")) == 3


def test_a_mail_server_that_is_away_ends_the_run_and_not_the_answers(bureau: Bureau) -> None:
    """When it is back and what happens then: tests/flow/test_flow_mail_server_away.py, where nobody waits for the clock."""
    people = [f"Иванов {first}.{second}." for first in "АБВГД" for second in "АБВ"]
    bureau.dovecot.drop([request(person, GOOD, n) for n, person in enumerate(people)])
    bureau.stop_sink()

    said = bureau.mailer("run", "--until-idle", exit_code=0)

    assert "15 replies wait for their next attempt" in said
    assert bureau.mailer("audit", "list", "--limit", "1000").count("reply.leased") <= 8
    assert bureau.mailer("status").count("!") == 0, "nobody need act before fourteen days are over"


def test_three_thousand_letters_that_are_not_ours_hold_up_nobody(bureau: Bureau) -> None:
    """The short form of `make faults`, which has 100,000."""
    bureau.dovecot.drop([request("", f"a{n}@elsewhere.example", n, subject=f"Отчёт {n}") for n in range(3000)])
    bureau.dovecot.drop([request("Пришва А.А.", GOOD, 3001)])

    bureau.mailer("run", "--until-idle", exit_code=0)

    assert len(bureau.received()) == 1
    assert len(bureau.dovecot.letters()) == 3000
