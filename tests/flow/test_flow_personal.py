"""Personal data is destroyed wherever it stands, every proof still holds, and a restored backup does not bring it back."""

from __future__ import annotations

import base64
import hashlib
import json
import quopri
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, select, text, update

from mailer.core import evidence
from mailer.edge import office as texts
from mailer.edge.marks_erased import ErasedFile
from mailer.edge.papers import Papers
from mailer.errors import EdgeError, RefusedError, SetupError
from mailer.flow import places as accounts_held
from mailer.flow.override import destruction, personal
from mailer.flow.override.destruction import Bureau, Order
from mailer.flow.override.personal import Asked, Found
from mailer.flow.report import oldletters
from mailer.flow.report.oldletters import Found as Verdict
from mailer.service.words import russian
from mailer.store import audit, compaction, db, places, verification
from mailer.store.db import Tx
from mailer.store.schema import credentials, letters, replies, requests
from mailer.store.schema import personal as names
from tests.e2e.bureau import PHRASE, request
from tests.e2e.canary import seen
from tests.e2e.test_e2e_canary import BOUNCE, CLINIC, SURNAME, database_bytes
from tests.flow.desks import CLINIC as HOSPITAL
from tests.flow.desks import DENTIST, ZONE, Desk
from tests.store.offices import Trial

LATIN = "kanareikin"
STRANGER = "kanareikin@elsewhere.example"
REASON = "отзыв согласия"
LOOKED: dict[tuple[bytes, str], list[str]] = {}  # what stands in bytes of this digest


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    desk = Desk(trial=trial, home=tmp_path, login="name")
    ErasedFile(tmp_path / "keys").make()
    return desk


def bureau(desk: Desk) -> Bureau:
    return Bureau(
        accounts=places,
        outside=ErasedFile(desk.home / "keys"),
        key=desk.keyring.secret("pepper"),
        say=russian(),
        template=texts.act_text(None),
        operator="ТФОМС АО",
        operator_address="Архангельск",
        system="АРМ",
        zone=ZONE,
    )


class Away:
    """A place of validity that cannot be reached."""

    def disable(self, tx: Tx, credential_id: str) -> None:
        raise EdgeError("the place is away")


def asked(desk: Desk, *codes: str, name: str = f"{SURNAME} И.И.") -> Asked:
    return personal.asked_for(name, codes or None, desk.ruleset.form, desk.own)


def found(desk: Desk, *codes: str) -> Found:
    return personal.search(desk.trial.worker(), asked(desk, *codes), lambda _count: None)


def destroy(desk: Desk, order: Order, stem: str = "1") -> None:
    with Papers(desk.home / "acts", stem) as papers:
        destruction.destroy(desk.trial.worker(), bureau(desk), papers, order)
    compaction.compact(desk.trial.database)
    destruction.compacted(desk.trial.worker())


def erase(desk: Desk, *codes: str, revoke: bool = True) -> None:
    destroy(desk, destruction.order_of(found(desk, *codes), reason=REASON, revoke=revoke))


def written_in(coding: str, number: int, sender: str = HOSPITAL.answer_to) -> bytes:
    """A request whose subject is an encoded word, its name once more in the body."""
    whole = f"{PHRASE} = {SURNAME} И.И."
    word = {"B": base64.b64encode(whole.encode("cp1251")), "Q": quopri.encodestring(whole.encode(), header=True)}[coding]
    subject = f"=?{'windows-1251' if coding == 'B' else 'utf-8'}?{coding}?{word.decode().replace('=' + chr(10), '')}?="
    return (
        f"From: {sender}\r\nTo: uc@fond.example\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 12:00:00 +0300\r\n"
        f"Message-ID: <{coding}-{number}-{sender}>\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{base64.b64encode(f'Прошу для: {SURNAME} Иван Иванович'.encode()).decode()}\r\n"
    ).encode()


def office_with_the_person(desk: Desk) -> None:
    """Letters in several writings, one of them twice, an answer that came back, an unread name, and two other persons."""
    first = request(f"{SURNAME} И.И.", HOSPITAL.answer_to, 1)
    desk.take(first, first, request(SURNAME, HOSPITAL.answer_to, 2), request("Пришва А.А.", HOSPITAL.answer_to, 3))
    desk.run()
    returned = next(content for _envelope, content in desk.postman.sent if seen(content, LATIN))
    desk.take(BOUNCE.replace(CLINIC.encode(), HOSPITAL.answer_to.encode()) + returned + b"\r\n--b--\r\n")
    desk.take(written_in("B", 4), written_in("Q", 5))
    desk.run()


