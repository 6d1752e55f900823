"""Which requests are asked for, and which come next? Pages of a list, each at the same cost however many requests there are.

A page is read along one index in the order of time: that of the wish which leaves the fewest candidates. Of these only so many
are looked at for everything else that is wished; where that did not fill the page, `searched_to` says how far it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice, repeat
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, func, literal, not_, or_, select, true, tuple_, union_all

from mailer.core import folding
from mailer.states import ReplyState, RequestState
from mailer.store import requests as rows
from mailer.store.db import Tx
from mailer.store.requests import Request
from mailer.store.schema import personal, personal_words, replies, requests, sender_addresses, sender_points, senders

CHUNKS: Final = (200, 1_000, 4_000)  # looked at together, the last one again and again: most pages are full after the first
DOUBTFUL: Final = (ReplyState.UNKNOWN.value, ReplyState.FAILED.value, ReplyState.BOUNCED.value)
_LAST: Final = "\U0010ffff"  # no word goes on with it
_PERSON, _STRANGER = personal.alias("person"), personal.alias("stranger")

Ranges = Sequence[ColumnElement[bool]]  # each of them one stretch of an index


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a list shall show: all that is named, together. `until` is the first moment that no longer counts.

    `person` and `text` are terms of `core.folding`: of the name, and of name, organisation, code or address. `strangers_in_one`:
    of each unknown address the oldest alone (of held requests, with no other wish).
    """

    states: tuple[RequestState, ...] = ()
    sender: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    person: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    undelivered: bool = False
    strangers_in_one: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Where to look: what was opened before, or after, the request of a number. `oldest_first` is how the list runs."""

    limit: int
    before: int | None = None
    after: int | None = None
    oldest_first: bool = False

    @property
    def backwards(self) -> bool:
        """Whether the page lies nearest to a newer end, so that it is looked for from there."""
        return self.before is not None or not (self.oldest_first or self.after is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A page in the order of the list. `more`: others follow in the direction it was looked for; `searched_to`: the last number
    looked at, where not all could be."""

    requests: Sequence[Request]
    more: bool
    searched_to: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """How far one page goes: `window` candidates are looked at; `people` persons or addresses, and as many `organisations`, may a
    word name and still lead to their requests."""

    window: int = 5_000
    people: int = 1_000
    organisations: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class _Match:
    """What a term names. `people` (persons and strangers' addresses by id) is None when they are too many to lead anywhere;
    `person_only`: nothing but a person's name is meant."""

    term: str
    people: Sequence[int] | None
    person_only: bool
    codes: frozenset[str] = frozenset()

    def ranges(self, effort: Effort) -> Ranges | None:
        """The way to their requests; None when there is no short one."""
        if self.people is None or len(self.codes) > effort.organisations:
            return None
        by_person = [requests.c.person_id.in_(self.people), requests.c.stranger_id.in_(self.people)] if self.people else []
        return [*by_person, *(requests.c.sender_code == code for code in sorted(self.codes))]

    def fits(self, row: Row[Any]) -> bool:
        """Whether a request has it: its sender's code, and what was folded of its person and its stranger's address."""
        if folding.finds(self.term, row.person or ""):
            return True
        return not self.person_only and (row.sender_code in self.codes or folding.finds(self.term, row.stranger or ""))


