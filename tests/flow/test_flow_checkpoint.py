"""Checkpoints over a real database, key and file: when they are signed, what is never signed, and what verification says then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.core import checkpointhistory, checkpoints, evidence, note
from mailer.core.checkpointhistory import History
from mailer.core.checkpoints import Published
from mailer.core.merkle import Range
from mailer.edge.checkpoints import CheckpointFile
from mailer.edge.signing import SigningKey
from mailer.errors import RefusedError
from mailer.flow.checkpoint import CheckpointStep
from mailer.flow.override import record as override
from mailer.flow.signing import Signer
from mailer.store import audit, verification
from mailer.store import checkpoints as kept
from mailer.store.verification import Fault, Outcome, Verdict
from tests.store.offices import INSTANCE, Trial
from tests.store.test_store_verification import run, unguard


@dataclass(kw_only=True)
class House:
    """An office that publishes: its database, key and file."""

    trial: Trial
    home: Path
    troubles: list[str]

    @property
    def key(self) -> SigningKey:
        return SigningKey(directory=self.home, origin=checkpoints.origin(INSTANCE))

    @property
    def file(self) -> CheckpointFile:
        return CheckpointFile(path=self.home / "checkpoints.txt")

    def signer(self) -> Signer:
        return Signer(self.trial.worker(), self.file, self.key, INSTANCE)

    def step(self) -> CheckpointStep:
        return CheckpointStep(
            self.trial.worker("checkpoint"),
            self.signer(),
            on_trouble=lambda what, error: self.troubles.append(f"{what}: {error}"),
        )

    def tell(self, count: int, event: str = "letter.kept") -> None:
        with self.trial.worker().writing() as unit:
            for _ in range(count):
                unit.tell(event, letter=1)

    def publish(self) -> Published:
        found = self.signer().publish()
        assert isinstance(found, Published), found
        return found

    def refused(self) -> int:
        """A step that starts now signs nothing, nor at its stop, and tells it; the seq that it tells."""
        before = self.file.text()
        step = self.step()
        assert step.step()
        step.close()
        assert self.file.text() == before
        with self.trial.database.reading() as tx:
            assert audit.latest(tx, "checkpoint.refused", "checkpoint.resumed") == "checkpoint.refused"
            told = audit.newest_of(tx, "checkpoint.refused")
        assert told is not None
        seq: int = evidence.read_details(told)["seq"]
        return seq

    def refused_at_once(self) -> int:
        """Not even the signer by itself, which reads only what is new, signs anything."""
        before = self.file.text()
        found = self.signer().publish()
        assert isinstance(found, Fault)
        assert self.file.text() == before
        assert self.refused() <= found.seq
        return found.seq

    def history(self) -> History:
        return checkpointhistory.history(checkpoints.published_in(self.file.text(), self.key.origin), self.key.public())

    def verified(self) -> Verdict:
        history = self.history()
        return verification.verify(self.trial.database, self.trial.pen.key, history)

    def sizes(self) -> list[int]:
        return [one.checkpoint.size for one in self.history().valid]

    def run(self, *statements: str) -> None:
        run(self.trial, *statements)

    def cut(self, size: int) -> None:
        """The database becomes the one it was at this size, head, tree and checkpoints too: as a backup brought back."""
        with self.trial.database.reading() as tx:
            edge = Range().grown([one.leaf for one in audit.page(tx, after=0) if one.seq <= size])
        with self.trial.database.writing() as tx:
            tx.execute(text("DELETE FROM records WHERE seq > :size"), {"size": size})
            tx.execute(text("DELETE FROM checkpoints WHERE size > :size"), {"size": size})
            tx.execute(text("UPDATE audit_head SET seq = :size, hashes = :hashes"), {"size": size, "hashes": edge.to_bytes()})


@pytest.fixture
def house(trial: Trial, tmp_path: Path) -> Iterator[House]:
    home = tmp_path / "keys"
    home.mkdir()
    office = House(trial=trial, home=home, troubles=[])
    office.key.make(trial.randbytes)
    yield office
    for path in home.glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def signed(house: House) -> House:
    """Five records, checkpoints of two, four and five; the triggers are gone."""
    for count in (2, 2, 1):
        house.tell(count)
        house.publish()
    unguard(house.trial)
    return house


# ---- when


def test_the_first_is_signed_at_the_start_and_the_last_at_the_stop(house: House) -> None:
    step = house.step()
    assert step.step()
    house.tell(3)
    assert not step.step()
    step.close()
    assert house.sizes() == [0, 3]
    assert house.verified() == Verdict(outcome=Outcome.OK, checked=3, size=3, signed=3)


def test_after_a_hundred_records_but_not_within_ten_seconds(house: House) -> None:
    step = house.step()
    step.step()
    house.tell(100)
    assert not step.step()
    house.trial.clock.move(seconds=10)
    assert step.step()
    house.tell(99)
    house.trial.clock.move(minutes=14)
    assert not step.step()
    assert house.verified() == Verdict(outcome=Outcome.TAIL_NOT_YET_SIGNED, checked=199, size=199, signed=100)
    house.tell(1)
    assert step.step()
    assert house.sizes() == [0, 100, 200]


def test_each_quarter_of_an_hour_also_when_nothing_happens(house: House) -> None:
    step = house.step()
    step.step()
    for _ in range(3):
        house.trial.clock.move(minutes=15)
        assert step.step()
        assert not step.step()
    assert house.sizes() == [0, 0, 0, 0]


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(hours=-1), timedelta(days=400)], ids=str)
def test_a_clock_that_jumps_raises_no_doubt(house: House, jump: timedelta) -> None:
    step = house.step()
    house.tell(3)
    step.step()
    house.trial.clock.move(seconds=jump.total_seconds())
    house.tell(3)
    assert step.step()
    house.trial.clock.move(minutes=16)
    assert step.step()
    assert house.sizes() == [3, 6, 6]
    assert house.verified().outcome is Outcome.OK
    assert house.troubles == []


def test_a_start_goes_on_from_what_was_published(signed: House) -> None:
    signed.trial.clock.move(seconds=1)
    step = signed.step()
    assert step.step()
    assert signed.sizes() == [2, 4, 5, 5]
    signed.tell(1)
    assert isinstance(signed.signer().publish(), Published)
    assert signed.verified().signed == 6


@pytest.mark.parametrize("statement", ["DELETE FROM checkpoints", "UPDATE checkpoints SET hashes = note"], ids=["gone", "spoilt"])
def test_without_the_databases_own_list_it_goes_on_from_the_file(signed: House, statement: str) -> None:
    if signed.trial.url.startswith("postgresql"):
        statement = statement.replace("= note", "= 'x'")
    signed.run(statement)
    signed.tell(1)
    assert signed.publish().checkpoint.size == 6


def test_a_crash_between_file_and_database_is_nothing(signed: House) -> None:
    signed.run("DELETE FROM checkpoints WHERE size = 5")
    signed.tell(1)
    assert signed.publish().checkpoint.size == 6
    assert signed.verified().outcome is Outcome.OK


def test_a_checkpoint_that_a_crash_cut_off_in_the_file_is_nothing(signed: House) -> None:
    whole = signed.file.text()
    signed.file.path.write_text(whole + whole[:150], encoding="utf-8")
    signed.tell(1)
    assert signed.publish().checkpoint.size == 6
    assert signed.sizes() == [2, 4, 5, 6]
    assert signed.verified().outcome is Outcome.OK


def test_the_database_keeps_what_was_signed(signed: House) -> None:
    with signed.trial.database.reading() as tx:
        notes = kept.notes(tx)
        assert kept.newest_signed_by(tx, signed.key.public()) == signed.history().valid[-1]
    assert "".join(one + "\n" for one in notes) == signed.file.text()


# ---- attacks: what was done, the first bad seq; the signer signs nothing then


def damage(statement: str) -> Callable[[House], None]:
    return lambda house: house.run(statement)


@pytest.mark.parametrize("seq", range(1, 6))
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET details = nonce WHERE seq = {seq}",
        "UPDATE records SET actor = 'nobody' WHERE seq = {seq}",
        "UPDATE records SET letter_id = 9 WHERE seq = {seq}",
        "DELETE FROM records WHERE seq = {seq}",
    ],
    ids=["edited", "actor", "letter", "deleted"],
)
def test_what_was_signed_and_then_changed(signed: House, seq: int, statement: str) -> None:
    signed.run(statement.format(seq=seq))
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, seq)
    assert signed.refused() == seq


@pytest.mark.parametrize("size", range(5))
def test_a_truncated_record_whose_head_was_made_to_fit(signed: House, size: int) -> None:
    signed.cut(size)
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, size + 1)
    assert signed.refused_at_once() == size + 1


@pytest.mark.parametrize("size", range(5))
def test_a_backup_brought_back_that_went_on(signed: House, size: int) -> None:
    """A fork: the first record that is not the signed one cannot be told, only that it lies behind the last common checkpoint."""
    signed.cut(size)
    signed.tell(5 - size, "request.refused")
    verdict = signed.verified()
    common = max([0, *(one for one in (2, 4) if one <= size)])
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, common + 1)
    assert signed.refused_at_once() == common + 1


def test_a_record_rewritten_with_the_record_key(signed: House) -> None:
    """Whoever has database and record key can write what he likes, MACs, tree and head included; not what was published."""
    with signed.trial.database.writing() as tx:
        tx.execute(text("DELETE FROM records"))
        tx.execute(text("UPDATE audit_head SET seq = 0, hashes = :nothing"), {"nothing": b""})
    signed.tell(5)
    assert verification.verify(signed.trial.database, signed.trial.pen.key).outcome is Outcome.OK, "inside only sees nothing"
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, 1)
    assert signed.refused() == 1


def test_records_appended_with_access_to_the_database_alone(signed: House) -> None:
    with signed.trial.database.writing() as tx:
        forged = audit.Record(event="request.approved", actor="mailer-desk", request=1)
        audit.append(tx, audit.Pen(key=b"x" * 32, randbytes=signed.trial.randbytes), signed.trial.clock(), [forged])
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, 6)
    assert signed.refused_at_once() == 6


def test_another_key_in_the_place_of_ours(signed: House) -> None:
    for path in (signed.key.private_path, signed.key.public_path):
        path.unlink()
    signed.key.make(signed.trial.randbytes)
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, 1)
    assert signed.refused() == 1


def test_another_record_key_in_the_place_of_ours(signed: House) -> None:
    verdict = verification.verify(signed.trial.database, b"x" * 32, signed.history())
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, 1)


def test_a_forged_checkpoint(signed: House) -> None:
    stranger = SigningKey(directory=signed.home / "..", origin=signed.key.origin)
    stranger.make(signed.trial.randbytes)
    last = signed.history().valid[-1].checkpoint
    signed.file.append(note.sign(checkpoints.text(last), [stranger.signer()]))
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, 5)
    assert signed.refused_at_once() == 5


def test_a_checkpoint_of_our_key_over_another_record(signed: House) -> None:
    """Two offices going on from one copy, both with the key: the second one's checkpoint is not of this record."""
    last = signed.history().valid[-1].checkpoint
    other = checkpoints.Checkpoint(origin=last.origin, size=5, root=b"x" * 32, at=last.at)
    signed.file.append(note.sign(checkpoints.text(other), [signed.key.signer()]))
    assert signed.verified().outcome is Outcome.TAMPERED
    signed.refused_at_once()


