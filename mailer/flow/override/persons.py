"""What may an officer change about for whom an organisation may ask? Names are told to the record as salted digests alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailer.core import personlist
from mailer.core.personlist import Listing
from mailer.errors import MailerError, RefusedError
from mailer.model import PersonName
from mailer.store import personal, persons, senders
from mailer.store.db import Tx
from mailer.store.personal import Personal
from mailer.store.work import Worker


def planned(tx: Tx, people: Mapping[str, Sequence[PersonName]], key: bytes, *, replaces: bool) -> list[Listing]:
    """What an import of these names would change now, by the senders' codes. `key` is that of the record.

    RefusedError when a list is not as it was last written: only a whole one takes its place.
    """
    plan = []
    for code, named in sorted(people.items()):
        why = persons.fault(tx, code, key)
        if why is not None and not replaces:
            raise RefusedError(
                "{code}: {why}: import the whole list of this sender, with --replace; nothing was changed",
                code=code,
                why=MailerError(why),
            )
        listed = persons.of(tx, code)
        by_key = None if listed is None else {one.name.key: one.name for one in listed if one.name is not None}
        plan.append(personlist.listing(code, named, by_key, replaces=replaces))
    return plan


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
        senders.lock(unit.tx, people)
        plan = planned(unit.tx, people, worker.pen.key, replaces=replaces)
        if plan != list(seen):
            raise RefusedError("the lists have changed meanwhile: look at the changes again")
        for listing in plan:
            added, removed = (
                [personal.person(unit, listing.sender_code, name, worker.pen.randbytes) for name in names]
                for names in (listing.added, listing.removed)
            )
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
            whole = [personal.person(unit, listing.sender_code, name, worker.pen.randbytes) for name in people[listing.sender_code]]
            persons.put(unit, listing.sender_code, whole if replaces else added, replaces=replaces)


def show(worker: Worker, code: str) -> tuple[list[Personal] | None, str | None]:
    """Who stands on a sender's list, None where it has none, and why it is not as it was last written. Who looks is recorded."""
    with worker.writing() as unit:
        senders.get(unit.tx, code)
        found, why = persons.of(unit.tx, code), persons.fault(unit.tx, code, worker.pen.key)
        unit.tell("persons.shown", sender=code, importance="notice", persons=len(found or ()))
        return found, why
