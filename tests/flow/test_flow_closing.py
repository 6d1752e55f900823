"""A sender is closed while its login is in reserve: reserved and not issued yet, as between two transactions or after a crash."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from mailer.errors import RefusedError
from mailer.flow.override import register as override
from mailer.flow.override import requests as decisions
from mailer.flow.override.closing import Reach
from mailer.flow.override.register import Hands
from mailer.states import CredentialState, LoginEffect, RequestState
from mailer.store import credentials, places, worklist
from mailer.store.requests import Request
from mailer.store.schema import pool_pairs
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, Desk, until_done
from tests.flow.test_flow_attacks import alarms
from tests.flow.test_flow_places import fill
from tests.store.offices import Trial

WHY = "по письму организации"


@pytest.fixture(params=["local", "pool"])
def desk(trial: Trial, tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    """One approved request waits for its login."""
    office = Desk(trial=trial, home=tmp_path, kind=request.param)
    if office.kind == "pool":
        fill(office, {"uc-1": "x"})
    take(office, 1)
    return office


def take(desk: Desk, number: int) -> None:
    desk.take(request("Ли К.", CLINIC.answer_to, number))
    until_done(desk.answer())


def block(desk: Desk, effect: LoginEffect = LoginEffect.REVOKE) -> Reach:
    hands = Hands(stationery=desk.stationery, accounts=places)
    return override.block(desk.trial.worker(), hands, CLINIC.code, until=None, effect=effect, reason=WHY)[1]


def unblock(desk: Desk) -> None:
    override.unblock(desk.trial.worker(), Hands(stationery=desk.stationery, accounts=places), CLINIC.code, reason=WHY)


def newest(desk: Desk) -> Request:
    with desk.trial.database.reading() as tx:
        return worklist.page(tx, Wanted(), Page(limit=1)).requests[0]


def states(desk: Desk) -> list[CredentialState]:
    with desk.trial.database.reading() as tx:
        found = credentials.of_sender(tx, CLINIC.code, list(CredentialState))
    return sorted((one.state for one in found), key=list(CredentialState).index)


@pytest.mark.parametrize("crashed", [False, True], ids=["a moment later", "after a crash"])
@pytest.mark.parametrize("effect", list(LoginEffect))
def test_it_is_abandoned_and_its_request_waits_for_a_person(desk: Desk, effect: LoginEffect, crashed: bool) -> None:
    issue = desk.issue()
    reserved = issue.reserving.reserve()
    assert states(desk) == [CredentialState.RESERVED]
    assert block(desk, effect) == Reach(requests=1)
    assert desk.issue().step() if crashed else issue.carry_out(reserved)
    desk.run()
    assert desk.postman.sent == []
    assert states(desk) == [CredentialState.ABANDONED]
    assert (newest(desk).state, newest(desk).reason) == (RequestState.HELD, "sender-blocked")
    assert desk.events()[-1] == "credential.abandoned"
    assert (alarms(desk), desk.troubles) == ([], []), "a person wanted it so"


def test_nothing_is_decided_on_it_before_it_is_abandoned(desk: Desk) -> None:
    desk.issue().reserving.reserve()
    block(desk)
    with pytest.raises(RefusedError, match="still to be given up"):
        decisions.withdraw(desk.trial.worker(), [1], reason=WHY)
    desk.run()
    decisions.withdraw(desk.trial.worker(), [1], reason=WHY)
    assert newest(desk).state is RequestState.WITHDRAWN


def test_once_the_sender_is_open_again_it_gets_a_login_as_any_other(desk: Desk) -> None:
    desk.issue().reserving.reserve()
    block(desk)
    desk.run()
    if desk.kind == "pool":
        with desk.trial.database.reading() as tx:
            assert tx.execute(select(pool_pairs.c.state, pool_pairs.c.credential_id)).all() == [("free", None)]
    unblock(desk)
    decisions.approve(desk.trial.worker(), desk.policy(), [1], reason=WHY)
    desk.trial.clock.move(minutes=5)
    desk.run()
    assert states(desk) == [CredentialState.ACTIVE, CredentialState.ABANDONED]
    assert len(desk.postman.sent) == 1
    assert alarms(desk) == []


@pytest.mark.parametrize("trial", ["postgresql"], indirect=True)  # SQLite lets one write at a time
def test_what_is_just_carried_out_is_waited_for_and_then_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(desk.pool if desk.kind == "pool" else desk.local)
    create, blocking = kind.create, threading.Thread(target=lambda: reached.append(block(desk)))
    reached: list[Reach] = []

    def slowly(accounts: object, tx: Connection, orders: object) -> object:
        made = create(accounts, tx, orders)  # type: ignore[arg-type]
        blocking.start()
        blocking.join(0.5)
        assert blocking.is_alive(), "it waits for this transaction"
        return made

    monkeypatch.setattr(kind, "create", slowly)
    assert desk.issue().step()
    blocking.join(30)
    assert reached == [Reach(logins=1)]
    assert states(desk) == [CredentialState.REVOKED]
