"""Erasing personal data: what was destroyed stays known, and letters know when their bytes were. PostgreSQL samples no names."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# PostgreSQL's statistics hold the commonest values of a column; they are not ours to erase.
NAMES = {
    "personal": ("key", "value", "surname", "initials", "suffix"),
    "credentials": ("login",),
    "accounts_local": ("login",),
    "letters": ("content",),
}


def upgrade() -> None:
    op.create_table(
        "erased_marks",
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_erased_marks")),
    )
    op.add_column("letters", sa.Column("erased_at", Instant(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in NAMES.items():
            for column in columns:
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")
