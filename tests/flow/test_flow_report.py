"""Does what an officer sees of a request say what the office knew and meant when it decided?"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.core import rules
from mailer.edge import office as texts
from mailer.flow.report.credentials import credential_lines
from mailer.flow.report.dossier import dossier
from mailer.flow.report.requests import listed
from mailer.model import SenderStanding
from mailer.states import CredentialState
from mailer.store import credentials, office
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, Desk
from tests.store.offices import Trial


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def activate(desk: Desk, content: dict[str, str]) -> None:
    desk.ruleset = rules.load(content)
    with desk.trial.database.writing() as tx:
        office.activate(tx, ruleset_hash=desk.ruleset.hash, content=content, actor="test", at=desk.trial.clock())


def test_the_rules_of_then_are_shown_and_an_office_s_own_reason_in_its_own_words(desk: Desk) -> None:
    packaged = texts.rule_texts(None)
    activate(desk, {name: content.replace('"latin-initials"\n', '"by-hand"\n') for name, content in packaged.items()})
    desk.take(request("Иванов B.C.", CLINIC.answer_to))
    desk.run()
    activate(desk, packaged)
    with desk.trial.database.reading() as tx:
        (line,) = listed(tx, Wanted(), Page(limit=5)).lines
        found = dossier(tx, line.id, desk.own)
    why = next(rule.why for rule in rules.load(packaged).rules if rule.id == "latin-initials")
    assert (line.reason, line.own_words, found.line) == ("by-hand", why, line)
    assert found.rules is not None
    assert [(one.name, one.unmet) for one in found.rules][-1] == ("by-hand", None)


def test_a_request_of_a_stranger_tells_the_address_and_how_far_it_was_proven(desk: Desk) -> None:
    desk.take(request("Ли К.", "far@elsewhere.example"))
    desk.run()
    with desk.trial.database.reading() as tx:
        (line,) = listed(tx, Wanted(), Page(limit=5)).lines
        assert (line.stranger, line.standing, line.sender_code) == ("far@elsewhere.example", SenderStanding.UNKNOWN, None)
        assert dossier(tx, line.id, desk.own).view.stranger == "far@elsewhere.example"


def test_without_the_rules_of_then_the_rest_is_shown(desk: Desk) -> None:
    desk.take(request("Ли К.", CLINIC.answer_to))
    desk.run()
    with desk.trial.database.reading() as tx:
        found = dossier(tx, 1, desk.own)
    assert found.rules is None
    assert found.reading is not None
    assert found.reading.person is not None


@pytest.mark.parametrize("many", [1, 3, 5000])
def test_credentials_of_some_states_are_the_newest_of_them(desk: Desk, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(credentials, "MANY", many)
    for number, surname in enumerate(("Ли", "Пришва", "Артёмов", "Громов", "Ким")):
        desk.take(request(f"{surname} К.", CLINIC.answer_to, number))
        desk.run()
        desk.trial.clock.move(minutes=1)
    with desk.trial.database.writing() as tx:
        for number, state in ((2, "expired"), (3, "revoked"), (4, "expired")):
            tx.execute(text("UPDATE credentials SET state = :state WHERE request_id = :id"), {"state": state, "id": number})
    expired, revoked = CredentialState.EXPIRED, CredentialState.REVOKED
    with desk.trial.database.reading() as tx:
        shown = [
            [line.credential.request_id for line in credential_lines(tx, limit, states=states)]
            for limit, states in (
                (9, ()),
                (9, (expired,)),
                (1, (expired,)),
                (9, (revoked, expired)),
                (9, (CredentialState.SUSPENDED,)),
            )
        ]
    assert shown == [[5, 4, 3, 2, 1], [4, 2], [4], [4, 3, 2], []]
