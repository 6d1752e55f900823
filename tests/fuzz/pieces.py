"""Letters built from pieces of the grammar, as bytes choose: they get past the phrase, where random bytes never come.

The first choice of every list is the plainest, and choices that run out are the first: fewer bytes make a plainer letter.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mailer.core.namewords import TWINS
from mailer.model import PersonName
from tests.fuzz.invariants import FORM, Known

SURNAMES = (
    *("Иванов", "Пришва", "Ли", "Ю", "Мамин-Сибиряк", "О'Генри", "Д’Артаньян", "Артёмов", "Мицкевич", "Ван", "И", "Оглы", "Вич"),
    *("фон Визин", "де ла Круз", "аль-Хорезми", "Кёр-оглы", "Сухово-кобылин", "Лук'янов", "Ян", "Вовк", "Соха", "Фамилия"),
)
GIVEN = ("Иван", "Ян", "Анна-Мария", "Юрий", "Роман-Михаил", "Ёлка", "Сара", "Ольга")
PATRONYMICS = ("Иванович", "Ильич", "Андреевна", "Никитична", "Оскарович", "Саввич", "")
SUFFIXES = ("", "", "", "оглы", "кызы", "уулу")
PREFIXES = ("", "Re: ", "RE[2]: Fw: ", "Fwd:", "Ответ: ", "НА: ", "Отв: Пересл: ", "Re: " * 40)
SEPARATORS = (" = ", "=", ": ", " - ", " – ", " ", "", " ＝ ", " == ", " = - ", " (повторно) = ", " для ", ". ", " =\u00a0")
QUOTES = ("", "«»", "“”", '""', "''", "‘’", "„“", "»«")
ENDINGS = ("", ".", ",", "!", ";", "..", " ;", ". .", "?", "\u2026")
INVISIBLE = ("\u200b", "\u00ad", "\u202e", "\ufeff", "\u2066", "\x00", "\x07", "\u0301", "\ufffd")
SPACES = ("\u00a0", "\t", "\x85", "\u2028", "\r\n", "  ", "\u3000 ")
WORDS = (
    *(
        "Иванов",
        "И.И.",
        "и",
        "Петров",
        "П.",
        "ЯН",
        "А",
        "Б.",
        ",",
        ";",
        "фон",
        "де",
        "оглы",
        "Ильич",
        "Иван",
        "Ли",
        "Ю",
        "Р.-М.",
        "-",
        "–",
        "'",
    ),
    *(
        "О",
        "Ivanov",
        "I.I.",
        "COBA",
        "A",
        "12-34",
        "(бухгалтер)",
        "«",
        "»",
        "/",
        "+",
        "&",
        "главный",
        "врач",
        "иванов",
        "ИВАНОВ",
        "Ё",
        ".",
        "ван",
    ),
)
SIGNS = (
    "АБИЮабвию ..--,'’«»\"()=:;/&+ЁёйЙAaBcPxIy0129"
    "\u0306\u0308\u0301\u200d\u00ad\u00a0\u2011\u2212\u02bc\u0456\u04d1\u1e9e\u0130\u01c5\ufb01\U0001d400\U0001f600\ud800"
)
CHARSETS = (
    *(("utf-8", "utf_8"), ("koi8-r", "koi8_r"), ("windows-1251", "cp1251"), ("win-1251", "cp1251"), ("ISO-8859-5", "iso8859_5")),
    *(("cp866", "cp866"), ("UTF8", "utf_8"), ("x-mac-cyrillic", "mac_cyrillic"), ("utf-8*ru", "utf_8"), ("gb18030", "gb18030")),
)
LATIN = {chr(twin): chr(letter) for letter, twin in TWINS.items()}
LINE_ENDS = (b"\r\n", b"\n", b"\r", b"\r\r\n")
SENDERS = (
    *("gb1@clinic.example", "Больница <GB1@Clinic.example>", '"a, b" <gb1@clinic.example>', "gb1@clinic.example (Иванов)"),
    *("a@x.ru, b@x.ru", "a@x.ru <z@z>", "<>", "MAILER-DAEMON@clinic.example", "группа: a@x.ru;", "gb1@больница.рф", "(((((", '"'),
    *("=?utf-8?B?0JHQvtC70YzQvdC40YbQsA==?= <gb1@mail.example>", "=?koi8-r?Q?=C1, <z@z>?= <gb1@clinic.example>", "a@[127.0.0.1]"),
)
HEADERS = (
    *("Auto-Submitted: no", "Auto-Submitted: auto-replied", "Auto-Submitted: (c) no; x", "Precedence: bulk", "List-Id: <x.y>"),
    *("Return-Path: <>", "Return-Path: <a@x.ru>", "X-Auto-Response-Suppress: DR, OOF", "X-Mailer-Loop: x", "Received: x"),
    *(
        "Content-Type: multipart/report; report-type=delivery-status",
        "Content-Type: text/plain",
        "Subject: x",
        "subject : x",
        ": x",
    ),
    *(f"In-Reply-To: <{'0a' * 16}@fond.example>", f"Message-ID: <{'0a' * 16}@FOND.example>", "References: <a@b> <c@d>", "To: (c):"),
    *("Authentication-Results: mx.fond.example; dmarc=pass header.from=clinic.example", "From: a@x.ru", "Sender: z@z"),
    *("Authentication-Results: mx.fond.example; auth=pass smtp.auth=gb1@clinic.example; dkim=fail (x) header.d=clinic.example",),
    *(
        'Authentication-Results: mx.fond.example 1; dkim=pass reason="a;b" header.d=clinic.example',
        "Authentication-Results: mx; none",
    ),
    *("Received: from a (b (c)) by mx.fond.example with ESMTP", "Received: from a by evil.example", "Authentication-Results: (x"),
)
BODIES = (b"", b"text\r\n", b"Subject: x\r\n\r\n", b"\xff\x00" * 20, b"--b\r\nContent-Type: message/delivery-status\r\n\r\n")


Piece = TypeVar("Piece")


class Choices:
    """Bytes as choices, from the first on; what runs out is 0."""

    def __init__(self, data: bytes) -> None:
        self._bytes = iter(data)

    def below(self, bound: int) -> int:
        return next(self._bytes, 0) % bound

    def of(self, several: Sequence[Piece]) -> Piece:
        return several[self.below(len(several))]

    def rarely(self) -> bool:
        return self.below(6) == 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    content: bytes
    known: Known


def build(data: bytes) -> Built:
    """One letter, and what is known of it."""
    choices = Choices(data)
    name, person = _name(choices)
    text = _subject(choices, name)
    end = choices.of(LINE_ENDS)
    raw, is_certain = _encoded(choices, text, end)
    others = [choices.of(HEADERS).encode() for _ in range(choices.below(5))]
    headers = [b"From: " + choices.of(SENDERS).encode(), b"Subject: " + raw, *others]
    if choices.rarely():
        headers.reverse()
    start = choices.of((b"", b"", b"\xef\xbb\xbf", b"From gb1@clinic.example Mon Nov 23 09:00:00 2026" + end, end))
    content = start + end.join(headers) + end + end + choices.of(BODIES)
    alone = start != end and not any(line.lower().startswith(b"subject") for line in others)
    return Built(content=content, known=Known(subject=text if is_certain and alone else None, person=person if alone else None))


def _name(choices: Choices) -> tuple[str, str | None]:
    """A name as written, and the key of the person it may name; None where it may name anybody or nobody."""
    match choices.below(4):
        case 2:
            return " ".join(choices.of(WORDS) for _ in range(choices.below(8))), None
        case 3:
            return "".join(choices.of(SIGNS) for _ in range(choices.below(40))), None
    surname, given, patronymic, suffix = (choices.of(several) for several in (SURNAMES, GIVEN, PATRONYMICS, SUFFIXES))
    written = _written(choices, surname, given, patronymic, suffix)
    written = choices.of((written, written, written.upper(), written.lower()))
    initials = [_initials(name) for name in (given, patronymic) if name]
    person = PersonName(surname=surname, initials="".join(initials), suffix=suffix)
    return _disguised(choices, written), person.key if len(surname) > 1 else None  # «АБ Ю.» may be Аб, «К. Ю» anybody


def _initials(name: str) -> str:
    return "-".join(f"{part[0]}." for part in name.split("-"))


def _written(choices: Choices, surname: str, given: str, patronymic: str, suffix: str) -> str:
    first, second = _initials(given), _initials(patronymic) if patronymic else ""
    tail = f" {suffix}" if suffix else ""
    forms = [
        f"{surname} {first}{second}{tail}",
        f"{surname} {first}{second}{suffix}",
        f"{surname} {first} {second}{tail}",
        f"{surname} {first}{second}".removesuffix(".") + tail,
        f"{surname} {first}{second}".replace(".", "") + tail,
        f"{surname} {first} {second}".replace(".", "") + tail,
        f"{surname} {first}{second}".replace(".", ",") + tail,
        f"{first}{second}{tail} {surname}",
        f"{first} {second}{tail} {surname}",
        *([] if suffix else [f"{first}{second}{surname}"]),
        f"{first}{second}".replace(".", "") + f"{tail} {surname}",
        *([f"{surname} {given} {patronymic}{tail}", f"{given} {patronymic}{tail} {surname}"] if patronymic else []),
    ]
    return choices.of(forms)


def _disguised(choices: Choices, written: str) -> str:
    """The same letters as people's keyboards and mailers spoil them: none is taken away, none becomes another."""
    if choices.rarely():
        written = unicodedata.normalize("NFD", written)
    if choices.rarely():
        place = choices.below(len(written))
        written = written[:place] + written[place].swapcase() + written[place + 1 :]
    written = _alike(choices, written)
    written = _with_invisible(choices, written)
    if choices.rarely():
        written = written.replace("-", choices.of((" - ", "\u2011", " – ", "\u2212", " -")))
    written += choices.of(ENDINGS)
    return _quoted(choices, written)


