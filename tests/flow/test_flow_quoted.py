"""What comes back to us with a password in it is kept without it, decided as ever, and stays on the mail server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailer.core import evidence
from mailer.core.keeping import LeftOut
from mailer.errors import RefusedError
from mailer.flow.override import letters as override
from mailer.states import CredentialState
from mailer.store import audit, credentials, letters
from tests.e2e.bureau import body, header, request
from tests.e2e.canary import seen
from tests.flow.desks import CLINIC, Desk, password_in
from tests.store.offices import Trial

ADDRESS = CLINIC.answer_to
BOUNCE = (
    "From: MAILER-DAEMON@clinic.example\r\nTo: uc@fond.example\r\nReturn-Path: <>\r\n\r\n"
    f"Hi. This is the qmail-send program.\r\n\r\n<{ADDRESS}>:\r\n550 5.1.1 no such user\r\n\r\n"
)


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    """One answer has left."""
    desk = Desk(trial=trial, home=tmp_path)
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    desk.run()
    return desk


def answer(desk: Desk) -> bytes:
    return desk.postman.sent[0][1]


def quoted(desk: Desk) -> str:
    return "".join(f"> {line}\r\n" for line in body(answer(desk)).splitlines())


def thread(desk: Desk) -> str:
    return f"In-Reply-To: {header(answer(desk), 'Message-ID')}\r\n"


def kept(desk: Desk) -> list[tuple[bool, bool, str | None]]:
    """Of each letter but the first: whether it is kept whole, whether a password is kept with it, and what the record says."""
    _, password = password_in(answer(desk))
    with desk.trial.database.reading() as tx:
        rows = list(reversed(letters.newest(tx, 100)))[1:]
        records: list[dict[str, Any]] = [
            evidence.read_details(one)
            for one in audit.page(tx, after=0, limit=1000)
            if evidence.read_header(one)["event"] == "letter.kept"
        ]
    notes = {record["letter"]: record["note"] for record in records}
    return [(row.whole, bool(seen(row.content, password)), notes[row.id]) for row in rows]


def test_a_request_that_answers_ours_is_decided_by_its_headers_and_its_body_is_not_even_fetched(desk: Desk) -> None:
    desk.mailbox.fetched.clear()
    desk.take(thread(desk).encode() + request("Ли К.", ADDRESS, 2) + quoted(desk).encode())
    desk.run()
    assert kept(desk) == [(False, False, LeftOut.ANSWERS_OURS)]
    assert desk.mailbox.fetched == []
    assert list(desk.mailbox.filed) == [1, 2]
    assert [header(content, "Subject") for _, content in desk.postman.sent][1:] == ["Логин и пароль: Ли К."]


def test_a_request_under_which_our_answer_is_quoted_is_kept_as_headers(desk: Desk) -> None:
    desk.take(request("Ли К.", ADDRESS, 2) + quoted(desk).encode(), request("Юрьева Я.Я.", ADDRESS, 3) + answer(desk))
    desk.run()
    assert kept(desk) == [(False, False, LeftOut.LEAK)] * 2
    assert list(desk.mailbox.filed) == [1, 2, 3]
    assert len(desk.postman.sent) == 3


def test_a_body_that_stands_among_the_headers_is_not_kept_with_them(desk: Desk) -> None:
    """No empty line comes before it: for mail servers all of it is headers."""
    without = request("Ли К.", ADDRESS, 2).replace(b"\r\n\r\n", b"\r\n") + quoted(desk).encode()
    desk.max_bytes = len(without) - 1
    desk.take(without)
    desk.run()
    assert kept(desk) == [(False, False, LeftOut.LEAK)]
    assert len(desk.postman.sent) == 2, "it is decided all the same"


def test_other_letters_are_kept_as_they_came(desk: Desk) -> None:
    below = "Прошу выдать логин и пароль. Тел. 12-34-56\r\n> Отказ: не указаны инициалы\r\n"
    desk.take(
        request("Ли К.", ADDRESS, 2) + below.encode(),
        b"In-Reply-To: <a1@clinic.example>\r\n" + request("Юрьева Я.Я.", ADDRESS, 3),
        request("Ким А.", "stranger@elsewhere.example", 4),
        thread(desk).encode() + request("Ким А.", "stranger@elsewhere.example", 5),
        request("Цой В.", ADDRESS, 6) + b"x" * desk.max_bytes,
    )
    assert kept(desk) == [
        (True, False, None),
        (True, False, None),
        (False, False, None),
        (False, False, None),
        (False, False, LeftOut.TOO_LARGE),
    ]


@pytest.mark.parametrize("reported", ["copy", "text", "quoted", "nothing"])
def test_a_bounce_that_brings_the_answer_back_in_any_way_is_kept_without_it_and_believed(desk: Desk, reported: str) -> None:
    ours = answer(desk).decode()
    headers = f"--- Below this line is a copy of the message.\r\n\r\n{ours}"
    brought = {"copy": headers, "text": body(answer(desk)), "quoted": quoted(desk), "nothing": ""}[reported]
    desk.take((thread(desk) + BOUNCE + brought).encode())
    desk.run()
    assert kept(desk) == [(False, False, LeftOut.RETURNED)]
    with desk.trial.database.reading() as tx:
        assert [one.state for one in credentials.newest(tx, 10)] == [CredentialState.SUSPENDED]


def test_what_is_not_kept_whole_cannot_be_put_back_for_people(desk: Desk) -> None:
    desk.take(request("Ли К.", ADDRESS, 2) + quoted(desk).encode())
    with pytest.raises(RefusedError, match="not kept as it came"):
        override.forward(desk.trial.worker(), [2], reason="сотруднику")


def test_a_sender_of_the_register_takes_nothing_of_the_share_of_strangers(desk: Desk) -> None:
    desk.take(thread(desk).encode() + request("Ли К.", ADDRESS, 2), request("Ким А.", "stranger@elsewhere.example", 3))
    with desk.trial.database.reading() as tx:
        (share,) = letters.kept_since(tx, desk.trial.clock()).values()
    assert share.letters == 1
