"""When a request was last decided, by rules or a person."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requests", sa.Column("decided_at", Instant(), nullable=True))
    op.execute("UPDATE requests SET decided_at = created_at")
    op.drop_index("ix_requests_sender_code", table_name="requests")
    with op.batch_alter_table("requests") as requests:
        requests.alter_column("decided_at", existing_type=Instant(), nullable=False)
    op.create_index("ix_requests_sender_code", "requests", ["sender_code", "decided_at"])
