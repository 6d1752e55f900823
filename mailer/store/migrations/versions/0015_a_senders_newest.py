"""What a sender asked for and got of late is found without going through all it ever did."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    approved = sa.text("state = 'approved'")
    op.create_index(
        "ix_requests_approved", "requests", ["sender_code", "person_id"], sqlite_where=approved, postgresql_where=approved
    )
    op.create_index("ix_credentials_sender_reserved", "credentials", ["sender_code", "reserved_at"])
