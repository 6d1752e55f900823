"""What is listed of a destruction in its papers and in the record? Categories with their counts, and one line for each thing."""

from __future__ import annotations

from collections.abc import Callable

from mailer.core.destruction import Category, Entry
from mailer.errors import N_
from mailer.store import erasure
from mailer.store.erasure import Holdings
from mailer.store.work import Unit

NAME, ADDRESS, LETTER, LOGIN, SEALED = (
    N_("surname and initials"),
    N_("mail address"),
    N_("contents of a letter"),
    N_("login"),
    N_("sealed answer"),
)


def categories(held: Holdings) -> list[Category]:
    counted = (
        (NAME, len(held.people)),
        (ADDRESS, len(held.addresses)),
        (LETTER, len(held.letters)),
        (LOGIN, len(held.credentials)),
        (SEALED, held.sealed),
    )
    return [Category(what=what, count=count) for what, count in counted]


def entries(unit: Unit, held: Holdings, say: Callable[[str], str]) -> list[Entry]:
    """First the records that told of these persons, then what is destroyed now, by the numbers that stay in the database."""

    def line(subject: str, what: str, number: object) -> Entry:
        return Entry(at=unit.at, event="personal.erased", seq=None, subject=subject, what=say(what), number=str(number))

    whose = {row.id: row.value or "" for row in held.people}
    before = [
        Entry(at=row.at, event=row.event, seq=row.seq, subject=row.sender_code or "", what="", number=str(row.request_id))
        for row in erasure.records_of(unit.tx, sorted(held.requests))
    ]
    return [
        *before,
        *(line(row.value or "", NAME, row.id) for row in held.people),
        *(line(row.value or "", ADDRESS, row.id) for row in held.addresses),
        *(line(letter.sender_code or "", LETTER, letter.id) for letter in held.letters),
        *(line(whose.get(one.person_id, ""), LOGIN, one.id) for one in held.credentials),
    ]
