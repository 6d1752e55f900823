"""Nothing answers without end: what never gets an answer whatever the rules say, and programs that write to us for every letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailer.core import rules
from mailer.flow.report import requests as report
from mailer.model import Sender
from mailer.states import CredentialState
from mailer.store import credentials, letters, senders
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import PHRASE, header, request
from tests.flow.desks import CLINIC, DENTIST, Desk, until_done
from tests.store.offices import Trial, set_up

ADDRESS = CLINIC.answer_to
OUR_ID = f"<{'0' * 32}@fond.example>"
ELSEWHERE = f"<{'0' * 32}@elsewhere.example>"


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def answer_everything(desk: Desk, verdict: str, reply: str) -> None:
    """The worst an office can do to its rules."""
    rule = f'[[rule]]\nid = "all"\nwhen = {{}}\nverdict = "{verdict}"\nreply = "{reply}"\nwhy = "всем"\n'
    desk.ruleset = rules.load({"00-all.toml": rule})


def letter(sender: str = ADDRESS, *headers: str, subject: str = f"{PHRASE} = Пришва А.А.", number: int = 1) -> bytes:
    added = "".join(f"{one}\r\n" for one in headers)
    return added.encode() + request("", sender, number, subject=subject)


def decided(desk: Desk) -> list[tuple[str, str | None]]:
    """Verdict and reason of every letter that was kept, oldest first."""
    with desk.trial.database.reading() as tx:
        return [(str(kept.verdict), kept.reason) for kept in reversed(letters.newest(tx, 1000))]


EVERY_RULE_ANSWERS = pytest.mark.parametrize(
    ("verdict", "reply"), [("issue", "issued"), ("refuse", "refused"), ("refuse", "refused-subject"), ("refuse", "refused-sender")]
)
NOT_EVEN_KEPT = {
    "own letter by its mark": letter(ADDRESS, f"X-Mailer-Loop: {'0' * 32}"),
    "own letter by its id": letter(ADDRESS, subject=f"{PHRASE} =").replace(b"<request-1-gb1@clinic.example>", OUR_ID.encode()),
    "answer to us": letter(ADDRESS, f"In-Reply-To: {OUR_ID}", subject=f"Re: {PHRASE} ="),
    "answer to us by its subject": letter(subject="Re: Логин и пароль: Пришва А.А."),
    "machine mail": letter(ADDRESS, "Auto-Submitted: auto-replied", subject="Отпуск"),
    "other subject": letter(subject="Отчёт"),
}
GATED = {
    "unreadable": (b"\x00\x01\x02\r\n\r\n", "never-answered"),
    "machine mail, Auto-Submitted": (letter(ADDRESS, "Auto-Submitted: auto-replied"), "never-answered"),
    "machine mail, Precedence": (letter(ADDRESS, "Precedence: bulk"), "never-answered"),
    "machine mail, List-Id": (letter(ADDRESS, "List-Id: <all.clinic.example>"), "never-answered"),
    "machine mail, suppressing": (letter(ADDRESS, "X-Auto-Response-Suppress: All"), "never-answered"),
    "machine mail, null return path": (letter(ADDRESS, "Return-Path: <>"), "never-answered"),
    "unknown sender": (letter("stranger@elsewhere.example"), "unknown-sender"),
    "two senders": (letter(f"{ADDRESS}, {DENTIST.answer_to}"), "unknown-sender"),
}


@EVERY_RULE_ANSWERS
@pytest.mark.parametrize("content", NOT_EVEN_KEPT.values(), ids=NOT_EVEN_KEPT)
def test_what_is_no_request_is_left_alone_whatever_the_rules_say(desk: Desk, content: bytes, verdict: str, reply: str) -> None:
    answer_everything(desk, verdict, reply)
    desk.take(content)
    desk.run()
    assert (decided(desk), desk.postman.sent, list(desk.mailbox.letters)) == ([], [], [1])


@EVERY_RULE_ANSWERS
@pytest.mark.parametrize(("content", "reason"), GATED.values(), ids=GATED)
def test_the_gate_holds_what_may_not_be_answered(desk: Desk, content: bytes, reason: str, verdict: str, reply: str) -> None:
    answer_everything(desk, verdict, reply)
    desk.take(content)
    desk.run()
    assert (decided(desk), desk.postman.sent) == ([("hold", reason)], [])


def test_a_bounce_never_comes_to_the_rules(desk: Desk) -> None:
    answer_everything(desk, "refuse", "refused")
    desk.take(letter("MAILER-DAEMON@clinic.example", "Return-Path: <>"))
    desk.run()
    assert (decided(desk), desk.postman.sent) == ([("ignore", "nothing-said")], [])


@EVERY_RULE_ANSWERS
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(letter(subject=f"{PHRASE} =").replace(b"<request-1-gb1@clinic.example>", ELSEWHERE.encode()), id="own letter"),
        pytest.param(letter(ADDRESS, f"In-Reply-To: {ELSEWHERE}", subject=f"{PHRASE} ="), id="answer to us"),
    ],
)
def test_what_turns_out_to_be_ours_only_after_it_was_kept_is_held(desk: Desk, content: bytes, verdict: str, reply: str) -> None:
    """The office learned meanwhile that another domain is its own."""
    answer_everything(desk, verdict, reply)
    desk.take(content)
    desk.own = replace(desk.own, message_id_domain="elsewhere.example")
    until_done(desk.answer())
    assert (decided(desk), desk.postman.sent) == ([("hold", "never-answered")], [])


def test_a_phrase_that_was_changed_meanwhile_makes_a_request_another_subject(desk: Desk) -> None:
    rule = '[[rule]]\nid = "all"\nwhen = {}\nverdict = "refuse"\nreply = "refused"\nwhy = "всем"\n'
    desk.ruleset = rules.load({"00-all.toml": f'[form]\nphrase = "Заявка на пропуск"\n{rule}'})
    desk.take(letter(subject="Заявка на пропуск = Пришва А.А."))
    desk.ruleset = rules.load({"00-all.toml": rule})
    until_done(desk.answer())
    assert decided(desk) == [("hold", "never-answered")]
    assert desk.postman.sent == []


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        pytest.param("атрибуты доступа", "name-missing", id="near subject"),
        pytest.param(f"{PHRASE} = Иванов", "initials-missing", id="no initials"),
    ],
)
def test_nothing_is_issued_without_a_name(desk: Desk, subject: str, reason: str) -> None:
    answer_everything(desk, "issue", "issued")
    desk.take(letter(subject=subject))
    desk.run()
    assert (decided(desk), desk.postman.sent) == ([("hold", reason)], [])


def test_nothing_is_issued_to_a_blocked_sender(desk: Desk) -> None:
    answer_everything(desk, "issue", "issued")
    with desk.trial.worker().writing() as unit:
        unit.tx.execute(senders.senders.update().values(blocked=True))
        for sender in senders.every(unit.tx):
            senders.register(unit, sender.code, desk.trial.pen)
    desk.take(letter())
    desk.run()
    assert (decided(desk), desk.postman.sent) == ([("hold", "blocked-sender")], [])


@EVERY_RULE_ANSWERS
def test_nothing_is_answered_to_ourselves(desk: Desk, verdict: str, reply: str) -> None:
    answer_everything(desk, verdict, reply)
    desk.trial.register(replace(CLINIC, answer_to=desk.address))
    desk.take(letter())
    desk.run()
    assert (decided(desk), desk.postman.sent) == ([("hold", "answers-itself")], [])


def test_beyond_the_cap_of_an_address_nothing_is_dropped_and_others_are_answered(desk: Desk) -> None:
    """60 a day to one address, refusals included; the next are held, a login among them; tomorrow goes on."""
    desk.sender_daily = 1000
    wrong = [letter(subject=f"{PHRASE} = Иванов{'а' * n}", number=n) for n in range(59)]
    good = [letter(subject=f"{PHRASE} = Ли {one}.", number=ord(one)) for one in "АБВ"]
    desk.take(*wrong, *good, letter(subject=f"{PHRASE} = Петров", number=99), letter(DENTIST.answer_to))
    desk.run()
    assert decided(desk)[59:] == [("issue", None), ("hold", "cap"), ("hold", "cap"), ("hold", "cap"), ("issue", None)]
    assert len(desk.postman.sent) == 61
    desk.trial.clock.move(days=1)
    desk.mailbox.received_at = desk.trial.clock()
    desk.take(letter(subject=f"{PHRASE} = Ли Г.", number=100))
    desk.run()
    assert decided(desk)[-1] == ("issue", None)


def test_beyond_the_cap_in_all_nothing_is_dropped(desk: Desk) -> None:
    desk.replies_daily = 2
    desk.take(letter(subject=f"{PHRASE} = Иванов"), letter(number=2), letter(DENTIST.answer_to, number=3))
    desk.run()
    assert decided(desk) == [("refuse", "initials-missing"), ("issue", None), ("hold", "cap")]
    with desk.trial.database.reading() as tx:
        assert [line.state for line in report.listed(tx, Wanted(), Page(limit=1)).lines] == ["held"]


def answered_by(desk: Desk, respond: Callable[[bytes, int], bytes], *, rounds: int, minutes: int = 1) -> int:
    """Somebody's program answers every letter of ours at once; how many letters it wrote until it fell silent."""
    heard = 0
    desk.run()
    for _ in range(rounds):
        new = [content for _, content in desk.postman.sent[heard:]]
        heard = len(desk.postman.sent)
        if not new:
            return heard
        desk.trial.clock.move(minutes=minutes)
        desk.mailbox.received_at = desk.trial.clock()
        desk.take(*(respond(content, heard + number) for number, content in enumerate(new)))
        desk.run()
    raise AssertionError(f"it never stopped: {heard} letters")