def test_a_file_that_lost_its_last_checkpoint(signed: House) -> None:
    before = signed.file.text()
    last = signed.history().valid[-1].signed
    signed.file.path.write_text(before.replace(last, ""), encoding="utf-8")
    assert signed.verified().outcome is Outcome.TAIL_NOT_YET_SIGNED, "an older copy is a good copy"
    assert signed.refused_at_once() == 5
    assert "lacks the one of 5 records" in signed.troubles[-1]
    signed.file.path.write_text(before, encoding="utf-8")
    assert signed.publish().checkpoint.size == 6


def test_a_restore_that_no_record_declares(signed: House) -> None:
    last = signed.history().valid[-1].checkpoint
    told = checkpoints.Checkpoint(origin=last.origin, size=5, root=last.root, at=last.at, restored=2)
    signed.file.append(note.sign(checkpoints.text(told), [signed.key.signer()]))
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, 3)
    signed.refused_at_once()


def test_checkpoints_that_are_brought_back_hide_nothing(signed: House) -> None:
    """Whoever may write database and file, but has no key, goes back to where a restore once went on."""
    given_up = signed.history().valid[-1].signed
    signed.cut(2)
    override.declare_restore(signed.trial.worker(), signed.signer(), reason="диск")
    restored = signed.publish().signed
    signed.tell(6)
    signed.publish()
    for written in (given_up, restored):
        signed.file.append(written)
    signed.cut(4)
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, 5)
    signed.refused_at_once()


