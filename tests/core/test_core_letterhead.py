import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.letterhead import Letterhead, letter_bytes
from mailer.model import LOOP_HEADER, Envelope

LETTERHEAD = Letterhead(
    envelope=Envelope(sender="mailer+17@fund.example", recipient="office@hospital.example"),
    from_name="ТФОМС Архангельской области, отдел информационной безопасности",
    from_address="mailer@fund.example",
    message_id="<reply.17@fund.example>",
    at=datetime(2026, 11, 23, 7, 15, 2, 999, tzinfo=UTC),
    loop_mark="d1e2s3k4",
    in_reply_to="<letter@hospital.example>",
    references=("<first@hospital.example>",),
)
BODY = "Уважаемые коллеги!\n\nПароль:\nbdfghj\n"
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=300).filter(str.strip)


def read(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def header_lines(content: bytes) -> list[bytes]:
    return content.partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_a_reader_finds_everything_where_it_belongs() -> None:
    message = read(letter_bytes(LETTERHEAD, "Логин и пароль: Иванов И.И.", BODY))
    assert message["From"].addresses[0].addr_spec == "mailer@fund.example"
    assert [address.addr_spec for address in message["To"].addresses] == ["office@hospital.example"]
    assert message["Subject"] == "Логин и пароль: Иванов И.И."
    assert message["Date"].datetime == datetime(2026, 11, 23, 7, 15, 2, tzinfo=UTC)
    assert message["Message-ID"] == "<reply.17@fund.example>"
    assert message["In-Reply-To"] == "<letter@hospital.example>"
    assert message["References"].split() == ["<first@hospital.example>", "<letter@hospital.example>"]
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message[LOOP_HEADER] == "d1e2s3k4"
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == BODY
    assert not message.defects
    assert len(set(message.keys())) == len(message.keys())


def test_the_bytes_are_seven_bit_with_crlf_only_and_always_the_same() -> None:
    content = letter_bytes(LETTERHEAD, "Отказ: не указаны инициалы", BODY)
    assert content.isascii()
    assert content.endswith(b"\r\n")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert content == letter_bytes(replace(LETTERHEAD), "Отказ: не указаны инициалы", BODY)


def test_the_envelope_sender_stands_nowhere_in_the_letter() -> None:
    assert b"mailer+17" not in letter_bytes(LETTERHEAD, "Отказ", BODY)


@given(subject=TEXT, from_name=TEXT)
def test_any_words_come_back_as_they_were(subject: str, from_name: str) -> None:
    content = letter_bytes(replace(LETTERHEAD, from_name=from_name), subject, BODY)
    message = message_from_bytes(content)
    assert decoded(message["Subject"]) == subject
    assert decoded(message["From"].rpartition("<")[0]) == from_name
    assert all(len(line) <= 78 for line in header_lines(content))
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ \r]*\?=", content))


def decoded(header: str) -> str:
    words = re.findall(r"=\?utf-8\?B\?([^?]*)\?=", header)
    return "".join(base64.b64decode(word).decode() for word in words)


@pytest.mark.parametrize("length", [10, 78, 200, 900], ids=str)
def test_long_ids_are_neither_encoded_nor_broken(length: int) -> None:
    long_id = f"<{'x' * (length - 6)}@h.r>"
    content = letter_bytes(replace(LETTERHEAD, in_reply_to=long_id, references=("<a@b>", long_id, "<c@d>")), "Отказ", BODY)
    lines = header_lines(content)
    assert f"In-Reply-To: {long_id}".encode() in lines
    start = lines.index(b"References: <a@b>")
    assert lines[start + 1 : start + 3] == [b" <c@d>", f" {long_id}".encode()]
    assert max(map(len, lines)) <= 998


def test_an_id_too_long_for_a_line_is_left_out() -> None:
    too_long = f"<{'x' * 1000}@hospital.example>"
    message = read(letter_bytes(replace(LETTERHEAD, in_reply_to=too_long, references=("<a@b>",)), "Отказ", BODY))
    assert message["In-Reply-To"] is None
    assert message["References"] == "<a@b>"


