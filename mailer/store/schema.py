"""What stands in the database? Every table, once; migrations build it, `tests/store` compares the two.

Personal data (names, addresses) stands in `personal` alone, and in the bytes of kept letters, so that it can be erased without
touching the record. States are the words of `states.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from mailer.core import evidence

VERSION: Final = "0016"  # the newest migration: a database of another version is refused

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What is read where a column holds no time that can be read: `-infinity` on PostgreSQL, any text on SQLite.

Only somebody who writes the database behind our back puts that there, and this very time he could have put there as well: whatever
keeps him from being believed keeps this one from it. So the row that cannot be read is one row's fault, and stops no step for all.
"""


class Instant(TypeDecorator[datetime]):
    """An aware datetime, always UTC: timestamptz on PostgreSQL, on SQLite fixed-width text that sorts like time.

    What cannot be read is `NO_TIME`; on PostgreSQL the driver reads it so (`store.db`).
    """

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(32))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return value.astimezone(UTC) if dialect.name == "postgresql" else evidence.instant(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        try:
            read: datetime = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            return read.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            return NO_TIME


class Bytes(TypeDecorator[bytes]):
    """Bytes. SQLite keeps any type in any column: text is read as its bytes, for which the record is asked as for any others.

    As with `NO_TIME`, whoever put the text there could have put these bytes.
    """

    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        if value is None or isinstance(value, bytes):
            return value
        return str(value).encode()


# SQLite gives a rowid only to INTEGER PRIMARY KEY; PostgreSQL wants the wide type.
Number = BigInteger().with_variant(Integer, "sqlite")

instance = Table(
    "instance",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("name", String(32), nullable=False),  # 128 random bits in hex: bound into every sealed reply
    Column("created_at", Instant, nullable=False),
    Column("ruleset_hash", String(64), ForeignKey("rulesets.hash")),  # the active one
)

rulesets = Table(
    "rulesets",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("content", Text, nullable=False),  # JSON: file name -> text
    Column("activated_at", Instant, nullable=False),
    Column("activated_by", String(100), nullable=False),
)

senders = Table(
    "senders",
    metadata,
    Column("code", String(40), primary_key=True),
    Column("organisation", Text, nullable=False),
    Column("answer_to", String(320), nullable=False),
    Column("blocked", Boolean, nullable=False, default=False),
    Column("blocked_until", Instant),  # the last instant of the block; None: it has no end
    Column("block_reason", Text, nullable=False, server_default=""),
    Column("answer_changed_at", Instant),  # None: the answer address stands as it was first registered
    Column("salt", Bytes),  # of the row's digest in the record; None: written by nobody who could tell the record
)

sender_addresses = Table(
    "sender_addresses",
    metadata,
    Column("address", String(320), primary_key=True),
    Column("code", String(40), ForeignKey("senders.code"), nullable=False, index=True),
)

sender_points = Table(
    "sender_points",
    metadata,
    Column("key", String(400), primary_key=True),  # `core.subscriber.key` of the point
    Column("point", String(400), nullable=False),
    Column("code", String(40), ForeignKey("senders.code"), nullable=False, index=True),
)

personal = Table(
    "personal",
    metadata,
    Column("id", Number, primary_key=True),
    Column("kind", String(10), nullable=False),  # person | address
    Column("sender_code", String(40), nullable=False),  # "" where the address belongs to no registered sender
    Column("key", String(400)),  # a person's key, an address: what is looked up
    Column("value", String(400)),  # canonical: what the digest in the record is made of
    Column("surname", String(200)),
    Column("initials", String(20)),
    Column("suffix", String(20)),
    Column("salt", Bytes),
    Column("folded", String(400)),  # `core.folding` of the value: what a search looks into; a trigger erases it with the value
    UniqueConstraint("kind", "sender_code", "key"),
    Index("ix_personal_folded", "folded"),
)

personal_words = Table(
    "personal_words",
    metadata,
    # Compared by code points on both databases, so that one index serves what begins with the letters that were typed.
    Column("word", String(400).with_variant(String(400, collation="C"), "postgresql"), primary_key=True),
    Column("personal_id", Number, ForeignKey("personal.id"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

person_lists = Table(
    "person_lists",
    metadata,
    Column("sender_code", String(40), ForeignKey("senders.code"), primary_key=True),  # who is on its list stands in listed_persons
    Column("loaded_at", Instant, nullable=False),
)

listed_persons = Table(
    "listed_persons",
    metadata,
    Column("person_id", Number, ForeignKey("personal.id"), primary_key=True),
    Column("sender_code", String(40), ForeignKey("person_lists.sender_code"), nullable=False, index=True),
    Column("digest", String(64)),  # of the name, as the record has it; None: put there before lists were told as a whole
)

ledger = Table(
    "ledger",
    metadata,
    Column("mailbox", String(40), primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("item", BigInteger, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("filing", String(10), nullable=False),  # left: stays where it is; due: to be moved; done: moved
    Index("ix_ledger_due", "mailbox", "epoch", "filing"),
)

errands = Table(
    "errands",
    metadata,
    Column("id", Number, primary_key=True),
    Column("mailbox", String(40), nullable=False),
    Column("kind", String(10), nullable=False),  # forward: a kept letter back into the folder; rescan: look again at what was left
    Column("letter_id", Number, ForeignKey("letters.id"), index=True),
    Column("since", Date),
    Column("asked_at", Instant, nullable=False),
    Column("done_at", Instant),
    Index("ix_errands_mailbox", "mailbox", "done_at"),
)

tries = Table(
    "tries",
    metadata,
    Column("mailbox", String(40), primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("item", BigInteger, primary_key=True),
    Column("looks", Integer, nullable=False),  # at it alone
    Column("attempts", Integer, nullable=False),  # those of them that count
)

letters = Table(
    "letters",
    metadata,
    Column("id", Number, primary_key=True),
    Column("mailbox", String(40), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("item", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("kept_at", Instant, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("content", Bytes, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("proven", Boolean, nullable=False),  # whether the mailbox proves the sender's address
    Column("sender_code", String(40)),  # as known when kept, then as decided; None: not in the register, or not proven
    Column("batches", Integer, nullable=False, default=0),  # tries in company
    Column("attempts", Integer, nullable=False, default=0),  # tries alone: only these count towards quarantine
    Column("lease", String(60)),  # under which lease, and which number of it, a worker took it in hand
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("read_after", Instant),  # put off until then; None: at once
    Column("verdict", String(10)),
    Column("rule_id", String(60)),
    Column("reason", String(60)),
    Column("erased_at", Instant),  # its bytes were destroyed; size and digests stay
    UniqueConstraint("mailbox", "epoch", "item"),
    Index("ix_letters_turns", "state", "kind", "batches", "sender_code", "id", "read_after"),  # all that a claim looks at
    Index("ix_letters_attempts", "state", "attempts"),
    Index("ix_letters_kind", "kind", "kept_at"),
    Index("ix_letters_digest", "digest"),
    Index("ix_letters_fingerprint", "fingerprint"),
)

_STRANGE, _REASONED = text("stranger_id IS NOT NULL"), text("reason IS NOT NULL")
_APPROVED = text("state = 'approved'")

requests = Table(
    "requests",
    metadata,
    Column("id", Number, primary_key=True),
    Column("letter_id", Number, ForeignKey("letters.id"), unique=True),  # None: a person's own, or a reissue
    Column("reissue_of", Number, ForeignKey("requests.id"), index=True),  # the request whose answer did not arrive
    Column("state", String(20), nullable=False),
    Column("sender_code", String(40)),  # None: not in the register
    Column("person_id", Number, ForeignKey("personal.id")),  # None: the name could not be read
    Column("answer_to_id", Number, ForeignKey("personal.id")),  # fixed when decided
    Column("stranger_id", Number, ForeignKey("personal.id")),  # the address of a sender who is not in the register, or not proven
    Column("verdict", String(10), nullable=False),
    Column("rule_id", String(60), nullable=False),
    Column("reason", String(60)),
    Column("ruleset_hash", String(64), nullable=False),
    Column("facts", Text, nullable=False),  # JSON, no personal data
    Column("created_at", Instant, nullable=False),
    Column("decided_at", Instant, nullable=False),  # the last time, by rules or a person
    Column("issue_after", Instant),
    Index("ix_requests_state", "state", "created_at", "id"),
    Index("ix_requests_sender_code", "sender_code", "decided_at"),
    Index("ix_requests_sender_opened", "sender_code", "created_at"),
    Index("ix_requests_person_id", "person_id", "created_at"),
    Index("ix_requests_stranger_id", "stranger_id", "state", "created_at", sqlite_where=_STRANGE, postgresql_where=_STRANGE),
    Index("ix_requests_reason", "reason", "created_at", sqlite_where=_REASONED, postgresql_where=_REASONED),
    Index("ix_requests_created_at", "created_at", "id"),
    Index("ix_requests_approved", "sender_code", "person_id", sqlite_where=_APPROVED, postgresql_where=_APPROVED),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request_id", Number, ForeignKey("requests.id"), nullable=False),
    Column("sender_code", String(40), nullable=False),
    Column("person_id", Number, ForeignKey("personal.id"), nullable=False),
    Column("answer_to_id", Number, ForeignKey("personal.id"), nullable=False),
    Column("login", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("reserved_at", Instant, nullable=False),
    Column("issued_at", Instant),
    Column("valid_until", Instant, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("term_rule", String(100), nullable=False),
    Column("warned_days", Integer),  # how many days before its end the last letter about it was due
    Column("disabling_since", Instant),  # it has ended, and its account could not be disabled yet
    Column("disabling_next", Instant),  # when that is tried again
    Index("ix_credentials_person_id", "person_id", "state"),
    Index("ix_credentials_sender_code", "sender_code", "state"),
    Index("ix_credentials_sender_reserved", "sender_code", "reserved_at"),
    Index("ix_credentials_state", "state", "valid_until"),
    Index("ix_credentials_issued_at", "issued_at"),
    Index("ix_credentials_reserved_at", "reserved_at"),
    Index(
        "ix_credentials_disabling",
        "disabling_next",
        sqlite_where=text("disabling_since IS NOT NULL"),
        postgresql_where=text("disabling_since IS NOT NULL"),
    ),
    # One letter, one credential; an abandoned one never went out, and its request may be approved again.
    Index(
        "uq_credentials_request_id",
        "request_id",
        unique=True,
        sqlite_where=text("state <> 'abandoned'"),
        postgresql_where=text("state <> 'abandoned'"),
    ),
    # The login of an abandoned one never went out: a pair of the pool goes back and may be taken for another.
    Index(
        "uq_credentials_login",
        "login",
        unique=True,
        sqlite_where=text("state <> 'abandoned'"),
        postgresql_where=text("state <> 'abandoned'"),
    ),
)

used_logins = Table(
    "used_logins",
    metadata,
    Column("mark", String(64), primary_key=True),  # `core.secret.login_mark`: stays when the person is erased
)

erased_marks = Table(
    "erased_marks",
    metadata,
    Column("mark", String(64), primary_key=True),  # `core.erasing.mark`; the same stand outside the database
)

accounts_local = Table(
    "accounts_local",
    metadata,
    Column("credential_id", String(32), ForeignKey("credentials.id"), primary_key=True),
    Column("login", String(200), nullable=False, unique=True),
    Column("algorithm", String(20), nullable=False),
    Column("verifier", Bytes, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

pool_pairs = Table(
    "pool_pairs",
    metadata,
    Column("number", Number, primary_key=True),  # the order in which they are handed out
    Column("id", String(32), nullable=False, unique=True),  # 128 random bits in hex: bound into the sealed pair
    Column("mark", String(64), nullable=False, unique=True),  # of its login
    Column("state", String(20), nullable=False),
    Column("sealed", Bytes),  # `accounts_pool.pack`, to the pool key; erased once handed out
    Column("expires_at", Instant),  # the pair's own end, where the file told it
    Column("imported_at", Instant, nullable=False),
    # Proved at the commit: a pair is taken, and then its login is reserved.
    Column("credential_id", String(32), ForeignKey("credentials.id", deferrable=True, initially="DEFERRED"), unique=True),
    Column("enabled", Boolean, nullable=False, default=True),  # False: to be blocked where the pair came from
    Index("ix_pool_pairs_state", "state", "number"),
)

check_failures = Table(
    "check_failures",
    metadata,
    Column("credential_id", String(32), primary_key=True),  # "": logins that nobody has, all in one sum
    Column("minute", Instant, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("told", Boolean, nullable=False),  # the record knows the sum
    Index("ix_check_failures_told", "told", "minute"),
)

replies = Table(
    "replies",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request_id", Number, ForeignKey("requests.id"), index=True),  # None: a notice to the officer
    Column("credential_id", String(32), ForeignKey("credentials.id")),
    Column("name", String(60), nullable=False),  # of the template
    Column("sender_code", String(40)),  # None: a notice to the officer
    Column("recipient_id", Number, ForeignKey("personal.id"), nullable=False),
    Column("message_id", String(255), nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("key_epoch", String(10), nullable=False),  # the day of the key it is sealed to
    Column("sealed", Bytes),  # erased once sent
    Column("digest", String(64), nullable=False),  # SHA-256 of the sealed bytes; also in the record
    Column("content_salt", Bytes),  # of the letter's digest in the record; erased with the person's data
    Column("created_at", Instant, nullable=False),
    Column("sends", Integer, nullable=False, default=0),  # times the final dot may have gone out
    Column("attempts", Integer, nullable=False, default=0),
    Column("started_at", Instant),
    Column("next_at", Instant, nullable=False),
    Column("lease", String(60)),  # under which lease, and which number of it, it is being sent
    Column("fence", BigInteger, nullable=False, default=0),
    Column("outcome", String(500)),  # what the mail server said last
    Column("finished_at", Instant),
    Index("ix_replies_state", "state", "next_at"),
    Index("ix_replies_recipient_id", "recipient_id", "created_at"),
    Index("ix_replies_created_at", "created_at"),
)

records = Table(
    "records",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("header", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("details", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    # Projections of the header for search; `audit verify` compares them with the bytes.
    Column("at", Instant, nullable=False),
    Column("event", String(60), nullable=False),
    Column("importance", String(10), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("sender_code", String(40)),
    Column("request_id", Number),
    Column("outcome", String(10), nullable=False),
    Column("letter_id", Number),  # from the details: a letter is kept before it has a request
    Index("ix_records_letter_id", "letter_id", "seq"),
    Index("ix_records_request_id", "request_id", "seq"),
    Index("ix_records_event", "event", "seq"),
)
_REGISTERED: Final = records.c.event == "sender.registered"
Index("ix_records_registered", records.c.sender_code, records.c.seq, sqlite_where=_REGISTERED, postgresql_where=_REGISTERED)
_LISTED: Final = records.c.event == "persons.listed"
Index("ix_records_listed", records.c.sender_code, records.c.seq, sqlite_where=_LISTED, postgresql_where=_LISTED)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of the last record
    Column("hashes", LargeBinary, nullable=False, server_default=text("''")),  # `merkle.Range` of all leaves: the tree's right edge
)

# What was signed, to look it up and to go on from; only the file outside the database is believed.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("number", Number, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),  # with its signatures
    Column("code", String(19), nullable=False, index=True),  # `core.checkpoints.code`: stands in letters
)

alarms = Table(
    "alarms",
    metadata,
    Column("kind", String(40), primary_key=True),
    Column("place", String(100), primary_key=True),  # which mailbox, step or key; "" where there is only one
    Column("raised_at", Instant, nullable=False),
    Column("since", Instant, nullable=False),
    Column("cleared_at", Instant),  # over; kept for as long as its telling counts
    Column("told_at", Instant),  # the last letter and command about it
    Column("told_count", Integer, nullable=False, server_default="0"),  # the count they gave
    Column("count", Integer, nullable=False),
    Column("numbers", Text, nullable=False),  # JSON, nothing that strangers wrote
)

pauses = Table(
    "pauses",
    metadata,
    Column("step", String(10), primary_key=True),  # what a person has stand still: intake, issue, deliver
    Column("mailbox", String(40), primary_key=True),  # "" for all of them
    Column("since", Instant, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("reason", Text, nullable=False),
)

digests = Table(
    "digests",
    metadata,
    Column("day", Date, primary_key=True),  # in the fund's zone: each day has one letter
    Column("at", Instant, nullable=False),
    Column("seq", BigInteger, nullable=False),  # the last record that it tells of; the next begins after it
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(60), primary_key=True),  # intake:<mailbox>, answer, issue, deliver, expire
    Column("owner", String(200), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("worked_at", Instant),  # when the step last began to go through without an error
    Column("trouble", String(500)),  # what it met since then
    Column("trouble_at", Instant),
    Column("losses", Integer, nullable=False, server_default="0"),  # taken from an owner who was still there
    Column("lost_since", Instant),  # the first of these
    Column("lost_at", Instant),  # the last
)