def stored(desk: Desk) -> Iterator[tuple[str, bytes]]:
    """Everything the database has written, its write-ahead log where we can cut it."""
    for path in desk.home.glob("mailer.db*"):
        yield path.name, path.read_bytes()
    for place, content in database_bytes(desk.trial.url):
        if "pg_wal" not in place and not place.endswith("/log"):
            yield place, content


def traces(desk: Desk, *searched: str) -> list[tuple[str, list[str]]]:
    """Where these stand, and in which forms; a file that is as it was at an earlier look is not searched again."""
    found = []
    for place, content in stored(desk):
        digest = hashlib.sha256(content).digest()
        for one in searched:
            if (digest, one) not in LOOKED:
                LOOKED[digest, one] = seen(content, one)
            if how := LOOKED[digest, one]:
                found.append((place, how))
    return found


def details_of(desk: Desk, event: str) -> dict[str, Any]:
    with desk.trial.database.reading() as tx:
        told = [one for one in audit.page(tx, after=0, limit=1000) if evidence.read_header(one)["event"] == event]
    return evidence.read_details(told[-1])


@pytest.mark.files
def test_everything_of_a_person_is_found_and_nothing_of_it_stays(desk: Desk) -> None:
    office_with_the_person(desk)
    here = found(desk)
    assert (here.codes, len(here.held.people), len(here.held.letters)) == ([HOSPITAL.code], 1, 6)
    assert traces(desk, SURNAME)
    assert traces(desk, LATIN)

    with pytest.raises(RefusedError, match="--revoke ends this first"):
        erase(desk, revoke=False)
    assert found(desk).held.counts() == here.held.counts()
    erase(desk)

    assert {"credential.revoked", "request.withdrawn"} <= set(desk.events())
    assert traces(desk, SURNAME, LATIN) == []
    assert traces(desk, "Пришва"), "another person stays"
    assert verification.verify(desk.trial.database, desk.trial.pen.key).fault is None
    with desk.trial.database.reading() as tx:
        differences = accounts_held.reconcile(tx, [desk.local, desk.pool], desk.trial.clock(), key=desk.trial.pen.key)
        assert (differences.distrusted, differences.without_account, differences.without_credential) == ([], [], [])
        states = dict(tx.execute(select(credentials.c.person_id, credentials.c.state)).all())
        assert [states[row.id] for row in here.held.people] == ["revoked"]
    again = found(desk)
    assert (again.held.people, again.held.letters, again.named) == ([], [], {})
    with pytest.raises(RefusedError, match="nothing stands here"):
        erase(desk)


def test_a_place_that_does_not_end_the_login_keeps_the_erasure_back_whole(desk: Desk) -> None:
    office_with_the_person(desk)
    here, told = found(desk).held.counts(), desk.events()
    order = destruction.order_of(found(desk), reason=REASON, revoke=True)
    with pytest.raises(EdgeError, match="the place is away"), Papers(desk.home / "acts", "1") as papers:
        destruction.destroy(desk.trial.worker(), replace(bureau(desk), accounts=Away()), papers, order)
    assert found(desk).held.counts() == here
    assert not set(desk.events()[len(told) :]) - {"personal.found"}


def test_the_papers_say_what_the_law_asks_and_the_record_has_their_digests(desk: Desk) -> None:
    office_with_the_person(desk)
    erase(desk)
    act, extract = ((desk.home / "acts" / name).read_bytes() for name in ("act-1.txt", "extract-1.csv"))
    for said in (f"{SURNAME} И.И.", "ТФОМС АО", "Архангельск", "АРМ", REASON, "содержимое письма: 6", "23.11.2026"):
        assert said in act.decode()
    lines = extract.decode("utf-8-sig").splitlines()
    assert sum(";личная" in line or "содержимое письма" in line for line in lines) == 6
    assert any("request.approved" in line for line in lines)
    told = details_of(desk, "personal.erased")
    assert (told["act_digest"], told["extract_digest"]) == (hashlib.sha256(act).hexdigest(), hashlib.sha256(extract).hexdigest())
    assert hashlib.sha256(extract).hexdigest() in act.decode()
    assert SURNAME not in json.dumps(told, ensure_ascii=False)
    assert not list((desk.home / "acts").glob("*.part"))


