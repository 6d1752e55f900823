"""What lists are searched and ordered by: folded names and addresses with their words, strangers' addresses, indexes by time."""

import sqlalchemy as sa
from alembic import op

from mailer.core import folding, mime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Word = sa.String(length=400).with_variant(sa.String(length=400, collation="C"), "postgresql")

SALT = {"sqlite": "SELECT randomblob(16)", "postgresql": "SELECT uuid_send(gen_random_uuid())"}
SQLITE_ERASURE = """
CREATE TRIGGER personal_erased AFTER UPDATE OF value ON personal WHEN NEW.value IS NULL
BEGIN
    UPDATE personal SET folded = NULL WHERE id = NEW.id;
    DELETE FROM personal_words WHERE personal_id = NEW.id;
END
"""
POSTGRESQL_ERASURE = """
CREATE FUNCTION forget_words() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.folded := NULL; DELETE FROM personal_words WHERE personal_id = NEW.id; RETURN NEW; END $$;
CREATE TRIGGER personal_erased BEFORE UPDATE OF value ON personal
FOR EACH ROW WHEN (NEW.value IS NULL) EXECUTE FUNCTION forget_words()
"""


def upgrade() -> None:
    op.add_column("personal", sa.Column("folded", sa.String(length=400), nullable=True))
    op.create_index("ix_personal_folded", "personal", ["folded"])
    op.create_table(
        "personal_words",
        sa.Column("word", Word, nullable=False),
        sa.Column("personal_id", Number, nullable=False),
        sa.ForeignKeyConstraint(["personal_id"], ["personal.id"], name=op.f("fk_personal_words_personal_id")),
        sa.PrimaryKeyConstraint("word", "personal_id", name=op.f("pk_personal_words")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_personal_words_personal_id"), "personal_words", ["personal_id"])
    with op.batch_alter_table("requests") as requests:
        requests.add_column(sa.Column("stranger_id", Number, nullable=True))
        requests.create_foreign_key(op.f("fk_requests_stranger_id"), "personal", ["stranger_id"], ["id"])
    strange, reasoned = sa.text("stranger_id IS NOT NULL"), sa.text("reason IS NOT NULL")
    op.drop_index("ix_requests_state", table_name="requests")
    op.create_index("ix_requests_state", "requests", ["state", "created_at", "id"])
    op.create_index("ix_requests_sender_opened", "requests", ["sender_code", "created_at"])
    op.create_index("ix_requests_person_id", "requests", ["person_id", "created_at"])
    op.create_index(
        "ix_requests_stranger_id",
        "requests",
        ["stranger_id", "state", "created_at"],
        sqlite_where=strange,
        postgresql_where=strange,
    )
    op.create_index("ix_requests_reason", "requests", ["reason", "created_at"], sqlite_where=reasoned, postgresql_where=reasoned)
    op.create_index("ix_requests_created_at", "requests", ["created_at", "id"])
    connection = op.get_bind()
    _name_strangers(connection)
    _fold(connection)
    connection.exec_driver_sql(SQLITE_ERASURE if connection.dialect.name == "sqlite" else POSTGRESQL_ERASURE)


def _name_strangers(connection: sa.Connection) -> None:
    """The addresses of strangers stood in their letters alone."""
    asked = connection.execute(
        sa.text(
            "SELECT requests.id, letters.content FROM requests JOIN letters ON letters.id = requests.letter_id"
            " WHERE requests.sender_code IS NULL"
        )
    ).all()
    for request_id, content in asked:
        letter = mime.read(bytes(content))
        if letter is not None and letter.sender is not None:
            stranger = _stranger(connection, letter.sender)
            connection.execute(
                sa.text("UPDATE requests SET stranger_id = :stranger WHERE id = :id"), {"stranger": stranger, "id": request_id}
            )


def _stranger(connection: sa.Connection, address: str) -> int:
    known = sa.text("SELECT id FROM personal WHERE kind = 'address' AND sender_code = '' AND key = :address")
    found = connection.execute(known, {"address": address}).scalar_one_or_none()
    if found is None:
        salt = connection.exec_driver_sql(SALT[connection.dialect.name]).scalar_one()
        new = sa.text(
            "INSERT INTO personal (kind, sender_code, key, value, salt)"
            " VALUES ('address', '', :address, :address, :salt) RETURNING id"
        )
        found = connection.execute(new, {"address": address, "salt": bytes(salt)}).scalar_one()
    return int(found)


def _fold(connection: sa.Connection) -> None:
    for row in connection.execute(sa.text("SELECT id, value FROM personal WHERE value IS NOT NULL")).all():
        connection.execute(
            sa.text("UPDATE personal SET folded = :folded WHERE id = :id"), {"folded": folding.folded(row.value), "id": row.id}
        )
        for word in folding.words(row.value):
            connection.execute(
                sa.text("INSERT INTO personal_words (word, personal_id) VALUES (:word, :id)"), {"word": word, "id": row.id}
            )
