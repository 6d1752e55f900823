"""The pool of ready pairs: each goes out once, whoever asks, whatever dies, and whatever backup is restored."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from mailer.core.accounts import Order
from mailer.core.secret import Secret
from mailer.errors import EdgeSetupError, SetupError, TamperedError
from mailer.store import accounts_pool, credentials
from mailer.store.db import Database, Tx
from mailer.store.schema import credentials as credentials_table
from mailer.store.schema import pool_pairs
from tests.accounts.kinds import UNTIL, Cellar, reserve, the_one
from tests.store.offices import START, Trial


@pytest.fixture
def cellar(trial: Trial, tmp_path: Path) -> Cellar:
    return Cellar(trial=trial, home=tmp_path)


def days(number: int) -> datetime:
    return START + timedelta(days=number)


def taken_for(cellar: Cellar, login: str, *, count: int = 1) -> list[str]:
    """Reserved credentials for which nothing is drawn yet."""
    with cellar.trial.database.writing() as tx:
        return [reserve(cellar.trial, tx, f"{login}{number}") for number in range(count)]


def test_pairs_go_out_in_their_order_and_each_once(cellar: Cellar) -> None:
    ids = taken_for(cellar, "x", count=5)
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b", "c")
        assert cellar.draw(tx, *ids[:2]) == ["a", "b"]
        assert cellar.draw(tx, *ids[2:]) == ["c"]
        assert cellar.draw(tx, ids[4]) == []


@pytest.mark.parametrize(
    ("ends", "drawn"),
    [
        pytest.param({"a": days(100), "b": None}, ["a", "b"], id="both last long enough"),
        pytest.param({"a": days(30), "b": days(100)}, ["b", "a"], id="what lasts the whole term comes first"),
        pytest.param({"a": days(20), "b": days(50), "c": None}, ["c", "b"], id="then what lasts longest"),
        pytest.param({"a": days(13), "b": days(-1), "c": days(15)}, ["c"], id="none that could arrive dead"),
    ],
)
def test_the_end_of_a_pair_is_respected(cellar: Cellar, ends: dict[str, datetime | None], drawn: list[str]) -> None:
    ids = taken_for(cellar, "x", count=2)
    with cellar.trial.database.writing() as tx:
        for login, end in ends.items():
            cellar.fill(tx, login, expires_at=end)
        assert cellar.draw(tx, *ids) == drawn


def test_counts_tell_each_pair_once(cellar: Cellar) -> None:
    ids = taken_for(cellar, "x", count=2)
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b", "c")
        cellar.fill(tx, "short", expires_at=days(3))
        cellar.draw(tx, *ids)
        cellar.pool.forget_secrets(tx, ids[:1])
        found = accounts_pool.counts(tx, START)
    assert (found.free, found.ending, found.taken, found.handed, found.spent_before, found.damaged) == (1, 1, 1, 1, 0, 0)


def test_a_pair_given_back_goes_to_the_next(cellar: Cellar) -> None:
    """The login of the abandoned credential may stand in two rows then, but in one living one only."""
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a")
        first, second = reserve(cellar.trial, tx, "a"), reserve(cellar.trial, tx, "other")
        assert cellar.draw(tx, first) == ["a"]
        credentials.move(tx, credentials.get(tx, first), credentials.CredentialEvent.ABANDONED, at=START)
        cellar.pool.give_back(tx, first)
        assert cellar.draw(tx, second) == ["a"]
        tx.execute(update(credentials_table).where(credentials_table.c.id == second).values(login="a"))
        assert credentials.find(tx, "a").id == second


def test_what_was_handed_out_is_not_given_back(cellar: Cellar) -> None:
    ids = taken_for(cellar, "x", count=2)
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a")
        cellar.draw(tx, ids[0])
        cellar.pool.forget_secrets(tx, ids[:1])
        cellar.pool.give_back(tx, ids[0])
        assert cellar.draw(tx, ids[1]) == []


def test_a_pair_that_went_out_before_a_restore_is_put_aside(cellar: Cellar) -> None:
    """The backup was made before `a` went out: the database says free, the file beside the keys knows better."""
    ids = taken_for(cellar, "x", count=2)
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
    cellar.logins.hand_out({cellar.logins.mark("a"): "f" * 32})
    with cellar.trial.database.writing() as tx:
        draw = cellar.pool.draw(tx, ids, until=UNTIL, now=START, enough=1)
        assert [one.login for one in draw.drawn] == ["b"]
        assert (draw.spent_before, draw.damaged, draw.left) == (1, 0, 0)
        assert accounts_pool.counts(tx, START).spent_before == 1


def test_a_damaged_pair_is_put_aside_and_another_taken(cellar: Cellar) -> None:
    (credential,) = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
        tx.execute(update(pool_pairs).where(pool_pairs.c.mark == cellar.logins.mark("a")).values(sealed=b"damaged"))
        draw = cellar.pool.draw(tx, [credential], until=UNTIL, now=START, enough=1)
    assert [one.login for one in draw.drawn] == ["b"]
    assert draw.damaged == 1


def test_a_pair_moved_into_another_row_does_not_open(cellar: Cellar) -> None:
    (credential,) = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b", "c")
        tx.execute(text("UPDATE pool_pairs SET sealed = (SELECT sealed FROM pool_pairs WHERE number = 2) WHERE number = 1"))
        draw = cellar.pool.draw(tx, [credential], until=UNTIL, now=START, enough=1)
    assert ([one.login for one in draw.drawn], draw.damaged) == (["b"], 1)


def test_a_pair_swapped_after_it_was_taken_is_not_handed_out(cellar: Cellar) -> None:
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
        credential = reserve(cellar.trial, tx, "a")
        cellar.draw(tx, credential)
        tx.execute(update(pool_pairs).where(pool_pairs.c.credential_id == credential).values(credential_id=None, state="free"))
        tx.execute(update(pool_pairs).where(pool_pairs.c.mark == cellar.logins.mark("b")).values(credential_id=credential))
        with pytest.raises(TamperedError):
            the_one(cellar.pool.create(tx, [Order(credential_id=credential, login="a", password=None, expires_at=UNTIL)]))


def test_the_wrong_key_blames_no_pair(cellar: Cellar) -> None:
    (credential,) = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
    (cellar.home / "keys/issuing/1.key").write_text("11" * 32 + "\n")
    with pytest.raises(SetupError, match="keys/issuing"), cellar.trial.database.writing() as tx:
        cellar.draw(tx, credential)
    with cellar.trial.database.reading() as tx:
        assert accounts_pool.counts(tx, START).free == 2


def test_the_wrong_pepper_blames_no_pair(cellar: Cellar) -> None:
    (credential,) = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
    pool = replace(cellar.pool, logins=replace(cellar.logins, key=b"q" * 32))
    with pytest.raises(SetupError, match=r"keys/pepper\.key"), cellar.trial.database.writing() as tx:
        pool.draw(tx, [credential], until=UNTIL, now=START, enough=1)
    with cellar.trial.database.reading() as tx:
        assert accounts_pool.counts(tx, START).free == 2


def test_a_missing_key_blames_no_request(cellar: Cellar) -> None:
    (credential,) = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a")
    (cellar.home / "keys/issuing/1.key").unlink()
    with pytest.raises(EdgeSetupError, match=r"issuing/1\.key is missing"), cellar.trial.database.writing() as tx:
        cellar.draw(tx, credential)


def test_a_removed_pair_leaves_its_login_spent(cellar: Cellar) -> None:
    (credential,) = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a")
        cellar.draw(tx, credential)
        cellar.pool.forget_secrets(tx, [credential])
        cellar.pool.remove(tx, credential)
        assert cellar.logins.any_used(tx, {"A": cellar.logins.mark("A")})


def test_workers_that_draw_at_once_never_draw_the_same(cellar: Cellar) -> None:
    """Four workers with a database connection of their own, as on several hosts; on PostgreSQL they hold their pairs together."""
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, *(f"login{number}" for number in range(40)))
        ids = [reserve(cellar.trial, tx, f"x{number}") for number in range(40)]
    drawn: list[str] = []
    gate = threading.Barrier(4)

    def worker(own: list[str]) -> Callable[[], None]:
        def work() -> None:
            database = Database(cellar.trial.url)
            gate.wait(30)
            for start in range(0, len(own), 5):
                with database.writing() as tx:
                    drawn.extend(cellar.draw(tx, *own[start : start + 5]))
            database.close()

        return work

    threads = [threading.Thread(target=worker(ids[start::4])) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 40
    assert len(set(drawn)) == 40


@pytest.mark.parametrize(("enough", "left"), [(0, 0), (2, 2), (9, 3)])
def test_what_is_left_is_counted_as_far_as_asked(cellar: Cellar, enough: int, left: int) -> None:
    (credential,) = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b", "c", "d")
        assert cellar.pool.draw(tx, [credential], until=UNTIL, now=START, enough=enough).left == left


@pytest.mark.parametrize("content", [b"", b"p" * 31, b"p" * 32, b'["a", "b"]', b"p" * 32 + b'["a", "b"]', b"\xff" * 40])
def test_what_is_sealed_and_no_pair_is_put_aside(cellar: Cellar, content: bytes) -> None:
    """Anybody who writes the database can seal to the pool's public key."""
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
        pair_id = oldest(tx)
        sealed = cellar.pool_keys.seal_to_pool(content, pair_id)
        tx.execute(update(pool_pairs).where(pool_pairs.c.id == pair_id).values(sealed=sealed))
    assert drawn_and_damaged(cellar) == (["b"], 1)