def test_an_act_is_never_overwritten_and_then_nothing_is_erased(desk: Desk) -> None:
    office_with_the_person(desk)
    (desk.home / "acts").mkdir()
    (desk.home / "acts" / "act-1.txt").write_text("подписан")
    with pytest.raises(RefusedError, match="not overwritten"):
        erase(desk)
    assert (desk.home / "acts" / "act-1.txt").read_text() == "подписан"
    assert len(found(desk).held.letters) == 6
    assert ErasedFile(desk.home / "keys").marks() == set()


def test_who_writes_again_is_a_new_person(desk: Desk) -> None:
    office_with_the_person(desk)
    (before,) = found(desk).held.people
    erase(desk)
    desk.trial.clock.move(days=1)
    desk.mailbox.received_at = desk.trial.clock()
    desk.take(written_in("B", 9))
    desk.run()
    (after,) = found(desk).held.people
    assert after.id != before.id
    assert after.salt != before.salt
    with desk.trial.database.reading() as tx:
        assert tx.execute(select(requests.c.state).where(requests.c.person_id == after.id)).scalars().all() == ["answered"]
        assert destruction.returned(tx, bureau(desk), reason=REASON).person_ids == []


def test_namesakes_are_several_people(desk: Desk) -> None:
    desk.take(request(f"{SURNAME} И.И.", HOSPITAL.answer_to, 1), request(f"{SURNAME} И.И.", DENTIST.answer_to, 2))
    desk.run()
    with pytest.raises(RefusedError, match=f"{HOSPITAL.code}, {DENTIST.code}"):
        erase(desk)
    erase(desk, DENTIST.code)
    left = found(desk)
    assert (left.codes, len(left.held.letters)) == ([HOSPITAL.code], 1)


@pytest.mark.files
@pytest.mark.slow
def test_a_stranger_goes_with_the_letter(desk: Desk) -> None:
    desk.take(request(f"{SURNAME} И.И.", STRANGER, 1))
    desk.run()
    erase(desk)
    assert traces(desk, SURNAME, STRANGER) == []


def test_a_letter_that_is_not_read_yet_hinders(desk: Desk) -> None:
    desk.take(request(f"{SURNAME} И.И.", HOSPITAL.answer_to, 1))
    with pytest.raises(RefusedError, match="Decide it, or wait"):
        erase(desk)


def test_the_reason_stays_in_the_record_and_names_nobody(desk: Desk) -> None:
    office_with_the_person(desk)
    with pytest.raises(RefusedError, match="must not name"):
        destruction.order_of(found(desk), reason=f"по просьбе И. И. {SURNAME}", revoke=True)


def test_looks_are_told_without_the_name(desk: Desk) -> None:
    office_with_the_person(desk)
    personal.find(desk.trial.worker(), asked(desk), lambda _count: None)
    held = personal.export(desk.trial.worker(), asked(desk), lambda _count: None)
    assert desk.events()[-2:] == ["personal.found", "personal.exported"]
    assert not seen(json.dumps(details_of(desk, "personal.exported"), ensure_ascii=False).encode(), SURNAME)
    assert seen(json.dumps(held, ensure_ascii=False, default=str).encode(), SURNAME)


def test_the_facts_of_a_request_hold_no_name(desk: Desk) -> None:
    office_with_the_person(desk)
    with desk.trial.database.reading() as tx:
        facts = tx.execute(select(requests.c.facts)).scalars().all()
    assert not any(seen(one.encode(), searched) for one in facts for searched in (SURNAME, LATIN, "clinic.example"))


@pytest.mark.files
@pytest.mark.slow
def test_what_is_kept_long_enough_is_destroyed_and_what_lives_is_not(desk: Desk) -> None:
    office_with_the_person(desk)
    desk.trial.clock.move(days=40)
    with desk.trial.database.reading() as tx:
        order = destruction.expired(tx, desk.trial.clock(), letters_days=30, names_days=30, reason=REASON)
        held = dict(tx.execute(select(requests.c.letter_id, requests.c.state)).all())
    assert order.person_ids == []
    assert all(held.get(number) not in {"held", "approved"} for number in order.letter_ids)
    destroy(desk, order)
    with desk.trial.database.reading() as tx:
        left = tx.execute(select(letters.c.id).where(letters.c.erased_at.is_(None))).scalars().all()
        assert all(held.get(number) in {"held", "approved"} for number in left)
        assert tx.execute(select(names.c.id).where(names.c.value == f"{SURNAME} И.И.")).all()

    desk.trial.clock.move(days=200)
    desk.run()
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE requests SET state = 'withdrawn' WHERE state IN ('held', 'approved')"))
    with desk.trial.database.reading() as tx:
        order = destruction.expired(tx, desk.trial.clock(), letters_days=None, names_days=30, reason=REASON)
    destroy(desk, order, stem="2")
    assert traces(desk, SURNAME, LATIN, "Пришва") == []


