"""An office after years: 1,000,000 requests with letters, logins, replies and records, written straight into the tables in bulk.

The rows are as the steps leave them, but for what nobody looks at: letters are short, sealed bytes and records are made up, of each
request the events are those of one that was answered. Fewer requests make the same office after a shorter time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Final

from sqlalchemy import insert, text, update

from mailer.core import evidence, folding
from mailer.core.evidence import Record
from mailer.model import PersonName, Sender
from mailer.store import audit, office
from mailer.store.db import Database, Tx
from mailer.store.schema import audit_head, instance, personal, personal_words
from tests.store.offices import Trial, set_up

REQUESTS: Final = 1_000_000
EACH: Final = 4  # requests of a person
STRANGERS: Final = 2_000
SENDERS: Final = 3_000
FIRST: Final = 1_600_000_000  # seconds; a request every 100, which makes three years
LAST: Final = FIRST + 100 * REQUESTS
NOW: Final = datetime.fromtimestamp(LAST, UTC)
COMMON: Final = ("Иванов", "Смирнов", "Кузнецов", "Попов", "Васильев", "Петров", "Соколов", "Артёмов", "Новиков", "Фёдоров")
PARTS: Final = ("Бар", "Вол", "Гор", "Дуб", "Зим", "Кар", "Лев", "Мал", "Ник", "Ост"), ("а", "о", "у", "ы", "е"), "бвгдзклмнпрст"
ENDINGS: Final = ("ов", "ин", "ский", "енко", "ая")
INITIALS: Final = "АБВГДЕИКЛМНОПРСТ"
LIVES: Final = 100 * 86_400  # seconds of a login
RULESET: Final = "0" * 64
LIFE: Final = (
    *("letter.kept", "request.approved", "credential.reserved", "credential.issued"),
    *("reply.queued", "reply.leased", "reply.sent"),
)
HELD_EVERY: Final = 100  # of so many requests one was held first
RECORD: Final = evidence.seal(
    Record(event="letter.kept", actor="mailer-intake", details={"letter": 1, "kind": "request", "size_bytes": 900}),
    seq=1,
    at=NOW,
    nonce=bytes(16),
    key=bytes(32),
)


def build(url: str, rules: dict[str, str], *, count: int = REQUESTS, waiting: bool = True) -> Trial:
    """Fill an empty database with so many requests. `rules`: the texts of the active rule set.

    A million take some minutes on SQLite, and 6 GB. Unless something is `waiting`, every step has done its work.
    """
    trial = set_up(url)
    trial.register(*(sender(number) for number in range(SENDERS)))
    with trial.database.writing() as tx:
        told = audit.head(tx)
        office.activate(tx, ruleset_hash=RULESET, content=rules, actor="bench", at=NOW)
        tx.execute(update(instance).values(created_at=datetime.fromtimestamp(LAST - 100 * count, UTC)))
        _people(tx, count // EACH)
        for table, columns in _tables(told, count, sqlite=trial.database.sqlite):
            names, values = ", ".join(columns), ", ".join(columns.values())
            if not waiting:
                values = values.replace("'kept'", "'read'").replace("'approved'", "'answered'").replace("'queued'", "'sent'")
            numbers = _numbers(count * len(LIFE) if table == "records" else count, trial.database.sqlite)
            tx.execute(text(f"INSERT INTO {table} ({names}) {numbers} SELECT {values} FROM n"))
        newest = told + count * len(LIFE)
        tx.execute(update(audit_head).values(seq=newest, hashes=bytes(32 * newest.bit_count())))
    _settle(trial.database)
    return trial


def _settle(database: Database) -> None:
    """What databases and disk do some time after so much was written, before anything is measured."""
    with database.unbound() as driver:
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)" if database.sqlite else "VACUUM ANALYZE")
    os.sync()


def code(number: int) -> str:
    return f"{290_001 + number % SENDERS}"


def sender(number: int) -> Sender:
    address = f"gb{number + 1}@clinic{number % 40}.example"
    return Sender(code=code(number), organisation=f"ГБУЗ «Больница № {number + 1}»", answer_to=address, addresses=(address,))


def _surnames(persons: int) -> Iterator[str]:
    """Of ten persons four have one of the common surnames; the others share some thousand."""
    rare = ["".join(one) for one in product(*PARTS, ENDINGS)]
    for number in range(persons):
        yield COMMON[number // 10 % len(COMMON)] if number % 10 < 4 else rare[number * 7 % len(rare)]


def _people(tx: Tx, persons: int) -> None:
    rows, words = [], []
    for number, surname in enumerate(_surnames(persons)):
        initials = f"{INITIALS[number // 3 % 16]}.{INITIALS[number // 48 % 16]}."
        name = PersonName(surname=surname, initials=initials, suffix="" if number % 997 else "оглы")
        rows.append(_row(1 + number, "person", code(number), name.canonical, f"{name.key} {number}"))
        words += [{"word": word, "personal_id": 1 + number} for word in folding.words(name.canonical)]
    for number in range(STRANGERS):
        address, row = f"clinic{number}@elsewhere{number % 7}.example", 1 + persons + number
        rows.append(_row(row, "address", "", address, address))
        words += [{"word": word, "personal_id": row} for word in folding.words(address)]
    for number in range(SENDERS):
        address = sender(number).answer_to
        rows.append(_row(1 + persons + STRANGERS + number, "address", code(number), address, address))
    for start in range(0, len(rows), 50_000):
        tx.execute(insert(personal), rows[start : start + 50_000])
    for start in range(0, len(words), 50_000):
        tx.execute(insert(personal_words), words[start : start + 50_000])


def _row(number: int, kind: str, sender_code: str, value: str, key: str) -> dict[str, object]:
    folded = folding.folded(value)
    return {"id": number, "kind": kind, "sender_code": sender_code, "key": key, "value": value, "folded": folded, "salt": bytes(16)}


def _numbers(count: int, sqlite: bool) -> str:
    if sqlite:
        return f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    return f"WITH n AS (SELECT generate_series(1, {count})::bigint AS i)"


def _tables(told: int, count: int, *, sqlite: bool) -> Iterator[tuple[str, dict[str, str]]]:
    """Table -> column -> its value for the number i, as SQL of this database; `told` records stand there already.

    Of 1,000 requests one is held, 100 are refused; of 100 held ones 99 are strangers'. Persons come in an order of their own,
    each under their sender.
    """
    persons, begin, per = count // EACH, LAST - 100 * count, len(LIFE)
    timed = "strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', {}, 'unixepoch')" if sqlite else "to_timestamp({})"
    at = timed.format(f"{begin} + i * 100")
    key = (
        "printf('%032x', i * 2654435761 % 4294967296 * 1000003 + i)"
        if sqlite
        else "lpad(to_hex(i * 2654435761 % 4294967296 * 1000003 + i), 32, '0')"
    )
    some = "zeroblob({})" if sqlite else "decode(repeat('00', {}), 'hex')"
    written = "X'{}'" if sqlite else "decode('{}', 'hex')"
    day = "'2027-01-01'" if sqlite else "date '2027-01-01'"
    sent_by = f"CAST(290001 + i * 7919 % {persons} % {SENDERS} AS {'TEXT' if sqlite else 'varchar'})"
    strange = "i % 1000 = 7 AND i % 100000 <> 7"
    answer_to = f"{1 + persons + STRANGERS} + i * 7919 % {persons} % {SENDERS}"
    person = f"1 + i * 7919 % {persons}"
    quote = "'{}'".format
    yield "letters", {
        "id": "i", "mailbox": quote("uc"), "epoch": "1", "item": "i", "kind": quote("request"), "received_at": at, "kept_at": at,
        "state": f"CASE WHEN i > {count - 20} THEN 'kept' WHEN i % 50000 = 0 THEN 'quarantined' ELSE 'read' END",
        "size_bytes": "900", "content": some.format(200), "whole": "true", "digest": key, "fingerprint": key, "proven": "true",
        "sender_code": f"CASE WHEN {strange} THEN NULL ELSE {sent_by} END", "batches": "1", "attempts": "0",
        "verdict": quote("issue"), "rule_id": quote("issue"),
    }  # fmt: skip
    yield "ledger", {
        "mailbox": quote("uc"), "epoch": "1", "item": "i", "kind": quote("request"), "filing": quote("done"),
    }  # fmt: skip
    yield "requests", {
        "id": "i", "letter_id": "i", "person_id": person, "ruleset_hash": quote(RULESET), "created_at": at, "decided_at": at,
        "state": f"CASE WHEN i > {count - 30} THEN 'approved' WHEN i % 1000 = 7 THEN 'held' WHEN i % 10 = 3 THEN 'refused'"
        " WHEN i % 997 = 5 THEN 'withdrawn' ELSE 'answered' END",
        "sender_code": f"CASE WHEN {strange} THEN NULL ELSE {sent_by} END",
        "answer_to_id": f"CASE WHEN {strange} THEN NULL ELSE {answer_to} END",
        "stranger_id": f"CASE WHEN {strange} THEN {1 + persons} + i / 1000 % {STRANGERS} END",
        "verdict": "CASE WHEN i % 1000 = 7 THEN 'hold' WHEN i % 10 = 3 THEN 'refuse' ELSE 'issue' END",
        "rule_id": f"CASE WHEN {strange} THEN 'unknown-sender' WHEN i % 1000 = 7 THEN 'too-old'"
        " WHEN i % 10 = 3 THEN 'name-unreadable' ELSE 'issue' END",
        "reason": f"CASE WHEN {strange} THEN 'unknown-sender' WHEN i % 1000 = 7 THEN 'too-old'"
        " WHEN i % 10 = 3 THEN CASE WHEN i % 30 = 3 THEN 'several-names' ELSE 'initials-missing' END END",
        "facts": quote('{"kind": "request", "name": "read", "sender": "known"}'),
    }  # fmt: skip
    yield "credentials", {
        "id": key, "request_id": "i", "sender_code": sent_by, "person_id": person, "answer_to_id": answer_to,
        "login": "'tmp-29-' || i",
        "state": f"CASE WHEN i > {count - 70_000} THEN 'active' WHEN i % 5 = 0 THEN 'superseded' WHEN i % 100 = 1 THEN 'revoked'"
        " ELSE 'expired' END",
        "reserved_at": at, "issued_at": at, "valid_until": timed.format(f"{begin + LIVES} + i * 100"),
        "last_day": day, "term_rule": quote("3 months"),
    }  # fmt: skip
    yield "accounts_local", {
        "credential_id": key, "login": "'tmp-29-' || i", "algorithm": quote("hmac-sha256"), "verifier": some.format(32),
        "enabled": f"i > {count - 70_000}", "expires_at": at,
    }  # fmt: skip
    yield "used_logins", {"mark": key}
    yield "replies", {
        "id": key, "request_id": "i", "name": quote("issued"), "sender_code": sent_by, "recipient_id": answer_to,
        "message_id": "'<' || i || '@fond.example>'", "key_epoch": quote("2026-01-01"), "digest": key, "created_at": at,
        "state": f"CASE WHEN i > {count - 50} THEN 'queued' WHEN i % 300 = 0 THEN 'bounced' WHEN i % 20011 = 0 THEN 'unknown'"
        " ELSE 'sent' END",
        "sends": "1", "attempts": "1", "next_at": at, "fence": "0", "finished_at": at,
    }  # fmt: skip
    number = f"((i + {per - 1}) / {per})"
    events = " ".join(f"WHEN {place} THEN '{event}'" for place, event in enumerate(LIFE))
    yield "records", {
        "seq": f"i + {told}", "header": written.format(RECORD.header.hex()), "nonce": some.format(16),
        "details": written.format(RECORD.details.hex()),
        "leaf": some.format(32), "mac": some.format(32), "at": timed.format(f"{begin} + {number} * 100"),
        "event": f"CASE WHEN i % {per * HELD_EVERY} = 2 THEN 'request.held' ELSE CASE (i - 1) % {per} {events} END END",
        "importance": quote("info"), "actor": quote("mailer"),
        "sender_code": sent_by.replace("i *", f"{number} *"), "request_id": number, "outcome": quote("done"),
        "letter_id": f"CASE WHEN (i - 1) % {per} < 2 THEN {number} END",
    }  # fmt: skip
