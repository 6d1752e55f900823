"""The letters that are measured: an ordinary one, the slow ways of reading one, and the worst bytes up to the limits."""

from __future__ import annotations

import base64
import random
import unicodedata

ADDRESS = "gb1@clinic.example"
AUTHSERV_ID = "mx.fond.example"
PHRASE = "Запрос атрибутов временного доступа"

_WAY = f"""\
Return-Path: <{ADDRESS}>
Received: from mail.clinic.example (mail.clinic.example [192.0.2.17])
\tby {AUTHSERV_ID} (Postfix) with ESMTPS id 4XyZ1k0bqHz9s
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
\tfor <access@fond.example>; Mon, 23 Nov 2026 09:12:44 +0300 (MSK)
Authentication-Results: {AUTHSERV_ID}; dmarc=pass (p=reject) header.from=clinic.example;
\tdkim=pass (2048-bit key) header.d=clinic.example header.i=@clinic.example header.s=mail; spf=pass smtp.mailfrom={ADDRESS}
Received: from [10.4.2.19] (unknown [10.4.2.19])
\tby mail.clinic.example (Postfix) with ESMTPSA id 6F1A92C0481
\tfor <access@fond.example>; Mon, 23 Nov 2026 09:12:43 +0300 (MSK)
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=clinic.example; s=mail; t=1795414363;
\tbh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; h=To:From:Subject:Date:From;
\tb=Uq1mR2vYkT0cN4sP8xJ5bA7eD9fG3hL6wZoQiEuCnKtVjXyMlBrHdSaFgWpO1I2R3T4Y5U6I7O8P
\t 9A0S1D2F3G4H5J6K7L8Z9X0C1V2B3N4M5Q6W7E8R9T0Y1U2I3O4P5A6S7D8F9G0H1J2K3L4Z5X6C7
\t 8V9B0N1M2==
To: access@fond.example
"""
_LAST = """\
Date: Mon, 23 Nov 2026 09:12:42 +0300
Message-ID: <3f0c8a52-61f4-4bd1-9a53-8a1f2f7e6d10@clinic.example>
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Thunderbird/128.4.0
Content-Language: ru
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: base64

"""
_BODY = "Добрый день! Просим выдать временный доступ сотруднику. Больница № 1, отдел кадров.\r\n"


def ordinary(subject: str = f"{PHRASE} = Иванов И.И.") -> bytes:
    """A letter of some 2 kB as a mail program writes it and two servers pass it on."""
    sender = f"From: {_encoded('ГБУЗ «Больница № 1»')} <{ADDRESS}>\n"
    head = f"{_WAY}{sender}Subject: {_encoded(subject)}\n{_LAST}"
    return head.replace("\n", "\r\n").encode() + base64.encodebytes(_BODY.encode()).replace(b"\n", b"\r\n")


SLOW_WAYS = {
    "misspelt phrase, 2 edits": "Запрос аттрибутов временого доступа = Иванов И.И.",
    "misspelt phrase, 3 edits": "Зопрос аттрибутов временого доступа = Иванов И.И.",
    "other subject": "Протокол совещания по итогам третьего квартала 2026 года",
    "near subject": "Прошу прислать атрибуты для доступа Иванову И.И.",
    "refusal: initials missing": f"{PHRASE} = Иванов",
    "refusal: several names": f"{PHRASE} = Иванов И.И., Петров П.П.",
    "refusal: text after the name": f"{PHRASE} = Иванов И.И., главный врач",
    "refusal: not Cyrillic": f"{PHRASE} = Ivanov I.I.",
    "full name": f"{PHRASE} = Александр Андреевич Мамин-Сибиряк",
    "Latin look-alikes": "Зaпрoс aтрибyтoв врeмeннoгo дoстyпa = Ивaнoв A.C.",
    "all at once": "Fwd: RE[2]: «Зaпрос  аттрибутов временного доступa» - «МАМИН – СИБИРЯК Д,Н,»;",
}


def worst() -> dict[str, bytes]:
    """What costs most, as far as anybody has found; each is as large as a limit allows."""
    return _worst_blocks() | _worst_subjects() | _worst_names() | _worst_senders() | _worst_wholes()


