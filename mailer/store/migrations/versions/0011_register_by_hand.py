"""The register by hand: blocks with an end and a reason, when an answer address changed, the lists of persons."""

import sqlalchemy as sa
from alembic import op

from mailer.store.schema import Instant, Number

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("senders", sa.Column("blocked_until", Instant(), nullable=True))
    op.add_column("senders", sa.Column("block_reason", sa.Text(), server_default="", nullable=False))
    op.add_column("senders", sa.Column("answer_changed_at", Instant(), nullable=True))
    op.create_table(
        "person_lists",
        sa.Column("sender_code", sa.String(length=40), nullable=False),
        sa.Column("loaded_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["sender_code"], ["senders.code"], name=op.f("fk_person_lists_sender_code_senders")),
        sa.PrimaryKeyConstraint("sender_code", name=op.f("pk_person_lists")),
    )
    op.create_table(
        "listed_persons",
        sa.Column("person_id", Number, nullable=False),
        sa.Column("sender_code", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["personal.id"], name=op.f("fk_listed_persons_person_id_personal")),
        sa.ForeignKeyConstraint(
            ["sender_code"], ["person_lists.sender_code"], name=op.f("fk_listed_persons_sender_code_person_lists")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_listed_persons")),
    )
    op.create_index(op.f("ix_listed_persons_sender_code"), "listed_persons", ["sender_code"])
