"""Somebody can write the database and nothing else: can they make up a ready pair, or give one another password or end?

They know the login of a pair from its reservation on, also when that was given up and the pair is free again; and anybody can seal
to the pool's public key. `test_flow_attacks.py` says what else they hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from mailer.core import evidence
from mailer.core.secret import Secret
from mailer.errors import SetupError
from mailer.store import accounts_pool
from mailer.store.schema import pool_pairs
from tests.e2e.bureau import body, request
from tests.flow.desks import CLINIC, DENTIST, Desk, until_done
from tests.flow.test_flow_attacks import alarms, attack, recipients
from tests.flow.test_flow_closing import block
from tests.flow.test_flow_places import fill, logins_sent
from tests.flow.test_flow_steps import credential_states, states
from tests.store.offices import START, Trial

CALL = "позвоните +7 900"
END = START + timedelta(days=60)


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    """Two pairs are free, the first is the next; one request is approved."""
    office = Desk(trial=trial, home=tmp_path, kind="pool")
    fill(office, {"uc-1": "x", "uc-2": "y"}, expires_at=END)
    office.take(request("Ли К.", CLINIC.answer_to, 1))
    until_done(office.answer())
    return office


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the attacker reads of the first pair, and the moments as the database writes them."""

    desk: Desk
    pair_id: str
    login: str = "uc-1"

    def sealed(self, content: bytes) -> bytes:
        forged = self.desk.pool_keys.seal_to_pool(content, self.pair_id)
        assert self.desk.pool_keys.open_from_pool(forged, self.pair_id) == content, "the attack is a good one"
        return forged

    def content(self, end: datetime | None = END) -> bytes:
        return json.dumps([self.pair_id, end and evidence.instant(end), self.login, CALL]).encode()

    def moment(self, at: datetime) -> object:
        return evidence.instant(at) if self.desk.trial.database.sqlite else at


def known(desk: Desk) -> Known:
    with desk.trial.database.reading() as tx:
        first = tx.execute(select(pool_pairs.c.id).order_by(pool_pairs.c.number).limit(1)).scalar_one()
    return Known(desk=desk, pair_id=first)


def with_a_key_of_ones_own(known: Known) -> bytes:
    own = replace(known.desk.logins, key=b"k" * 32)
    return known.sealed(accounts_pool.pack(own, known.pair_id, known.login, Secret(CALL), END))


Values = Mapping[str, object]
ON_A_PAIR: dict[str, Callable[[Known], Values]] = {
    "another password, without a proof": lambda known: {"sealed": known.sealed(known.content())},
    "another password, with a proof made up": lambda known: {"sealed": known.sealed(b"p" * 32 + known.content())},
    "another password, with the proof of another key": lambda known: {"sealed": with_a_key_of_ones_own(known)},
    "another password and no end": lambda known: {"sealed": known.sealed(b"p" * 32 + known.content(None)), "expires_at": None},
    "no end": lambda known: {"expires_at": None},
    "a later end": lambda known: {"expires_at": known.moment(END + timedelta(days=20))},
    "an end a moment later": lambda known: {"expires_at": known.moment(END + timedelta(microseconds=1))},
    "another mark": lambda known: {"mark": "f" * 64},
}
ON_A_RESERVED_PAIR = ON_A_PAIR | {  # of free ones the other would be the next
    "an earlier end": lambda known: {"expires_at": known.moment(END - timedelta(days=20))}
}


def change(desk: Desk, values: Values) -> None:
    """Write these into the first pair."""
    written = ", ".join(f"{column} = :{column}" for column in values)
    attack(desk, f"UPDATE pool_pairs SET {written} WHERE number = (SELECT min(number) FROM pool_pairs)", **values)


def test_without_an_attack_the_first_pair_goes_out_with_its_end(desk: Desk) -> None:
    desk.run()
    ((_, content),) = desk.postman.sent
    assert logins_sent(desk) == ["uc-1"]
    assert f"{END:%d.%m.%Y}" in body(content)
    assert alarms(desk) == []


@pytest.mark.parametrize("forge", ON_A_PAIR.values(), ids=ON_A_PAIR.keys())
def test_a_free_pair_that_was_changed_is_put_aside_and_another_goes_out(desk: Desk, forge: Callable[[Known], Values]) -> None:
    change(desk, forge(known(desk)))
    desk.run()
    ((_, content),) = desk.postman.sent
    assert logins_sent(desk) == ["uc-2"]
    assert "y" in body(content).splitlines()
    assert CALL not in body(content)
    assert f"{END:%d.%m.%Y}" in body(content)
    assert alarms(desk) == [("pool.skipped", None)]


@pytest.mark.parametrize("crashed", [False, True], ids=["a moment later", "after a crash"])
@pytest.mark.parametrize("forge", ON_A_RESERVED_PAIR.values(), ids=ON_A_RESERVED_PAIR.keys())
def test_a_reserved_pair_that_was_changed_does_not_leave(desk: Desk, forge: Callable[[Known], Values], crashed: bool) -> None:
    """What the desk remembers of the pair since it was drawn does not help the attacker either."""
    issue = desk.issue()
    reserved = issue.reserving.reserve()
    change(desk, forge(known(desk)))
    if crashed:
        again = Desk(trial=desk.trial, home=desk.home, kind="pool", troubles=desk.troubles)
        until_done(again.issue())
    else:
        issue.carry_out(reserved)
    desk.run()
    assert recipients(desk) == []
    assert (states(desk), credential_states(desk)) == ([("held", "issuing-failed")], ["abandoned"])
    assert alarms(desk) == [("request.held", 1)]
    assert [trouble.rpartition(" ")[2] for trouble in desk.troubles] == ["TamperedError"]


def test_a_pair_known_since_its_login_was_abandoned_gets_no_other_password(desk: Desk) -> None:
    """No race is needed: a block gives the reserved pair back, and its login stays readable."""
    desk.issue().reserving.reserve()
    block(desk)
    desk.run()
    with desk.trial.database.reading() as tx:
        assert tx.execute(text("SELECT login FROM credentials")).scalar_one() == "uc-1"
    change(desk, {"sealed": known(desk).sealed(known(desk).content())})
    desk.take(request("Юн Я.", DENTIST.answer_to, 2))
    desk.run()
    assert logins_sent(desk) == ["uc-2"]
    assert alarms(desk) == [("pool.skipped", None)]


def test_a_pair_of_ones_own_is_put_aside(desk: Desk) -> None:
    """A new row before all others, under a login that nobody has."""
    own = replace(known(desk), pair_id="a" * 32, login="uc-0")
    attack(
        desk,
        "INSERT INTO pool_pairs (number, id, mark, state, sealed, expires_at, imported_at, enabled)"
        " SELECT 0, :pair, :mark, 'free', :sealed, expires_at, imported_at, enabled FROM pool_pairs WHERE number = 1",
        pair=own.pair_id,
        mark="f" * 64,
        sealed=own.sealed(b"p" * 32 + own.content()),
    )
    desk.run()
    assert logins_sent(desk) == ["uc-1"]
    assert alarms(desk) == [("pool.skipped", None)]


def test_when_every_pair_was_changed_issuing_stops_and_nothing_leaves(desk: Desk) -> None:
    """It cannot be told from a wrong key: no pair is blamed, the step fails until somebody looks."""
    attack(desk, "UPDATE pool_pairs SET expires_at = NULL")
    with pytest.raises(SetupError, match="the pairs were changed in the database"):
        until_done(desk.issue())
    desk.send()
    assert recipients(desk) == []
    with desk.trial.database.reading() as tx:
        assert accounts_pool.counts(tx, desk.trial.clock()).free == 2