def _alike(choices: Choices, text: str) -> str:
    for _ in range(choices.below(4)):
        place = choices.below(len(text))
        text = text[:place] + LATIN.get(text[place], text[place]) + text[place + 1 :]
    return text


def _with_invisible(choices: Choices, text: str) -> str:
    for _ in range(choices.below(3)):
        place = choices.below(len(text) + 1)
        text = text[:place] + choices.of(INVISIBLE[:7]) + text[place:]
    return text


def _quoted(choices: Choices, text: str) -> str:
    quotes = choices.of(QUOTES)
    return quotes[:1] + text + quotes[1:]


def _subject(choices: Choices, name: str) -> str:
    phrase = choices.of((FORM.phrase, FORM.phrase, FORM.phrase.upper(), FORM.phrase.lower(), FORM.phrase.replace(" ", "  ")))
    if choices.rarely():
        phrase = _misspelt(choices, phrase)
    phrase = _with_invisible(choices, _alike(choices, phrase))
    if choices.rarely():
        phrase = _quoted(choices, phrase)
    text = choices.of(PREFIXES) + phrase + choices.of(SEPARATORS) + name
    if choices.rarely():
        text = _quoted(choices, text)
    if choices.rarely():
        place = choices.below(len(text) + 1)
        text = text[:place] + choices.of(INVISIBLE) * choices.of((1, 2, 50)) + text[place:]
    return text.replace(" ", choices.of(SPACES), choices.below(4)) if choices.rarely() else text


