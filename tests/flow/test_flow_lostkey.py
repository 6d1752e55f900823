"""A lost signing key on both databases: how it is declared, what verification says of it, and what nobody can hide behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.core import checkpointhistory, checkpoints, evidence, note
from mailer.core.checkpoints import Checkpoint, KeyChange, Published
from mailer.core.note import PublicKey
from mailer.edge.signing import SigningKey
from mailer.errors import RefusedError, SetupError
from mailer.flow.override import record as override
from mailer.store import audit, verification
from mailer.store import checkpoints as kept
from mailer.store.verification import Outcome, Verdict
from tests.flow.test_flow_checkpoint import House
from tests.store.offices import Trial
from tests.store.test_store_verification import unguard

RECORDS = 5  # with checkpoints of two, four and five
REASON = "диск сгорел"
LOST_SEED = bytes(range(32))  # of the private half that is lost


@pytest.fixture
def house(trial: Trial, tmp_path: Path) -> House:
    """Five records, all of them signed; the triggers are gone, and so is the private half of the key."""
    home = tmp_path / "keys"
    home.mkdir()
    office = House(trial=trial, home=home, troubles=[])
    office.key.make(lambda count: LOST_SEED[:count])
    for count in (2, 2, 1):
        office.tell(count)
        office.publish()
    unguard(trial)
    office.key.private_path.unlink()
    return office


def declare(house: House) -> Published:
    return override.declare_lost_key(house.trial.worker(), house.signer(), reason=REASON)


def verified(house: House, *, trusted: PublicKey | None = None, copy: str | None = None) -> Verdict:
    """`copy`: of the file of checkpoints, as it lies elsewhere; the losses since are taken from the database, as commands do."""
    history = house.history()
    if copy is not None:
        with house.trial.database.reading() as tx:
            known = checkpoints.published_in("\n".join(kept.notes(tx)), house.key.origin)
        outside = checkpoints.published_in(copy, house.key.origin)
        turns = [one for one in known if one.checkpoint.change is not None]
        history = checkpointhistory.history([*outside, *turns], house.key.public())
    return verification.verify(house.trial.database, house.trial.pen.key, history, trusted=trusted)


def found(verdict: Verdict) -> tuple[Outcome, int | None]:
    return verdict.outcome, verdict.fault and verdict.fault.seq


def told(house: House) -> dict[str, object]:
    with house.trial.database.reading() as tx:
        record = audit.newest_of(tx, "audit.key-lost")
    assert record is not None
    assert evidence.fault(record, house.trial.pen.key) is None
    return evidence.read_details(record)


# ---- what is declared, and said of it for ever


def test_a_lost_key_is_declared_and_the_new_one_carries_on(house: House) -> None:
    old = house.key.public()
    with house.trial.database.reading() as tx:
        root = audit.edge(tx).root().hex()
    published = declare(house)
    new = house.key.signer()[0]
    assert told(house) == {"size": RECORDS, "root": root, "old": str(old), "new": str(new), "reason": REASON}
    assert published.checkpoint.size == RECORDS + 1
    assert note.read_key((house.home / f"checkpoint-{old.id.hex()}.pub").read_text(encoding="utf-8").strip()) == old
    house.tell(1)
    house.publish()
    assert house.sizes() == [2, 4, 5, 6, 7]


def test_it_is_no_silent_ok_until_a_person_names_the_new_key(house: House) -> None:
    old = house.key.public()
    declare(house)
    verdict = verified(house)
    assert (verdict.outcome, verdict.signed) == (Outcome.KEY_LOST_ON_RECORD, RECORDS + 1)
    (loss,) = verdict.lost
    assert (loss.seq, loss.said.proven, loss.confirmed) == (RECORDS + 1, RECORDS, False)
    assert verified(house, trusted=old).outcome is Outcome.KEY_LOST_ON_RECORD, "who has the old one has not seen the new one"
    confirmed = verified(house, trusted=house.key.public())
    assert (confirmed.outcome, confirmed.lost[0].confirmed) == (Outcome.OK, True)
    override.change_key(house.trial.worker(), house.signer(), reason="раз в год")
    house.publish()
    assert verified(house).outcome is Outcome.KEY_LOST_ON_RECORD, "the old key's successors are as good as the first of them"
    assert verified(house, trusted=house.key.public()).outcome is Outcome.OK


def test_a_key_that_never_was_ours_confirms_nothing(house: House) -> None:
    declare(house)
    stranger = PublicKey(name=house.key.origin, key=bytes(32))
    assert found(verified(house, trusted=stranger)) == (Outcome.TAMPERED, 1)


def test_the_running_desk_says_what_to_do_and_goes_on_afterwards(house: House) -> None:
    step = house.step()
    with pytest.raises(SetupError, match="mailer audit declare-lost-key"):
        step.step()
    declare(house)
    house.trial.clock.move(minutes=15)
    assert step.step()
    assert house.sizes()[-1] == RECORDS + 1
    assert house.troubles == []


def test_a_copy_from_before_the_loss_verifies(house: House) -> None:
    copy = house.file.text()
    declare(house)
    verdict = verified(house, copy=copy)
    assert (verdict.outcome, verdict.fault) == (Outcome.KEY_LOST_ON_RECORD, None)


def test_a_key_is_lost_twice(house: House) -> None:
    declare(house)
    first = house.key.public()
    house.key.private_path.unlink()
    declare(house)
    verdict = verified(house, trusted=first)
    assert [(one.said.proven, one.confirmed) for one in verdict.lost] == [(RECORDS, True), (RECORDS + 1, False)]
    assert verdict.outcome is Outcome.KEY_LOST_ON_RECORD


def test_a_key_that_was_found_again_and_is_lost_again(house: House) -> None:
    """The first declaration was cut off before the new key was in its place; the old one signed on."""
    lost = house.key.private_path
    declare(house)
    new, old = house.key.public(), next(house.home.glob("checkpoint-*.pub"))
    lost.rename(lost.with_name("checkpoint.key.next"))
    old.rename(house.key.public_path)
    assert verified(house).outcome is Outcome.KEY_LOST_ON_RECORD
    assert verified(house, trusted=house.key.public()).outcome is Outcome.TAIL_NOT_YET_SIGNED, "who knows the old key need not mind"
    lost.write_text(LOST_SEED.hex(), encoding="ascii")
    house.tell(1)
    house.publish()
    lost.unlink()
    declare(house)
    assert house.key.public() == new
    verdict = verified(house, trusted=new)
    assert (verdict.outcome, [(one.said.proven, one.seq) for one in verdict.lost]) == (Outcome.OK, [(RECORDS + 2, RECORDS + 3)])


def test_a_key_that_was_found_again_can_name_the_new_one_itself(house: House) -> None:
    """What was declared and not carried out is then no loss: each key named the next."""
    lost = house.key.private_path
    declare(house)
    new = house.key.public()
    lost.rename(lost.with_name("checkpoint.key.next"))
    next(house.home.glob("checkpoint-*.pub")).rename(house.key.public_path)
    lost.write_text(LOST_SEED.hex(), encoding="ascii")
    house.tell(1)
    house.publish()
    assert (verified(house).outcome, verified(house).lost) == (Outcome.OK, ())
    override.change_key(house.trial.worker(), house.signer(), reason="нашёлся")
    house.publish()
    verdict = verified(house)
    assert (verdict.outcome, verdict.lost, house.key.public()) == (Outcome.OK, (), new)


# ---- when it is refused


def test_a_key_that_is_there_is_not_declared_lost(house: House) -> None:
    declare(house)
    before = house.file.text()
    with pytest.raises(RefusedError, match="change-key"):
        declare(house)
    assert house.file.text() == before


def test_without_its_public_half_it_is_said_where_that_is_found(house: House) -> None:
    house.key.public_path.unlink()
    with pytest.raises(SetupError, match=r"public_key in manifest\.json"):
        declare(house)


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(lambda house: house.run("UPDATE records SET actor = 'nobody' WHERE seq = 5"), id="edited, not signed since"),
        pytest.param(lambda house: house.cut(3), id="an older database"),
        pytest.param(lambda house: house.file.path.write_text("", encoding="utf-8"), id="the file is gone"),
    ],
)
def test_it_is_not_declared_over_a_record_that_is_not_what_was_signed(house: House, deed: Callable[[House], None]) -> None:
    house.tell(1)
    deed(house)
    house.run("UPDATE records SET actor = 'nobody' WHERE seq = 6")
    with pytest.raises(RefusedError, match="nothing was signed"):
        declare(house)
    assert sorted(path.name for path in house.home.glob("*.pub")) == ["checkpoint.pub"]
    with house.trial.database.reading() as tx:
        assert audit.newest_of(tx, "audit.key-lost") is None


def test_a_database_restored_without_the_key_is_declared_restored_and_then_the_key_lost(house: House) -> None:
    house.cut(3)
    assert override.declare_restore(house.trial.worker(), house.signer(), reason="диск") == (2, 5)
    with pytest.raises(SetupError, match="declare-lost-key"):
        house.signer().publish()
    published = declare(house)
    assert (published.checkpoint.restored, published.checkpoint.size) == (2, 5)
    verdict = verified(house, trusted=house.key.public())
    assert (verdict.outcome, [(one.kept, one.lost) for one in verdict.restored]) == (Outcome.RESTORED_ON_RECORD, [(2, 5)])
    assert verdict.lost[0].said.proven == 2


def test_a_database_from_before_the_loss_is_declared_restored(house: House) -> None:
    """The record of the loss went with what was given up: only a person can still say that the key is ours."""
    declare(house)
    house.cut(4)
    assert verified(house).outcome is Outcome.TAMPERED
    assert override.declare_restore(house.trial.worker(), house.signer(), reason="диск") == (4, 6)
    house.publish()
    verdict = verified(house)
    assert (verdict.outcome, verdict.lost[0].seq) == (Outcome.KEY_LOST_ON_RECORD, None)
    assert verified(house, trusted=house.key.public()).outcome is Outcome.RESTORED_ON_RECORD


# ---- attacks: each ends in a declared loss, so that the key fits


def rewrite(house: House) -> None:
    """Everything anew under the record key: another past, of which the file of checkpoints knows nothing."""
    with house.trial.database.writing() as tx:
        tx.execute(text("DELETE FROM records"))
        tx.execute(text("DELETE FROM checkpoints"))
        tx.execute(text("UPDATE audit_head SET seq = 0, hashes = :nothing"), {"nothing": b""})
    house.file.path.write_text("", encoding="utf-8")
    house.tell(RECORDS, "request.refused")
    declare(house)


def shorten(house: House) -> None:
    house.cut(3)
    house.file.path.write_text(house.file.text()[: len(house.history().valid[0].signed) + 1], encoding="utf-8")
    declare(house)


def go_on_shortened(house: House) -> None:
    shorten(house)
    house.tell(RECORDS)
    house.publish()


def edit_a_record(seq: int) -> Callable[[House], None]:
    def attack(house: House) -> None:
        declare(house)
        house.run(f"UPDATE records SET details = nonce WHERE seq = {seq}")

    return attack


def replace_the_key(house: House) -> None:
    """Whoever has the folder of keys and the file, not the record key: no record tells of the loss."""
    old = house.key.public()
    new = house.key.successor(house.trial.randbytes, like=house.file.path)
    last = house.history().valid[-1].checkpoint
    change = KeyChange(old=old, new=new[0], lost=True)
    told = Checkpoint(origin=last.origin, size=last.size, root=last.root, at=last.at, change=change)
    house.file.append(note.sign(checkpoints.text(told), [new]))
    house.key.succeed()


def hide_the_record(house: House) -> None:
    declare(house)
    house.run("UPDATE records SET event = 'letter.kept' WHERE seq = 6")


def name_another_loss(house: House) -> None:
    """The database says that a change of key was a loss."""
    replace_the_key(house)
    change = {"old": "a", "new": "b"}
    with house.trial.worker().writing() as unit:
        unit.tell("audit.key-changed", importance="warning", **change)
    house.run("UPDATE records SET event = 'audit.key-lost' WHERE seq = 6")


ATTACKS: dict[str, tuple[Callable[[House], None], int]] = {
    "history rewritten": (rewrite, 1),
    "history cut off": (shorten, 3),
    "history cut off, and gone on": (go_on_shortened, 3),
    **{f"record {seq} edited": (edit_a_record(seq), seq) for seq in range(1, RECORDS + 2)},
    "its record hidden": (hide_the_record, 6),
    "no record of it, and the copy knows the old key alone": (replace_the_key, 1),
}


@pytest.mark.parametrize(("attack", "seq"), ATTACKS.values(), ids=ATTACKS)
def test_nothing_before_the_last_checkpoint_outside_can_be_changed_by_declaring_a_loss(
    house: House, attack: Callable[[House], None], seq: int
) -> None:
    outside = house.file.text()
    attack(house)
    assert found(verified(house, copy=outside)) == (Outcome.TAMPERED, seq)


@pytest.mark.parametrize("attack", [replace_the_key, name_another_loss])
def test_a_key_that_no_record_declares_is_found_and_signs_nothing(house: House, attack: Callable[[House], None]) -> None:
    attack(house)
    assert found(verified(house)) == (Outcome.TAMPERED, RECORDS)
    house.refused_at_once()


def test_a_loss_that_hides_behind_an_earlier_restore_signs_nothing(house: House) -> None:
    """Who has the folder of keys and the file, but no record key, lets a loss be given up by the restore that a record declares."""
    house.key.private_path.write_text(LOST_SEED.hex(), encoding="ascii")
    house.cut(2)
    override.declare_restore(house.trial.worker(), house.signer(), reason="диск")
    restored = house.publish()
    new = house.key.successor(house.trial.randbytes, like=house.file.path)
    *before, _ = checkpoints.published_in(house.file.text(), house.key.origin)
    change = KeyChange(old=house.key.public(), new=new[0], lost=True)
    loss = note.sign(checkpoints.text(replace(before[-1].checkpoint, change=change)), [new])
    house.file.path.write_text("".join(f"{one.signed}\n" for one in before), encoding="utf-8")
    house.file.append(loss)
    house.file.append(note.sign(restored.note.text, [new]))
    house.key.succeed()
    assert verified(house).outcome is Outcome.KEY_LOST_ON_RECORD
    house.refused_at_once()


def test_the_lost_key_does_not_come_back_by_a_second_loss(house: House) -> None:
    """Who has it and the record key declares the next one lost in its favour; a person still names that."""
    declare(house)
    named = house.key.public()
    house.key.private_path.with_name("checkpoint.key.next").write_text(LOST_SEED.hex(), encoding="ascii")
    house.key.private_path.unlink()
    declare(house)
    assert found(verified(house, trusted=named)) == (Outcome.TAMPERED, 1)
    house.refused_at_once()


def test_the_lost_key_signs_nothing_any_more(house: House, tmp_path: Path) -> None:
    """Somebody found it, or stole it."""
    declare(house)
    house.key.private_path.rename(tmp_path / "lost")
    declare(house)
    thief = SigningKey(directory=tmp_path / "thief", origin=house.key.origin)
    thief.directory.mkdir()
    (tmp_path / "lost").rename(thief.private_path)
    thief.make(house.trial.randbytes)
    last = house.history().valid[-1].checkpoint
    house.file.append(note.sign(checkpoints.text(last), [thief.signer()]))
    assert found(verified(house)) == (Outcome.TAMPERED, last.size)
    house.refused_at_once()
