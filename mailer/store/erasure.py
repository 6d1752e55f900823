"""Where does a person's data stand, and how is it blanked so that every proof still holds?

A name stands in `personal`, in the bytes of letters, and in a login that is made of it. Blanked are these, never a row: numbers,
states, times and digests stay, and with the salts goes all by which a digest in the record could be tried against a name.
No value is bound by these statements: SQLite keeps what was once bound in its log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Table, exists, func, insert, literal, null, or_, select, true, update

from mailer.core.erasing import DONE, ENDED, LAID_ASIDE, OVER, chunks
from mailer.states import LetterState, ReplyState, RequestState
from mailer.store import credentials as issued
from mailer.store import personal as names
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.personal import Personal
from mailer.store.schema import (
    accounts_local,
    credentials,
    erased_marks,
    ledger,
    letters,
    listed_persons,
    metadata,
    personal,
    records,
    replies,
    requests,
    sender_addresses,
    sender_points,
    senders,
)

_OWNERS: Final = {requests: requests.c.id, credentials: credentials.c.request_id, replies: replies.c.request_id}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A kept letter without its bytes."""

    id: int
    mailbox: str
    state: LetterState
    sender_code: str | None
    kept_at: datetime
    digest: str
    filed: bool  # it was moved to the done folder of its mailbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """All that stands in the database of some persons. `addresses`: those that nobody else's request names, nor the register."""

    people: Sequence[Personal]
    addresses: Sequence[Personal]
    letters: Sequence[Stored]
    requests: dict[int, RequestState]
    elsewhere: dict[int, RequestState]  # others' requests, in letters that name these persons
    credentials: Sequence[Credential]
    replies: dict[str, ReplyState]
    sealed: int  # replies whose sealed bytes are still there
    local_logins: int

    def counts(self) -> dict[str, int]:
        return {
            "names": len(self.people),
            "addresses": len(self.addresses),
            "letters": len(self.letters),
            "filed": sum(letter.filed for letter in self.letters),
            "requests": len(self.requests),
            "credentials": len(self.credentials),
            "local_logins": self.local_logins,
            "sealed": self.sealed,
        }


def named(tx: Tx, key: str) -> list[Personal]:
    """Every row of this name, whichever sender's."""
    query = select(personal.c.id).where(personal.c.kind == "person", personal.c.key == key).order_by(personal.c.sender_code)
    return list(names.several(tx, tx.execute(query).scalars().all()).values())


def with_bytes(tx: Tx, *, after: int, limit: int) -> Sequence[Row[Any]]:
    """Letters that still have their bytes, by number: what a search looks through page by page."""
    query = select(letters).where(letters.c.id > after, letters.c.erased_at.is_(None))
    return tx.execute(query.order_by(letters.c.id).limit(limit)).all()


def count_with_bytes(tx: Tx) -> int:
    return tx.execute(select(func.count()).select_from(letters).where(letters.c.erased_at.is_(None))).scalar_one()


def in_register(tx: Tx) -> list[tuple[str, str]]:
    """Code and text of what the senders' register says of organisations and points: people may be named there."""
    rows = tx.execute(select(senders.c.code, senders.c.organisation).order_by(senders.c.code)).all()
    points = tx.execute(select(sender_points.c.code, sender_points.c.point).order_by(sender_points.c.key)).all()
    return [(row[0], row[1]) for row in (*rows, *points)]


def gather(tx: Tx, person_ids: Sequence[int], letter_ids: Iterable[int]) -> Holdings:
    """What stands of these persons, with these letters besides their own."""
    asked: dict[int, RequestState] = {}
    own_letters = set(letter_ids)
    for page in chunks(sorted(person_ids)):
        for row in tx.execute(select(requests.c.id, requests.c.state, requests.c.letter_id).where(requests.c.person_id.in_(page))):
            asked[row.id] = RequestState(row.state)
            own_letters.add(row.letter_id)
    answered: dict[str, ReplyState] = {}
    addresses: set[int] = set()
    sealed = 0
    for page in chunks(sorted(asked)):
        own_letters.update(tx.execute(select(records.c.letter_id).where(records.c.request_id.in_(page)).distinct()).scalars())
        for row in tx.execute(select(replies).where(replies.c.request_id.in_(page))):
            answered[row.id] = ReplyState(row.state)
            sealed += row.sealed is not None
            addresses.add(row.recipient_id)
        for column in (requests.c.answer_to_id, requests.c.stranger_id):
            addresses.update(tx.execute(select(column).where(requests.c.id.in_(page))).scalars())
    given = [one for page in chunks(sorted(person_ids)) for one in issued.of_persons(tx, page)]
    stored = _stored(tx, own_letters - {None})
    return Holdings(
        people=list(_several(tx, person_ids)),
        addresses=[row for row in _several(tx, sorted(addresses - {None})) if _is_theirs_alone(tx, row, asked)],
        letters=stored,
        requests=asked,
        elsewhere={number: state for number, state in _requests_in(tx, stored).items() if number not in asked},
        credentials=given,
        replies=answered,
        sealed=sealed,
        local_logins=_count_local(tx, given),
    )


