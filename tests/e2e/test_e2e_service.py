"""The main job, end to end: letters in a real mailbox, the real processes, replies on a real line."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bureau import PHRASE, Bureau, body, header, request
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.slow

GOOD, OTHER, STRANGER = "gb1@clinic.example", "dent@clinic.example", "nobody@elsewhere.example"


@pytest.fixture
def any_bureau(tmp_path: Path, database_url: str, dovecot: Dovecot) -> Iterator[Bureau]:
    with Bureau(tmp_path, database_url, dovecot) as office:
        office.register([GOOD, OTHER])
        yield office


@pytest.fixture
def bureau(tmp_path: Path, dovecot: Dovecot) -> Iterator[Bureau]:
    """For what does not depend on the database."""
    with Bureau(tmp_path, f"sqlite:///{tmp_path / 'mailer.db'}", dovecot) as office:
        office.register([GOOD, OTHER])
        yield office


def test_each_kind_of_letter_ends_as_it_must(any_bureau: Bureau) -> None:
    bureau = any_bureau
    bureau.dovecot.drop(
        [
            request("Пришва А.А.", GOOD, 1),
            request("", OTHER, 2, subject=f"RE: {PHRASE.upper()}: ли к."),
            request("Фамилия И.О.", GOOD, 3),
            request("Иванов И.И.", STRANGER, 4),
            request("", GOOD, 5, subject="Отчёт за квартал"),
            request("", OTHER, 6, subject="Прошу атрибуты для доступа"),
        ]
    )
    said = bureau.mailer("run", "--until-idle", exit_code=0)
    assert "replies" in said
    states = {line["id"]: (line["state"], line["person"], line["reason"]) for line in bureau.json("requests", "list")}
    assert sorted(states.values(), key=str) == [
        ("answered", "Ли К.", None),
        ("answered", "Пришва А.А.", None),
        ("held", "Иванов И.И.", "unknown-sender"),
        ("refused", None, "name-placeholder"),
        ("refused", None, "near-subject"),
    ]
    replies = {(letter.recipients[0], header(letter.content, "Subject")) for letter in bureau.received()}
    assert (GOOD, "Логин и пароль: Пришва А.А.") in replies
    assert len(bureau.received()) == 4
    assert not [letter for letter in bureau.received() if STRANGER in letter.recipients]
    assert len(bureau.dovecot.letters("Обработано")) == 3  # requests of known senders; the near one stays for people
    assert len(bureau.dovecot.letters("INBOX")) == 3
    bureau.mailer("audit", "verify", exit_code=0)


def test_the_letter_holds_what_opens_the_portal_and_comes_once(bureau: Bureau) -> None:
    bureau.dovecot.drop([request("Пришва А.А.", GOOD, 1)])
    bureau.mailer("run", "--until-idle", exit_code=0)
    (letter,) = bureau.received()
    text = body(letter.content)
    (line,) = bureau.json("credentials", "list")
    credential = line["credential"]
    assert credential["login"] in text
    assert re.search(r"^\s*[bdfghjkmnrstuvwz3478]{18}\s*$", text, re.M)
    assert "https://portal.example/" in text
    assert header(letter.content, "In-Reply-To") == f"<request-1-{GOOD}>"
    assert header(letter.content, "Auto-Submitted") == "auto-replied"
    assert credential["state"] == "active"
    bureau.dovecot.drop([request("Пришва А.А.", GOOD, 2)])
    bureau.mailer("run", "--until-idle", exit_code=0)
    assert len(bureau.received()) == 1, "neither the first letter again nor one that asks again within minutes"


def test_a_letter_that_arrives_while_it_runs_is_answered_and_the_service_stops_cleanly(any_bureau: Bureau) -> None:
    bureau = any_bureau
    service = bureau.start()
    bureau.wait_for(lambda: "intake:uc" in bureau.mailer("status"), "the service to start")
    bureau.dovecot.drop([request("Пришва А.А.", GOOD, 1)])
    bureau.wait_for(lambda: len(bureau.received()) == 1, "the answer")
    service.send_signal(signal.SIGTERM)
    assert service.wait(10) == 0
    bureau.mailer("audit", "verify", exit_code=0)


def test_observing_decides_and_touches_nothing(tmp_path: Path, dovecot: Dovecot) -> None:
    with Bureau(tmp_path, f"sqlite:///{tmp_path / 'mailer.db'}", dovecot, mode="observe") as office:
        office.register([GOOD])
        dovecot.drop([request("Пришва А.А.", GOOD, 1)])
        office.mailer("run", "--until-idle", exit_code=0)
        (letter,) = office.json("letters", "list")
        assert (letter["verdict"], letter["rule_id"]) == ("issue", "issue")
        assert office.json("requests", "list") == []
        assert office.received() == []
        assert len(dovecot.letters("INBOX")) == 1
        assert dovecot.flags("INBOX") == [""]
