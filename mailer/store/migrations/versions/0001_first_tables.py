"""The first tables, and the triggers that refuse to change or delete a record.

The triggers are a speed bump for honest mistakes; what proves the record is its MACs, later its checkpoints.
"""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


SQLITE_GUARD = """
CREATE TRIGGER records_{verb} BEFORE {verb} ON records
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
"""
POSTGRESQL_GUARD = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the record is append-only'; END $$;
CREATE TRIGGER records_change BEFORE UPDATE OR DELETE OR TRUNCATE ON records EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("worked_at", Instant(), nullable=True),
        sa.Column("trouble", sa.String(length=500), nullable=True),
        sa.Column("trouble_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "ledger",
        sa.Column("mailbox", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("filing", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "epoch", "item", name=op.f("pk_ledger")),
    )
    op.create_index("ix_ledger_due", "ledger", ["mailbox", "epoch", "filing"], unique=False)

    op.create_table(
        "letters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mailbox", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("kept_at", Instant(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("sender_code", sa.String(length=40), nullable=True),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=True),
        sa.Column("rule_id", sa.String(length=60), nullable=True),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sa.UniqueConstraint("mailbox", "epoch", "item", name=op.f("uq_letters_mailbox_epoch_item")),
    )
    op.create_index("ix_letters_digest", "letters", ["digest"], unique=False)
    op.create_index("ix_letters_fingerprint", "letters", ["fingerprint"], unique=False)
    op.create_index("ix_letters_state", "letters", ["state", "id"], unique=False)

    op.create_table(
        "personal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("sender_code", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=True),
        sa.Column("value", sa.String(length=400), nullable=True),
        sa.Column("surname", sa.String(length=200), nullable=True),
        sa.Column("initials", sa.String(length=20), nullable=True),
        sa.Column("suffix", sa.String(length=20), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal")),
        sa.UniqueConstraint("kind", "sender_code", "key", name=op.f("uq_personal_kind_sender_code_key")),
    )
    op.create_table(
        "records",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("importance", sa.String(length=10), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("sender_code", sa.String(length=40), nullable=True),
        sa.Column("request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("letter_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_records")),
    )
    op.create_index("ix_records_event", "records", ["event", "seq"], unique=False)
    op.create_index("ix_records_letter_id", "records", ["letter_id", "seq"], unique=False)
    op.create_index("ix_records_request_id", "records", ["request_id", "seq"], unique=False)

    op.create_table(
        "rulesets",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("activated_at", Instant(), nullable=False),
        sa.Column("activated_by", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_rulesets")),
    )
    op.create_table(
        "senders",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("answer_to", sa.String(length=320), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_senders")),
    )
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ruleset_hash", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["ruleset_hash"], ["rulesets.hash"], name=op.f("fk_instance_ruleset_hash")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("letter_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("sender_code", sa.String(length=40), nullable=True),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("answer_to_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("rule_id", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("ruleset_hash", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("issue_after", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["answer_to_id"], ["personal.id"], name=op.f("fk_requests_answer_to_id")),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_requests_letter_id")),
        sa.ForeignKeyConstraint(["person_id"], ["personal.id"], name=op.f("fk_requests_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        sa.UniqueConstraint("letter_id", name=op.f("uq_requests_letter_id")),
    )
    op.create_index("ix_requests_sender_code", "requests", ["sender_code", "created_at"], unique=False)
    op.create_index("ix_requests_state", "requests", ["state", "id"], unique=False)

    op.create_table(
        "sender_addresses",
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["senders.code"], name=op.f("fk_sender_addresses_code")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_sender_addresses")),
    )
    op.create_index(op.f("ix_sender_addresses_code"), "sender_addresses", ["code"], unique=False)

    op.create_table(
        "sender_points",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("point", sa.String(length=400), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["senders.code"], name=op.f("fk_sender_points_code")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sender_points")),
    )
    op.create_index(op.f("ix_sender_points_code"), "sender_points", ["code"], unique=False)

    op.create_table(
        "credentials",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sender_code", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("answer_to_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reserved_at", Instant(), nullable=False),
        sa.Column("issued_at", Instant(), nullable=True),
        sa.Column("valid_until", Instant(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("term_rule", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["answer_to_id"], ["personal.id"], name=op.f("fk_credentials_answer_to_id")),
        sa.ForeignKeyConstraint(["person_id"], ["personal.id"], name=op.f("fk_credentials_person_id")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_credentials_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("login", name=op.f("uq_credentials_login")),
        sa.UniqueConstraint("request_id", name=op.f("uq_credentials_request_id")),
    )
    op.create_index("ix_credentials_issued_at", "credentials", ["issued_at"], unique=False)
    op.create_index("ix_credentials_person_id", "credentials", ["person_id", "state"], unique=False)
    op.create_index("ix_credentials_sender_code", "credentials", ["sender_code", "state"], unique=False)
    op.create_index("ix_credentials_state", "credentials", ["state", "valid_until"], unique=False)

    op.create_table(
        "accounts_local",
        sa.Column("credential_id", sa.String(length=32), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=False),
        sa.Column("algorithm", sa.String(length=20), nullable=False),
        sa.Column("verifier", sa.LargeBinary(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credentials.id"], name=op.f("fk_accounts_local_credential_id")),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_accounts_local")),
        sa.UniqueConstraint("login", name=op.f("uq_accounts_local_login")),
    )
    op.create_table(
        "replies",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("credential_id", sa.String(length=32), nullable=True),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("sender_code", sa.String(length=40), nullable=False),
        sa.Column("recipient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("key_epoch", sa.String(length=10), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=500), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["credential_id"], ["credentials.id"], name=op.f("fk_replies_credential_id")),
        sa.ForeignKeyConstraint(["recipient_id"], ["personal.id"], name=op.f("fk_replies_recipient_id")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_replies_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
        sa.UniqueConstraint("message_id", name=op.f("uq_replies_message_id")),
    )
    op.create_index("ix_replies_created_at", "replies", ["created_at"], unique=False)
    op.create_index("ix_replies_recipient_id", "replies", ["recipient_id", "created_at"], unique=False)
    op.create_index(op.f("ix_replies_request_id"), "replies", ["request_id"], unique=False)
    op.create_index("ix_replies_state", "replies", ["state", "next_at"], unique=False)
    _guard_the_record()


def _guard_the_record() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(SQLITE_GUARD.format(verb=verb))
    else:
        op.execute(POSTGRESQL_GUARD)