def from_clinic(content: bytes, number: int, subject: str, *headers: str) -> bytes:
    return letter(ADDRESS, *headers, subject=subject, number=1000 + number)


@pytest.mark.slow
@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(
            lambda content, n: from_clinic(
                content, n, "Re: " + header(content, "Subject"), f"In-Reply-To: {header(content, 'Message-ID')}"
            ),
            id="a thread",
        ),
        pytest.param(lambda content, n: from_clinic(content, n, "Re: " + header(content, "Subject")), id="our subject after Re:"),
        pytest.param(lambda content, n: from_clinic(content, n, header(content, "Subject")), id="our bare subject"),
        pytest.param(
            lambda content, n: from_clinic(content, n, "Автоответ: " + header(content, "Subject")), id="our subject, quoted"
        ),
        pytest.param(
            lambda content, n: from_clinic(
                content, n, f"Re: {PHRASE} = Пришва А.А.", f"In-Reply-To: {header(content, 'Message-ID')}"
            ),
            id="the request in a thread",
        ),
        pytest.param(lambda content, n: from_clinic(content, n, f"{PHRASE} = Пришва А.А."), id="the very request"),
        pytest.param(lambda content, n: from_clinic(content, n, "Меня нет", "Auto-Submitted: auto-replied"), id="one that says so"),
    ],
)
@pytest.mark.parametrize("first", ["Пришва А.А.", "Иванов"], ids=["a login", "a refusal"])
def test_a_responder_that_answers_every_letter_of_ours_gets_no_second_one(
    desk: Desk, first: str, respond: Callable[[bytes, int], bytes]
) -> None:
    desk.take(letter(subject=f"{PHRASE} = {first}"))
    assert answered_by(desk, respond, rounds=3) <= 2