def blank(tx: Tx, held: Holdings, *, at: datetime) -> None:
    """Take names, addresses, bytes and logins away; the rows stay."""
    for page in chunks([letter.id for letter in held.letters]):
        tx.execute(update(letters).where(letters.c.id.in_(page)).values(content=b"", erased_at=at))
        # A refusal repeats what could not be read as a name, so no row of a person leads to it.
        nameless = func.coalesce(requests.c.person_id, 0) == 0  # so written, no index leads through all nameless requests
        nobodys = select(requests.c.id).where(requests.c.letter_id.in_(page), nameless)
        tx.execute(update(replies).where(replies.c.request_id.in_(nobodys)).values(content_salt=null()))
    nothing = {name: null() for name in ("key", "value", "surname", "initials", "suffix", "salt")}
    for page in chunks([row.id for row in (*held.people, *held.addresses)]):
        tx.execute(update(personal).where(personal.c.id.in_(page)).values(**nothing))
    for page in chunks([row.id for row in held.people]):
        erased = literal(issued.no_login(""))
        given = select(credentials.c.id).where(credentials.c.person_id.in_(page))
        tx.execute(
            update(accounts_local)
            .where(accounts_local.c.credential_id.in_(given))
            .values(login=erased + accounts_local.c.credential_id)
        )
        tx.execute(update(credentials).where(credentials.c.person_id.in_(page)).values(login=erased + credentials.c.id))
    for page in chunks(sorted(held.requests)):
        tx.execute(update(replies).where(replies.c.request_id.in_(page)).values(sealed=null(), outcome=null(), content_salt=null()))


def marks(tx: Tx) -> set[str]:
    """What this database knows to be destroyed."""
    return set(tx.execute(select(erased_marks.c.mark)).scalars())


def note(tx: Tx, noted: Iterable[str]) -> None:
    """Know these marks too; those that are known already are left."""
    new = sorted(set(noted) - marks(tx))
    if new:
        tx.execute(insert(erased_marks), [{"mark": mark} for mark in new])


def tables() -> list[Table]:
    """Every table that may still hold, in its free room, what was blanked: those of names, and those that point at names."""
    holding = {personal, letters, credentials, accounts_local, replies}
    pointing = {table for table in metadata.sorted_tables if any(key.column.table is personal for key in table.foreign_keys)}
    return [table for table in metadata.sorted_tables if table in holding | pointing]


def _several(tx: Tx, ids: Sequence[int]) -> list[Personal]:
    """These rows that are not erased yet."""
    found = [names.several(tx, page) for page in chunks(sorted(ids))]
    return [row for page in found for row in page.values() if row.value is not None]


def _stored(tx: Tx, ids: Iterable[int]) -> list[Stored]:
    """These letters that still have their bytes."""
    moved = (ledger.c.mailbox == letters.c.mailbox) & (ledger.c.epoch == letters.c.epoch) & (ledger.c.item == letters.c.item)
    columns = (letters.c.id, letters.c.mailbox, letters.c.state, letters.c.sender_code, letters.c.kept_at, letters.c.digest)
    query = select(*columns, ledger.c.filing).outerjoin(ledger, moved).where(letters.c.erased_at.is_(None)).order_by(letters.c.id)
    return [
        Stored(
            id=row.id,
            mailbox=row.mailbox,
            state=LetterState(row.state),
            sender_code=row.sender_code,
            kept_at=row.kept_at,
            digest=row.digest,
            filed=row.filing == "done",
        )
        for page in chunks(sorted(ids))
        for row in tx.execute(query.where(letters.c.id.in_(page)))
    ]


def _requests_in(tx: Tx, stored: Sequence[Stored]) -> dict[int, RequestState]:
    found: dict[int, RequestState] = {}
    for page in chunks([letter.id for letter in stored]):
        rows = tx.execute(select(requests.c.id, requests.c.state).where(requests.c.letter_id.in_(page)))
        found |= {row.id: RequestState(row.state) for row in rows}
    return found


