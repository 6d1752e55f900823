"""Several workers of one step on PostgreSQL; requests without a letter of their own, replies without a request."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("letters", sa.Column("lease", sa.String(length=60), nullable=True))
    op.add_column("letters", sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False))
    with op.batch_alter_table("replies") as replies:
        replies.add_column(sa.Column("lease", sa.String(length=60), nullable=True))
        replies.alter_column("request_id", existing_type=Number, nullable=True)
    with op.batch_alter_table("requests") as requests:
        requests.add_column(sa.Column("reissue_of", Number, nullable=True))
        requests.alter_column("letter_id", existing_type=Number, nullable=True)
        requests.create_foreign_key(op.f("fk_requests_reissue_of"), "requests", ["reissue_of"], ["id"])
