"""The salt of a reply's digest in the record: it goes with an erasure. Replies written before have a plain digest and no salt."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("replies", sa.Column("content_salt", sa.LargeBinary(), nullable=True))
