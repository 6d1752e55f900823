"""Keys over a real database: the record tells of each, what is needed stays, and what was rotated away still works."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailer.core.accounts import Order, Standing
from mailer.core.custody import KeyKind
from mailer.core.secret import Secret
from mailer.edge.keys import Keyring
from mailer.errors import RefusedError, SetupError
from mailer.flow import custody
from mailer.model import Delivery
from mailer.states import ReplyState
from mailer.store import audit, outbox
from mailer.store.accounts_local import LocalAccounts
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, Desk, until_done
from tests.store.offices import INSTANCE, Trial


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def lost(desk: Desk) -> list[str]:
    """The files of the peppers that are missed."""
    with desk.trial.database.reading() as tx:
        keys = [one.key for one in custody.holdings(tx, desk.keyring)]
    return [key.path.name for key in keys if key.kind is KeyKind.PEPPER and not key.there]


def days_later(desk: Desk, days: int) -> list[str]:
    """The courier's round on that day."""
    desk.trial.clock.move(days=days)
    worker = desk.trial.worker()
    custody.open_epoch(worker, desk.keyring)
    return custody.destroy_expired(worker, desk.keyring)


def files(desk: Desk) -> set[str]:
    keys = desk.home / "keys"
    return {path.relative_to(keys).as_posix() for folder in ("epochs", "courier") for path in (keys / folder).iterdir()}


