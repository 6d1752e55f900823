"""The officer gets one digest a day, whoever runs and however often; it tells each thing once: on both databases."""

from __future__ import annotations

import threading
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.flow.digest import DigestSettings, DigestStep
from mailer.flow.needs import needs
from mailer.flow.override import pauses
from mailer.model import Delivery
from mailer.service.office import REPLY_SUBJECTS
from mailer.service.words import russian
from mailer.states import Pausable
from mailer.store import outbox
from mailer.store.schema import digests
from tests.e2e.bureau import body, header, request
from tests.flow.desks import CLINIC, DENTIST, OFFICER, Desk
from tests.flow.test_flow_attacks import PLANTED, attack, forged, sign
from tests.store.offices import Trial

ADDRESS = CLINIC.answer_to


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    """Founded at noon in Moscow."""
    return Desk(trial=trial, home=tmp_path)


def digest(desk: Desk) -> DigestStep:
    """The step as a process that was just started has it."""
    limits = desk.alarm()._settings.limits
    return DigestStep(
        desk.trial.worker("alarm"),
        desk.stationery,
        DigestSettings(officer=OFFICER, at=time(8)),
        needs=lambda tx, now: needs(tx, limits, now),
        say=russian(),
        on_trouble=desk.trouble,
    )


def rounds(desk: Desk, step: DigestStep, **until: float) -> list[bool]:
    """Look every quarter of an hour for so long."""
    end = desk.trial.clock() + timedelta(**until)
    looked = []
    while desk.trial.clock() < end:
        desk.trial.clock.move(minutes=15)
        looked.append(step.step())
    return looked


def letters(desk: Desk) -> list[bytes]:
    desk.send()
    return [content for envelope, content in desk.postman.sent if envelope.recipient == OFFICER]


def text(content: bytes) -> str:
    return body(content).replace("\r\n", "\n")


def days(desk: Desk) -> list[date]:
    with desk.trial.database.reading() as tx:
        return list(tx.execute(select(digests.c.day).order_by(digests.c.day)).scalars())


def test_each_morning_one_letter(desk: Desk) -> None:
    step = digest(desk)
    assert sum(rounds(desk, step, hours=19)) == 0, "the office is younger than its first morning"
    assert rounds(desk, step, hours=1) == [False, False, False, True]
    assert sum(rounds(desk, step, hours=23)) == 0
    assert sum(rounds(desk, step, days=3)) == 3
    assert days(desk) == [date(2026, 11, day) for day in (24, 25, 26, 27)]
    assert [header(letter, "Subject") for letter in letters(desk)] == [
        f"Сводка приёма запросов за {day}.11.2026" for day in (24, 25, 26, 27)
    ]


def test_a_digest_is_a_notice_that_counts_for_no_answers_cap(desk: Desk) -> None:
    rounds(desk, digest(desk), hours=21)
    (letter,) = letters(desk)
    assert header(letter, "Subject").startswith(REPLY_SUBJECTS)
    assert header(letter, "Auto-Submitted") == "auto-generated"
    assert "notice.queued" in desk.events()
    with desk.trial.database.reading() as tx:
        assert outbox.put_since(tx, desk.trial.clock() - timedelta(days=2)) == 0


