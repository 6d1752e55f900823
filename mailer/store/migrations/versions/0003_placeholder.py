"""Keeps the number of the migration that comes before 0004."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None: ...
