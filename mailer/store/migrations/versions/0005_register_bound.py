"""The register is bound to the record: each row has the salt of its digest, and its newest record is found at once."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("senders", sa.Column("salt", sa.LargeBinary(), nullable=True))
    registered = sa.text("event = 'sender.registered'")
    op.create_index(
        "ix_records_registered", "records", ["sender_code", "seq"], sqlite_where=registered, postgresql_where=registered
    )
