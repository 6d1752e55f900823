"""The pool of ready pairs, the marks of used logins, and the sums of failed checks."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("credentials") as credentials:
        credentials.drop_constraint(op.f("uq_credentials_login"), type_="unique")
    living = sa.text("state <> 'abandoned'")
    op.create_index("uq_credentials_login", "credentials", ["login"], unique=True, sqlite_where=living, postgresql_where=living)
    op.create_table("used_logins", sa.Column("mark", sa.String(length=64), primary_key=True))
    op.create_table(
        "pool_pairs",
        sa.Column("number", Number, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("imported_at", Instant(), nullable=False),
        sa.Column("credential_id", sa.String(length=32), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_pool_pairs_credential_id"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pool_pairs")),
        sa.UniqueConstraint("id", name=op.f("uq_pool_pairs_id")),
        sa.UniqueConstraint("mark", name=op.f("uq_pool_pairs_mark")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_pool_pairs_credential_id")),
    )
    op.create_index("ix_pool_pairs_state", "pool_pairs", ["state", "number"])
    op.create_table(
        "check_failures",
        sa.Column("credential_id", sa.String(length=32), nullable=False),
        sa.Column("minute", Instant(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("credential_id", "minute", name=op.f("pk_check_failures")),
    )
    op.create_index("ix_check_failures_told", "check_failures", ["told", "minute"])
