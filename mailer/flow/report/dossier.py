"""What does an officer need beside one request to decide it? What was read, why each rule matched or not, and who asked before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailer.core import kinds, recall
from mailer.core.decide import Tried, tried
from mailer.flow.report.letters import is_suspect, read_kept
from mailer.flow.report.requests import RequestLine, RequestView, request_lines, ruleset_of, show_request
from mailer.model import Form, Own, Reading
from mailer.store import letters, personal, requests, senders
from mailer.store.db import Tx
from mailer.store.requests import Request

BESIDE: Final = 5  # earlier requests of one kind
NAMESAKES: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Namesake:
    """A person of the same surname and initials under another sender; `request_id`: of the newest for them, if any."""

    person: str | None
    sender_code: str
    organisation: str | None
    request_id: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dossier:
    """`line`: the request as it stands in a list. `reading`: how the letter reads by the rules of then, None where nobody may
    read it. `rules`: every rule that was asked, None where no facts are kept. `also_open`: other requests for the same person that
    are not at their end."""

    view: RequestView
    line: RequestLine
    reading: Reading | None
    rules: Sequence[Tried] | None
    earlier_of_person: Sequence[RequestLine]
    earlier_of_sender: Sequence[RequestLine]
    also_open: Sequence[int]
    namesakes: Sequence[Namesake]


def dossier(tx: Tx, request_id: int, own: Own) -> Dossier:
    """NotFoundError when there is no such request."""
    view = show_request(tx, request_id)
    request = view.request
    ruleset = ruleset_of(tx, request.ruleset_hash)
    facts = recall.facts(request.facts)
    return Dossier(
        view=view,
        line=request_lines(tx, [request])[0],
        reading=_reading(tx, request, ruleset.form if ruleset else Form(), own),
        rules=tried(facts, ruleset) if facts is not None and ruleset is not None else None,
        earlier_of_person=request_lines(tx, requests.earlier(tx, request, BESIDE, of_person=True)),
        earlier_of_sender=request_lines(tx, requests.earlier(tx, request, BESIDE, of_person=False)),
        also_open=_also_open(tx, request),
        namesakes=_namesakes(tx, request),
    )


def _reading(tx: Tx, request: Request, form: Form, own: Own) -> Reading | None:
    letter_id = requests.origin(tx, request)
    kept = None if letter_id is None else letters.get(tx, letter_id)
    return None if kept is None or is_suspect(kept) else kinds.judge(read_kept(kept), form, own)


def _also_open(tx: Tx, request: Request) -> list[int]:
    if request.person_id is None:
        return []
    return [other.id for other in requests.open_of_person(tx, request.person_id) if other.id != request.id]


def _namesakes(tx: Tx, request: Request) -> list[Namesake]:
    if request.person_id is None:
        return []
    found = personal.namesakes(tx, personal.get(tx, request.person_id), NAMESAKES)
    organisations = senders.organisations(tx, [other.sender_code for other in found])
    namesakes = [
        Namesake(
            person=other.value,
            sender_code=other.sender_code,
            organisation=organisations.get(other.sender_code),
            request_id=requests.newest_of_person(tx, other.id),
        )
        for other in found
    ]
    # What is left of a stranger whose request became that of a registered sender is this very person.
    return [one for one in namesakes if one.sender_code or one.request_id is not None]
