"""Letters that break whoever reads them: each is set aside after three tries alone, and the others never wait for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import text

from mailer.core.keeping import DAILY, Group
from mailer.errors import EdgeError, NotFoundError, RefusedError
from mailer.flow.override import letters as override
from mailer.flow.report import letters as report
from mailer.model import Head
from mailer.states import LetterState
from mailer.store import letters, tries, verification
from tests.e2e.bureau import request
from tests.fakes import FakeMailbox
from tests.flow.desks import CLINIC, Desk, until_done
from tests.store.offices import Trial

ADDRESS = CLINIC.answer_to


class Unreadable(bytes):
    """Headers that can be searched and stored, and break whoever reads them, who cuts them to a length first."""

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice) and place.start is not None:
            return super().__getitem__(place)
        raise RecursionError("poison")


class Unsearchable(bytes):
    """The same, and they break also whoever searches them."""

    def __getitem__(self, _place: object) -> NoReturn:
        raise RecursionError("poison")


class Killed(BaseException):
    """Nothing of the program runs after it, as after a signal."""


@dataclass
class PoisonedMailbox(FakeMailbox):
    """`bad`: letters whose headers break the look, as `poison` makes them; at `torn` the line breaks, at `mad` the library, at
    `deadly` the process."""

    bad: set[int] = field(default_factory=set)
    poison: Callable[[bytes], bytes] = Unreadable
    torn: set[int] = field(default_factory=set)
    mad: set[int] = field(default_factory=set)
    deadly: set[int] = field(default_factory=set)

    def heads(self, items: Sequence[int]) -> list[Head]:
        if self.deadly.intersection(items):
            raise Killed
        if self.torn.intersection(items):
            raise EdgeError("the line broke")
        if self.mad.intersection(items):
            raise ValueError("nobody expected that answer")
        return [
            replace(head, header=self.poison(head.header)) if head.item in self.bad else head
            for head in super().heads([item for item in items if item in self.letters])
        ]


@pytest.fixture
def mailbox() -> PoisonedMailbox:
    return PoisonedMailbox()


@pytest.fixture
def desk(trial: Trial, tmp_path: Path, mailbox: PoisonedMailbox) -> Desk:
    return Desk(trial=trial, home=tmp_path, mailbox=mailbox, sender_daily=1000)


def drop(desk: Desk, count: int) -> None:
    desk.mailbox.drop(*(request(f"Иванов {chr(0x410 + n // 25)}.{chr(0x410 + n % 25)}.", ADDRESS, n) for n in range(count)))


def in_state(desk: Desk, state: LetterState) -> list[int]:
    with desk.trial.database.reading() as tx:
        return sorted(kept.item for kept in letters.newest(tx, 1000, state=state))


def suspects(desk: Desk) -> dict[int, int]:
    with desk.trial.database.reading() as tx:
        return tries.suspects(tx, "uc", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({50}, id="one", marks=pytest.mark.slow),
        pytest.param({1, 100}, id="two"),
        pytest.param(set(range(10, 60)), id="many", marks=pytest.mark.slow),
    ],
)
def test_bad_letters_in_a_batch_are_quarantined_and_the_others_decided_before(desk: Desk, bad: set[int]) -> None:
    drop(desk, 100)
    until_done(desk.intake())
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE letters SET digest = '0' WHERE item = :item"), [{"item": item} for item in bad])
    answer = desk.answer()
    for _step in range(1 + 100):  # the batch, then each alone
        assert answer.step()
    assert in_state(desk, LetterState.READ) == sorted(set(range(1, 101)) - bad)
    assert in_state(desk, LetterState.QUARANTINED) == []
    until_done(answer)
    assert in_state(desk, LetterState.QUARANTINED) == sorted(bad)
    assert desk.events().count("letter.quarantined") == len(bad)
    assert len(desk.troubles) == 1 + 3 * len(bad)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "poison"),
    [
        pytest.param({50}, Unreadable, id="one", marks=pytest.mark.slow),
        pytest.param({1, 100}, Unreadable, id="two"),
        pytest.param(set(range(10, 60)), Unreadable, id="many", marks=pytest.mark.slow),
        pytest.param({50}, Unsearchable, id="unsearchable"),
    ],
)
def test_headers_that_break_the_look_are_kept_unread_and_the_others_go_on(
    desk: Desk, mailbox: PoisonedMailbox, bad: set[int], poison: type[bytes]
) -> None:
    drop(desk, 100)
    mailbox.bad, mailbox.poison = bad, poison
    intake = desk.intake()
    assert intake.step()
    assert set(mailbox.letters) == bad, "the others are taken in at once"
    until_done(intake)
    assert in_state(desk, LetterState.QUARANTINED) == sorted(bad)
    assert set(mailbox.letters) == bad, "it stays in the folder for people"
    assert desk.events().count("letter.quarantined") == len(bad)
    assert suspects(desk) == {}
    with desk.trial.database.reading() as tx:
        kept = letters.newest(tx, 1, state=LetterState.QUARANTINED)[0]
    header = mailbox.letters[kept.item].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert kept.content == (header if poison is Unreadable else b""), "what cannot be searched may hold a password"
    assert verification.verify(desk.trial.database, desk.trial.pen.key).fault is None
    drop(desk, 101)
    until_done(intake)
    looks = 3 if poison is Unreadable else 4
    assert len(desk.troubles) == 1 + looks * len(bad), "and is never looked at again"


def test_a_letter_whose_headers_cannot_even_be_fetched_is_set_aside_with_nothing(desk: Desk, mailbox: PoisonedMailbox) -> None:
    drop(desk, 3)
    mailbox.mad = {2}
    until_done(desk.intake())
    assert (in_state(desk, LetterState.QUARANTINED), in_state(desk, LetterState.KEPT)) == ([2], [1, 3])
    with desk.trial.database.reading() as tx:
        assert letters.newest(tx, 1, state=LetterState.QUARANTINED)[0].content == b""


def test_a_look_that_ends_the_process_is_known_when_the_next_begins(desk: Desk, mailbox: PoisonedMailbox) -> None:
    """The process is gone before anything can be said of it: what was noted before the look is all there is."""

    drop(desk, 3)
    mailbox.deadly = {2}
    for _start in range(4):
        with pytest.raises(Killed):
            until_done(desk.intake())
    mailbox.deadly = set()
    assert suspects(desk) == {2: 3}
    assert in_state(desk, LetterState.KEPT) == [1, 3], "the others were taken in"
    mailbox.bad = {2}
    until_done(desk.intake())
    assert (in_state(desk, LetterState.QUARANTINED), suspects(desk)) == ([2], {})


def test_who_breaks_the_line_is_left_where_it_lies_and_keeps_no_other_waiting(desk: Desk, mailbox: PoisonedMailbox) -> None:
    drop(desk, 3)
    mailbox.torn = {1}
    broken = 0
    for _connection in range(10):
        try:
            until_done(desk.intake())
        except EdgeError:
            broken += 1
    assert 3 <= broken <= 5
    assert (in_state(desk, LetterState.KEPT), suspects(desk)) == ([2, 3], {})
    assert desk.events().count("letter.unreachable") == 1


def test_a_quarantined_letter_is_read_once_more_and_answered(desk: Desk) -> None:
    number = quarantined(desk)
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE letters SET digest = :digest"), {"digest": digest_of(desk, number)})
    (kept,) = override.retry(desk.trial.worker(), [number], reason="исправлено")
    assert (kept.state, kept.attempts, kept.batches) == (LetterState.KEPT, 0, 1)
    desk.run()
    assert len(desk.postman.sent) == 1
    with pytest.raises(RefusedError):
        override.retry(desk.trial.worker(), [number], reason="ещё раз")


def test_a_letter_that_fails_again_is_quarantined_again(desk: Desk) -> None:
    number = quarantined(desk)
    override.retry(desk.trial.worker(), [number], reason="вдруг")
    until_done(desk.answer())
    assert desk.events().count("letter.quarantined") == 2


def test_a_dropped_letter_is_never_read_and_can_still_be_exported(desk: Desk) -> None:
    number = quarantined(desk)
    override.drop(desk.trial.worker(), [number, number], reason="не нужно")
    until_done(desk.answer())
    kept = override.export(desk.trial.worker(), number, reason=None)
    assert (kept.state, kept.content) == (LetterState.DROPPED, request("Пришва А.А.", ADDRESS, 1))
    assert desk.events()[-2:] == ["letter.dropped", "letter.exported"]
    with pytest.raises(RefusedError):
        override.retry(desk.trial.worker(), [number], reason="всё же")


def test_one_wrong_number_changes_none(desk: Desk) -> None:
    number = quarantined(desk)
    before = desk.events()
    for change in (override.retry, override.drop):
        with pytest.raises(NotFoundError):
            change(desk.trial.worker(), [number, 99], reason="нет такого")
    assert (in_state(desk, LetterState.QUARANTINED), desk.events()) == ([number], before)


def test_no_view_reads_a_letter_that_is_set_aside_or_suspect(desk: Desk) -> None:
    number = quarantined(desk)
    for state, batches in (("quarantined", 0), ("dropped", 0), ("kept", 1)):
        with desk.trial.database.writing() as tx:
            tx.execute(text("UPDATE letters SET state = :state, batches = :batches"), {"state": state, "batches": batches})
        with desk.trial.database.reading() as tx:
            kept = letters.get(tx, number)
        view = report.letter_view(kept)
        assert (view.from_address, view.subject, report.reread(kept, desk.ruleset.form, desk.own)) == (
            None,
            None,
            None,
        )


@pytest.mark.slow
def test_a_flood_of_what_anybody_can_send_is_bounded(desk: Desk) -> None:
    """Strangers' requests, unreadable letters and forged bounces: the day's share is kept, the rest is noted."""
    bounce = (
        b"From: mailer-daemon@x.example\r\nReturn-Path: <>\r\nContent-Type: multipart/report; report-type=delivery-status\r\n\r\n"
    )
    desk.max_bytes = 16 * 1024 * 1024
    desk.mailbox.drop(*(request("Ли К.", f"stranger{n}@elsewhere.example", n) for n in range(300)))
    desk.mailbox.drop(*(b"\x00\x01" * n for n in range(1, 120)))
    desk.mailbox.drop(*(bounce + b"x" * 12_000_000 + str(n).encode() for n in range(8)))
    until_done(desk.intake())
    with desk.trial.database.reading() as tx:
        used = letters.kept_since(tx, desk.trial.clock())
    assert {group: amount.letters for group, amount in used.items()} == {Group.STRANGER: 200, Group.UNREADABLE: 50, Group.BOUNCE: 5}
    assert all(used[group].size_bytes <= DAILY[group].size_bytes for group in Group)
    assert desk.events().count("intake.capped") == 3
    assert len(desk.mailbox.letters) == 300 + 119 + 3, "what is not kept whole stays in the folder"
    desk.mailbox.drop(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    assert len(desk.postman.sent) == 1, "who is in the register is answered all the same"
    desk.trial.clock.move(days=1, seconds=1)
    desk.take(request("Ли К.", "another@elsewhere.example", 2))
    with desk.trial.database.reading() as tx:
        assert letters.kept_since(tx, desk.trial.clock())[Group.STRANGER].letters == 1


def quarantined(desk: Desk) -> int:
    """The number of a letter that could not be read: its digest is not that of its bytes."""
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    with desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE letters SET digest = '0'"))
    until_done(desk.answer())
    (item,) = in_state(desk, LetterState.QUARANTINED)
    with desk.trial.database.reading() as tx:
        return next(kept.id for kept in letters.newest(tx, 10) if kept.item == item)


def digest_of(desk: Desk, number: int) -> str:
    with desk.trial.database.reading() as tx:
        return hashlib.sha256(letters.get(tx, number).content).hexdigest()
