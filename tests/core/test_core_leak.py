"""Is a password found in whatever way an answer comes back, and is nothing found in what people write themselves?"""

from __future__ import annotations

import base64
import binascii
import html
import quopri
import random
import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import leak, reply
from mailer.core.letterhead import Letterhead
from mailer.core.replyvalues import IssuedValues, sample_values
from mailer.core.secret import Secret
from mailer.model import Envelope
from tests.bench import letters
from tests.e2e.bureau import PHRASE
from tests.flow.desks import packaged

PASSWORDS: Final = {"default": "zk7m3wdr8fhn4gtbsj", "mixed": "zk7D3wdR8fhN4gtLsj", "of the authority": "Qx9!mt2p"}
HEAD: Final = f"From: ib@clinic.example\r\nSubject: {PHRASE} = Ли К.\r\nMIME-Version: 1.0\r\n".encode()
Shape = Callable[[bytes, str], bytes]
"""From our letter's bytes and its text to a letter that brings it back."""


def answer(password: str) -> tuple[bytes, str]:
    """A letter with this password as it leaves us, and its text."""
    _ruleset, templates = packaged()
    sample = sample_values("issued")[0]
    assert isinstance(sample, IssuedValues)
    values = replace(sample, password=Secret(password), by_authority=password == PASSWORDS["of the authority"])
    letterhead = Letterhead(
        envelope=Envelope(sender="uc@fond.example", recipient="ib@clinic.example"),
        from_name="Фонд",
        from_address="uc@fond.example",
        message_id=f"<{'0' * 32}@fond.example>",
        at=datetime(2026, 11, 23, tzinfo=UTC),
        loop_mark="0" * 32,
    )
    return reply.compose(templates, "issued", values, letterhead), reply.render(templates, "issued", values)[1]


def letter(body: bytes, content_type: str = "text/plain; charset=utf-8", encoding: str = "8bit") -> bytes:
    return HEAD + f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def as_base64(body: bytes, content_type: str = "text/plain; charset=utf-8") -> bytes:
    return letter(base64.encodebytes(body).replace(b"\n", b"\r\n"), content_type, "base64")


def as_quoted_printable(body: bytes, content_type: str = "text/plain; charset=utf-8") -> bytes:
    return letter(quopri.encodestring(body), content_type, "quoted-printable")


def quoted(text: str, sign: str = "> ") -> str:
    return "".join(f"{sign}{line}\r\n" for line in text.splitlines())


def uuencoded(content: bytes) -> bytes:
    lines = b"".join(binascii.b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45))
    return b"begin 644 letter.eml\n" + lines + b"`\nend\n"


def enclosed(part: bytes, depth: int = 1) -> bytes:
    """As the last part of multiparts within each other."""
    for level in range(depth):
        part = (
            f"Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n\r\nсм. ниже\r\n--b{level}\r\n".encode()
            + part
            + f"\r\n--b{level}--\r\n".encode()
        )
    return HEAD + part


def as_html(text: str) -> str:
    lines = (
        f"<p class=MsoNormal style='margin:0cm'><span lang=RU>{html.escape(line)}<o:p></o:p></span></p>"
        for line in text.split("\n")
    )
    return f"<html><body>{''.join(lines)}</body></html>"


def in_table(text: str) -> bytes:
    lines = [line for line in text.split("\n") if line]
    rows = "".join(f"<tr><td style='{'x' * 300}'>{a}</td><td>{b}</td></tr>" for a, b in pairwise(lines))
    return f"<table>{rows}</table>".encode()


def outlook(text: str) -> str:
    above = "-----Исходное сообщение-----\r\nОт: Фонд [mailto:uc@fond.example]\r\nТема: Логин и пароль: Ли К.\r\n\r\n"
    return f"Прошу ещё раз\r\n\r\n{above}{text}"


def entities(text: str) -> bytes:
    return "".join(f"&#{ord(one)};" if ord(one) > 126 else one for one in as_html(text)).encode()


