"""Several workers of one step on PostgreSQL; letters put off; requests without a letter, replies without a request; alarms."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("letters", sa.Column("lease", sa.String(length=60), nullable=True))
    op.add_column("letters", sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("letters", sa.Column("read_after", Instant(), nullable=True))
    op.drop_index("ix_letters_state", table_name="letters")
    op.create_index("ix_letters_turns", "letters", ["state", "kind", "batches", "sender_code", "id", "read_after"], unique=False)
    with op.batch_alter_table("replies") as replies:
        replies.add_column(sa.Column("lease", sa.String(length=60), nullable=True))
        replies.alter_column("request_id", existing_type=Number, nullable=True)
        replies.alter_column("sender_code", existing_type=sa.String(length=40), nullable=True)
    with op.batch_alter_table("requests") as requests:
        requests.add_column(sa.Column("reissue_of", Number, nullable=True))
        requests.alter_column("letter_id", existing_type=Number, nullable=True)
        requests.create_foreign_key(op.f("fk_requests_reissue_of"), "requests", ["reissue_of"], ["id"])
    op.create_index(op.f("ix_requests_reissue_of"), "requests", ["reissue_of"], unique=False)
    op.create_index("ix_letters_attempts", "letters", ["state", "attempts"])
    op.create_index("ix_letters_kind", "letters", ["kind", "kept_at"])
    op.create_table(
        "tries",
        sa.Column("mailbox", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "epoch", "item", name=op.f("pk_tries")),
    )
    op.create_table(
        "alarms",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("raised_at", Instant(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("cleared_at", Instant(), nullable=True),
        sa.Column("told_at", Instant(), nullable=True),
        sa.Column("told_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "place", name=op.f("pk_alarms")),
    )
    op.add_column("leases", sa.Column("losses", sa.Integer(), server_default="0", nullable=False))
    op.add_column("leases", sa.Column("lost_since", Instant(), nullable=True))
    op.add_column("leases", sa.Column("lost_at", Instant(), nullable=True))
    op.create_index("ix_credentials_reserved_at", "credentials", ["reserved_at"])
