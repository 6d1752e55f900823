"""Pruning on both databases: what may be taken, what it leaves proven, and what meddling with it is found."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from mailer.core import checkpoints, evidence, rules
from mailer.core.checkpoints import Published
from mailer.core.evidence import Record
from mailer.core.merkle import Range
from mailer.edge.checkpoints import CheckpointFile
from mailer.edge.signing import SigningKey
from mailer.errors import RefusedError, SetupError
from mailer.flow import export
from mailer.flow.checkpoint import CheckpointStep
from mailer.flow.override import pruning as override
from mailer.flow.override import record
from mailer.flow.override.pruning import Bundle, Pruning
from mailer.model import PersonName, Sender
from mailer.store import audit, db, office, personal, persons, pruning, recordpages, senders, verification
from mailer.store.db import DatabaseError, Tx
from mailer.store.recordpages import Selection
from mailer.store.verification import Outcome
from tests.flow.test_flow_checkpoint import House
from tests.store.offices import INSTANCE, Trial
from tests.store.test_store_verification import run, unguard

OLD = 8  # records of the first day, all of which may go
REASON = "срок вышел"


@dataclass(kw_only=True)
class Pruned(House):
    """An office whose first records are two years old: pruned up to record `OLD`, or about to be."""

    def bundle(self, until: datetime | None = None, **asked: object) -> Bundle:
        published = self.publish()
        return self.of(Selection(until=until or self.trial.clock() - timedelta(days=400), **asked), published)  # type: ignore[arg-type]

    def of(self, selection: Selection, published: Published) -> Bundle:
        lines = io.BytesIO()
        key = str(self.key.public())
        manifest = export.bundled(
            self.trial.worker(), selection, published, lines.write, public_key=key, progress=lambda count: None
        )
        return Bundle(manifest=manifest, note=published.signed, records=io.BytesIO(lines.getvalue()))

    def prune(self, bundle: Bundle, **given: bool) -> Pruning:
        return override.prune(self.trial.worker(), bundle, self.history(), keep_days=365, reason=REASON, **given)

    def outcome(self) -> Outcome:
        return self.verified().outcome

    def tampered(self) -> tuple[int, str]:
        fault = self.verified().fault
        assert fault is not None
        return fault.seq, str(fault.why)


@pytest.fixture
def house(trial: Trial, tmp_path: Path) -> Pruned:
    home = tmp_path / "keys"
    home.mkdir()
    office = Pruned(trial=trial, home=home, troubles=[])
    SigningKey(directory=home, origin=checkpoints.origin(INSTANCE)).make(trial.randbytes)
    CheckpointFile(path=home / "checkpoints.txt").make()
    trial.register(Sender(code="290001", organisation="x", answer_to="a@b.example", addresses=("a@b.example",)))
    office.tell(OLD // 2 - 1)
    office.publish()
    office.tell(OLD // 2)
    trial.clock.move(days=730)
    office.tell(5)
    return office


@pytest.fixture
def pruned(house: Pruned) -> Pruned:
    house.prune(house.bundle())
    house.publish()
    return house


def seqs_of(tx: Tx, event: str) -> list[int]:
    return [one.seq for one in audit.page(tx, after=0) if evidence.read_header(one)["event"] == event]


def test_a_list_of_persons_stays_proven_when_what_told_of_it_is_pruned(house: Pruned) -> None:
    listed = PersonName(surname="Ли", initials="К.")
    with house.trial.worker().writing() as unit:
        persons.put(unit, "290001", [personal.person(unit, "290001", listed, house.trial.randbytes)], replaces=False)
    house.trial.clock.move(days=730)
    house.publish()
    house.prune(house.bundle())
    with house.trial.database.reading() as tx:
        told = seqs_of(tx, persons.LISTED)
        assert told == [audit.newest_seq(tx) - 1], "what told of it first is gone"
        assert persons.faults(tx, house.trial.pen.key) == {}
        assert [one.value for one in persons.of(tx, "290001") or ()] == ["Ли К."]


def activate(house: Pruned) -> None:
    with house.trial.worker().writing() as unit:
        content = {"30.toml": "# none"}
        ruleset_hash = rules.digest(content)
        office.activate(unit.tx, ruleset_hash=ruleset_hash, content=content, actor=unit.actor, at=unit.at)
        unit.tell(office.ACTIVATED, ruleset=ruleset_hash, before=None)


def test_the_active_rules_stay_proven_when_what_told_of_them_is_pruned(house: Pruned) -> None:
    activate(house)
    house.trial.clock.move(days=730)
    house.publish()
    house.prune(house.bundle())
    with house.trial.database.reading() as tx:
        told = seqs_of(tx, office.ACTIVATED)
        assert told == [audit.newest_seq(tx) - 1], "what told of them first is gone"
        active = office.active(tx, house.trial.pen.key)
    assert active is not None
    assert active.fault is None


def test_nothing_is_pruned_while_the_rules_are_not_those_that_were_activated(house: Pruned) -> None:
    activate(house)
    house.run("UPDATE rulesets SET content = '{}'")
    house.trial.clock.move(days=730)
    bundle = house.bundle()
    with pytest.raises(RefusedError, match=r"the active rules: .*`mailer check`"):
        house.prune(bundle)


def test_nothing_is_pruned_while_a_list_is_not_as_it_was_written(house: Pruned) -> None:
    with house.trial.worker().writing() as unit:
        persons.put(unit, "290001", [], replaces=False)
        unit.tx.exec_driver_sql("DELETE FROM person_lists")
    house.publish()
    with pytest.raises(RefusedError, match="290001: the list of persons is gone"):
        house.prune(house.bundle())


def test_a_pruned_record_is_whole_and_goes_on(house: Pruned) -> None:
    before = house.trial.database.reading
    assert house.prune(house.bundle()) == Pruning(upto=OLD, count=OLD, restated=1)
    with before() as tx:
        assert [one.seq for one in audit.page(tx, after=0)] == [*range(OLD + 1, OLD + 6), OLD + 6, OLD + 7]
        assert senders.faults(tx, house.trial.pen.key) == {}, "the register stays proven"
    assert house.outcome() is Outcome.TAIL_NOT_YET_SIGNED
    house.publish()
    verdict = house.verified()
    assert (verdict.outcome, verdict.checked, verdict.size, verdict.signed) == (Outcome.PRUNED_ON_RECORD, 7, OLD + 7, OLD + 7)
    step = house.step()
    for _ in range(5):
        house.tell(100)
        house.trial.clock.move(minutes=20)
        step.step()
    assert house.troubles == []
    house.publish()
    assert house.outcome() is Outcome.PRUNED_ON_RECORD
    for since in (1, OLD, OLD + 1, OLD + 3):
        assert verification.verify(house.trial.database, house.trial.pen.key, house.history(), since=since).fault is None


def test_the_guard_stands_again(pruned: Pruned) -> None:
    for statement in (f"DELETE FROM records WHERE seq = {OLD + 1}", "UPDATE records SET outcome = 'failed'"):
        with pytest.raises(DatabaseError, match="append-only"):
            pruned.run(statement)


def test_a_dry_run_changes_nothing(house: Pruned) -> None:
    bundle = house.bundle()
    assert house.prune(bundle, dry_run=True).count == OLD
    assert house.outcome() is Outcome.OK
    with pytest.raises(DatabaseError, match="append-only"):
        house.run("DELETE FROM records WHERE seq = 1")


def test_a_second_pruning_goes_on_from_the_first(pruned: Pruned) -> None:
    pruned.trial.clock.move(days=800)
    pruned.tell(2)
    done = pruned.prune(pruned.bundle())
    assert (done.upto, done.count) == (OLD + 7, 7)
    pruned.publish()
    assert pruned.outcome() is Outcome.PRUNED_ON_RECORD


def test_a_bundle_of_a_pruned_record_begins_at_the_anchor(pruned: Pruned) -> None:
    manifest = json.loads(pruned.of(Selection(), pruned.publish()).manifest)
    assert (manifest["first"], manifest["last"]) == (OLD + 1, OLD + 7)
    empty = json.loads(pruned.of(Selection(since=pruned.trial.clock() + timedelta(days=1)), pruned.publish()).manifest)
    assert (empty["first"], empty["last"]) == (OLD + 1, OLD)


def test_a_patrol_under_way_meets_a_pruning(house: Pruned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "PAGE", 2)
    house.publish()
    step = house.step()
    step.step()
    house.trial.clock.move(seconds=2)
    house.prune(house.bundle())
    for _ in range(12):
        house.trial.clock.move(seconds=2)
        step.step()
    assert house.troubles == []


# ---- refused


def edited(change: Callable[[bytes], bytes]) -> Callable[[Pruned], Bundle]:
    def of(house: Pruned) -> Bundle:
        bundle = house.bundle()
        return Bundle(manifest=bundle.manifest, note=bundle.note, records=io.BytesIO(change(bundle.records.read())))

    return of


def altered(house: Pruned, **values: object) -> Bundle:
    bundle = house.bundle()
    manifest = json.loads(bundle.manifest) | values
    return Bundle(manifest=json.dumps(manifest).encode(), note=bundle.note, records=bundle.records)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(edited(lambda lines: lines.replace(b"290001", b"290002", 1)), "does not hold the records", id="edited"),
        pytest.param(edited(lambda lines: lines.partition(b"\n")[2]), "does not hold the records", id="the first is missing"),
        pytest.param(edited(lambda lines: lines + lines), "does not hold the records", id="more than there is"),
        pytest.param(lambda house: altered(house, last=OLD - 1), "does not hold the records", id="another last"),
        pytest.param(lambda house: altered(house, right=[]), "does not hold the records", id="hashes left out"),
        pytest.param(lambda house: altered(house, asked={}), "cannot be read", id="no selection"),
        pytest.param(lambda house: house.bundle(events=("letter.kept",)), "all records", id="one event"),
        pytest.param(lambda house: house.bundle(sender="290001"), "all records", id="one sender"),
        pytest.param(lambda house: house.bundle(since=house.trial.clock() - timedelta(days=999)), "all records", id="since a day"),
        pytest.param(lambda house: house.bundle(house.trial.clock() + timedelta(days=1)), "keep_days", id="too young"),
        pytest.param(lambda house: house.bundle(house.trial.clock() - timedelta(days=999)), "no record", id="nothing in it"),
    ],
)
def test_a_bundle_that_is_not_all_of_it_is_refused(house: Pruned, make: Callable[[Pruned], Bundle], why: str) -> None:
    bundle = make(house)
    with pytest.raises(RefusedError, match=why):
        house.prune(bundle)
    assert house.outcome() is Outcome.OK


def test_a_checkpoint_that_was_not_published_is_refused(house: Pruned) -> None:
    bundle = house.bundle()
    with pytest.raises(RefusedError, match="not among the published"):
        house.prune(Bundle(manifest=bundle.manifest, note=bundle.note.replace("at ", "at  "), records=bundle.records))


def test_a_record_that_was_tampered_with_is_not_pruned(house: Pruned) -> None:
    bundle = house.bundle()
    unguard(house.trial)
    house.run("UPDATE records SET outcome = 'failed' WHERE seq = 3")
    with pytest.raises(RefusedError, match="record 3: "):
        house.prune(bundle)


def test_a_register_that_nobody_wrote_so_is_not_made_good_by_it(house: Pruned) -> None:
    house.run("UPDATE senders SET answer_to = 'thief@evil.example'")
    with pytest.raises(RefusedError, match="290001"):
        house.prune(house.bundle())


def test_what_is_still_needed_is_not_pruned(house: Pruned) -> None:
    """Records 2 to 8 tell of letter 1: it has not been read; then its request waits."""
    at = house.trial.clock()
    with house.trial.database.writing() as tx:
        keep_letter(tx, at)
    with pytest.raises(RefusedError, match="record 2 is still needed: its letter has not been read"):
        house.prune(house.bundle())
    house.run("UPDATE letters SET state = 'read'")
    house.prune(house.bundle(), dry_run=True)
    with house.trial.database.writing() as tx:
        tx.execute(
            pruning.requests.insert().values(
                letter_id=1,
                state="held",
                verdict="hold",
                rule_id="x",
                ruleset_hash="x",
                facts="{}",
                created_at=at,
                decided_at=at,
            )
        )
    with pytest.raises(RefusedError, match="record 2 is still needed: its request is not over"):
        house.prune(house.bundle())
    house.run("UPDATE requests SET state = 'refused'")
    house.prune(house.bundle())


def keep_letter(tx: db.Tx, at: datetime) -> None:
    given = {"id": 1, "state": "kept"}
    for column in pruning.letters.columns:
        if column.name not in given and not column.nullable and column.server_default is None and column.default is None:
            python = {"kept_at": datetime, "received_at": datetime, "content": bytes}.get(column.name, column.type.python_type)
            given[column.name] = {str: "x", int: 1, bytes: b"x", bool: False, datetime: at}[python]  # type: ignore[assignment]
    tx.execute(pruning.letters.insert().values(**given))


@pytest.mark.parametrize("trial", ["postgresql"], indirect=True)  # SQLite knows no owners
def test_only_the_owner_prunes(house: Pruned) -> None:
    import psycopg

    parsed = make_url(house.trial.url)
    bundle = house.bundle()
    with psycopg.connect(host=str(parsed.query["host"]), user=parsed.username, dbname=parsed.database, autocommit=True) as owner:
        owner.execute("CREATE ROLE pruner LOGIN")
        try:
            clerk = db.Database(parsed.set(username="pruner").render_as_string(hide_password=False))
            with pytest.raises(SetupError, match="owner_url"), clerk.reading() as tx:
                pruning.check_owner(tx)
            clerk.close()
        finally:
            owner.execute("DROP ROLE pruner")
    assert house.prune(bundle).count == OLD


# ---- attacked


@pytest.mark.parametrize("upto", range(1, OLD + 6))
def test_records_that_are_gone_without_a_pruning_are_found(house: Pruned, upto: int) -> None:
    house.publish()
    unguard(house.trial)
    house.run(f"DELETE FROM records WHERE seq <= {upto}")
    assert house.tampered()[0] == 1
    assert house.refused() == 1


@pytest.mark.parametrize("upto", range(OLD + 1, OLD + 7))
def test_a_deletion_beyond_the_anchor_is_found(pruned: Pruned, upto: int) -> None:
    unguard(pruned.trial)
    pruned.run(f"DELETE FROM records WHERE seq <= {upto}")
    assert pruned.tampered() == (OLD + 1, "a record is missing")
    assert pruned.refused() == OLD + 1


def test_a_pruned_record_whose_pruning_is_gone_is_found(pruned: Pruned) -> None:
    unguard(pruned.trial)
    pruned.run(f"DELETE FROM records WHERE seq = {OLD + 7}")
    assert pruned.tampered()[0] == 1


def test_a_record_put_back_before_the_anchor_is_found(pruned: Pruned) -> None:
    columns = "header, nonce, details, leaf, mac, at, event, importance, actor, sender_code, request_id, outcome, letter_id"
    pruned.run(f"INSERT INTO records (seq, {columns}) SELECT 4, {columns} FROM records WHERE seq = {OLD + 1}")
    assert pruned.tampered()[0] == 4


def test_a_pruning_told_by_the_database_alone_is_found(house: Pruned) -> None:
    house.publish()
    forge(house, b"x" * 32, upto=OLD)
    assert house.tampered()[0] == 1


@pytest.mark.parametrize("upto", [OLD - 1, OLD])
def test_a_pruning_with_other_numbers_is_found_by_the_checkpoints(house: Pruned, upto: int) -> None:
    """Whoever has the record key too can tell a pruning, but cannot make its tree lead to what was signed."""
    house.publish()
    forge(house, house.trial.pen.key, upto=upto)
    seq, why = house.tampered()
    assert seq == upto + 1
    assert "checkpoint signed" in why or why == "a record is missing"
    assert house.refused() <= upto + 1


def forge(house: Pruned, key: bytes, *, upto: int) -> None:
    with house.trial.database.reading() as tx:
        edge = Range().grown([b"\0" * 32, *list(recordpages.leaves(tx, after=0, upto=upto))[1:]])
    unguard(house.trial)
    run(house.trial, f"DELETE FROM records WHERE seq <= {OLD}")
    details = {"upto": upto, "hashes": [one.hex() for one in edge.hashes], "root": edge.root().hex()}
    with house.trial.database.writing() as tx:
        told = Record(event="audit.pruned", actor="x", details=details)
        audit.append(tx, audit.Pen(key=key, randbytes=house.trial.randbytes), house.trial.clock(), [told])


def test_an_edited_pruning_is_found(pruned: Pruned) -> None:
    unguard(pruned.trial)
    other = "X'7b7d'" if pruned.trial.database.sqlite else "'\\x7b7d'"
    with pruned.trial.database.writing() as tx:
        tx.execute(text(f"UPDATE records SET details = {other} WHERE seq = {OLD + 7}"))
    assert pruned.tampered()[0] == 1


def test_a_declared_restore_after_a_pruning_is_no_false_alarm(pruned: Pruned) -> None:
    from mailer.flow.override import record

    size = OLD + 7
    pruned.tell(3)
    pruned.publish()
    unguard(pruned.trial)
    with pruned.trial.database.reading() as tx:
        begin = pruning.anchor(tx, pruned.trial.pen.key)
        assert begin is not None
        edge = begin.edge.grown(recordpages.leaves(tx, after=OLD, upto=size))
    with pruned.trial.database.writing() as tx:
        tx.execute(text("DELETE FROM records WHERE seq > :size"), {"size": size})
        tx.execute(text("DELETE FROM checkpoints WHERE size > :size"), {"size": size})
        tx.execute(text("UPDATE audit_head SET seq = :size, hashes = :hashes"), {"size": size, "hashes": edge.to_bytes()})
    assert pruned.tampered()[0] == size + 1
    assert record.declare_restore(pruned.trial.worker(), pruned.signer(), reason="диск") == (size, size + 3)
    pruned.publish()
    assert pruned.outcome() is Outcome.RESTORED_ON_RECORD


def test_a_step_may_begin_on_a_pruned_record(pruned: Pruned) -> None:
    step = CheckpointStep(
        pruned.trial.worker("checkpoint"), pruned.signer(), on_trouble=lambda what, error: pruned.troubles.append(str(error))
    )
    pruned.run("DELETE FROM checkpoints")
    assert step.step()
    assert pruned.troubles == []


def test_the_desk_writes_meanwhile(house: Pruned) -> None:
    """Neither waits for the other for ever: whoever appends takes head and table in the same order as the pruning."""
    bundle, stop, told = house.bundle(), threading.Event(), 0

    def write() -> None:
        nonlocal told
        while not stop.is_set():
            with house.trial.worker().writing() as unit:
                if told % 2:
                    senders.register(unit, "290001", house.trial.pen)
                unit.tell("letter.kept", letter=2)
            told += 1
            wrote.set()

    wrote = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            assert wrote.wait(60)
            for _ in range(3):
                bundle.records.seek(0)
                house.prune(bundle, dry_run=True)
            bundle.records.seek(0)
            assert house.prune(bundle).count == OLD
        finally:
            stop.set()
        writing.result()
    assert told > 0
    house.publish()
    assert house.outcome() is Outcome.PRUNED_ON_RECORD
    with house.trial.database.reading() as tx:
        assert senders.faults(tx, house.trial.pen.key) == {}


def test_a_key_that_was_lost_in_what_was_pruned_is_still_said(house: Pruned) -> None:
    """Its record is in the bundle; the checkpoint that says so is still there, and a person may still confirm the key."""
    house.key.private_path.unlink()
    record.declare_lost_key(house.trial.worker(), house.signer(), reason="диск")
    house.trial.clock.move(days=730)
    house.tell(1)
    house.prune(house.bundle())
    verdict = house.verified()
    assert (verdict.outcome, [one.seq for one in verdict.lost]) == (Outcome.KEY_LOST_ON_RECORD, [None])
    house.publish()
    key = house.key.public()
    assert (
        verification.verify(house.trial.database, house.trial.pen.key, house.history(), trusted=key).outcome
        is Outcome.PRUNED_ON_RECORD
    )
