"""What a person has paused."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pauses",
        sa.Column("step", sa.String(length=10), nullable=False),
        sa.Column("mailbox", sa.String(length=40), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("step", "mailbox", name=op.f("pk_pauses")),
    )