def test_a_letter_that_answers_nothing_has_no_thread() -> None:
    message = read(letter_bytes(replace(LETTERHEAD, in_reply_to=None, references=()), "Отказ", BODY))
    assert message["In-Reply-To"] is None
    assert message["References"] is None


def test_of_a_long_thread_the_first_and_the_last_ids_stay() -> None:
    thread = tuple(f"<{number}@hospital.example>" for number in range(5000))
    message = read(letter_bytes(replace(LETTERHEAD, references=thread), "Отказ", BODY))
    kept = message["References"].split()
    assert len(kept) == 20
    assert (kept[0], kept[-2], kept[-1]) == (thread[0], thread[-1], "<letter@hospital.example>")


INJECTION = "x\r\nBcc: all@hospital.example"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"from_name": INJECTION}, id="name with a line break"),
        pytest.param({"from_name": "Фонд\u2028"}, id="name with a Unicode line break"),
        pytest.param({"from_name": "Фонд\ud800"}, id="name with half a character"),
        pytest.param({"from_name": " "}, id="no name"),
        pytest.param({"from_address": f"{INJECTION}"}, id="address with a line break"),
        pytest.param({"from_address": "фонд@пример.рф"}, id="address not ASCII"),
        pytest.param({"from_address": "Фонд <mailer@fund.example>"}, id="address not bare"),
        pytest.param({"envelope": Envelope(sender="a@b", recipient="a@x.example\n")}, id="recipient with a line break"),
        pytest.param({"envelope": Envelope(sender="a@b", recipient='"a@x.example" <z@z>')}, id="two recipients in one"),
        pytest.param({"envelope": Envelope(sender="a@b", recipient="a@x.example,z@z.example")}, id="a list of recipients"),
        pytest.param({"message_id": "reply.17@fund.example"}, id="id without brackets"),
        pytest.param({"message_id": f"<{'x' * 1000}@fund.example>"}, id="own id too long"),
        pytest.param({"in_reply_to": f"<a@b>{INJECTION}"}, id="answered id with a line break"),
        pytest.param({"in_reply_to": "<a@b>\n"}, id="answered id with a line break at its end"),
        pytest.param({"references": ("<a@b>", "<a b@c>")}, id="reference with a space"),
        pytest.param({"references": ("<имя@пример>",)}, id="reference not ASCII"),
        pytest.param({"references": ("<a@b> <c@d>",)}, id="two references in one"),
        pytest.param({"loop_mark": INJECTION}, id="loop mark with a line break"),
        pytest.param({"loop_mark": ""}, id="no loop mark"),
        pytest.param({"at": datetime(2026, 11, 23)}, id="naive time"),  # noqa: DTZ001
    ],
)
def test_what_would_break_a_header_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"letterhead|form|line|name|zone"):
        replace(LETTERHEAD, **wrong)


@pytest.mark.parametrize("subject", ["Отказ\r\nBcc: x@y.example", "Отказ\nx", "Отказ\x00"], ids=repr)
def test_a_subject_of_two_lines_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        letter_bytes(LETTERHEAD, subject, BODY)


@pytest.mark.parametrize("length", [0, 1, 56, 57, 58, 114, 3_000])
def test_a_text_is_written_as_the_library_would(length: int) -> None:
    content = letter_bytes(LETTERHEAD, "Тема", "x" * length)
    assert content.partition(b"\r\n\r\n")[2] == base64.encodebytes(b"x" * length).replace(b"\n", b"\r\n")


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    """Of such an hour both moments count as equal; clocks went back in Moscow on 26.10.2014."""
    twice = datetime(2014, 10, 26, 1, 30, tzinfo=ZoneInfo("Europe/Moscow"))
    first, second = (letter_bytes(replace(LETTERHEAD, at=twice.replace(fold=fold)), "Тема", BODY) for fold in (0, 1))
    assert b"Date: Sun, 26 Oct 2014 01:30:00 +0400" in first
    assert b"Date: Sun, 26 Oct 2014 01:30:00 +0300" in second