@pytest.mark.slow
def test_a_responder_whose_own_subject_is_nearly_ours_stops_at_the_daily_cap(desk: Desk) -> None:
    desk.take(letter())
    assert answered_by(desk, lambda content, n: from_clinic(content, n, f"Автоответ на: {PHRASE}"), rounds=100) == 60
    assert decided(desk)[-1] == ("hold", "cap")


def test_a_slow_responder_that_repeats_the_request_stops_at_the_fourth_login(desk: Desk) -> None:
    desk.take(letter())
    stopped = answered_by(desk, lambda content, n: from_clinic(content, n, f"{PHRASE} = Пришва А.А."), rounds=20, minutes=20)
    assert stopped == 4
    assert decided(desk)[-1] == ("hold", "reissued-often")
    with desk.trial.database.reading() as tx:
        assert credentials.counts(tx) == {CredentialState.ACTIVE: 1, CredentialState.SUPERSEDED: 3}


@pytest.fixture
def neighbour(tmp_path: Path, desk: Desk) -> Iterator[Desk]:
    """Another office with this very program; each has the other in its register."""
    trial = set_up(f"sqlite:///{tmp_path / 'neighbour.db'}")
    (tmp_path / "neighbour").mkdir()
    other = Desk(trial=trial, home=tmp_path / "neighbour", address="uc@neighbour.example")
    for office, far in ((desk, other), (other, desk)):
        office.trial.register(Sender(code="290077", organisation="Сосед", answer_to=far.address, addresses=(far.address,)))
    yield other
    trial.database.close()


def stripped(content: bytes) -> bytes:
    """What a gateway leaves that keeps only who, what and the text."""
    kept = ("From", "To", "Subject", "Date", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")
    head, _, body = content.partition(b"\r\n\r\n")
    lines = head.replace(b"\r\n ", b" ").split(b"\r\n")
    return b"\r\n".join(line for line in lines if line.split(b":")[0].decode() in kept) + b"\r\n\r\n" + body


@pytest.mark.slow
@pytest.mark.parametrize("gateway", [bytes, stripped], ids=["as sent", "stripped by a gateway"])
@pytest.mark.parametrize(
    "subject", [f"{PHRASE} = Пришва А.А.", f"{PHRASE} = Иванов", "атрибуты доступа"], ids=["request", "no initials", "near subject"]
)
def test_two_offices_that_write_to_each_other_stop(
    desk: Desk, neighbour: Desk, subject: str, gateway: Callable[[bytes], bytes]
) -> None:
    desk.take(letter(neighbour.address, subject=subject))
    carried = {desk.address: 0, neighbour.address: 0}
    for _ in range(10):
        for office, far in ((desk, neighbour), (neighbour, desk)):
            office.run()
            for _, content in office.postman.sent[carried[office.address] :]:
                carried[office.address] += 1
                far.mailbox.drop(gateway(content))
    assert carried == {desk.address: 1, neighbour.address: 0}