def _is_theirs_alone(tx: Tx, row: Personal, asked: Iterable[int]) -> bool:
    """Whether an address is nobody else's: the register does not hold it, no other request names it, no notice went to it."""
    registered = select(senders.c.code).where(senders.c.answer_to == row.value).limit(1)
    sending = select(sender_addresses.c.code).where(sender_addresses.c.address == row.value).limit(1)
    if any(tx.execute(query).first() is not None for query in (registered, sending)):
        return False
    own = set(asked)
    for table, owner in _OWNERS.items():
        naming = [column for column in table.columns if column.references(personal.c.id)]
        owners = tx.execute(select(owner).where(or_(*(column == row.id for column in naming))).distinct()).scalars()
        if any(one not in own for one in owners):
            return False
    return True


def _count_local(tx: Tx, given: Sequence[Credential]) -> int:
    query = select(func.count()).select_from(accounts_local)
    pages = chunks([one.id for one in given])
    return sum(tx.execute(query.where(accounts_local.c.credential_id.in_(page))).scalar_one() for page in pages)


def records_of(tx: Tx, request_ids: Sequence[int]) -> list[Row[Any]]:
    """When the record told what of these requests, oldest first."""
    query = select(records.c.seq, records.c.at, records.c.event, records.c.sender_code, records.c.request_id)
    found: list[Row[Any]] = []
    for page in chunks(request_ids):
        found.extend(tx.execute(query.where(records.c.request_id.in_(page))))
    return sorted(found, key=lambda row: int(row.seq))


def every_name(tx: Tx) -> Iterator[tuple[str, Personal]]:
    """Each row that is not erased, with its kind."""
    last = 0
    query = select(personal.c.id, personal.c.kind).where(personal.c.salt.is_not(None)).order_by(personal.c.id).limit(500)
    while page := {row.id: row.kind for row in tx.execute(query.where(personal.c.id > last))}:
        yield from ((page[number], row) for number, row in names.several(tx, list(page)).items())
        last = max(page)


def every_letter(tx: Tx) -> Iterator[tuple[int, str]]:
    """Number and digest of each letter that still has its bytes."""
    rows = tx.execute(select(letters.c.id, letters.c.digest).where(letters.c.erased_at.is_(None)).order_by(letters.c.id))
    return ((row.id, row.digest) for row in rows)


def alike(tx: Tx, mailbox: str, fingerprints: Sequence[str]) -> Sequence[Row[Any]]:
    """Letters of this mailbox with these headers; their bytes are of no use here and may be erased."""
    query = select(letters).with_only_columns(*(column for column in letters.c if column is not letters.c.content))
    here = func.coalesce(letters.c.mailbox, "") == mailbox  # so written, no index leads through the whole mailbox
    return tx.execute(query.where(here, letters.c.fingerprint.in_(fingerprints))).all()


def old_letters(tx: Tx, before: datetime, *, erased: bool = False) -> list[int]:
    """Letters kept before then that nobody works with any more; those too whose bytes are `erased`, if wanted."""
    open_request = requests.c.state.in_([state.value for state in RequestState if state not in OVER])
    query = select(letters.c.id).outerjoin(requests, (requests.c.letter_id == letters.c.id) & open_request)
    query = query.where(
        true() if erased else letters.c.erased_at.is_(None),
        letters.c.kept_at < before,
        letters.c.state.in_([state.value for state in LAID_ASIDE]),
        requests.c.id.is_(None),
    )
    return list(tx.execute(query.order_by(letters.c.id)).scalars())


def old_people(tx: Tx, before: datetime) -> list[int]:
    """Persons of whom nothing was asked since then, nothing waits, and whose last login ended before then; nor any on a list."""
    person = personal.c.id
    lives = credentials.c.state.not_in([state.value for state in ENDED]) | (credentials.c.valid_until >= before)
    lives |= credentials.c.disabling_since.is_not(None)
    open_request = requests.c.state.not_in([state.value for state in OVER]) | (requests.c.created_at >= before)
    waiting = select(replies.c.id).join(requests, requests.c.id == replies.c.request_id)
    waiting = waiting.where(requests.c.person_id == person, replies.c.state.not_in([state.value for state in DONE]))
    query = select(person).where(
        personal.c.kind == "person",
        personal.c.salt.is_not(None),
        exists(select(requests.c.id).where(requests.c.person_id == person)),
        ~exists(select(requests.c.id).where(requests.c.person_id == person, open_request)),
        ~exists(select(credentials.c.id).where(credentials.c.person_id == person, lives)),
        ~exists(waiting),
        ~exists(select(listed_persons.c.person_id).where(listed_persons.c.person_id == person)),
    )
    return list(tx.execute(query.order_by(person)).scalars())