def test_a_pair_whose_replies_are_sent_is_destroyed_when_a_newer_one_has_settled(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    desk.run()
    assert days_later(desk, 1) == []
    assert days_later(desk, 2) == ["2026-11-23"]
    assert files(desk) == {
        f"{folder}/2026-11-{day}.{end}" for day in (24, 26) for folder, end in (("epochs", "pub"), ("courier", "key"))
    }
    assert [event for event in desk.events() if event.startswith("key.")] == ["key.made", "key.made", "key.destroyed"]


@pytest.mark.parametrize("state", [ReplyState.QUEUED, ReplyState.UNKNOWN])
def test_a_pair_that_a_reply_needs_stays_and_becomes_an_alarm(desk: Desk, state: ReplyState) -> None:
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    until_done(desk.answer())
    until_done(desk.issue())
    if state is ReplyState.UNKNOWN:
        desk.postman.answers = [Delivery.UNKNOWN] * 3
        desk.send()
    days_later(desk, 1)
    assert "2026-11-23" not in days_later(desk, 8)
    assert "key.needed" not in desk.events()
    assert "2026-11-23" not in days_later(desk, 20)
    assert desk.events().count("key.needed") == 1
    assert "courier/2026-11-23.key" in files(desk)
    with desk.trial.database.reading() as tx:
        (held,) = [one for one in custody.holdings(tx, desk.keyring) if one.key.name == "2026-11-23"]
    assert (held.waiting, held.key.there) == (1, True)


def test_a_destroyed_pair_opens_nothing_of_an_old_backup(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    until_done(desk.answer())
    until_done(desk.issue())
    with desk.trial.database.reading() as tx:
        (reply,) = outbox.of_request(tx, 1)
    desk.send()
    days_later(desk, 1)
    assert days_later(desk, 2) == ["2026-11-23"]
    from mailer.edge.keys import Binding

    binding = Binding(
        instance=INSTANCE, reply_id=reply.id, credential_id=reply.credential_id, epoch="2026-11-23", recipient=CLINIC.answer_to
    )
    assert reply.sealed is not None
    with pytest.raises(SetupError, match="missing: answers sealed to it cannot be sent"):
        desk.keyring.open(reply.sealed, binding)


def test_destroying_may_be_repeated(desk: Desk) -> None:
    days_later(desk, 1)
    desk.keyring.destroy_epoch("2026-11-23")
    desk.keyring.destroy_epoch("2026-11-23")
    assert files(desk) == {"epochs/2026-11-24.pub", "courier/2026-11-24.key"}


def test_replies_are_sealed_to_a_rotated_epoch_at_once_and_older_ones_still_leave(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    until_done(desk.answer())
    until_done(desk.issue())
    assert custody.rotate(desk.trial.worker(), desk.keyring, KeyKind.EPOCH) == "2026-11-24"
    assert custody.rotate(desk.trial.worker(), desk.keyring, KeyKind.EPOCH) == "2026-11-25"
    desk.take(request("Ли К.", CLINIC.answer_to, 2))
    desk.run()
    with desk.trial.database.reading() as tx:
        assert [outbox.of_request(tx, number)[0].key_epoch for number in (1, 2)] == ["2026-11-23", "2026-11-25"]
    assert len(desk.postman.sent) == 2
    assert days_later(desk, 1) == [], "the day's pair is there already"
    assert desk.events().count("key.rotated") == 2


def test_a_rotated_pepper_checks_new_and_old_verifiers(desk: Desk) -> None:
    worker, keyring, now = desk.trial.worker(), desk.keyring, desk.trial.clock()

    def order(credential_id: str, login: str, password: str) -> Order:
        return Order(credential_id=credential_id, login=login, password=Secret(password), expires_at=now)

    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1), request("Ли К.", CLINIC.answer_to, 2))
    desk.run()
    with worker.writing() as unit:
        (first, second) = [row.id for row in unit.tx.exec_driver_sql("SELECT id FROM credentials ORDER BY request_id")]
        LocalAccounts(peppers=keyring.peppers(), algorithm="hmac-sha256").create(unit.tx, [order(first, "old", "p" * 18)])
    assert custody.rotate(worker, keyring, KeyKind.PEPPER) == "2"
    accounts = LocalAccounts(peppers=keyring.peppers(), algorithm="hmac-sha256")
    with worker.writing() as unit:
        accounts.create(unit.tx, [order(second, "new", "q" * 18)])
        assert accounts.check(unit.tx, "old", Secret("p" * 18), now) is Standing.VALID
        assert accounts.check(unit.tx, "new", Secret("q" * 18), now) is Standing.VALID
        only_first = LocalAccounts(peppers={1: accounts.peppers[1]}, algorithm="hmac-sha256")
        with pytest.raises(SetupError, match=r"pepper-2\.key is missing"):
            only_first.check(unit.tx, "new", Secret("q" * 18), now)
    assert lost(desk) == []
    (desk.home / "keys" / "pepper-2.key").rename(desk.home / "keys" / "pepper-2.old.key")
    assert lost(desk) == ["pepper-2.key"]
    assert custody.rotate(worker, keyring, KeyKind.PEPPER) == "3", "a verifier names the second: it is never made anew"
    assert sorted(keyring.peppers()) == [1, 3]
    (desk.home / "keys" / "pepper.key").rename(desk.home / "keys" / "pepper-1.key")
    assert lost(desk) == ["pepper.key", "pepper-2.key"]
    with pytest.raises(SetupError, match=r"pepper\.key is missing"):
        custody.rotate(worker, keyring, KeyKind.PEPPER)


def test_a_pair_sealed_to_an_older_pool_key_still_opens(desk: Desk) -> None:
    sealed = desk.pool_keys.seal_to_pool(b"pair", "1" * 32)
    assert custody.rotate(desk.trial.worker(), desk.keyring, KeyKind.POOL) == "2"
    assert desk.keyring.pools() == [1, 2]
    assert desk.pool_keys.open_from_pool(sealed, "1" * 32) == b"pair"


def test_the_key_of_the_record_cannot_be_rotated(desk: Desk) -> None:
    with pytest.raises(RefusedError, match="could not be verified any more"):
        custody.rotate(desk.trial.worker(), desk.keyring, KeyKind.RECORD)


def test_the_record_tells_nothing_of_a_keys_bytes(desk: Desk) -> None:
    custody.tell_founded(desk.trial.worker(), desk.keyring)
    for kind in (KeyKind.EPOCH, KeyKind.PEPPER, KeyKind.POOL):
        custody.rotate(desk.trial.worker(), desk.keyring, kind)
    keys = [path.read_text().strip() for path in (desk.home / "keys").rglob("*.[kp][eu][yb]")]
    with desk.trial.database.reading() as tx:
        told = b"".join(one.header + one.details for one in audit.page(tx, after=0, limit=1000)).decode()
    assert desk.events().count("key.made") == 4
    assert not any(key[:16] in told for key in keys)


def test_where_the_private_half_is_gone_another_pair_is_made_and_answers_leave(desk: Desk) -> None:
    (desk.home / "keys" / "courier").rename(desk.home / "elsewhere")
    worker = desk.trial.worker()
    assert custody.wanting(worker, desk.keyring)[0] == (KeyKind.EPOCH, "2026-11-24")
    custody.open_epoch(worker, desk.keyring)
    custody.open_epoch(worker, desk.keyring)
    assert (KeyKind.EPOCH, "2026-11-24") not in custody.wanting(worker, desk.keyring)
    assert files(desk) == {"epochs/2026-11-23.pub", "epochs/2026-11-24.pub", "courier/2026-11-24.key"}
    assert desk.events() == ["key.made"]
    desk.take(request("Пришва А.А.", CLINIC.answer_to, 1))
    desk.run()
    assert len(desk.postman.sent) == 1


def test_who_may_not_look_into_the_couriers_folder_makes_no_other_pair(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.home / "keys" / "courier" / "2026-11-23.key").unlink()

    def stat(path: Path, **options: bool) -> os.stat_result:
        if path.parent.name == "courier":
            raise PermissionError
        return os.stat(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    custody.open_epoch(desk.trial.worker(), desk.keyring)
    assert desk.keyring.epochs() == ["2026-11-23"]


def test_a_courier_that_died_between_the_halves_completes_the_pair(desk: Desk) -> None:
    desk.trial.clock.move(days=1)
    desk.keyring.prepare_epoch(desk.trial.clock().date(), desk.trial.randbytes)
    assert Keyring(desk.home / "keys").epochs() == ["2026-11-23"]
    custody.open_epoch(desk.trial.worker(), desk.keyring)
    assert desk.keyring.epochs() == ["2026-11-23", "2026-11-24"]
    assert desk.events() == ["key.made"]
