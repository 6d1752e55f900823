"""Is a password found in what mail programs make of our answer, each in its own way?"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable
from typing import Final

import pytest

from mailer.core import leak
from tests.core.test_core_leak import PASSWORDS, Shape, answer, as_base64, as_html, as_quoted_printable, enclosed, letter, quoted

Encoded = Callable[[bytes, str], bytes]


def page(make: Callable[[str], str], charset: str = "utf-8", encoded: Encoded = as_quoted_printable) -> Shape:
    """A letter of HTML, made from the text of ours."""
    return lambda _, text: encoded(make(text).encode(charset, "replace"), f"text/html; charset={charset}")


def lines(text: str, before: str, after: str) -> str:
    return "".join(f"{before}{html.escape(line)}{after}" for line in text.split("\n"))


def broken(text: str, mark: str) -> str:
    """With a mark wherever a long word may be broken."""
    return re.sub(r"(\S{6})(?=\S)", rf"\1{mark}", text)


def outlook(text: str) -> str:
    """Each word that the spelling is checked of is a span, and the source is wrapped within tags."""
    start, end = "<p class=MsoNormal><span class=SpellE><span\r\nlang=EN-US>", "</span><o:p></o:p></p>"
    halves = (f"{html.escape(line[:5])}</span></span><span lang=EN-US>{html.escape(line[5:])}" for line in text.split("\n"))
    return f"<html><body>{''.join(f'{start}{half}{end}' for half in halves)}</body></html>"


def apple(text: str) -> str:
    told = lines(text, '<div class="">', "</div>")
    return f'<div>Не подходит<br><blockquote type="cite" class="">{told}</blockquote></div>'


def notes(text: str) -> str:
    return f'<br><font size=2 face="sans-serif">Прошу</font><br><tt><font size=2>{lines(text, "", "<br>")}</font></tt>'


def mail_ru(text: str) -> str:
    above = "Понедельник, 23 ноября 2026, 10:15 +03:00 от Фонд &lt;uc@fond.example&gt;:<br>"
    body = f'<div class="js-helper"><div id="style_1_BODY"><div class="cl_1">{lines(text, "", "<br>")}</div></div></div>'
    return f'<blockquote style="border-left:1px solid #0857A6; margin:10px;">{above}{body}</blockquote>'


def yandex(text: str) -> str:
    return (
        f'<div>23.11.2026, 10:15, "Фонд" &lt;uc@fond.example&gt;:</div><blockquote><p>{lines(text, "", "<br />")}</p></blockquote>'
    )


def flowed(text: str, sign: str, width: int) -> str:
    return "".join(quoted(textwrap.fill(line, width).replace("\n", " \n"), sign) or f"{sign}\r\n" for line in text.split("\n"))


def cut(text: str, sign: str, width: int) -> str:
    """Lines ended wherever they are full."""
    return "".join(quoted(line[at : at + width], sign) for line in text.split("\n") for at in range(0, len(line), width))


def signed(inner: bytes) -> bytes:
    """An opaque signature: what is signed stands in pieces of DER."""
    pieces = (inner[at : at + 1_000] for at in range(0, len(inner), 1_000))
    der = b"0\x80\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x02" + b"".join(
        b"\x04\x82%b%b" % (len(one).to_bytes(2, "big"), one) for one in pieces
    )
    return as_base64(der, "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m")


def without_line(ours: bytes, number: int) -> bytes:
    """The source, some bytes of one of its lines of base64 lost."""
    head, _, body = ours.partition(b"\r\n\r\n")
    rows = body.split(b"\r\n")
    rows[number] = rows[number][:-3]
    return head + b"\r\n\r\n" + b"\r\n".join(rows)


MADE: Final[dict[str, Shape]] = {
    "Outlook": page(outlook),
    "Outlook, windows-1251": page(outlook, "cp1251", as_base64),
    "Exchange, words broken": page(lambda text: broken(lines(text, "", "\n"), "<wbr>").replace("\n", "<br>")),
    "words broken by marks": lambda _, text: as_base64(broken(text, "\u200b").encode()),
    "winmail.dat": lambda _, text: as_base64(
        b"\x78\x9f\x3e\x22\x01\0\x1f\0\0\x10" + text.encode("utf-16-le"), "application/ms-tnef"
    ),
    "Apple Mail": page(apple),
    "Apple Mail, plain": lambda _, text: as_quoted_printable(quoted(text.replace(" ", "\xa0")).encode()),
    "Lotus Notes, KOI8-R": page(notes, "koi8-r", as_base64),
    "Mail.ru": page(mail_ru, encoded=as_base64),
    "Yandex": page(yandex, encoded=letter),
    "The Bat!": lambda _, text: letter(quoted(text, "ИИ> ").encode("cp1251"), "text/plain; charset=windows-1251"),
    "The Bat!, KOI8-R": lambda _, text: as_quoted_printable(quoted(text, "ИИ> ").encode("koi8-r", "replace")),
    "The Bat!, answered": lambda _, text: as_base64(quoted(quoted(text, "ИИ> "), ">").encode()),
    "The Bat!, lines cut": lambda _, text: letter(cut(text, "ИИ> ", 10).encode()),
    "flowed": lambda _, text: letter(flowed(text, "> ", 12).encode(), "text/plain; charset=utf-8; format=flowed"),
    "bars, lines cut": lambda _, text: letter(cut(text, "| ", 12).encode()),
    "ISO 8859-5": lambda _, text: as_quoted_printable(quoted(text).encode("iso8859-5", "replace")),
    "a page in UTF-16": lambda _, text: enclosed(as_base64(as_html(text).encode("utf-16"), "text/html; name=letter.htm")),
    "signed": lambda ours, _: signed(ours),
    "signed HTML": lambda ours, text: signed(page(outlook)(ours, text)),
    "the source behind a word": lambda ours, _: letter(
        ours.replace(b"base64\r\n\r\n", b"base64\r\nbelow\r\n\r\n").replace(b"\r\n\r\n", b"\r\n")
    ),
    "the source, bytes lost": lambda ours, _: letter(quoted(without_line(ours, 0).partition(b"\r\n\r\n")[2].decode()).encode()),
}


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("shape", MADE.values(), ids=MADE)
def test_an_answer_is_found_in_what_a_program_made_of_it(shape: Shape, password: str) -> None:
    assert leak.is_in_letter(shape(*answer(password)))
