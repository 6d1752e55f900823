"""Which letters are kept, and how much of them: by kind, sender and size, and by what is left of the day's share."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailer.core.keeping import DAILY, FETCH_BYTES, Amount, Arrival, Group, Looked, by_size, sort_out, unread
from mailer.model import Head, Kind, PersonName, Reading

HEADER = b"h" * 500
MAX_BYTES = 1_000_000


def looked(
    kind: Kind, *, known: bool = False, size_bytes: int = 2000, phrase_first: bool = False, item: int = 1, answers: bool = False
) -> Looked:
    person = PersonName(surname="Ли", initials="К.", suffix="") if kind is Kind.REQUEST else None
    return Looked(
        head=Head(item=item, received_at=datetime(2026, 11, 23, tzinfo=UTC), size_bytes=size_bytes, header=HEADER),
        letter=None,
        reading=Reading(kind=kind, person=person, phrase_first=phrase_first),
        sender_code="290001" if known else None,
        proven=known,
        answers_ours=answers,
    )


@pytest.mark.parametrize(
    ("letter", "kept", "whole", "ours"),
    [
        pytest.param(looked(Kind.REQUEST, known=True), True, True, True, id="request"),
        pytest.param(looked(Kind.REQUEST, known=True, size_bytes=MAX_BYTES), True, True, True, id="just-fits"),
        pytest.param(looked(Kind.REQUEST, known=True, size_bytes=25_000_000), True, False, True, id="large-request"),
        pytest.param(looked(Kind.REQUEST, known=True, answers=True), True, False, True, id="request-that-answers-ours"),
        pytest.param(looked(Kind.REQUEST), True, False, False, id="strangers-request"),
        pytest.param(looked(Kind.BOUNCE), True, True, True, id="bounce"),
        pytest.param(looked(Kind.BOUNCE, answers=True), True, True, True, id="bounce-that-answers-ours"),
        pytest.param(looked(Kind.BOUNCE, size_bytes=25_000_000), True, False, True, id="large-bounce"),
        pytest.param(looked(Kind.UNREADABLE), True, False, False, id="unreadable"),
        pytest.param(looked(Kind.NEAR_SUBJECT, known=True), True, False, False, id="near"),
        pytest.param(looked(Kind.NEAR_SUBJECT), False, False, False, id="strangers-near"),
        pytest.param(looked(Kind.MACHINE_MAIL, known=True, phrase_first=True), True, False, False, id="machine-with-phrase"),
        pytest.param(looked(Kind.MACHINE_MAIL, known=True), False, False, False, id="machine"),
        pytest.param(looked(Kind.MACHINE_MAIL, phrase_first=True), False, False, False, id="strangers-machine"),
        pytest.param(looked(Kind.OTHER_SUBJECT, known=True), False, False, False, id="other"),
        pytest.param(looked(Kind.OWN_LETTER, known=True), False, False, False, id="own"),
        pytest.param(looked(Kind.ANSWER_TO_US, known=True), False, False, False, id="answer-to-us"),
    ],
)
def test_what_is_kept(letter: Looked, kept: bool, whole: bool, ours: bool) -> None:
    (arrival,) = sort_out([letter], {}, max_bytes=MAX_BYTES)
    assert (arrival.kept, arrival.whole, arrival.ours, arrival.over) == (kept, whole, ours, None)


@pytest.mark.parametrize(
    ("letter", "group", "weight"),
    [
        pytest.param(looked(Kind.REQUEST), Group.STRANGER, len(HEADER), id="stranger"),
        pytest.param(looked(Kind.UNREADABLE), Group.UNREADABLE, len(HEADER), id="unreadable"),
        pytest.param(looked(Kind.BOUNCE), Group.BOUNCE, 2000, id="bounce"),
        pytest.param(looked(Kind.BOUNCE, size_bytes=25_000_000), Group.BOUNCE, len(HEADER), id="large-bounce"),
    ],
)
def test_a_days_share_ends_by_number_and_by_size(letter: Looked, group: Group, weight: int) -> None:
    daily = DAILY[group]
    room_for_one = {
        "letters": Amount(letters=daily.letters - 1),
        "bytes": Amount(size_bytes=daily.size_bytes - weight),
    }
    for used in room_for_one.values():
        first, second = sort_out([letter, letter], {group: used}, max_bytes=MAX_BYTES)
        assert (first.kept, first.over) == (True, None)
        assert (second.kept, second.whole, second.ours, second.over) == (False, False, False, group)


def test_who_is_in_the_register_and_every_other_group_are_not_touched_by_a_flood() -> None:
    for flooded in Group:
        others = [looked(Kind.REQUEST, known=True)] + [
            looked(kind)
            for group, kind in zip(Group, (Kind.REQUEST, Kind.UNREADABLE, Kind.BOUNCE), strict=True)
            if group is not flooded
        ]
        assert all(arrival.kept for arrival in sort_out(others, {flooded: DAILY[flooded]}, max_bytes=MAX_BYTES))


def test_what_is_only_noted_uses_nothing_up() -> None:
    assert [arrival.over for arrival in sort_out([looked(Kind.OTHER_SUBJECT)] * 3, {}, max_bytes=MAX_BYTES)] == [None] * 3


def test_one_fetch_is_bounded_and_no_letter_is_left_out() -> None:
    arrivals = sort_out(
        [looked(Kind.REQUEST, known=True, size_bytes=900_000, item=item) for item in range(30)], {}, max_bytes=MAX_BYTES
    )
    groups = list(by_size(arrivals, MAX_BYTES))
    assert [arrival for group in groups for arrival in group] == arrivals
    assert all(_fetched(group) <= FETCH_BYTES for group in groups)
    assert len(groups) == 4


def test_headers_alone_need_no_fetch() -> None:
    arrivals = sort_out([looked(Kind.REQUEST, known=True, size_bytes=25_000_000)] * 100, {}, max_bytes=MAX_BYTES)
    assert len(list(by_size(arrivals, MAX_BYTES))) == 1


def test_a_letter_that_is_not_looked_at_is_nobodys() -> None:
    found = unread(looked(Kind.REQUEST).head)
    assert (found.letter, found.sender_code, found.proven, found.group) == (None, None, False, Group.UNREADABLE)


def _fetched(group: list[Arrival]) -> int:
    return sum(arrival.looked.head.size_bytes for arrival in group if arrival.whole)
