"""What may an officer change about for whom an organisation may ask? Names are told to the record as salted digests alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailer.core import personlist
from mailer.core.personlist import Listing
from mailer.errors import RefusedError
from mailer.model import PersonName
from mailer.store import personal, persons, senders
from mailer.store.db import Tx
from mailer.store.personal import Personal
from mailer.store.work import Worker


def planned(tx: Tx, people: Mapping[str, Sequence[PersonName]], *, replaces: bool) -> list[Listing]:
    """What an import of these names would change now, by the senders' codes."""
    loaded = {one.sender_code for one in persons.lists(tx)}
    return [
        personlist.listing(code, names, _listed(tx, code) if code in loaded else None, replaces=replaces)
        for code, names in sorted(people.items())
    ]


def import_file(
    worker: Worker,
    people: Mapping[str, Sequence[PersonName]],
    seen: Sequence[Listing],
    *,
    replaces: bool,
    reason: str,
    file_digest: str,
) -> None:
    """Take a checked list in, whole. RefusedError when it would no longer do what the person has seen."""
    with worker.writing() as unit:
        plan = planned(unit.tx, people, replaces=replaces)
        if plan != list(seen):
            raise RefusedError("the lists have changed meanwhile: look at the changes again")
        for listing in plan:
            added, removed = (
                [personal.person(unit.tx, listing.sender_code, name, worker.pen.randbytes) for name in names]
                for names in (listing.added, listing.removed)
            )
            erased = [one.id for one in persons.of(unit.tx, listing.sender_code) if one.name is None] if replaces else []
            taken_off = [one.id for one in removed] + erased
            persons.put(unit.tx, listing.sender_code, added=[one.id for one in added], removed=taken_off, at=unit.at)
            unit.tell(
                "persons.imported",
                sender=listing.sender_code,
                importance="notice",
                file_digest=file_digest,
                added=[one.told() for one in added],
                removed=[one.told() for one in removed],
                same=listing.same,
                reason=reason or None,
            )


def show(worker: Worker, code: str) -> list[Personal] | None:
    """Who stands on a sender's list, None where it has none. Who looks at it is recorded."""
    with worker.writing() as unit:
        senders.get(unit.tx, code)
        loaded = {one.sender_code for one in persons.lists(unit.tx)}
        found = persons.of(unit.tx, code) if code in loaded else None
        unit.tell("persons.shown", sender=code, importance="notice", persons=len(found or ()))
        return found


def _listed(tx: Tx, code: str) -> dict[str, PersonName]:
    return {one.name.key: one.name for one in persons.of(tx, code) if one.name is not None}