RETURNED: Final[dict[str, Shape]] = {
    "as text": lambda _, text: letter(text.encode()),
    "quoted": lambda _, text: letter(quoted(text).encode()),
    "quoted twice": lambda _, text: letter(quoted(quoted(text, ">")).encode()),
    "quoted with bars": lambda _, text: letter(quoted(text, "| ").encode()),
    "quoted, lines wrapped": lambda _, text: letter(quoted(textwrap.fill(text, 40)).encode(), "text/plain; format=flowed"),
    "Outlook, windows-1251": lambda _, text: letter(outlook(text).encode("cp1251"), "text/plain; charset=windows-1251"),
    "Outlook, base64": lambda _, text: as_base64(outlook(text).encode("cp1251")),
    "KOI8-R, quoted-printable": lambda _, text: as_quoted_printable(quoted(text.replace("–", "-")).encode("koi8-r", "replace")),
    "DOS": lambda _, text: letter(text.encode("cp866", "replace")),
    "quoted, base64": lambda _, text: as_base64(quoted(text).encode()),
    "quoted, quoted-printable": lambda _, text: as_quoted_printable(quoted(text).encode()),
    "HTML": lambda _, text: as_quoted_printable(as_html(text).encode(), "text/html; charset=utf-8"),
    "HTML in base64": lambda _, text: as_base64(as_html(text).encode("cp1251", "replace"), "text/html; charset=windows-1251"),
    "HTML of entities": lambda _, text: letter(entities(text), "text/html"),
    "HTML table": lambda _, text: letter(in_table(text), "text/html"),
    "the source, quoted": lambda ours, _: letter(quoted(ours.decode()).encode()),
    "the body's source alone": lambda ours, _: letter(ours.partition(b"\r\n\r\n")[2]),
    "enclosed": lambda ours, _: enclosed(b"Content-Type: message/rfc822\r\n\r\n" + ours),
    "enclosed deeply": lambda ours, _: enclosed(b"Content-Type: message/rfc822\r\n\r\n" + ours, depth=12),
    "enclosed in base64": lambda ours, _: as_base64(ours, "message/rfc822"),
    "a file in base64": lambda ours, _: as_base64(ours, "application/octet-stream; name=letter.eml"),
    "enclosed in quoted-printable": lambda ours, _: as_quoted_printable(ours, "message/rfc822"),
    "a letter in base64 in a letter in base64": lambda ours, _: as_base64(as_base64(ours), "message/rfc822"),
    "uuencoded": lambda ours, _: letter(b"see\n\n" + uuencoded(ours)),
    "in the midst of 3 MiB": lambda ours, _: as_base64(b"\0" * 1_500_000 + ours + b"\0" * 1_000_000, "application/octet-stream"),
    "across the end of a slice": lambda ours, _: letter(
        b"x" * (2**20 - len(HEAD) - 2_500) + b"\r\n" + quoted(ours.decode()).encode()
    ),
    "UTF-16": lambda _, text: as_base64(text.encode("utf-16"), "text/plain; charset=utf-16"),
    "lines ended by CR": lambda _, text: letter(quoted(text).encode()).replace(b"\r\n", b"\r"),
    "behind a picture of a megabyte": lambda _, text: enclosed(
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(random.Random(1).randbytes(750_000))
        + b"--b0\r\n\r\n"
        + text.encode()
    ),
}
WRITTEN: Final = {
    "a line": "Пароль: {password}",
    "told": "Наш пароль {password} не подходит",
    "in brackets": "пароль (из письма от 23.11): <{password}>",
    "on the next line": "Пароль\r\n\r\n{password}",
    "marked": "Логин/пароль для портала: *{password}*",
    "English": "Password: {password}",
}
GENERATED: Final = {
    "alone": "{password}",
    "in groups": "Не подходит: {groups}, проверьте",
    "in groups with hyphens": "{hyphens}",
    "cut by HTML": "<b>zk7m3</b>wdr8<wbr>fhn4gtbsj",
    "parted by hard spaces": "zk7m3w&nbsp;dr8fhn&nbsp;4gtbsj",
    "parted by soft hyphens": "zk7m3w&shy;dr8fhn\u00ad4gtbsj",
    "parted by marks without width": "zk7m3w&#8203;dr8fhn\u200b4g\u2060tbsj",
    "in bold between paragraphs": "<p>tmp</p><p>zk7<b>m3wdr8fhn4gtbsj</b></p><p>tmp</p>",
}
HONEST: Final = {
    "a request": "Прошу выдать логин и пароль для Иванова И.И.\r\nТел. 8 (8182) 12-34-56, ib@clinic.example\r\n",
    "a colon": "Прошу выслать логин и пароль: Иванов Иван Иванович, СНИЛС 123-456-789 01",
    "an address": "Логин и пароль прошу направить по адресу: ib290001@clinic.example, https://clinic1.example/a1b2",
    "words only": "Пароль не подошёл. Прошу новый пароль! Паролей у нас два: старый и новый",
    "a term": "Срок действия пароля: 31.12.2026. Новый пароль: 01.02.27",
    "a list of numbers": "".join(f"{7_852_430_885_000_478 + number};Иванов\r\n" for number in range(2_000)),
    "numbers": "ИНН 2901000001, ОГРН 1022900500000, ключ 3f0c8a52-61f4-4bd1-9a53-8a1f2f7e6d10",
    "consonants": "ГБУЗ DFG RST Ltd. МКБ-10 S72.0 stv bdf 347-834-78",
}


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("shape", RETURNED.values(), ids=RETURNED)
def test_an_answer_that_comes_back_is_found(shape: Shape, password: str) -> None:
    assert leak.is_in_letter(shape(*answer(password)))


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("said", WRITTEN.values(), ids=WRITTEN)
def test_a_password_that_is_named_is_found(said: str, password: str) -> None:
    written = said.format(password=password)
    assert leak.is_in_letter(letter(f"Добрый день!\r\n\r\n{written}\r\n".encode()))
    assert leak.is_in_letter(as_base64(f"<p>{html.escape(written)}</p>".encode("cp1251"), "text/html"))


