"""When a request was last decided; a request whose credential was abandoned may get another one."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requests", sa.Column("decided_at", Instant(), nullable=True))
    op.execute("UPDATE requests SET decided_at = created_at")
    op.drop_index("ix_requests_sender_code", table_name="requests")
    with op.batch_alter_table("requests") as requests:
        requests.alter_column("decided_at", existing_type=Instant(), nullable=False)
    op.create_index("ix_requests_sender_code", "requests", ["sender_code", "decided_at"])
    with op.batch_alter_table("credentials") as credentials:
        credentials.drop_constraint(op.f("uq_credentials_request_id"), type_="unique")
    living = sa.text("state <> 'abandoned'")
    op.create_index(
        "uq_credentials_request_id", "credentials", ["request_id"], unique=True, sqlite_where=living, postgresql_where=living
    )
    op.create_index(op.f("ix_credentials_request_id"), "credentials", ["request_id"])