def searched() -> dict[str, bytes]:
    """What costs most to look for a password in."""
    picture = base64.encodebytes(random.Random(1).randbytes(2**20 * 3 // 4))
    return {
        "a picture of 1 MiB": _letter(b"Subject: x", body=picture),
        "pictures of 25 MiB": _letter(b"Subject: x", body=(picture + b"--b\n\n") * 24),
        "base64 thrice over": _letter(b"Subject: x", body=base64.encodebytes(base64.encodebytes(picture[: 2**19]))),
        **{f"searched: 1 MiB of {unit.decode()!r}": _letter(b"S: x", body=_filled(unit, 2**20)) for unit in _SEARCHED},
    }


_SEARCHED = (
    b"&lt;",
    b">\n",
    b"<a>",
    b"password ",
    b"=3D",
    b"k ",
    b"k",
    b"abcdabcdabcdabcd\n!\n",
    b"abcdefghijklmnopq\n",
    b"begin 644 x\n",
    b"a",
    b"\0",
)


def _letter(*headers: bytes, body: bytes = b"text\r\n") -> bytes:
    return b"\r\n".join(headers) + b"\r\n\r\n" + body


def _filled(unit: bytes, size_bytes: int = 256 * 1024) -> bytes:
    return (unit * (size_bytes // len(unit) + 1))[:size_bytes]


def _worst_blocks() -> dict[str, bytes]:
    units = {
        "a:": b"a:\n",
        "\\n": b"\n ",
        "\\r": b"\r",
        "\\r\\r\\n ": b"\r\r\n ",
        ":": b":",
        "a": b"a",
        "a\\n": b"a\n",
        "a \\t": b"a \t",
        "NUL": b"\0",
    }
    block = {f"256 KiB of {name}": _filled(unit) for name, unit in units.items()}
    folds = {
        f"a header of 256 KiB of {name}": b"X: " + _filled(unit)
        for name, unit in units.items()
        if name in {"\\n", "\\r\\r\\n ", "a"}
    }
    ids = {
        f"References of {name}": _letter(b"References: " + _filled(unit, 255_000))
        for name, unit in (("<a@b>", b"<a@b>"), ("<", b"<"), ("<aaa", b"<aaa@"))
    }
    others = {
        "1,000 Subjects": _letter(
            *(b"Subject: =?utf-8?B?%s?=" % base64.b64encode(f"{PHRASE} = {n}".encode()) for n in range(1000))
        ),
        "1,000 Received": _letter(*[b"Received: from a by " + AUTHSERV_ID.encode() + b" (" + b"(" * 200] * 1000),
        "50 Authentication-Results": _letter(
            *[f"Authentication-Results: {AUTHSERV_ID}; ".encode() + b"dkim=pass header.d=x.ru; " * 75] * 50
        ),
        "3 results with comments": _letter(*[f"Authentication-Results: {AUTHSERV_ID}; ".encode() + b"a=b (c) d.e=f; " * 130] * 3),
        "comments in Content-Type": _letter(b"Content-Type: multipart/report" + _filled(b"(;", 250_000)),
        "; in Content-Type": _letter(b"Content-Type: multipart/report" + _filled(b"; report-type ", 250_000)),
        "a mark of 250 kB": _letter(b"List-Id: " + _filled(b"\t\x01a", 250_000)),
    }
    return block | folds | ids | others


def _worst_subjects() -> dict[str, bytes]:
    size_bytes = 64 * 1024 - 20
    raw = {
        "64 KiB of words of a letter": _filled(b"=?utf-8?B?0J8=?= ", size_bytes),
        "64 KiB of words of two charsets": _filled(b"=?utf-8?B?0J8=?= =?koi8-r?Q?=D0?= ", size_bytes),
        "64 KiB in one B word": b"=?utf-8?B?" + base64.b64encode(("А́" * 16_000).encode())[: size_bytes - 20] + b"?=",
        "64 KiB in one Q word": b"=?utf-8?Q?" + _filled(b"=D0=9F=", size_bytes - 20) + b"?=",
        "64 KiB of =?": _filled(b"=?", size_bytes),
        "64 KiB of =?utf-8?B?": _filled(b"=?utf-8?B?", size_bytes),
        "64 KiB of raw bytes": _filled("Запрос ".encode("koi8_r"), size_bytes),
        "64 KiB of bytes of no charset": _filled(b"\xff\x98", size_bytes),
    }
    prefix, edits = "Re: " * 980 + "x", PHRASE[:-3] + " " * 3_900
    texts = {
        "4,000 characters of marks": "а" + _marks(3_990),
        "4,000 characters of prefixes": prefix,
        "4,000 characters of spaces": edits,
        "4,000 characters invisible": f"{PHRASE} = " + "\u200b\u00a0" * 1_900,
        "4,000 characters of quotes": "«" * 2_000 + "»" * 1_990,
        "4,000 characters of separators": PHRASE + " =" * 1_900,
    }
    return {what: _letter(b"Subject: " + value) for what, value in raw.items()} | {
        what: _letter(b"Subject: " + _encoded(text).encode()) for what, text in texts.items()
    }


def _marks(count: int) -> str:
    """Combining marks in the order that costs normalising most: each class before those that must stand before it."""
    first = {unicodedata.combining(chr(code)): chr(code) for code in range(0x300, 0x660)}
    ordered = [first[combining] for combining in sorted(first, reverse=True) if combining]
    return "".join(mark * (count // len(ordered)) for mark in ordered)


def _worst_names() -> dict[str, bytes]:
    units = (
        "А",
        "А-",
        "А ",
        "А.",
        "А,",
        "Аа ",
        "Аа-",
        "де ",
        "А'",
        "Иванов И.И., ",
        "Иванов И и ",
        "Иван Ильич ",
        "оглы ",
        "«",
        ". ,",
        "A",
        "- ",
    )
    names = {f"a name of «{unit}»": (unit * 160)[:160] for unit in units}
    return {what: _letter(b"Subject: " + _encoded(f"{PHRASE} = {name}").encode()) for what, name in names.items()}


def _worst_senders() -> dict[str, bytes]:
    units = (b"a,", b"(", b"()", b'"', b'\\"', b"a@", b"<", b"=?a?b?", b"a ", b"=?utf-8?B?0J8=?= ")
    long = {f"From of 60 kB of {unit.decode()}": b"From: " + _filled(unit, 60_000) for unit in units}
    read = {f"From of 4 kB of {unit.decode()}": b"From: " + _filled(unit, 3_970) + b" <a@x.ru>" for unit in units}
    return {what: _letter(value) for what, value in (long | read).items()}


def _worst_wholes() -> dict[str, bytes]:
    size_bytes = 25_000_000
    nest = b"".join(b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (level, level + 1) for level in range(10_000))
    return {
        "10,000 levels of parts": _letter(b"Content-Type: multipart/mixed; boundary=0", body=nest),
        "10,000 levels in From": _letter(b"From: " + b"(" * 10_000 + b")" * 10_000 + b" a@x.ru"),
        "10,000 levels in Received": _letter(
            b"Received: " + b"(" * 10_000 + b")" * 10_000, f"Authentication-Results: {AUTHSERV_ID}; none".encode()
        ),
        "25 MB, an ordinary letter": ordinary() + _filled(b"a" * 76 + b"\r\n", size_bytes),
        "25 MB without an empty line": _filled(b"Subject: a\r\n", size_bytes),
        "25 MB in one line": b"Subject: " + _filled(b"a", size_bytes),
        "25 MB of CR": _filled(b"\r", size_bytes),
        "25 MB of NUL": bytes(size_bytes),
    }


def _encoded(text: str) -> str:
    """As mail programs write it: one encoded word a line."""
    words, line = [], b""
    for character in text:
        if len(line) + len(character.encode()) > 42:
            words.append(line)
            line = b""
        line += character.encode()
    return "\r\n ".join(f"=?UTF-8?B?{base64.b64encode(word).decode()}?=" for word in [*words, line])
