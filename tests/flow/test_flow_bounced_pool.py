"""A ready pair whose answer never arrives: the login is blocked with us, and a person must block it where it was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.core.alarms import Alarm, AlarmKind
from mailer.flow import places
from mailer.flow.alarm import AlarmStep
from mailer.model import Delivery
from mailer.states import CredentialState
from mailer.store import alarms
from tests.flow.desks import Desk
from tests.flow.test_flow_bounced import CLINIC, answered, approve, bounce, credential_states, issued, reissues, returned
from tests.flow.test_flow_places import fill
from tests.store.offices import Trial


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    office = Desk(trial=trial, home=tmp_path, kind="pool", bounce_address="mailer+{id}@fond.example", low_stock=2)
    trial.register(CLINIC)
    fill(office, {"uc-1": "x", "uc-2": "y"})
    return office


def to_block_by_hand(desk: Desk) -> list[str]:
    with desk.trial.database.reading() as tx:
        found = places.reconcile(tx, [desk.local, desk.pool], desk.trial.clock(), key=desk.trial.pen.key)
    assert (found.without_credential, found.without_account, found.other_end) == ([], [], [])
    return [one.login for one in found.by_hand]


@pytest.mark.parametrize("way", ["bounced", "failed"])
def test_it_is_blocked_and_its_reissue_gets_another_pair(desk: Desk, way: str) -> None:
    if way == "bounced":
        returned(desk, bounce(answered(desk)))
    else:
        issued(desk)
        desk.postman.answers = [Delivery.NEVER]
        desk.send()
    assert credential_states(desk) == [CredentialState.SUSPENDED]
    assert to_block_by_hand(desk) == ["uc-1"]
    assert reissues(desk) == [(1, "held", f"answer-{way}")]
    approve(desk, 2)
    desk.run()
    assert credential_states(desk) == [CredentialState.SUPERSEDED, CredentialState.ACTIVE]
    assert to_block_by_hand(desk) == ["uc-1"]


def test_the_officer_is_told_that_few_pairs_are_left_until_more_are_imported(desk: Desk) -> None:
    step = desk.alarm()
    assert low(desk, step) == []
    answered(desk)
    told_at = desk.trial.clock()
    assert low(desk, step) == [Alarm(kind=AlarmKind.POOL_LOW, since=told_at, numbers={"free": 1})]
    fill(desk, {"uc-3": "z"})
    assert low(desk, step) == []


def low(desk: Desk, step: AlarmStep) -> list[Alarm]:
    """What stands a minute later."""
    desk.trial.clock.move(minutes=1)
    step.step()
    with desk.trial.database.reading() as tx:
        return [one.alarm for one in alarms.every(tx) if one.cleared_at is None]
