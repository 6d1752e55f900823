"""Where does one person's data stand, and what do we hold of that person? Each look is told to the record before it is shown."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection
from dataclasses import dataclass

from mailer.core import evidence, lifecycle, mentions, names
from mailer.core.mentions import Mention, Wanted
from mailer.errors import RefusedError
from mailer.model import Form, Kind, Own, PersonName
from mailer.states import LetterState
from mailer.store import audit, erasure, letters
from mailer.store.db import Tx
from mailer.store.erasure import Holdings
from mailer.store.work import Worker

PAGE = 20  # letters in memory at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Whose data: `codes` are the senders at which the person is meant ("": none in the register); None: at all of them."""

    name: PersonName
    codes: Collection[str] | None
    form: Form
    own: Own

    def means(self, code: str | None) -> bool:
        return self.codes is None or (code or "") in self.codes


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What stands where. `named`: letters that name the person, and how; `unread`: letters no command reads, so nobody knows."""

    asked: Asked
    held: Holdings
    named: dict[int, Mention]
    unread: list[int]
    codes: list[str]  # senders at which the name stands; "": none in the register
    register: list[str]  # senders whose row of the register names the person: that is changed there


def asked_for(written: str, codes: Collection[str] | None, form: Form, own: Own) -> Asked:
    """Whom the operator means; RefusedError when that is no «Фамилия И.О.»."""
    reading = names.read(written, form)
    if reading.person is None:
        raise RefusedError("{name} cannot be read as surname and initials: write it as in «Иванов И.И.»", name=written)
    return Asked(name=reading.person, codes=codes, form=form, own=own)


def find(worker: Worker, asked: Asked, progress: Callable[[int], object]) -> Found:
    """Everywhere this person's data stands; told before anybody sees it. `progress` hears of letters looked through."""
    found = search(worker, asked, progress)
    _tell(worker, "personal.found", found)
    return found


def export(worker: Worker, asked: Asked, progress: Callable[[int], object]) -> dict[str, object]:
    """What we hold of the person, to be handed to the person. Of letters that others wrote only that they name them."""
    found = search(worker, asked, progress)
    with worker.reading() as tx:
        held = _held(tx, found)
    _tell(worker, "personal.exported", found)
    return held


def search(worker: Worker, asked: Asked, progress: Callable[[int], object]) -> Found:
    """Look through names and letters; nothing is told. Reads by pages: no long view of the database."""
    with worker.reading() as tx:
        people = [row for row in erasure.named(tx, asked.name.key) if asked.means(row.sender_code)]
        wanted = Wanted(name=asked.name)
        register = sorted({code for code, text in erasure.in_register(tx) if asked.means(code) and wanted.is_in(text)})
    named, unread, codes = _look_through(worker, asked, progress)
    with worker.reading() as tx:
        held = erasure.gather(tx, [row.id for row in people], named)
    codes |= {row.sender_code for row in people}
    return Found(asked=asked, held=held, named=named, unread=unread, codes=sorted(codes), register=register)


def _look_through(
    worker: Worker, asked: Asked, progress: Callable[[int], object]
) -> tuple[dict[int, Mention], list[int], set[str]]:
    wanted = Wanted(name=asked.name)
    named: dict[int, Mention] = {}
    unread: list[int] = []
    codes: set[str] = set()
    last = 0
    while True:
        with worker.reading() as tx:
            page = erasure.with_bytes(tx, after=last, limit=PAGE)
        if not page:
            return named, unread, codes
        progress(len(page))
        for row in page:
            last = row.id
            if row.kind != Kind.BOUNCE.value and not asked.means(row.sender_code):
                continue
            if lifecycle.may_harm(LetterState(row.state), row.batches):
                unread.append(row.id)
            elif mention := mentions.in_letter(wanted, row.content, whole=row.whole, form=asked.form, own=asked.own):
                named[row.id] = mention
                if row.kind != Kind.BOUNCE.value:
                    codes.add(row.sender_code or "")


def _held(tx: Tx, found: Found) -> dict[str, object]:
    held = found.held
    theirs = {letter.id for letter in held.letters} - {one for one, how in found.named.items() if how is not Mention.ASKED}
    return {
        "person": found.asked.name.canonical,
        "names": [{"value": row.value, "organisation_code": row.sender_code} for row in held.people],
        "addresses": [row.value for row in held.addresses],
        "requests": [
            {"number": number, "state": state.value, "record": _timeline(tx, number)} for number, state in held.requests.items()
        ],
        "credentials": [
            {
                "login": one.login,
                "state": one.state.value,
                "issued_at": one.issued_at,
                "valid_until": one.valid_until,
                "request": one.request_id,
            }
            for one in held.credentials
        ],
        "letters": [_letter(tx, one.id, theirs=one.id in theirs) for one in held.letters],
        "register": found.register,
    }


def _timeline(tx: Tx, request_id: int) -> list[dict[str, object]]:
    headers = (evidence.read_header(sealed) for sealed in audit.of_request(tx, request_id))
    return [{"number": header["seq"], "at": header["at"], "event": header["event"]} for header in headers]


def _letter(tx: Tx, letter_id: int, *, theirs: bool) -> dict[str, object]:
    kept = letters.get(tx, letter_id)
    told: dict[str, object] = {"number": kept.id, "received_at": kept.received_at, "whole": kept.whole}
    return told | (
        {"content_base64": base64.b64encode(kept.content).decode("ascii")} if theirs else {"only_names_the_person": True}
    )


def _tell(worker: Worker, event: str, found: Found) -> None:
    """What was asked for stands in the record as a digest under the record key: without that, nobody can guess it."""
    with worker.writing() as unit:
        unit.tell(
            event,
            importance="notice",
            digest=evidence.personal_digest(worker.pen.key, found.asked.name.key),
            senders=sorted(found.asked.codes) if found.asked.codes is not None else None,
            refs=[row.id for row in found.held.people],
            found=found.held.counts(),
        )


def refuse_unclear(found: Found) -> None:
    """Before a destruction: RefusedError when there is nothing, or when it is not certain who is meant: namesakes are several
    people."""
    if len(found.codes) > 1 and found.asked.codes is None:
        raise RefusedError(
            "the name stands at several organisations, and may be several people: {codes}; name those that are meant with --sender "
            "(- for senders that are not in the register)",
            codes=", ".join(code or "-" for code in found.codes),
        )
    if not (found.held.people or found.held.letters):
        raise RefusedError("nothing stands here of this person")