def _misspelt(choices: Choices, phrase: str) -> str:
    for _ in range(1 + choices.below(3)):
        place = choices.below(len(phrase))
        before, letter, after = phrase[:place], phrase[place], phrase[place + 1 :]
        phrase = choices.of(
            (before + letter * 2 + after, before + after, before + after[:1] + letter + after[1:], before + "ъ" + after)
        )
    return phrase


def _encoded(choices: Choices, text: str, end: bytes) -> tuple[bytes, bool]:
    """The bytes of the header, and whether they stand for the text beyond doubt: encoded words do, raw bytes do not."""
    if choices.rarely():
        return text.encode(choices.of(("utf_8", "cp1251", "koi8_r", "iso8859_5")), "replace"), False
    words: list[bytes] = []
    while text:
        length = choices.of((len(text), 1, 7, 20))
        part, text = text[:length], text[length:]
        label, codec = choices.of(CHARSETS)
        try:
            content = part.encode(codec)
        except UnicodeEncodeError:
            label, content = "utf-8", part.encode("utf_8", "replace")
            if "?" in content.decode():
                return b"=?utf-8?B?" + base64.b64encode((part + text).encode("utf_8", "replace")) + b"?=", False
        words += _words(choices, label.encode(), content)
    return choices.of((end + b" ", b" ", b"", end + b"\t")).join(words), True


def _words(choices: Choices, label: bytes, content: bytes) -> list[bytes]:
    """One run of a charset as encoded words: split anywhere, B or Q, padded or not."""
    cut = choices.below(len(content) + 1)
    words = []
    for piece in filter(None, (content[:cut], content[cut:])):
        if choices.rarely():
            words.append(b"=?" + label + b"?q?" + b"".join(b"=%02X" % byte for byte in piece) + b"?=")
        else:
            encoded = base64.b64encode(piece)
            words.append(b"=?" + label + b"?B?" + (encoded.rstrip(b"=") if choices.rarely() else encoded) + b"?=")
    return words
