"""The right edge of the record's tree, filled from the records there are, and the table of checkpoints."""

import sqlalchemy as sa
from alembic import op

from mailer.core.merkle import Range

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAGE = 10_000


def upgrade() -> None:
    op.add_column("audit_head", sa.Column("hashes", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "checkpoints",
        sa.Column("number", Number, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=19), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_checkpoints")),
    )
    op.create_index("ix_checkpoints_code", "checkpoints", ["code"])
    _fill()


def _fill() -> None:
    """Records are neither read nor judged here: what is wrong with them `mailer audit verify` finds as before."""
    records = sa.table("records", sa.column("seq", sa.BigInteger()), sa.column("leaf", sa.LargeBinary()))
    head = sa.table("audit_head", sa.column("seq", sa.BigInteger()), sa.column("hashes", sa.LargeBinary()))
    tx, edge = op.get_bind(), Range()
    while leaves := [
        row.leaf
        for row in tx.execute(sa.select(records.c.leaf).where(records.c.seq > edge.size).order_by(records.c.seq).limit(PAGE))
    ]:
        edge = edge.grown(leaves)
    tx.execute(sa.update(head).values(hashes=edge.to_bytes()))