def test_a_pair_of_another_row_sealed_anew_is_put_aside(cellar: Cellar) -> None:
    """Its proof is ours, and holds for its own row alone."""
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
        pair_id = oldest(tx)
        other = accounts_pool.pack(cellar.logins, "2" * 32, "a", Secret("pw"), None)
        tx.execute(
            update(pool_pairs).where(pool_pairs.c.id == pair_id).values(sealed=cellar.pool_keys.seal_to_pool(other, pair_id))
        )
    assert drawn_and_damaged(cellar) == (["b"], 1)


@pytest.mark.parametrize(
    "end",
    [days(60) + timedelta(microseconds=1), days(60).astimezone(timezone(timedelta(hours=3))), days(60).replace(microsecond=0)],
)
def test_an_end_is_proved_to_the_microsecond_in_whatever_zone_it_was_told(cellar: Cellar, end: datetime) -> None:
    (credential,) = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", expires_at=end)
    with cellar.trial.database.writing() as tx:
        (drawn,) = cellar.pool.draw(tx, [credential], until=UNTIL, now=START, enough=1).drawn
    assert drawn.expires_at == end


def test_a_pair_with_another_mark_is_put_aside(cellar: Cellar) -> None:
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
        tx.execute(update(pool_pairs).where(pool_pairs.c.id == oldest(tx)).values(mark="метка"))
    assert drawn_and_damaged(cellar) == (["b"], 1)


@pytest.mark.parametrize("content", ["NULL", "'text'", "7"])
def test_what_is_no_bytes_is_put_aside(cellar: Cellar, content: str) -> None:
    """SQLite keeps whatever type was written."""
    content = content if cellar.trial.database.sqlite else "NULL"
    with cellar.trial.database.writing() as tx:
        cellar.fill(tx, "a", "b")
        tx.execute(text(f"UPDATE pool_pairs SET sealed = {content} WHERE id = '{oldest(tx)}'"))
    assert drawn_and_damaged(cellar) == (["b"], 1)


def oldest(tx: Tx) -> str:
    return tx.execute(select(pool_pairs.c.id).order_by(pool_pairs.c.number).limit(1)).scalar_one()


def drawn_and_damaged(cellar: Cellar) -> tuple[list[str], int]:
    ids = taken_for(cellar, "x")
    with cellar.trial.database.writing() as tx:
        draw = cellar.pool.draw(tx, ids, until=UNTIL, now=START, enough=1)
    return [one.login for one in draw.drawn], draw.damaged
