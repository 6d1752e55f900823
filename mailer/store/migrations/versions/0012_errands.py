"""What people ask intake to do in a mailbox: put a letter back, look again at what was left."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "errands",
        sa.Column("id", Number, nullable=False),
        sa.Column("mailbox", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("letter_id", Number, nullable=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("done_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], name=op.f("fk_errands_letter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errands")),
    )
    op.create_index(op.f("ix_errands_letter_id"), "errands", ["letter_id"])
    op.create_index("ix_errands_mailbox", "errands", ["mailbox", "done_at"])
