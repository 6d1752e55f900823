"""Lists of persons are bound to the record: an entry keeps the digest of its name, a list's newest record is found at once."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("listed_persons", sa.Column("digest", sa.String(64), nullable=True))
    listed = sa.text("event = 'persons.listed'")
    op.create_index("ix_records_listed", "records", ["sender_code", "seq"], sqlite_where=listed, postgresql_where=listed)
