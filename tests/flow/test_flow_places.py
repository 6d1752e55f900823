"""Issuing from the pool, filling it, checking a login, comparing the accounts: what stands in tables, record and letters."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import delete, text, update

from mailer.core import evidence
from mailer.core.accounts import Standing
from mailer.core.pairs import Pair
from mailer.core.secret import Secret
from mailer.edge.marks_handed import HandedOutFile
from mailer.errors import EdgeError, LeaseLostError, SetupErrors
from mailer.flow import places
from mailer.flow.override import credentials as override
from mailer.flow.report import house
from mailer.store import accounts_pool, audit, credentials, db
from mailer.store import places as inside
from mailer.store.schema import accounts_local
from tests.e2e.bureau import body, request
from tests.flow.desks import CLINIC, Desk, until_done
from tests.flow.test_flow_steps import ADDRESS, credential_states, password_in, states
from tests.store.offices import Trial, set_up

ODD = "=a b-{{ login }}%—№\u0301 ‹x›"
PEOPLE = ("Пришва А.А.", "Ли К.", "Юрьева Я.Я.", "Фомин Ф.Ф.")


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path, kind="pool")


@pytest.fixture
def local_desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def fill(desk: Desk, passwords: Mapping[str, str], *, expires_at: datetime | None = None) -> None:
    rows = [
        Pair(line=line, login=login, password=Secret(password), expires_at=expires_at)
        for line, (login, password) in enumerate(passwords.items(), 2)
    ]
    places.import_pairs(desk.trial.worker(), desk.pool_keys, desk.logins, rows, randbytes=desk.trial.randbytes)


def ask(desk: Desk, *people: str) -> None:
    desk.take(*(request(person, ADDRESS, number) for number, person in enumerate(people)))
    until_done(desk.answer())


def logins_sent(desk: Desk) -> list[str]:
    return [line for _, content in desk.postman.sent for line in body(content).splitlines() if line.startswith("uc")]


def told(desk: Desk, event: str) -> list[dict[str, object]]:
    with desk.trial.database.reading() as tx:
        sealed = [one for one in audit.page(tx, after=0, limit=1000) if evidence.read_header(one)["event"] == event]
        return [evidence.read_header(one) | evidence.read_details(one) for one in sealed]


def test_a_pair_goes_into_the_letter_as_the_authority_made_it(desk: Desk) -> None:
    fill(desk, {"uc-1": ODD})
    ask(desk, "Пришва А.А.")
    desk.run()
    ((_, content),) = desk.postman.sent
    lines = body(content).splitlines()
    assert "uc-1" in lines
    assert ODD in lines
    assert "Срок действия логина и пароля устанавливает удостоверяющий центр" in body(content)
    assert "блокируется" not in body(content), "we cannot block it"
    assert "группами" not in body(content), "a space or a hyphen may be part of it"
    with desk.trial.database.reading() as tx:
        (account,) = desk.pool.list_managed(tx)
        assert (account.login, account.enabled) == ("uc-1", True)
        assert accounts_pool.counts(tx, desk.trial.clock()).handed == 1


@pytest.mark.parametrize(
    ("ends", "written"),
    [
        pytest.param(datetime(2027, 1, 15, 20, 59, 59, tzinfo=UTC), "15.01.2027, 23:59:59 (МСК, UTC+3)", id="the pair ends first"),
        pytest.param(datetime(2027, 9, 1, tzinfo=UTC), "23.02.2027, 23:59:59 (МСК, UTC+3)", id="our term ends earlier"),
        pytest.param(None, "23.02.2027, 23:59:59 (МСК, UTC+3)", id="the pair does not tell its end"),
    ],
)
def test_the_letter_and_the_credential_tell_the_earlier_end(desk: Desk, ends: datetime | None, written: str) -> None:
    fill(desk, {"uc-1": "x"}, expires_at=ends)
    ask(desk, "Пришва А.А.")
    desk.run()
    assert written in body(desk.postman.sent[0][1]).splitlines()
    with desk.trial.database.reading() as tx:
        valid_until = credentials.find(tx, "uc-1").valid_until
    assert valid_until == min(ends or valid_until, datetime(2027, 2, 23, 20, 59, 59, tzinfo=UTC))
    assert not desk.troubles


def test_without_a_pair_a_request_is_held_and_the_record_says_so(desk: Desk) -> None:
    fill(desk, {"uc-1": "x"})
    ask(desk, *PEOPLE[:3])
    desk.run()
    assert sorted(states(desk)) == [("answered", None), ("held", "no-pair"), ("held", "no-pair")]
    assert [(one["importance"], one["why"]) for one in told(desk, "request.held")] == [("alarm", "no pair left in the pool")] * 2
    assert logins_sent(desk) == ["uc-1"]


def test_low_stock_is_told_once_until_pairs_are_imported(trial: Trial, tmp_path: Path) -> None:
    desk = Desk(trial=trial, home=tmp_path, kind="pool", low_stock=3)
    fill(desk, {f"uc-{number}": "x" for number in range(4)})
    for number, person in enumerate(PEOPLE[:3]):
        desk.take(request(person, ADDRESS, number))
        desk.run()
    assert [one["left"] for one in told(desk, "pool.low")] == [2]
    fill(desk, {"uc-new": "x"})
    desk.take(request(PEOPLE[3], ADDRESS, 9))
    desk.run()
    assert [one["left"] for one in told(desk, "pool.low")] == [2, 1]


def test_the_desk_fails_to_note_what_goes_out_and_nothing_goes_out(desk: Desk) -> None:
    """The file beside the keys lies on a full disk; once there is room the same pair goes out, once."""
    fill(desk, {"uc-1": "x", "uc-2": "y"})
    ask(desk, "Пришва А.А.")
    file = desk.home / "keys" / "handed-out.log"
    file.unlink()
    file.symlink_to("/dev/full")
    with pytest.raises(EdgeError):
        until_done(desk.issue())
    assert credential_states(desk) == ["reserved"]
    assert "reply.queued" not in desk.events()
    file.unlink()
    file.touch()
    desk = Desk(trial=desk.trial, home=desk.home, kind="pool", mailbox=desk.mailbox)
    desk.run()
    assert logins_sent(desk) == ["uc-1"]


@dataclass(kw_only=True)
class DiesAfterNoting:
    """The note is on the disk, then the process is gone."""

    file: HandedOutFile

    def holders(self, marks: Iterable[str]) -> Mapping[str, str]:
        return self.file.holders(marks)

    def note(self, given: Mapping[str, str]) -> None:
        self.file.note(given)
        raise LeaseLostError("gone")


def test_noted_but_not_committed_the_same_pair_goes_out_to_the_same_person(desk: Desk) -> None:
    fill(desk, {"uc-1": "x", "uc-2": "y"})
    ask(desk, "Пришва А.А.")
    whole = desk.logins
    desk.logins = replace(whole, handed_out=DiesAfterNoting(file=HandedOutFile(desk.home / "keys")))
    with pytest.raises(LeaseLostError):
        until_done(desk.issue())
    assert (desk.home / "keys" / "handed-out.log").read_text().count("\n") == 1
    desk.logins = whole
    desk.run()
    assert logins_sent(desk) == ["uc-1"]
    with desk.trial.database.reading() as tx:
        assert accounts_pool.counts(tx, desk.trial.clock()).free == 1


@pytest.mark.parametrize("kind", ["local", "pool"])
@pytest.mark.parametrize("moment", ["before anything was reserved", "between reserving and issuing"])
def test_after_a_backup_is_restored_no_login_goes_to_a_second_person(tmp_path: Path, kind: str, moment: str) -> None:
    """The first life after the backup issues to one person, the second life to others: the keys directory is never restored."""
    url, backup = f"sqlite:///{tmp_path / 'mailer.db'}", tmp_path / "backup.db"
    desk = Desk(trial=set_up(url), home=tmp_path, kind=kind)
    fill(desk, {f"uc-{number}": f"password {number}" for number in range(6)})
    if moment == "between reserving and issuing":
        ask(desk, "Пришва А.А.")
        with pytest.raises(EdgeError):
            until_done(_with_a_full_disk(desk).issue())
    with closing(sqlite3.connect(tmp_path / "mailer.db")) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    desk.take(request("Пришва А.А.", ADDRESS, 0), request("Ли К.", ADDRESS, 1))
    desk.run()
    first = {content for _, content in desk.postman.sent}
    assert len(first) == 2
    desk.trial.database.close()
    for file in ("mailer.db-wal", "mailer.db-shm"):
        (tmp_path / file).unlink(missing_ok=True)
    shutil.copy(backup, tmp_path / "mailer.db")

    second = Desk(trial=Trial(url=url, database=db.connect(url), chance=Random(7)), home=tmp_path, kind=kind, mailbox=desk.mailbox)
    second.take(request("Юрьева Я.Я.", ADDRESS, 7), request("Фомин Ф.Ф.", ADDRESS, 8))
    second.run()
    before, after = _who_got_what(desk), _who_got_what(second)
    assert len(after) == 2 + (moment == "between reserving and issuing")
    for login in before.keys() & after.keys():
        assert before[login] == after[login] == "Пришва А.А.", (
            "its reservation was in the backup: the same person gets the same login"
        )
    if kind == "pool":
        with second.trial.database.reading() as tx:
            assert accounts_pool.counts(tx, second.trial.clock()).spent_before == 2 - len(before.keys() & after.keys())
        assert {one["importance"] for one in told(second, "pool.skipped")} == {"alarm"}
    second.trial.database.close()


def _with_a_full_disk(desk: Desk) -> Desk:
    """A desk that can reserve and cannot issue."""

    class Full(DiesAfterNoting):
        def note(self, given: Mapping[str, str]) -> None:
            raise EdgeError("the disk is full")

    full = Desk(trial=desk.trial, home=desk.home, kind=desk.kind, mailbox=desk.mailbox)
    full.logins = replace(desk.logins, handed_out=Full(file=HandedOutFile(desk.home / "keys")))
    return full


def _who_got_what(desk: Desk) -> dict[str, str]:
    """Login -> person, from the letters."""
    found = {}
    for _, content in desk.postman.sent:
        lines = body(content).splitlines()
        found[lines[lines.index("Логин:") + 1]] = next(line for line in lines if line.startswith("Пользователь: "))[14:]
    return found


def test_a_login_that_went_to_another_is_never_issued_again(desk: Desk) -> None:
    """The reservation stands in a restored database, the pair went to somebody else since: held, not issued."""
    fill(desk, {"uc-1": "x"})
    ask(desk, "Пришва А.А.")
    with pytest.raises(EdgeError):
        until_done(_with_a_full_disk(desk).issue())
    desk.logins.hand_out({desk.logins.mark("uc-1"): "f" * 32})
    desk.run()
    assert states(desk) == [("held", "issuing-failed")]
    assert desk.troubles == [f"credential {_only_credential(desk)}: TamperedError"]
    assert desk.postman.sent == []


def _only_credential(desk: Desk) -> str:
    with desk.trial.database.reading() as tx:
        (found,) = credentials.newest(tx, 2)
        return found.id


def test_a_letter_that_cannot_be_written_gives_its_pair_back(desk: Desk) -> None:
    fill(desk, {"uc-1": "x"})
    ask(desk, "Пришва А.А.", "Ли К.")
    with pytest.raises(EdgeError):
        until_done(_with_a_full_disk(desk).issue())
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE personal SET surname = NULL WHERE kind = 'person' AND surname = 'Пришва'"))
    desk.run()
    with desk.trial.database.reading() as tx:
        assert accounts_pool.counts(tx, desk.trial.clock()).free == 1
    desk.take(request("Юрьева Я.Я.", ADDRESS, 7))
    desk.run()
    assert logins_sent(desk) == ["uc-1"]
    assert _who_got_what(desk) == {"uc-1": "Юрьева Я.Я."}


def test_an_import_with_a_used_login_changes_nothing(desk: Desk) -> None:
    fill(desk, {"uc-1": "x"})
    for again in ({"uc-1": "y"}, {"UC-1": "y", "uc-2": "z"}):
        with pytest.raises(SetupErrors, match="line 2: the login was imported or used before"):
            fill(desk, again)
    with desk.trial.database.reading() as tx:
        assert accounts_pool.counts(tx, desk.trial.clock()).free == 1
    assert len(told(desk, "pool.imported")) == 1


def test_a_login_of_ours_is_never_imported(local_desk: Desk) -> None:
    local_desk.take(request("Пришва А.А.", ADDRESS, 1))
    local_desk.run()
    login, _ = password_in(local_desk.postman.sent[0][1])
    with pytest.raises(SetupErrors, match="used before"):
        fill(local_desk, {login.upper(): "x"})


def test_a_login_stays_used_when_everything_about_its_person_is_erased(local_desk: Desk) -> None:
    local_desk.take(request("Пришва А.А.", ADDRESS, 1))
    local_desk.run()
    login, _ = password_in(local_desk.postman.sent[0][1])
    with local_desk.trial.database.writing() as tx:
        tx.execute(delete(accounts_local))
        tx.execute(update(credentials.credentials).values(login="erased"))
        (local_desk.home / "keys" / "handed-out.log").write_text("")
        assert replace(local_desk.logins, handed_out=HandedOutFile(local_desk.home / "keys")).any_used(
            tx, {login: local_desk.logins.mark(login)}
        )
        assert not local_desk.logins.any_used(tx, {"tmp-29-other": local_desk.logins.mark("tmp-29-other")})


def check(desk: Desk, login: str, written: str) -> places.Checked:
    return places.check(desk.trial.worker(), desk.local, login, written)


@pytest.fixture
def issued(local_desk: Desk) -> tuple[Desk, str, str]:
    local_desk.take(request("Пришва А.А.", ADDRESS, 1))
    local_desk.run()
    return (local_desk, *password_in(local_desk.postman.sent[0][1]))


def test_a_check_says_what_the_login_is_worth(issued: tuple[Desk, str, str]) -> None:
    desk, login, password = issued
    grouped = f"{password[:6]} {password[6:12]}-{password[12:]}"
    assert check(desk, login, password).standing is Standing.VALID
    assert check(desk, login, grouped).standing is Standing.VALID
    assert check(desk, login, password[:-1] + "b").standing is Standing.WRONG
    assert check(desk, "tmp-29-nobodys1", password).standing is Standing.UNKNOWN
    override.revoke(desk.trial.worker(), inside, login, reason="уволен")
    assert check(desk, login, password).standing is Standing.ENDED
    assert check(desk, login, "b" * 18).standing is Standing.WRONG


def test_a_password_typed_on_the_russian_layout_is_recognised_and_told(issued: tuple[Desk, str, str]) -> None:
    desk, login, password = issued
    cyrillic = password.translate(str.maketrans("bdfghjkmnrstuvwz", "ивапрольткыегмця"))
    found = check(desk, login, cyrillic)
    assert (found.standing, found.other_layout) == (Standing.VALID, True)


def test_the_term_itself_ends_a_login(issued: tuple[Desk, str, str]) -> None:
    desk, login, password = issued
    desk.trial.clock.move(days=100)
    assert check(desk, login, password).standing is Standing.ENDED


@pytest.mark.parametrize("tries", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_wrong_passwords_make_the_next_try_wait_and_lock_nobody_out(issued: tuple[Desk, str, str], tries: int) -> None:
    desk, login, password = issued
    for _ in range(tries):
        if wait := check(desk, login, "wrong").wait:
            desk.trial.clock.move(seconds=wait.total_seconds())
    delayed = check(desk, login, password)
    assert delayed.standing is None or delayed.wait == timedelta()
    desk.trial.clock.move(seconds=10)
    assert check(desk, login, password).standing is Standing.VALID
    desk.trial.clock.move(minutes=16)
    assert [check(desk, login, "wrong").wait for _ in range(3)] == [timedelta()] * 3


def test_waiting_costs_other_logins_nothing(issued: tuple[Desk, str, str]) -> None:
    desk, login, password = issued
    for _ in range(20):
        check(desk, "tmp-29-nobodys1", "x")
    assert check(desk, "tmp-29-nobodys2", "x").wait > timedelta(), "unknown logins share one sum"
    assert check(desk, login, password).standing is Standing.VALID


def test_failures_are_told_in_sum_for_each_login_and_minute(issued: tuple[Desk, str, str]) -> None:
    desk, login, _ = issued
    for seconds in (0, 10, 10, 10, 50, 10):
        desk.trial.clock.move(seconds=seconds)
        check(desk, login, "wrong")
        check(desk, "tmp-29-nobodys1", "wrong")
    assert [one["count"] for one in told(desk, "credential.check-failed")] == [4, 4]
    desk.trial.clock.move(minutes=1)
    desk.run()
    found = told(desk, "credential.check-failed")
    assert [(one["credential"] is None, one["count"]) for one in found] == [(True, 4), (False, 4), (True, 2), (False, 2)] or sorted(
        (str(one["minute"]), one["count"]) for one in found
    ) == sorted([(str(found[0]["minute"]), 4)] * 2 + [(str(found[2]["minute"]), 2)] * 2)
    assert {one["sender"] for one in found} == {CLINIC.code, None}
    desk.run()
    assert len(told(desk, "credential.check-failed")) == 4, "each once"


def test_the_pool_cannot_be_asked_and_that_is_no_failure(desk: Desk) -> None:
    fill(desk, {"uc-1": "x"})
    ask(desk, "Пришва А.А.")
    desk.run()
    for _ in range(10):
        found = check(desk, "uc-1", "x")
        assert (found.standing, found.credential is not None) == (Standing.UNKNOWN, True)
    assert told(desk, "credential.check-failed") == []


def reconcile(desk: Desk) -> dict[str, list[str]]:
    with desk.trial.database.reading() as tx:
        found = places.reconcile(tx, [desk.local, desk.pool], desk.trial.clock(), key=desk.trial.pen.key)
    names = ("without_credential", "without_account", "other_end", "by_hand")
    logins = {name: [one.login for one in getattr(found, name)] for name in names}
    logins["distrusted"] = [one.account.login for one in found.distrusted]
    return {name: some for name, some in logins.items() if some}


def test_accounts_and_credentials_of_a_working_office_agree(desk: Desk) -> None:
    fill(desk, {"uc-1": "x", "uc-2": "y"})
    ask(desk, "Пришва А.А.", "Ли К.")
    assert reconcile(desk) == {}
    desk.run()
    assert reconcile(desk) == {}
    desk.trial.clock.move(days=100)
    desk.run()
    assert reconcile(desk) == {}


def test_a_revoked_pair_must_be_blocked_by_hand(desk: Desk) -> None:
    fill(desk, {"uc-1": "x"})
    ask(desk, "Пришва А.А.")
    desk.run()
    override.revoke(desk.trial.worker(), inside, "uc-1", reason="уволен")
    assert reconcile(desk) == {"by_hand": ["uc-1"]}


def test_orphans_are_found_both_ways_and_ended_on_request(local_desk: Desk) -> None:
    desk = local_desk
    desk.take(*(request(person, ADDRESS, number) for number, person in enumerate(PEOPLE[:3])))
    desk.run()
    kept, lost, alive = (password_in(content)[0] for _, content in desk.postman.sent)
    with desk.trial.database.writing() as tx:
        tx.execute(update(credentials.credentials).where(credentials.credentials.c.login == kept).values(state="revoked"))
        tx.execute(delete(accounts_local).where(accounts_local.c.login == lost))
        tx.execute(update(accounts_local).where(accounts_local.c.login == alive).values(expires_at=desk.trial.clock()))
    assert reconcile(desk) == {"without_credential": [kept], "without_account": [lost], "other_end": [alive], "distrusted": [alive]}
    places.disable_orphans(desk.trial.worker(), [desk.local, desk.pool], reason="сверка")
    assert reconcile(desk) == {"without_account": [lost], "other_end": [alive], "distrusted": [alive]}
    assert [(one["importance"], one["reason"]) for one in told(desk, "account.disabled")] == [("notice", "сверка")]


def test_counts_of_accounts(desk: Desk) -> None:
    fill(desk, {"uc-1": "x", "uc-2": "y"})
    ask(desk, "Пришва А.А.")
    desk.run()
    with desk.trial.database.reading() as tx:
        found = house.account_counts(tx, desk.trial.clock())
    assert (found.local.enabled, found.pool.free, found.pool.handed) == (0, 1, 1)
