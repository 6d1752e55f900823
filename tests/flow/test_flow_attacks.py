"""Somebody can write the database and nothing else: can they make a reply leave, or be believed? Each attack raises an alarm.

What the attacker holds: every table, the public keys, all older states of the rows. What not: the key of the record, private keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from mailer.core import checkpoints, note, oldletter
from mailer.core.checkpoints import Published
from mailer.core.note import PublicKey
from mailer.core.reply import local_moment
from mailer.edge.checkpoints import CheckpointFile
from mailer.edge.keys import Binding
from mailer.flow.override import register as override
from mailer.flow.signing import Signer
from mailer.flow.stationery import pack
from mailer.model import Delivery, Envelope, Sender
from mailer.states import LoginEffect, ReplyState
from mailer.store import outbox, places, proof, senders
from mailer.store.db import DatabaseError
from tests.e2e.bureau import body, request
from tests.flow.desks import CLINIC, DENTIST, ZONE, Desk, until_done
from tests.store.offices import INSTANCE, Trial

THIEF = "thief@evil.example"
STRANGER = "stranger@elsewhere.example"
OWNED = {CLINIC.answer_to, DENTIST.answer_to}


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    """Two requests of two senders are approved, one of a stranger is held."""
    office = Desk(trial=trial, home=tmp_path)
    office.take(request("Пришва А.А.", CLINIC.answer_to, 1), request("Ли К.", DENTIST.answer_to, 2), request("Юн Я.", STRANGER, 3))
    until_done(office.answer())
    return office


def attack(desk: Desk, *statements: str, **values: object) -> None:
    with desk.trial.database.writing() as tx:
        for statement in statements:
            tx.execute(text(statement), {name: value for name, value in values.items() if f":{name}" in statement})


def alarms(desk: Desk) -> list[tuple[str, int | None]]:
    """Every alarm in the record: its event and its request."""
    with desk.trial.database.reading() as tx:
        return [
            (str(header["event"]), header["request"])  # type: ignore[misc]
            for header in desk.headers(tx)
            if header["importance"] == "alarm"
        ]


def recipients(desk: Desk) -> list[str]:
    return sorted(envelope.recipient for envelope, _ in desk.postman.sent)


ON_A_QUEUED_REPLY = {
    "redirect it": [
        "UPDATE replies SET recipient_id = (SELECT recipient_id FROM replies WHERE request_id = 2) WHERE request_id = 1"
    ],
    "redirect it to an address of one's own": [
        "INSERT INTO personal (id, kind, sender_code, key, value, salt)"
        f" SELECT 900, kind, sender_code, '{THIEF}', '{THIEF}', salt FROM personal WHERE value = '{CLINIC.answer_to}'",
        "UPDATE replies SET recipient_id = 900 WHERE request_id = 1",
    ],
    "rewrite the address": [f"UPDATE personal SET value = '{THIEF}', key = '{THIEF}' WHERE value = '{CLINIC.answer_to}'"],
    "rewrite address and salt": [f"UPDATE personal SET value = '{THIEF}', salt = :salt WHERE value = '{CLINIC.answer_to}'"],
    "put another's bytes in": [
        "UPDATE replies SET sealed = (SELECT sealed FROM replies WHERE request_id = 2) WHERE request_id = 1"
    ],
    "put another's bytes and digest in": [
        "UPDATE replies SET sealed = (SELECT sealed FROM replies WHERE request_id = 2),"
        " digest = (SELECT digest FROM replies WHERE request_id = 2) WHERE request_id = 1"
    ],
    "give it another id": ["UPDATE replies SET id = 'f' WHERE request_id = 1"],
    "give it another key": ["UPDATE replies SET key_epoch = '2026-11-22' WHERE request_id = 1"],
    "give it another Message-ID": ["UPDATE replies SET message_id = '<x@evil.example>' WHERE request_id = 1"],
    "give it no credential": ["UPDATE replies SET credential_id = NULL WHERE request_id = 1"],
    "move it to another request": ["UPDATE replies SET request_id = 2 WHERE request_id = 1"],
}


@pytest.mark.parametrize("statements", ON_A_QUEUED_REPLY.values(), ids=ON_A_QUEUED_REPLY.keys())
def test_a_queued_reply_that_was_meddled_with_does_not_leave(desk: Desk, statements: list[str]) -> None:
    until_done(desk.issue())
    attack(desk, *statements, salt=b"s" * 16)
    desk.send()
    assert recipients(desk) == [DENTIST.answer_to]
    failed, *after = [event for event, _ in alarms(desk)]
    assert failed == "reply.failed"
    assert after in ([], ["credential.suspended"]), "where its request too names another address, that is an alarm of its own"


def test_two_swapped_replies_both_stay(desk: Desk) -> None:
    until_done(desk.issue())
    with desk.trial.database.reading() as tx:
        first, second = outbox.of_request(tx, 1)[0], outbox.of_request(tx, 2)[0]
    swap = "UPDATE replies SET sealed = :sealed, digest = :digest WHERE request_id = :request"
    attack(desk, swap, sealed=second.sealed, digest=second.digest, request=1)
    attack(desk, swap, sealed=first.sealed, digest=first.digest, request=2)
    desk.send()
    assert recipients(desk) == []
    assert sorted(alarms(desk)) == [("reply.failed", 1), ("reply.failed", 2)]


def test_a_text_of_ones_own_sealed_to_the_public_key_does_not_leave(desk: Desk) -> None:
    """The attacker seals as the desk does: right suite, right binding, right digest in the row."""
    until_done(desk.issue())
    with desk.trial.database.reading() as tx:
        (reply,) = outbox.of_request(tx, 1)
    envelope = Envelope(sender="uc@fond.example", recipient=CLINIC.answer_to)
    binding = Binding(
        instance=INSTANCE,
        reply_id=reply.id,
        credential_id=reply.credential_id,
        epoch=reply.key_epoch,
        recipient=CLINIC.answer_to,
    )
    sealed = desk.keyring.seal(pack(envelope, b"Subject: call us\r\n\r\n+7 900 000-00-00\r\n"), binding)
    assert desk.keyring.open(sealed, binding) is not None, "the attack is a good one"
    attack(
        desk,
        "UPDATE replies SET sealed = :sealed, digest = :digest WHERE request_id = 1",
        sealed=sealed,
        digest=hashlib.sha256(sealed).hexdigest(),
    )
    desk.send()
    assert recipients(desk) == [DENTIST.answer_to]
    assert alarms(desk) == [("reply.failed", 1)]


@pytest.mark.parametrize(
    "also", ["", ", sends = 0, attempts = 0, finished_at = NULL, outcome = NULL"], ids=["state", "counters too"]
)
def test_a_sent_reply_put_back_into_the_queue_does_not_leave_again(desk: Desk, also: str) -> None:
    """With the very bytes that were erased when it was sent: a thief of an older state has them."""
    until_done(desk.issue())
    with desk.trial.database.reading() as tx:
        (reply,) = outbox.of_request(tx, 1)
    desk.send()
    attack(desk, f"UPDATE replies SET state = 'queued', sealed = :sealed{also} WHERE request_id = 1", sealed=reply.sealed)
    desk.trial.clock.move(hours=1)
    desk.send()
    assert recipients(desk) == sorted(OWNED), "each once"
    assert alarms(desk) == [("reply.failed", 1)]


def test_a_reply_in_doubt_put_back_by_nobody_does_not_leave_again(desk: Desk) -> None:
    until_done(desk.issue())
    attack(desk, "UPDATE replies SET state = 'unknown' WHERE request_id = 2")  # out of the way
    desk.postman.answers = [Delivery.UNKNOWN] * 3
    desk.send()
    attack(desk, "UPDATE replies SET state = 'queued', sends = 0 WHERE request_id = 1")
    desk.trial.clock.move(hours=1)
    desk.send()
    assert recipients(desk) == [CLINIC.answer_to] * 3
    assert alarms(desk) == [("reply.doubted", 1), ("reply.failed", 1)]


def test_sends_that_are_counted_back_do_not_make_more_of_them(desk: Desk) -> None:
    until_done(desk.issue())
    attack(desk, "UPDATE replies SET state = 'unknown' WHERE request_id = 2")  # out of the way
    deliver = desk.deliver()
    for _ in range(6):
        desk.postman.answers = [Delivery.UNKNOWN]
        deliver.step()
        attack(desk, "UPDATE replies SET sends = 0 WHERE request_id = 1")
    deliver.close()
    assert recipients(desk) == [CLINIC.answer_to] * outbox.MAX_SENDS
    assert alarms(desk) == [("reply.failed", 1)]


COPY_OF_A_REQUEST = """
INSERT INTO requests (id, letter_id, state, sender_code, person_id, answer_to_id, verdict, rule_id, ruleset_hash, facts, created_at,
 decided_at, issue_after) SELECT 9, NULL, 'approved', sender_code, person_id, answer_to_id, 'issue', 'issue', ruleset_hash, facts,
 created_at, decided_at, created_at FROM requests WHERE id = 1"""
COPY_OF_ITS_APPROVAL = """
INSERT INTO records (seq, header, nonce, details, leaf, mac, at, event, importance, actor, sender_code, request_id, outcome,
 letter_id)
 SELECT 1000000, header, nonce, details, leaf, mac, at, event, importance, actor, sender_code, 9, outcome, NULL
 FROM records WHERE event = 'request.approved' AND request_id = 1"""
APPROVALS = {
    "approve a held request": ["UPDATE requests SET state = 'approved', issue_after = created_at WHERE id = 3"],
    "approve it as a known sender's": [
        "UPDATE requests SET state = 'approved', issue_after = created_at, sender_code = '290001',"
        " answer_to_id = (SELECT answer_to_id FROM requests WHERE id = 1) WHERE id = 3"
    ],
    "insert an approved request": [COPY_OF_A_REQUEST],
    "insert one with a copy of an approval": [COPY_OF_A_REQUEST, COPY_OF_ITS_APPROVAL],
}


@pytest.mark.parametrize("statements", APPROVALS.values(), ids=APPROVALS.keys())
def test_what_the_record_does_not_approve_is_not_issued(desk: Desk, statements: list[str]) -> None:
    attack(desk, *statements)
    until_done(desk.issue())
    desk.send()
    assert recipients(desk) == sorted(OWNED)
    assert alarms(desk) == [("request.held", 9 if COPY_OF_A_REQUEST in statements else 3)]


ON_AN_APPROVED_REQUEST = {
    "another person": ["UPDATE requests SET person_id = (SELECT person_id FROM requests WHERE id = 2) WHERE id = 1"],
    "another address": ["UPDATE requests SET answer_to_id = (SELECT answer_to_id FROM requests WHERE id = 2) WHERE id = 1"],
    "another sender": ["UPDATE requests SET sender_code = '290002' WHERE id = 1"],
    "another letter": ["UPDATE requests SET letter_id = NULL WHERE id = 1"],
    "an address rewritten": [f"UPDATE personal SET value = '{THIEF}' WHERE value = '{CLINIC.answer_to}'"],
    "a name rewritten": ["UPDATE personal SET value = 'Вор В.В.', surname = 'Вор' WHERE surname = 'Пришва'"],
    "a name's parts rewritten": ["UPDATE personal SET surname = 'Вор' WHERE surname = 'Пришва'"],
    "the register's organisation": ["UPDATE senders SET organisation = 'позвоните +7 900' WHERE code = '290001'"],
}


@pytest.mark.parametrize("statements", ON_AN_APPROVED_REQUEST.values(), ids=ON_AN_APPROVED_REQUEST.keys())
def test_an_approved_request_that_was_meddled_with_is_not_issued(desk: Desk, statements: list[str]) -> None:
    attack(desk, *statements)
    until_done(desk.issue())
    desk.send()
    assert recipients(desk) == [DENTIST.answer_to]
    assert alarms(desk) == [("request.held", 1)]


ON_A_RESERVATION = {
    "a longer term": "UPDATE credentials SET valid_until = :later WHERE request_id = 1",
    "another login": "UPDATE credentials SET login = 'admin' WHERE request_id = 1",
    "another id": "UPDATE credentials SET id = 'f' WHERE request_id = 1",
    "another person": "UPDATE credentials SET person_id = (SELECT person_id FROM requests WHERE id = 2) WHERE request_id = 1",
    "another address": "UPDATE credentials SET answer_to_id = person_id WHERE request_id = 1",
}


@pytest.mark.parametrize("statement", ON_A_RESERVATION.values(), ids=ON_A_RESERVATION.keys())
def test_a_reservation_that_was_meddled_with_is_not_carried_out(desk: Desk, statement: str) -> None:
    issue = desk.issue()
    issue.reserving.reserve()
    attack(desk, statement, later=_far(desk))
    until_done(issue)
    desk.send()
    assert recipients(desk) == [DENTIST.answer_to]
    assert alarms(desk) == [("request.held", 1)]


IN_BETWEEN = ON_AN_APPROVED_REQUEST | {what: [statement] for what, statement in ON_A_RESERVATION.items()}


@pytest.mark.parametrize("statements", IN_BETWEEN.values(), ids=IN_BETWEEN.keys())
def test_meddling_between_reserving_and_carrying_out_misleads_nobody(desk: Desk, statements: list[str]) -> None:
    """What was proved when it was reserved is remembered: an answer says that, or does not leave."""
    issue = desk.issue()
    reserved = issue.reserving.reserve()
    assert reserved is not None
    promised = {one.request_id: (one.login, local_moment(one.valid_until, ZONE)) for one in reserved.credentials}
    attack(desk, *statements, later=_far(desk))
    issue.carry_out(reserved)
    until_done(issue)
    desk.send()
    assert DENTIST.answer_to in recipients(desk)
    for envelope, content in desk.postman.sent:
        request_id, person = (1, "Пришва А.А.") if envelope.recipient == CLINIC.answer_to else (2, "Ли К.")
        assert envelope.recipient in OWNED
        for said in (*promised[request_id], f"Пользователь: {person}"):
            assert f"\r\n{said}\r\n" in body(content)


def test_what_is_told_of_a_request_after_it_was_reserved_counts(desk: Desk) -> None:
    issue = desk.issue()
    reserved = issue.reserving.reserve()
    assert reserved is not None
    with desk.trial.worker("answer").writing() as unit:
        unit.tell("request.held", sender="290001", request=1)
    issue.carry_out(reserved)
    desk.send()
    assert recipients(desk) == [DENTIST.answer_to]


@pytest.mark.parametrize(
    ("actor", "request_id", "holds"),
    [("operator:anna", None, False), ("mailer-desk", 1, False), ("mailer-desk", 3, True), ("mailer-desk", None, True)],
)
def test_what_was_proved_holds_until_it_is_told_of_or_a_person_acts(
    desk: Desk, actor: str, request_id: int | None, holds: bool
) -> None:
    reserved = desk.issue().reserving.reserve()
    assert reserved is not None
    with replace(desk.trial.worker("answer"), actor=actor).writing() as unit:
        unit.tell("mailbox.met", request=request_id)
    with desk.trial.database.reading() as tx:
        assert proof.still_holds(tx, reserved.docket, reserved.seq) is holds


def test_another_worker_carries_it_out_and_it_is_done_once(desk: Desk) -> None:
    issue = desk.issue()
    reserved = issue.reserving.reserve()
    assert reserved is not None
    assert desk.issue().reserving.reserve() is None
    assert desk.issue().carry_out()
    assert not issue.carry_out(reserved)
    desk.send()
    assert recipients(desk) == sorted(OWNED)


@pytest.mark.parametrize("state", ["answered", "issued", "approved"])
def test_a_credential_put_back_to_reserved_gets_no_second_password(desk: Desk, state: str) -> None:
    desk.run()
    attack(
        desk,
        "UPDATE credentials SET state = 'reserved' WHERE request_id = 1",
        f"UPDATE requests SET state = '{state}' WHERE id = 1",
    )
    until_done(desk.issue())
    desk.send()
    assert recipients(desk) == sorted(OWNED), "each once"
    assert alarms(desk) == [("request.held", 1)]


ON_THE_REGISTER: dict[str, Callable[[Desk], None]] = {
    "another answer address": lambda desk: attack(desk, f"UPDATE senders SET answer_to = '{THIEF}' WHERE code = '290001'"),
    "another organisation": lambda desk: attack(desk, "UPDATE senders SET organisation = 'x' WHERE code = '290001'"),
    "one more address": lambda desk: attack(desk, f"INSERT INTO sender_addresses (address, code) VALUES ('{THIEF}', '290001')"),
    "no salt": lambda desk: attack(desk, "UPDATE senders SET salt = NULL WHERE code = '290001'"),
    "another's salt": lambda desk: attack(
        desk,
        f"UPDATE senders SET answer_to = '{THIEF}', salt = (SELECT salt FROM senders WHERE code = '290002') WHERE code = '290001'",
    ),
    "unblocked": lambda desk: attack(desk, "UPDATE senders SET blocked = NOT blocked WHERE code = '290001'"),
}


@pytest.mark.parametrize("meddle", ON_THE_REGISTER.values(), ids=ON_THE_REGISTER.keys())
def test_a_row_of_the_register_that_nobody_wrote_counts_as_unknown(desk: Desk, meddle: Callable[[Desk], None]) -> None:
    desk.run()
    meddle(desk)
    desk.take(request("Новый Н.Н.", CLINIC.answer_to, 11), request("Ким О.", DENTIST.answer_to, 12))
    desk.run()
    assert recipients(desk) == sorted([CLINIC.answer_to, DENTIST.answer_to, DENTIST.answer_to])
    assert alarms(desk) == [("sender.distrusted", None)]
    assert desk.events().count("request.held") == 2, "the stranger's, and now the clinic's"
    with desk.trial.database.reading() as tx:
        assert list(senders.faults(tx, desk.trial.pen.key)) == ["290001"]


def test_an_older_row_of_the_register_put_back_counts_as_unknown(desk: Desk) -> None:
    """The clinic once answered elsewhere: the attacker kept that row, salt and all."""
    with desk.trial.database.reading() as tx:
        old = tx.execute(text("SELECT answer_to, salt FROM senders WHERE code = '290001'")).one()
    desk.trial.register(_moved())
    attack(desk, "UPDATE senders SET answer_to = :answer_to, salt = :salt WHERE code = '290001'", **old._asdict())
    desk.take(request("Новый Н.Н.", CLINIC.answer_to, 11))
    until_done(desk.answer())
    assert alarms(desk) == [("sender.distrusted", None)]


def test_a_row_taken_out_of_the_register_is_missed(desk: Desk) -> None:
    attack(
        desk,
        "DELETE FROM sender_points WHERE code = '290002'",
        "DELETE FROM sender_addresses WHERE code = '290002'",
        "DELETE FROM senders WHERE code = '290002'",
    )
    with desk.trial.database.reading() as tx:
        assert senders.faults(tx, desk.trial.pen.key) == {"290002": "the row of the register is gone"}


def test_a_new_row_of_the_register_that_nobody_wrote_counts_as_unknown(desk: Desk) -> None:
    attack(
        desk,
        f"INSERT INTO senders (code, organisation, answer_to, blocked, salt) VALUES ('290009', 'x', '{THIEF}', false, :salt)",
        f"INSERT INTO sender_addresses (address, code) VALUES ('{THIEF}', '290009')",
        salt=b"s" * 16,
    )
    desk.take(request("Новый Н.Н.", THIEF, 11))
    desk.run()
    assert THIEF not in recipients(desk)
    assert alarms(desk) == [("sender.distrusted", None)]


def test_an_import_writes_a_meddled_row_anew_and_keeps_nothing_of_the_strangers(desk: Desk) -> None:
    attack(desk, f"INSERT INTO sender_addresses (address, code) VALUES ('{THIEF}', '290001')")
    worker, hands = desk.trial.worker(), override.Hands(stationery=desk.stationery, accounts=places)
    with desk.trial.database.reading() as tx:
        plan = override.planned(tx, [CLINIC], worker.pen.key, replaces=False)
    assert plan.anew == (CLINIC,)
    override.import_file(worker, hands, [CLINIC], plan, replaces=False, effect=LoginEffect.KEEP, reason="", file_digest="0" * 64)
    with desk.trial.database.reading() as tx:
        assert senders.faults(tx, desk.trial.pen.key) == {}
        assert senders.get(tx, "290001").addresses == CLINIC.addresses


PLANTED = "INSERT INTO checkpoints (number, size, hashes, note, code) VALUES (99, 1, :hashes, :note, '+7 900 000-00-00')"


def sign(desk: Desk) -> str:
    """The record is signed and published; the note."""
    desk.signing_key.make(desk.trial.randbytes)
    file = CheckpointFile(path=desk.home / "keys" / "checkpoints.txt")
    if not file.exists():
        file.make()
    found = Signer(desk.trial.worker(), file, desk.signing_key, INSTANCE).publish()
    assert isinstance(found, Published)
    return found.signed


def forged(desk: Desk, true: str) -> dict[str, str]:
    """What the attacker puts in the place of a note that we signed."""
    own = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
    name = checkpoints.origin(INSTANCE)
    their_text = true.partition("\n\n")[0].replace("at 2026", "at 2027") + "\n"
    return {
        "no note": "x",
        "nothing": "",
        "of one's own key": note.sign(their_text, [(PublicKey(name=name, key=own.public_key().public_bytes_raw()), own.sign)]),
        "with a signature of ours": their_text + "\n" + true.partition("\n\n")[2],
        "with a line more": true + "\N{EM DASH} звоните-89000000000 AAAAAAAA\n",
        "two of them": true + "\n" + true,
    }


@pytest.mark.parametrize("name", ["Пришва А.А.", "Пришва"], ids=["issued", "refused"])
@pytest.mark.parametrize(
    "what", ["no note", "nothing", "of one's own key", "with a signature of ours", "with a line more", "two of them"]
)
def test_a_checkpoint_that_nobody_signed_stands_in_no_letter(trial: Trial, tmp_path: Path, what: str, name: str) -> None:
    desk = Desk(trial=trial, home=tmp_path)
    true = sign(desk)
    attack(desk, PLANTED, hashes=b"x", note=forged(desk, true)[what])
    desk.take(request(name, CLINIC.answer_to, 1))
    desk.run()
    ((_, content),) = desk.postman.sent
    assert oldletter.code(content) == checkpoints.code(true.partition("\n\n")[0] + "\n")
    assert "+7 900" not in body(content)


def test_where_only_what_nobody_signed_is_left_no_checkpoint_stands_in_a_letter(desk: Desk) -> None:
    sign(desk)
    attack(desk, "UPDATE checkpoints SET note = 'x', code = '+7 900 000-00-00'")
    desk.run()
    assert recipients(desk) == sorted(OWNED)
    assert {oldletter.code(content) for _, content in desk.postman.sent} == {None}


def test_a_copied_letter_is_not_believed(desk: Desk) -> None:
    """A stranger's letter becomes a clinic's: bytes, digest and proof are all rewritten."""
    content = request("Новый Н.Н.", CLINIC.answer_to, 77)
    attack(
        desk,
        "INSERT INTO letters (id, mailbox, epoch, item, state, kind, received_at, kept_at, size_bytes, content, whole, digest,"
        " fingerprint, proven, batches, attempts, fence) SELECT 900, mailbox, epoch, 900, 'kept', kind, received_at, kept_at,"
        " size_bytes, :content, whole, :digest, 'f', true, 0, 0, 0 FROM letters WHERE id = 1",
        content=content,
        digest=hashlib.sha256(content).hexdigest(),
    )
    desk.run()
    assert recipients(desk) == sorted(OWNED)
    assert [event for event, _ in alarms(desk)] == ["letter.quarantined"]


def test_another_name_of_the_database_lets_nothing_leave(desk: Desk) -> None:
    """The name is bound into what is sealed: a courier that is started anew with another opens nothing."""
    until_done(desk.issue())
    from mailer.flow.deliver import Deliver, DeliverSettings
    from mailer.store import accounts_local

    settings = DeliverSettings(instance="f" * 32, connections=4)
    deliver = Deliver(desk.trial.worker("deliver"), desk.postman, desk.keyring, accounts_local, settings, jitter=lambda: 0.0)
    until_done(deliver)
    deliver.close()
    assert recipients(desk) == []
    assert [event for event, _ in alarms(desk)] == ["reply.failed", "reply.failed"]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "UPDATE records SET request_id = 3 WHERE event = 'request.approved' AND request_id = 1", id="move an approval"
        ),
        pytest.param("DELETE FROM records WHERE event = 'reply.sent'", id="forget a sent reply"),
    ],
)
def test_records_stay_as_they_are(desk: Desk, statement: str) -> None:
    desk.run()
    with pytest.raises(DatabaseError, match="append-only"):
        attack(desk, statement)


def test_what_was_sent_stays_erased_whatever_failed(desk: Desk) -> None:
    desk.run()
    with desk.trial.database.reading() as tx:
        assert {(one.state, one.sealed) for number in (1, 2) for one in outbox.of_request(tx, number)} == {(ReplyState.SENT, None)}


def _far(desk: Desk) -> object:
    later = desk.trial.clock().replace(year=2030)
    return later.isoformat(timespec="microseconds") if desk.trial.database.sqlite else later


def _moved() -> Sender:
    return replace(CLINIC, answer_to="new@clinic.example")