def test_after_a_stand_still_there_is_one_letter_for_all_of_it(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    desk.trial.clock.move(days=5)
    assert sum(rounds(desk, digest(desk), hours=2)) == 1
    (letter,) = letters(desk)
    said = text(letter)
    assert "Что сделано с 23.11.2026, 12:00:00 (МСК, UTC+3)\nпо 28.11.2026, 12:15:00 (МСК, UTC+3):\n" in said
    assert "принято писем: 1\nодобрено запросов: 1\n" in said


def test_the_newest_checkpoint_that_we_signed_stands_in_it_and_nobody_elses(desk: Desk) -> None:
    true = sign(desk)
    attack(desk, PLANTED, hashes=b"x", note=forged(desk, true)["with a line more"])
    rounds(desk, digest(desk), hours=21)
    (letter,) = letters(desk)
    assert true in text(letter)
    assert "89000000000" not in text(letter)


def test_restarts_and_other_workers_write_no_second_one(desk: Desk) -> None:
    desk.trial.clock.move(days=1)
    steps = [digest(desk) for _ in range(3)]
    desk.trial.clock.move(minutes=1)
    first, second = (desk.trial.worker() for _ in range(2))
    for step, worker in zip(steps, (first, second, first), strict=True):
        step._worker = worker
    outcomes: list[bool] = []
    people = [threading.Thread(target=lambda one=step: outcomes.append(one.step())) for step in steps]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert sorted(outcomes) == [False, False, True]
    assert len(letters(desk)) == 1
    assert sum(rounds(desk, digest(desk), hours=12)) == 0


def test_the_whole_letter(desk: Desk) -> None:
    wrong = request("Иванов", ADDRESS, 2)
    desk.take(request("Пришва А.А.", ADDRESS, 1), wrong, request("Юрьева Я.Я.", "stranger@elsewhere.example", 3))
    desk.postman.answers = [Delivery.NEVER, Delivery.NEVER]
    desk.run()
    pauses.pause(desk.trial.worker(), Pausable.ISSUE, "", reason="так велел Петров")
    rounds(desk, digest(desk), hours=21)
    (letter,) = letters(desk)
    said = text(letter)
    assert said == (
        "Что сделано с 23.11.2026, 12:00:00 (МСК, UTC+3)\n"
        "по 24.11.2026, 08:00:00 (МСК, UTC+3):\n\n"
        "принято писем: 3\n"
        "одобрено запросов: 1\n"
        "отказано: 1\n"
        "оставлено на решение сотрудника: 2\n"
        "не требовало ответа: 0\n"
        "отправлено ответов: 0\n"
        "не доставлено ответов: 2\n\n"
        "Ждут решения сотрудника: 2\n"
        "- запрос № 3, отправителя нет в реестре, с 23.11.2026, 12:00:00 (МСК, UTC+3)\n"
        "- запрос № 4, код 290001, с 23.11.2026, 12:00:00 (МСК, UTC+3)\n"
        "Показать их: `mailer requests list --held`\n\n"
        "Приостановлено сотрудником:\n"
        "- шаг issue приостановлен сотрудником; ожидают его: 0 (с 23.11.2026, 12:00:00 (МСК, UTC+3))\n\n"
        "Требует внимания:\n"
        "- ответов, доставка которых не удалась или не подтверждена: 2 (с 23.11.2026, 12:00:00 (МСК, UTC+3))\n"
        "что делать: посмотрите их: `mailer requests list --undelivered`\n\n"
        "Имён в этом письме нет: запрос целиком покажет команда `mailer requests show №`. Письмо составлено автоматически раз\n"
        "в сутки, отвечать на него не нужно.\n\n"
        "ТФОМС АО\n"
    )
    strangers = ("Пришва", "Иванов", "Юрьева", "Петров", ADDRESS, CLINIC.organisation, "stranger@", "550")
    assert [word for word in strangers if word in said] == []


def test_each_thing_stands_in_one_digest(desk: Desk) -> None:
    step = digest(desk)
    for number, (person, sender) in enumerate([("Пришва А.А.", ADDRESS), ("Ли К.", DENTIST.answer_to), ("Ким В.Г.", ADDRESS)]):
        desk.take(request(person, sender, number))
        desk.run()
        desk.mailbox.received_at = desk.trial.clock()
        rounds(desk, step, days=1)
    assert ["одобрено запросов: 1\n" in text(letter) for letter in letters(desk)] == [True, True, True]


def test_what_ends_soon_is_listed_without_names(desk: Desk) -> None:
    people = [f"Иванов {first}.А." for first in "АБВГДЕЖЗИКЛМНОПРСТУФХ"]
    desk.take(*(request(person, ADDRESS, number) for number, person in enumerate(people)))
    desk.run()
    desk.trial.clock.move(days=80)
    rounds(desk, digest(desk), hours=21)
    said = text(letters(desk)[-1])
    assert "В ближайшие 14 дней заканчивается срок логинов: 21\n- запрос № 1, код 290001, по 23.02.2027 включительно\n" in said
    assert "- запрос № 20, код 290001, по 23.02.2027 включительно\n- и ещё: 1\n" in said
    assert "Иванов" not in said


def test_a_clock_that_ran_ahead_silences_nothing(desk: Desk) -> None:
    step = digest(desk)
    desk.trial.clock.move(days=400)
    assert step.step()
    desk.trial.clock.move(days=-399)
    assert sum(rounds(desk, digest(desk), days=2)) >= 2


def test_without_a_key_to_seal_with_it_is_written_later(desk: Desk) -> None:
    step = digest(desk)
    desk.trial.clock.move(days=1)
    epochs = desk.home / "keys" / "epochs"
    epochs.rename(desk.home / "elsewhere")
    assert not step.step()
    assert desk.troubles == ["daily digest: SetupError"]
    (desk.home / "elsewhere").rename(epochs)
    desk.trial.clock.move(minutes=1)
    assert step.step()
