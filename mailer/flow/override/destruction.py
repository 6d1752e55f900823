"""How is personal data destroyed so that it is certain, proved and done again after a restore? (152-ФЗ ст. 21, приказ РКН № 179)

One transaction blanks it and tells *personal.erased* with the digests of act and extract. What was destroyed is noted outside the
database just before that commit: a backup that is restored later holds marks that it does not know, and `again` destroys what they
name once more. That is a person's command and no start of the service: it ends logins, and somebody signs its act. Afterwards the
files are written anew without what was blanked; as long as that has not succeeded, `unfinished` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from typing import Protocol
from zoneinfo import ZoneInfo

from mailer.core import destruction, erasing, evidence
from mailer.core.destruction import Papers, Subject
from mailer.core.erasing import Living
from mailer.core.lifecycle import CredentialEvent, ReplyEvent, RequestEvent
from mailer.core.mentions import Wanted
from mailer.errors import MailerError, RefusedError
from mailer.flow.ending import Disabler
from mailer.flow.override import inventory
from mailer.flow.override.personal import Found, refuse_unclear
from mailer.store import audit, credentials, erasure, outbox, requests
from mailer.store.db import Tx
from mailer.store.erasure import Holdings
from mailer.store.work import Unit, Worker


class Outside(Protocol):
    """What is known to be destroyed, kept where no restored backup of the database changes it."""

    def marks(self) -> set[str]: ...

    def note(self, marks: Iterable[str]) -> None:
        """Returns once they are on the disk. Noting again is harmless."""


class Folder(Protocol):
    """Where the papers go; they have their names only once it is done."""

    def write(self, kind: str, suffix: str, content: bytes) -> str:
        """Keep one paper; its name."""

    def finish(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Bureau:
    """What destroying takes besides the database: `key` is that of the marks, `say` translates the words of the papers."""

    accounts: Disabler
    outside: Outside
    key: bytes = field(repr=False)
    say: Callable[[str], str]
    template: str
    operator: str
    operator_address: str
    system: str
    zone: ZoneInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is to be destroyed and why; `revoke`: what lives is ended first. `again`: marks of an earlier destruction."""

    person_ids: Sequence[int]
    letter_ids: Collection[int]
    reason: str
    revoke: bool = False
    again: Collection[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfinished:
    """`unknown`: marks that stand outside and that this database does not know: it is older than they are. `uncompacted`: what was
    blanked may still lie in the files."""

    unknown: int
    uncompacted: bool


def order_of(found: Found, *, reason: str, revoke: bool) -> Order:
    """RefusedError when it is not certain who is meant, or when the reason names the person: it stays in the record."""
    refuse_unclear(found)
    if Wanted(name=found.asked.name).is_in(reason):
        raise RefusedError("the reason stands in the record, which is never erased: it must not name the person")
    return Order(person_ids=[row.id for row in found.held.people], letter_ids=list(found.named), reason=reason, revoke=revoke)


def expired(tx: Tx, now: datetime, *, letters_days: int | None, names_days: int | None, reason: str) -> Order:
    """What has been kept for as long as it may be; a term that is None keeps for ever."""
    letters = erasure.old_letters(tx, now - timedelta(days=letters_days)) if letters_days is not None else []
    people = erasure.old_people(tx, now - timedelta(days=names_days)) if names_days is not None else []
    return Order(person_ids=people, letter_ids=letters, reason=reason)


def returned(tx: Tx, bureau: Bureau, *, reason: str) -> Order:
    """What was destroyed before and stands here again. Its logins are ended with it: that was decided when it was destroyed."""
    again = bureau.outside.marks() - erasure.marks(tx)
    people = [row.id for kind, row in erasure.every_name(tx) if _mark(bureau, kind, row.digest) in again]
    letters = [number for number, digest in erasure.every_letter(tx) if _mark(bureau, "letter", digest) in again]
    return Order(person_ids=people, letter_ids=letters, reason=reason, revoke=True, again=again)


def unfinished(tx: Tx, outside: Outside) -> Unfinished:
    last = audit.latest(tx, "personal.erased", "personal.compacted")
    return Unfinished(unknown=len(outside.marks() - erasure.marks(tx)), uncompacted=last == "personal.erased")


def foresee(tx: Tx, order: Order) -> tuple[Holdings, list[Living]]:
    """What `destroy` would destroy, and what would hinder it."""
    held = erasure.gather(tx, order.person_ids, order.letter_ids)
    return held, _living(held)


def destroy(worker: Worker, bureau: Bureau, folder: Folder, order: Order) -> Holdings:
    """Destroy and write the papers; what was destroyed. RefusedError when something of it still lives and may not be ended."""
    with worker.writing() as unit:
        held, living = foresee(unit.tx, order)
        if living:
            _refuse_living(living, revoke=order.revoke)
            _end(unit, bureau.accounts, held, reason=order.reason)
            held, living = foresee(unit.tx, order)
            _refuse_living(living, revoke=False)
        marks = _marks(bureau, held)
        digests = _write(unit, bureau, folder, held, reason=order.reason)
        erasure.blank(unit.tx, held, at=unit.at)
        erasure.note(unit.tx, marks | set(order.again))
        unit.tell(
            "personal.erased",
            importance="notice",
            reason=order.reason,
            refs=[row.id for row in (*held.people, *held.addresses)],
            letters=[letter.id for letter in held.letters],
            erased={category.what: category.count for category in inventory.categories(held)},
            restored=bool(order.again),
            decided=digests,
        )
        bureau.outside.note(marks)  # last: a crash from here on leaves a mark too many, and `again` finds it
    folder.finish()
    return held


def compacted(worker: Worker) -> None:
    """The files were written anew since."""
    with worker.writing() as unit:
        unit.tell("personal.compacted")


def _living(held: Holdings) -> list[Living]:
    """What `erasing.living` says, and logins that have ended but could not be disabled everywhere yet."""
    pending = (one for one in held.credentials if one.state in erasing.ENDED and one.disabling_since is not None)
    return [Living(kind="credential", name=one.login, state=one.state, endable=False) for one in pending] + erasing.living(
        letters={letter.id: letter.state for letter in held.letters},
        requests=held.requests,
        others=held.elsewhere,
        credentials={one.login: one.state for one in held.credentials},
        replies=held.replies,
    )


def _refuse_living(living: Sequence[Living], *, revoke: bool) -> None:
    hindering = [one for one in living if not (revoke and one.endable)]
    if not hindering:
        return
    listed = reduce(lambda before, one: RefusedError("{before}, {one}", before=before, one=one), map(named, hindering))
    if all(one.endable for one in hindering):
        raise RefusedError("still in use: {living}. --revoke ends this first; nothing was erased", living=listed)
    raise RefusedError("still in use: {living}. Decide it, or wait until it is over; nothing was erased", living=listed)


def named(one: Living) -> MailerError:
    """The thing by its kind, number and state."""
    message = {
        "letter": RefusedError("letter {name} ({state})", name=one.name, state=one.state.value),
        "request": RefusedError("request {name} ({state})", name=one.name, state=one.state.value),
        "credential": RefusedError("login {name} ({state})", name=one.name, state=one.state.value),
        "reply": RefusedError("reply {name} ({state})", name=one.name[:8], state=one.state.value),
    }
    return message[one.kind]


def _end(unit: Unit, accounts: Disabler, held: Holdings, *, reason: str) -> None:
    """What a person may end: logins, answers that wait, requests that are not decided or not issued."""
    for reply_id, reply_state in held.replies.items():
        if reply_state in erasing.ENDABLE_REPLIES:
            reply = outbox.get(unit.tx, reply_id)
            outbox.finish(unit.tx, reply, ReplyEvent.FAILED, outcome="", at=unit.at)
            unit.tell(
                "reply.failed",
                sender=reply.sender_code,
                request=reply.request_id,
                importance="notice",
                outcome="failed",
                reply=reply.id,
                attempt=reply.attempts,
                reason=reason,
            )
    for credential in held.credentials:
        if credential.state in erasing.ENDABLE_CREDENTIALS:
            credentials.move(unit.tx, credential, CredentialEvent.REVOKED, at=unit.at)
            accounts.disable(unit.tx, credential.id)
            unit.tell(
                "credential.revoked",
                sender=credential.sender_code,
                request=credential.request_id,
                importance="notice",
                credential=credential.id,
                reason=reason,
                valid_until=evidence.instant(credential.valid_until),
            )
    for number, request_state in held.requests.items():
        if request_state in erasing.ENDABLE_REQUESTS:
            request = requests.get(unit.tx, number)
            requests.move(unit.tx, request, RequestEvent.WITHDRAWN)
            unit.tell("request.withdrawn", sender=request.sender_code, request=number, importance="notice", reason=reason)


def _marks(bureau: Bureau, held: Holdings) -> set[str]:
    return {
        *(_mark(bureau, "person", row.digest) for row in held.people),
        *(_mark(bureau, "address", row.digest) for row in held.addresses),
        *(_mark(bureau, "letter", letter.digest) for letter in held.letters),
    }


def _mark(bureau: Bureau, kind: str, digest: str | None) -> str:
    return erasing.mark(bureau.key, kind, digest or "")


def _write(unit: Unit, bureau: Bureau, folder: Folder, held: Holdings, *, reason: str) -> dict[str, object]:
    papers = Papers(
        operator=bureau.operator,
        operator_address=bureau.operator_address,
        system=bureau.system,
        actor=unit.actor,
        reason=reason,
        at=unit.at,
        zone=bureau.zone,
        subjects=[Subject(name=row.value or "", sender=row.sender_code) for row in held.people],
        categories=[
            destruction.Category(what=bureau.say(one.what), count=one.count) for one in inventory.categories(held) if one.count
        ],
        entries=inventory.entries(unit, held, bureau.say),
    )
    return write(bureau, folder, papers)


def write(bureau: Bureau, folder: Folder, papers: Papers) -> dict[str, object]:
    """Extract and act; their digests by the names they have in the record."""
    extract = destruction.extract(papers, bureau.say).encode()
    extract_digest = hashlib.sha256(extract).hexdigest()
    extract_name = folder.write("extract", "csv", extract)
    act = destruction.act(papers, bureau.template, extract_name=extract_name, extract_digest=extract_digest).encode()
    folder.write("act", "txt", act)
    return {"act_digest": hashlib.sha256(act).hexdigest(), "extract_digest": extract_digest}