# ---- what is no attack


def test_it_signs_again_when_what_was_wrong_is_mended(signed: House) -> None:
    step = signed.step()
    assert step.step()
    signed.tell(1)
    signed.run("UPDATE records SET actor = 'nobody' WHERE seq = 6")
    signed.trial.clock.move(minutes=15)
    assert step.step()
    assert signed.sizes()[-1] == 5
    assert "tells another actor" in signed.troubles[-1]
    signed.run("UPDATE records SET actor = 'test' WHERE seq = 6")
    assert not step.step()
    signed.trial.clock.move(minutes=1)
    assert step.step()
    assert signed.sizes()[-1] == 7
    with signed.trial.database.reading() as tx:
        assert audit.latest(tx, "checkpoint.refused", "checkpoint.resumed") == "checkpoint.resumed"


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("more", [0, 1, 7])
def test_a_declared_restore_goes_on_from_the_last_common_checkpoint(signed: House, size: int, more: int) -> None:
    signed.cut(size)
    step = signed.step()
    assert step.step()
    signed.tell(more, "request.refused")
    common = max([0, *(one for one in (2, 4) if one <= size)])
    assert override.declare_restore(signed.trial.worker(), signed.signer(), reason="диск") == (common, 5)
    signed.trial.clock.move(minutes=2)
    assert step.step(), "the running desk signs again"
    verdict = signed.verified()
    assert verdict.outcome in {Outcome.RESTORED_ON_RECORD, Outcome.TAIL_NOT_YET_SIGNED}
    assert [(one.kept, one.lost) for one in verdict.restored] == [(common, 5)]
    assert verdict.fault is None
    signed.publish()
    assert signed.verified().outcome is Outcome.RESTORED_ON_RECORD
    with pytest.raises(RefusedError, match="agrees with all"):
        override.declare_restore(signed.trial.worker(), signed.signer(), reason="ещё раз")