@pytest.mark.parametrize("said", GENERATED.values(), ids=GENERATED)
def test_a_password_of_ours_is_found_by_its_looks(said: str) -> None:
    made = PASSWORDS["default"]
    groups = [made[at : at + 6] for at in range(0, 18, 6)]
    written = said.format(password=made, groups=" ".join(groups), hyphens="-".join(groups))
    assert leak.is_in(f"Добрый день!\r\n{written}\r\n".encode())


@pytest.mark.parametrize("said", HONEST.values(), ids=HONEST)
@pytest.mark.parametrize("shape", [letter, as_base64, as_quoted_printable])
def test_what_people_write_themselves_is_kept(shape: Callable[[bytes], bytes], said: str) -> None:
    assert not leak.is_in_letter(shape(said.encode()))
    assert not leak.is_in_letter(shape(as_html(said).encode()))


def test_a_quoted_letter_of_ours_without_a_password_is_kept() -> None:
    _ruleset, templates = packaged()
    for name in ("expiring", "extended", "refused", "received", "refused-sender"):
        for values in sample_values(name):
            assert not leak.is_in_letter(letter(quoted(reply.render(templates, name, values)[1]).encode())), name


def test_pictures_are_kept() -> None:
    for seed in range(5):
        assert not leak.is_in_letter(as_base64(random.Random(seed).randbytes(200_000), "image/png"))


def test_the_headers_are_not_asked() -> None:
    assert not leak.is_in_letter(letters.ordinary())
    assert not leak.is_in_letter(b"X-Mailer-Loop: 1\r\nSubject: zk7m3wdr8fhn4gtbsj\r\n\r\ntext")


def test_headers_lose_what_shows_a_password_and_nothing_else() -> None:
    fields = ["From: ib@clinic.example", f"Subject: {PHRASE} = Ли К.", "Message-ID: <a1b2c3d4@clinic.example>", "X-Folded: a\r\n b"]
    honest = "".join(f"{field}\r\n" for field in fields).encode()
    assert leak.silent(honest) == honest
    for shown in (
        PASSWORDS["default"],
        "пароль Qx9mt2p7",
        "=?utf-8?B?" + base64.b64encode("Пароль: Qx9!mt2p".encode()).decode() + "?=",
    ):
        for absorbed in (f"Subject: {shown}\r\n", f"X-Folded: a\r\n {shown}\r\n", f"Пароль\r\n{shown}\r\n", f"X: y\r\r{shown}\r\n"):
            kept = leak.silent(honest + absorbed.encode())
            assert [leak.is_in(kept), kept.replace(b"\r", b"")] == [False, honest.replace(b"\r", b"")], absorbed
    shown = f"Subject: {PASSWORDS['default']}\n".encode()
    assert leak.silent(shown, but={b"subject"}) == shown


@given(st.binary(max_size=300) | st.text(alphabet="паролPassword:=\r\n >|<&#;zk7m3wdr+/\0", max_size=200).map(str.encode))
def test_nothing_raises(content: bytes) -> None:
    leak.is_in_letter(content)