def page(tx: Tx, wanted: Wanted, where: Page, effort: Effort = Effort()) -> Found:
    """One page of a list. NotFoundError when the request that it shall begin beside is not there."""
    inside = and_(*_bounds(tx, wanted, where))
    matches = _matches(tx, wanted, effort)
    choices = _choices(wanted, matches, effort)
    if not all(choices):  # of a word that names nobody
        return Found(requests=(), more=False)
    simple = not matches and len(choices) < 2
    best = (
        choices[0]
        if len(choices) == 1
        else min(choices, key=lambda ranges: _size(tx, ranges, inside, effort.window), default=[true()])
    )
    each = where.limit + 1 if simple else max(where.limit + 1, effort.window // len(best))
    candidates, cut = _candidates(tx, best, inside, each=each, backwards=where.backwards)
    found = _filled(tx, candidates, wanted, matches, where.limit + 1)
    more = len(found) > where.limit
    found = found[: where.limit]
    if where.backwards is where.oldest_first:
        found.reverse()
    unseen = cut and not simple and not more
    return Found(requests=found, more=more, searched_to=candidates[-1] if unseen and candidates else None)


def alike(tx: Tx, request: Request) -> int:
    """How many held requests came from the same unknown address, this one among them."""
    if request.stranger_id is None or request.sender_code is not None:
        return 1
    same = (requests.c.stranger_id == request.stranger_id) & _is_strange_and_held(requests)
    return tx.execute(select(func.count()).where(same)).scalar_one()


def _bounds(tx: Tx, wanted: Wanted, where: Page) -> list[ColumnElement[bool]]:
    """Stretches of time; each index has it as its second column."""
    place = tuple_(requests.c.created_at, requests.c.id)
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(requests.c.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(requests.c.created_at < wanted.until)
    if where.before is not None:
        found.append(place < _place(tx, where.before))
    if where.after is not None:
        found.append(place > _place(tx, where.after))
    return found or [true()]


def _place(tx: Tx, number: int) -> ColumnElement[tuple[object, ...]]:
    at = rows.get(tx, number).created_at
    return tuple_(literal(at, requests.c.created_at.type), literal(number))


def _matches(tx: Tx, wanted: Wanted, effort: Effort) -> list[_Match]:
    """What each term names."""
    codes = _codes(tx, wanted.text)
    persons = [_Match(term=term, people=_people(tx, term, effort.people), person_only=True) for term in wanted.person]
    return persons + [
        _Match(term=term, people=_people(tx, term, effort.people), person_only=False, codes=codes[term]) for term in wanted.text
    ]


def _people(tx: Tx, term: str, limit: int) -> Sequence[int] | None:
    word = max(term.split(), key=len)
    begins = (personal_words.c.word >= word) & (personal_words.c.word < word + _LAST)
    named = begins if len(word) > 1 else personal_words.c.word == word  # one letter alone: a whole surname
    query = select(personal.c.id).join(personal_words, personal_words.c.personal_id == personal.c.id)
    found = tx.execute(query.where(named, _stands_in(personal, term)).distinct().limit(limit + 1)).scalars().all()
    return None if len(found) > limit else found


def _codes(tx: Tx, terms: Sequence[str]) -> dict[str, frozenset[str]]:
    """Whose code, name, points or registered addresses hold the term."""
    if not terms:
        return {}
    said: dict[str, list[str]] = {
        row.code: [row.code, row.organisation, row.answer_to]
        for row in tx.execute(select(senders.c.code, senders.c.organisation, senders.c.answer_to).order_by(senders.c.code))
    }
    for column in (sender_addresses.c.address, sender_points.c.point):
        for row in tx.execute(select(column.table.c.code, column.label("said"))):
            said[row.code].append(row.said)
    folded = {code: folding.folded(" / ".join(texts)) for code, texts in said.items()}
    return {term: frozenset(code for code, text in folded.items() if folding.finds(term, text)) for term in terms}


def _choices(wanted: Wanted, matches: Sequence[_Match], effort: Effort) -> list[Ranges]:
    """The ways to the candidates; none: only along all requests. An empty one leads nowhere: nothing is found."""
    found: list[Ranges | None] = [match.ranges(effort) for match in matches]
    if wanted.states:
        found.append([_in_state(wanted, state) for state in wanted.states])
    if wanted.sender is not None:
        found.append([requests.c.sender_code == wanted.sender])
    if wanted.reason is not None:
        found.append([requests.c.reason == wanted.reason])
    if wanted.undelivered:
        found.append([_is_undelivered()])
    return [ranges for ranges in found if ranges is not None]


def _in_state(wanted: Wanted, state: RequestState) -> ColumnElement[bool]:
    held = requests.c.state == state.value
    if not wanted.strangers_in_one:
        return held
    older = requests.alias("older")
    earlier = tuple_(older.c.created_at, older.c.id) < tuple_(requests.c.created_at, requests.c.id)
    same = select(older.c.id).where(older.c.stranger_id == requests.c.stranger_id, _is_strange_and_held(older), earlier)
    return held & or_(requests.c.stranger_id.is_(None), requests.c.sender_code.is_not(None), not_(same.exists()))


def _is_strange_and_held(table: FromClause) -> ColumnElement[bool]:
    return table.c.stranger_id.is_not(None) & (table.c.state == RequestState.HELD.value) & table.c.sender_code.is_(None)


def _is_undelivered() -> ColumnElement[bool]:
    return requests.c.id.in_(select(replies.c.request_id).where(replies.c.state.in_(DOUBTFUL), replies.c.request_id.is_not(None)))


def _size(tx: Tx, ranges: Ranges, inside: ColumnElement[bool], window: int) -> int:
    """How many candidates a way has, each range counted up to the window."""
    parts = [select(select(requests.c.id).where(one, inside).limit(window).subquery()) for one in ranges]
    return tx.execute(select(func.count()).select_from(union_all(*parts).subquery())).scalar_one()


def _candidates(tx: Tx, ranges: Ranges, inside: ColumnElement[bool], *, each: int, backwards: bool) -> tuple[list[int], bool]:
    """Numbers in the order of looking, at most `each` of every range; and whether some range holds more.

    What comes after the last of a range that was cut is left out: of that range, others may belong before it.
    """
    parts = []
    for label, one in enumerate(ranges):
        query = select(requests.c.id, requests.c.created_at, literal(label).label("part")).where(one, inside)
        parts.append(select(_ordered(query, requests, backwards).limit(each).subquery()))
    joined = union_all(*parts).subquery()
    left = [each] * len(ranges)
    found: list[int] = []
    for row in tx.execute(_ordered(select(joined.c.id, joined.c.part), joined, backwards)):
        found.append(row.id)
        left[row.part] -= 1
        if left[row.part] == 0:
            return list(dict.fromkeys(found)), True
    return list(dict.fromkeys(found)), False


def _ordered(query: Select[Any], table: FromClause, backwards: bool) -> Select[Any]:
    order = (table.c.created_at, table.c.id)
    return query.order_by(*(column.desc() for column in order)) if backwards else query.order_by(*order)


def _fitting(wanted: Wanted) -> ColumnElement[bool]:
    """All that is wished but the words, asked of requests whose numbers are known: no index may lead elsewhere."""
    wishes: list[ColumnElement[bool]] = []
    if wanted.states:
        wishes.append(_value(requests.c.state).in_([state.value for state in wanted.states]))
    if wanted.sender is not None:
        wishes.append(_value(requests.c.sender_code) == wanted.sender)
    if wanted.reason is not None:
        wishes.append(_value(requests.c.reason) == wanted.reason)
    if wanted.undelivered:
        wishes.append(select(replies.c.id).where(replies.c.request_id == requests.c.id, replies.c.state.in_(DOUBTFUL)).exists())
    return and_(true(), *wishes)


def _value(column: ColumnElement[str]) -> ColumnElement[str]:
    return func.coalesce(column, "")


def _stands_in(table: FromClause, term: str) -> ColumnElement[bool]:
    """`folding.finds`, asked of the database: a folded term holds letters, digits and spaces alone."""
    return (literal(" ") + table.c.folded).like(f"% {term}%")


def _filled(tx: Tx, candidates: Sequence[int], wanted: Wanted, matches: Sequence[_Match], limit: int) -> list[Request]:
    """The first of the candidates that fit, so many at most."""
    tables = requests.outerjoin(_PERSON, requests.c.person_id == _PERSON.c.id)
    tables = tables.outerjoin(_STRANGER, requests.c.stranger_id == _STRANGER.c.id)
    said = (requests.c.id, requests.c.sender_code, _PERSON.c.folded.label("person"), _STRANGER.c.folded.label("stranger"))
    query: Select[Any] = select(*said).select_from(tables).where(_fitting(wanted))
    waiting = iter(candidates)
    found: list[int] = []
    for size in chain(CHUNKS, repeat(CHUNKS[-1])):
        chunk = list(islice(waiting, size))
        if not chunk:
            break
        asked = tx.execute(query.where(requests.c.id.in_(chunk)))
        fitting = {row.id for row in asked if all(match.fits(row) for match in matches)}
        found += [number for number in chunk if number in fitting]
        if len(found) >= limit:
            break
    known = rows.several(tx, found[:limit])
    return [known[number] for number in found[:limit]]
