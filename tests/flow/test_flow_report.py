"""Does what an officer sees of a request say what the office knew and meant when it decided?"""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.core import rules
from mailer.edge import office as texts
from mailer.flow.report.dossier import dossier
from mailer.flow.report.requests import listed
from mailer.model import SenderStanding
from mailer.store import office
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