def test_a_restored_backup_is_known_and_erased_again(tmp_path: Path) -> None:
    from tests.store.offices import set_up

    trial = set_up(f"sqlite:///{tmp_path / 'mailer.db'}")
    desk = Desk(trial=trial, home=tmp_path, login="name")
    ErasedFile(tmp_path / "keys").make()
    office_with_the_person(desk)
    with trial.database.reading() as tx:
        assert destruction.unfinished(tx, bureau(desk).outside) == destruction.Unfinished(unknown=0, uncompacted=False)
    compaction.compact(trial.database)
    shutil.copy(tmp_path / "mailer.db", tmp_path / "backup")
    erase(desk)
    trial.database.close()
    for path in tmp_path.glob("mailer.db-*"):
        path.unlink()
    shutil.move(tmp_path / "backup", tmp_path / "mailer.db")
    desk.trial = replace(trial, database=db.connect(trial.url))

    assert traces(desk, SURNAME)
    with desk.trial.database.reading() as tx:
        assert destruction.unfinished(tx, bureau(desk).outside).unknown == 6  # one letter came twice, byte for byte
        order = destruction.returned(tx, bureau(desk), reason="восстановление из копии")
    destroy(desk, order, stem="2")
    assert traces(desk, SURNAME, LATIN) == []
    with desk.trial.database.reading() as tx:
        assert destruction.unfinished(tx, bureau(desk).outside) == destruction.Unfinished(unknown=0, uncompacted=False)
    assert verification.verify(desk.trial.database, desk.trial.pen.key).fault is None
    assert details_of(desk, "personal.erased")["restored"]
    desk.trial.database.close()


@pytest.mark.files
@pytest.mark.slow
def test_a_crash_after_the_mark_and_before_the_commit_is_shown(desk: Desk) -> None:
    office_with_the_person(desk)
    order = destruction.order_of(found(desk), reason=REASON, revoke=True)

    class Died(ErasedFile):
        def note(self, marks: Any) -> None:
            super().note(marks)
            raise OSError("the process died")

    died = replace(bureau(desk), outside=Died(desk.home / "keys"))
    with pytest.raises(OSError, match="died"), Papers(desk.home / "acts", "1") as papers:
        destruction.destroy(desk.trial.worker(), died, papers, order)
    assert not list((desk.home / "acts").iterdir()), "no act of what did not happen"
    with desk.trial.database.reading() as tx:
        assert destruction.unfinished(tx, bureau(desk).outside).unknown
        order = destruction.returned(tx, bureau(desk), reason=REASON)
    destroy(desk, order)
    assert traces(desk, SURNAME, LATIN) == []


@pytest.mark.parametrize("trial", ["postgresql"], indirect=True)  # SQLite knows no owners
def test_only_the_owner_of_the_tables_can_write_them_anew(desk: Desk) -> None:
    parsed = make_url(desk.trial.url)
    compaction.check(desk.trial.database)
    with psycopg.connect(host=str(parsed.query["host"]), user=parsed.username, dbname=parsed.database, autocommit=True) as owner:
        owner.execute("CREATE ROLE clerk LOGIN")
        try:
            clerk = db.Database(parsed.set(username="clerk").render_as_string(hide_password=False))
            with pytest.raises(SetupError, match="owner_url"):
                compaction.check(clerk)
            clerk.close()
        finally:
            owner.execute("DROP ROLE clerk")


@pytest.mark.files
@pytest.mark.slow
@pytest.mark.parametrize("trial", ["postgresql"], indirect=True)  # SQLite waits for its readers by itself
def test_an_older_snapshot_is_waited_for(desk: Desk) -> None:
    """PostgreSQL keeps what somebody may still see, also through VACUUM FULL; SQLite cannot cut its log meanwhile."""
    office_with_the_person(desk)
    parsed = make_url(desk.trial.url)
    order = destruction.order_of(found(desk), reason=REASON, revoke=True)
    with psycopg.connect(host=str(parsed.query["host"]), user=parsed.username, dbname=parsed.database) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1 FROM instance")
        with Papers(desk.home / "acts", "1") as papers:
            destruction.destroy(desk.trial.worker(), bureau(desk), papers, order)
        import threading

        timer = threading.Timer(2, other.rollback)
        timer.start()
        compaction.compact(desk.trial.database)
        timer.join()
    assert traces(desk, SURNAME, LATIN) == []