def test_a_restore_to_before_a_restore_is_declared_as_well(signed: House) -> None:
    """The record of the first one is gone with what the second gives up."""
    for lost in (5, 9):
        signed.cut(2)
        assert override.declare_restore(signed.trial.worker(), signed.signer(), reason="диск") == (2, lost)
        signed.publish()
        signed.tell(6)
        signed.publish()
    verdict = signed.verified()
    assert (verdict.outcome, verdict.fault) == (Outcome.RESTORED_ON_RECORD, None)
    assert [(one.kept, one.lost, one.given_up) for one in verdict.restored] == [(2, 5, True), (2, 9, False)]


def test_after_a_declared_restore_a_later_attack_is_still_found(signed: House) -> None:
    signed.cut(3)
    override.declare_restore(signed.trial.worker(), signed.signer(), reason="диск")
    signed.publish()
    signed.tell(3)
    signed.publish()
    signed.cut(5)
    assert signed.verified().outcome is Outcome.TAMPERED
    assert signed.refused_at_once() == 6


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        pytest.param(lambda house: house.run("DELETE FROM records WHERE seq = 2"), "missing", id="damaged"),
        pytest.param(lambda house: None, "agrees with all", id="nothing lost"),
        pytest.param(lambda house: house.file.path.unlink(), "no published checkpoint", id="nothing published"),
    ],
)
def test_a_restore_is_not_declared(signed: House, deed: Callable[[House], None], why: str) -> None:
    deed(signed)
    with pytest.raises(RefusedError, match=why):
        override.declare_restore(signed.trial.worker(), signed.signer(), reason="диск")
    with signed.trial.database.reading() as tx:
        assert audit.newest_of(tx, "audit.restored") is None


def test_the_old_key_hands_over_and_the_running_desk_follows(signed: House) -> None:
    step = signed.step()
    assert step.step()
    old = signed.key.public()
    override.change_key(signed.trial.worker(), signed.signer(), reason="раз в год")
    assert signed.key.public() != old
    with signed.trial.database.reading() as tx:
        assert audit.latest(tx, "audit.key-changed") == "audit.key-changed"
    signed.trial.clock.move(minutes=15)
    assert step.step()
    verdict = signed.verified()
    assert (verdict.outcome, verdict.signed) == (Outcome.OK, 6)
    assert signed.troubles == []
    assert note.read_key((signed.home / f"checkpoint-{old.id.hex()}.pub").read_text(encoding="utf-8").strip()) == old


def test_no_key_is_changed_over_a_record_that_is_not_what_was_signed(signed: House) -> None:
    old = signed.key.public()
    signed.cut(3)
    with pytest.raises(RefusedError, match="nothing was signed"):
        override.change_key(signed.trial.worker(), signed.signer(), reason="раз в год")
    assert signed.key.public() == old


def test_a_copy_from_before_the_attack_finds_what_the_rewritten_file_hides(signed: House) -> None:
    copy = signed.file.text()
    signed.cut(2)
    signed.run("DELETE FROM checkpoints")
    signed.file.path.unlink()
    signed.tell(9)
    signed.publish()
    assert signed.verified().outcome is Outcome.OK, "who has database, keys and file leaves nothing behind"
    history = checkpointhistory.history(checkpoints.published_in(copy, signed.key.origin), signed.key.public())
    verdict = verification.verify(signed.trial.database, signed.trial.pen.key, history)
    assert (verdict.outcome, verdict.fault and verdict.fault.seq) == (Outcome.TAMPERED, 3)
