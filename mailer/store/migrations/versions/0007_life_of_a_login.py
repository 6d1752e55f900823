"""One living credential for each request, warnings before its end, and accounts that could not be disabled at once."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("credentials") as credentials:
        credentials.drop_constraint(op.f("uq_credentials_request_id"), type_="unique")
        credentials.add_column(sa.Column("warned_days", sa.Integer(), nullable=True))
        credentials.add_column(sa.Column("disabling_since", Instant(), nullable=True))
        credentials.add_column(sa.Column("disabling_next", Instant(), nullable=True))
    living = sa.text("state <> 'abandoned'")
    op.create_index(
        "uq_credentials_request_id", "credentials", ["request_id"], unique=True, sqlite_where=living, postgresql_where=living
    )
    pending = sa.text("disabling_since IS NOT NULL")
    op.create_index("ix_credentials_disabling", "credentials", ["disabling_next"], sqlite_where=pending, postgresql_where=pending)