REFUSED_NAME = "Гагара"  # without initials: the refusal repeats it, and no row of a person holds it


def refusal_office(desk: Desk, written: str) -> bytes:
    """An office that refused a request; the refusal as it left."""
    desk.take(request(written, HOSPITAL.answer_to, 1))
    desk.run()
    ((_envelope, content),) = desk.postman.sent
    return content


def proof_of(desk: Desk, content: bytes) -> oldletters.LetterProof:
    return oldletters.prove(desk.trial.database, desk.trial.pen.key, None, content)


def digests_of(desk: Desk) -> tuple[dict[str, Any], bytes | None]:
    """What the record tells of the reply, and the salt beside it."""
    with desk.trial.database.reading() as tx:
        return details_of(desk, "reply.queued"), tx.execute(select(replies.c.content_salt)).scalar_one()


def erase_letters(desk: Desk) -> None:
    desk.trial.clock.move(days=40)
    with desk.trial.database.reading() as tx:
        order = destruction.expired(tx, desk.trial.clock(), letters_days=30, names_days=None, reason=REASON)
    destroy(desk, order)


@pytest.mark.files
def test_a_guessed_name_cannot_be_tried_against_a_refusal_once_its_letter_is_destroyed(desk: Desk) -> None:
    content = refusal_office(desk, REFUSED_NAME)
    told, salt = digests_of(desk)
    assert salt is not None
    assert told["content_digest"] == evidence.content_digest(salt, content)
    assert told["content_digest"] != hashlib.sha256(content).hexdigest()
    assert proof_of(desk, content).found is Verdict.UNSIGNED
    assert proof_of(desk, content.replace(b"\r\n\r\n", b"\r\n\r\n0KQ=\r\n", 1)).found is Verdict.CHANGED
    erase_letters(desk)
    assert digests_of(desk)[1] is None
    assert traces(desk, salt.hex()) == []
    assert not any(salt in content for _place, content in stored(desk))
    proof = proof_of(desk, content)
    assert (proof.found, proof.why) == (Verdict.ERASED, None)
    with desk.trial.database.reading() as tx:
        erased = audit.newest_of(tx, "personal.erased")
    assert erased is not None
    assert proof.erasure == erased.seq


def test_an_answer_outlives_its_letter_and_goes_with_its_person(desk: Desk) -> None:
    content = refusal_office(desk, f"{SURNAME} И.И.")
    desk.trial.clock.move(days=40)
    desk.run()
    erase_letters(desk)
    assert proof_of(desk, content).found is Verdict.UNSIGNED
    destroy(desk, destruction.order_of(found(desk), reason=REASON, revoke=True), stem="2")
    assert proof_of(desk, content).found is Verdict.ERASED


@pytest.mark.parametrize("salt", [None, b"0" * 16], ids=["taken away", "exchanged"])
def test_a_salt_that_was_meddled_with_is_no_erasure(desk: Desk, salt: bytes | None) -> None:
    content = refusal_office(desk, REFUSED_NAME)
    with desk.trial.database.writing() as tx:
        tx.execute(update(replies).values(content_salt=salt))
    assert proof_of(desk, content).found is Verdict.TAMPERED


def test_a_plain_digest_of_an_earlier_version_goes_on_proving(desk: Desk) -> None:
    content = refusal_office(desk, REFUSED_NAME)
    told, _salt = digests_of(desk)
    with desk.trial.database.reading() as tx:
        reply = tx.execute(select(replies)).one()
    old = {name: value for name, value in told.items() if name != "salt_digest"}
    named = content.replace(reply.message_id.encode(), b"<old@fond.example>")
    old |= {"message_id": "<old@fond.example>", "content_digest": hashlib.sha256(named).hexdigest()}
    with desk.trial.worker().writing() as unit:
        unit.tell("reply.queued", sender=reply.sender_code, request=reply.request_id, **old)
        unit.tx.execute(text("UPDATE replies SET message_id = '<old@fond.example>', content_salt = NULL"))
    assert proof_of(desk, named).found is Verdict.UNSIGNED
    assert proof_of(desk, named + b"x").found is Verdict.CHANGED
