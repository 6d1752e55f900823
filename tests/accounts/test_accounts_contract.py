"""What every place of validity promises, whatever its kind: each test runs for each of them, on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailer.core.accounts import Handout
from mailer.errors import RefusedError
from tests.accounts.kinds import KINDS, UNTIL, Kind, opens
from tests.store.offices import Trial


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, trial: Trial, tmp_path: Path) -> Kind:
    return KINDS[request.param](trial, tmp_path)


def test_a_new_account_is_read_back_as_it_was_ordered(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        order = kind.order(tx)
        assert kind.accounts.read_back(tx, "0" * 32) is None
        handout = kind.make(tx, order)
        account = kind.accounts.read_back(tx, order.credential_id)
        assert account is not None
        assert (account.credential_id, account.login, account.enabled) == (order.credential_id, order.login, True)
        assert handout.login == order.login
        assert handout.expires_at == account.expires_at
        assert opens(kind, tx, handout.login, handout.password)


def test_who_makes_the_secret_is_declared(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        order = kind.order(tx)
        handout = kind.make(tx, order)
    assert kind.accounts.capabilities.makes_secret == (order.password is None)
    assert order.password is None or handout.password == order.password


def test_making_it_again_makes_no_second_account(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        order = kind.order(tx)
    with kind.trial.database.writing() as tx:
        kind.make(tx, order)
    with kind.trial.database.writing() as tx:
        again = kind.make(tx, order)
        assert [one.login for one in kind.accounts.list_managed(tx)] == [order.login]
        assert opens(kind, tx, again.login, again.password)


def test_many_are_made_at_once_and_none_is_no_error(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        orders = [kind.order(tx) for _ in range(3)]
        made = kind.accounts.create(tx, orders)
        assert {one.credential_id: one.login for one in orders} == {
            credential_id: handout.login for credential_id, handout in made.items() if isinstance(handout, Handout)
        }
        assert kind.accounts.create(tx, []) == {}
        kind.accounts.forget_secrets(tx, [])


def test_what_was_rolled_back_was_never_made(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        order = kind.order(tx)
    with kind.trial.database.writing() as tx:
        kind.make(tx, order)
        kind.accounts.forget_secrets(tx, [order.credential_id])
        tx.rollback()
    with kind.trial.database.writing() as tx:
        handout = kind.make(tx, order)
        assert opens(kind, tx, handout.login, handout.password)


def test_nothing_is_kept_from_which_the_password_could_be_had(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        order = kind.order(tx)
        handout = kind.make(tx, order)
        kind.accounts.forget_secrets(tx, [order.credential_id])
        kept = kind.stored(tx)
        assert not [one for one in kept if handout.password.reveal() in str(one)]
        if kind.accounts.capabilities.makes_secret:
            assert not [one for one in kept if isinstance(one, bytes)], "sealed is still there"
            with pytest.raises(RefusedError):
                kind.make(tx, order)
        assert kind.accounts.read_back(tx, order.credential_id) is not None


def test_disabled_and_enabled_as_often_as_one_likes(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        order = kind.order(tx)
        handout = kind.make(tx, order)
        for _ in range(2):
            kind.accounts.disable(tx, order.credential_id)
        ended = kind.accounts.read_back(tx, order.credential_id)
        assert ended is not None
        assert not ended.enabled
        assert not opens(kind, tx, handout.login, handout.password)
        for _ in range(2):
            kind.accounts.enable(tx, order.credential_id)
        assert opens(kind, tx, handout.login, handout.password)


def test_the_end_is_set_where_the_place_can_and_refused_where_not(kind: Kind) -> None:
    later = UNTIL + timedelta(days=10)
    with kind.trial.database.writing() as tx:
        order = kind.order(tx)
        kind.make(tx, order)
        if not kind.accounts.capabilities.sets_expiry:
            with pytest.raises(RefusedError):
                kind.accounts.set_expiry(tx, order.credential_id, later)
            return
        kind.accounts.set_expiry(tx, order.credential_id, later)
        account = kind.accounts.read_back(tx, order.credential_id)
        assert account is not None
        assert account.expires_at == later


def test_what_was_removed_is_gone_and_may_be_removed_again(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        orders = [kind.order(tx) for _ in range(2)]
        for order in orders:
            kind.make(tx, order)
        for _ in range(2):
            kind.accounts.remove(tx, orders[0].credential_id)
        assert kind.accounts.read_back(tx, orders[0].credential_id) is None
        assert [one.credential_id for one in kind.accounts.list_managed(tx)] == [orders[1].credential_id]


def test_every_account_of_ours_is_listed_ended_ones_too(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        orders = [kind.order(tx) for _ in range(3)]
        for order in orders:
            kind.make(tx, order)
        kind.accounts.disable(tx, orders[1].credential_id)
        listed = {one.credential_id: one.enabled for one in kind.accounts.list_managed(tx)}
    assert listed == {orders[0].credential_id: True, orders[1].credential_id: False, orders[2].credential_id: True}


def test_to_end_or_remove_what_is_not_there_is_no_error(kind: Kind) -> None:
    with kind.trial.database.writing() as tx:
        for change in (kind.accounts.disable, kind.accounts.enable, kind.accounts.remove):
            change(tx, "0" * 32)
        kind.accounts.forget_secrets(tx, ["0" * 32])
        assert list(kind.accounts.list_managed(tx)) == []
