"""What bytes of headers read as: charsets, splits and damage, as mailers really make them."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import encodedwords
from mailer.model import Form, Repair

PHRASE = Form().phrase
SUBJECT = f"{PHRASE} = Пришва А.А."


def b_word(content: bytes, label: str = "utf-8") -> bytes:
    return f"=?{label}?B?{base64.b64encode(content).decode()}?=".encode()


def q_word(content: bytes, label: str = "utf-8") -> bytes:
    return f"=?{label}?Q?".encode() + quopri.encodestring(content, header=True).replace(b"=\n", b"").replace(b"?", b"=3F") + b"?="


def chunks(content: bytes, size: int) -> list[bytes]:
    return [content[start:end] for start, end in pairwise([*range(0, len(content), size), len(content)])]


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("utf-8*ru", "utf-8"),
        ("koi8-r", "koi8_r"),
        ("KOI8R", "koi8_r"),
        ("koi8-u", "koi8_u"),
        ("windows-1251", "cp1251"),
        ("win-1251", "cp1251"),
        ("Windows1251", "cp1251"),
        ("cp1251", "cp1251"),
        ("CP-1251", "cp1251"),
        ("x-cp1251", "cp1251"),
        ("iso-8859-5", "iso8859_5"),
        ("ISO_8859-5", "iso8859_5"),
        ("cp866", "cp866"),
        ("ibm866", "cp866"),
        ("x-mac-cyrillic", "mac_cyrillic"),
        ("utf-16", "utf_16"),
        ("UTF-16", "utf_16_be"),
        ("utf-16le", "utf_16_le"),
        ("UTF-32", "utf_32"),
        ("utf_32", "utf_32_be"),
        ("utf-32le", "utf_32_le"),
        ("KOI8-RU", "koi8_u"),
        ("WINDOWS_1251", "cp1251"),
        ("ansi-1251", "cp1251"),
        ("866", "cp866"),
        ("gb18030", "gb18030"),
    ],
)
@pytest.mark.parametrize("word", [b_word, q_word], ids=["B", "Q"])
def test_a_text_charset_is_read_however_it_is_spelt(label: str, codec: str, word: Callable[[bytes, str], bytes]) -> None:
    decoded = encodedwords.decode(word(SUBJECT.encode(codec), label), PHRASE)
    assert (decoded.text, decoded.repairs, decoded.undecodable) == (SUBJECT, (), False)


@pytest.mark.parametrize(
    "label",
    [
        "*ru",
        "UTF-8-SIG",
        "utf-8-mac",
        "utf8mb4",
        "ROT_13",
        "base64",
        "zip",
        "mbcs",
        "undefined",
        "punycode",
        "idna",
        "rot13",
        "hex",
        "unicode_escape",
        "raw-unicode-escape",
        "utf-7",
        "foo",
        "\xff",
    ],
)
def test_what_is_no_text_charset_is_unreadable(label: str) -> None:
    decoded = encodedwords.decode(b"x =?" + label.encode("latin-1") + b"?Q?abc?=", PHRASE)
    assert decoded.text == "x \ufffd"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 44])
@pytest.mark.parametrize("gap", [b" ", b"", b"\t \r "], ids=["space", "none", "white"])
@pytest.mark.parametrize("label", ["utf-8", "utf-16-be", "gb18030"])
def test_words_split_inside_a_character_are_one_text(size: int, gap: bytes, label: str) -> None:
    words = [b_word(chunk, label) for chunk in chunks(SUBJECT.encode(label), size)]
    assert encodedwords.decode(gap.join(words), PHRASE).text == SUBJECT


def test_b_and_q_words_of_one_charset_may_share_a_character() -> None:
    parts = chunks(SUBJECT.encode(), 5)
    words = [(q_word if number % 2 else b_word)(part, "UTF8" if number % 3 else "utf-8") for number, part in enumerate(parts)]
    assert encodedwords.decode(b" ".join(words), PHRASE).text == SUBJECT


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?utf-8?B?0JTQsNCw?=", "Даа"),
        (b"=?utf-8?B?0JTQsA?=", "Да"),
        (b"=?utf-8?B?0JTQsA=?=", "Да"),
        (b"=?utf-8?B?0JTQ sA==?=", "Да"),
        (b"=?utf-8?Q?=D0=94_=D0=B0?=", "Д а"),
        (b"=?utf-8?q?=d0=94=d0=b0?=", "Да"),
        (b"=?utf-8?Q?a =D0=B0?=", "a а"),
        (b"=?utf-8?Q?a_=_b?=", "a = b"),
        (b"=?utf-8?Q?a_=?= =?utf-8?Q?_b?=", "a = b"),
        (b"=?utf-8?Q??=", ""),
        (b"a =?utf-8?Q?b?= c", "a b c"),
        (b"a=?utf-8?Q?b?=c", "abc"),
        (b"=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c"),
        (b"=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        (b"=?utf-8?Q?abc", "=?utf-8?Q?abc"),
        (b"=?us-ascii?Q?abc?=", "abc"),
        (b"=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?=", "=?utf-8?Q?a?="),
        (b"=?utf-8?b??=", ""),
        (b"=?utf-8?Q?a?==?utf-8?Q??==?utf-8?Q?b?=", "ab"),
        (b"=?UTF-8?q?a?==?utf-8?B?Yg==?=", "ab"),
        (b'"=?utf-8?Q?a?= =?utf-8?Q?b?="', '"ab"'),
        (b"(=?utf-8?Q?a?=)", "(a)"),
        (b"=?utf-8?Q?a=0D=0A_b?=", "a\r\n b"),
        (b"=?utf-8?Q?a\r\tb?=", "a\r\tb"),
        (b"=?utf-8?B?0JTQ\r sA==?=", "Да"),
        (b"=?utf-8?Q?=?utf-8?Q?a?=?=", "=?utf-8?Q?a?="),
        (b"=?utf-8?Q?a?b?=", "=?utf-8?Q?a?b?="),
        (b"=? utf-8?Q?a?=", "=? utf-8?Q?a?="),
        (b"=??Q?a?=", "=??Q?a?="),
        (b"=?utf-8? Q?a?=", "=?utf-8? Q?a?="),
        (b"=?utf-8*ru-RU?Q?a?=", "a"),
        ("Да =?utf-8?Q?=D0=94?= и".encode(), "Да Д и"),
        (b_word("ÐŸÑ€Ð¸ÑˆÐ²Ð°".encode()), "ÐŸÑ€Ð¸ÑˆÐ²Ð°"),
        (b_word("Да".encode("cp1251"), "iso-8859-1"), "Äà"),
        (b_word("Да".encode("koi8_r"), "windows-1251"), "дБ"),
        (b"plain = text", "plain = text"),
        (b"", ""),
    ],
)
def test_odd_but_clear_writing_is_read(raw: bytes, text: str) -> None:
    assert encodedwords.decode(raw, PHRASE).text == text


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"=?utf-8?B?0JTQs?=", id="a digit of base64 lost"),
        pytest.param(b"=?utf-8?B?0JTQ*A==?=", id="not base64"),
        pytest.param(b"=?utf-8?B?0JQ=0JQ=?=", id="padding in the middle"),
        pytest.param(b_word("Да".encode()[:-1]), id="half a character at the end"),
        pytest.param(b_word("Да".encode("cp1251")), id="another charset than it says"),
        pytest.param(b_word(b"a\x98b", "windows-1251"), id="no character in windows-1251"),
        pytest.param(b_word(b"\xc0\xbe\xc1\x81"), id="overlong"),
        pytest.param(b_word(b"\xe0\x80\xbd"), id="overlong by two"),
        pytest.param(b_word(b"\xed\xa0\x80"), id="a surrogate"),
        pytest.param(b_word(b"\xed\xa0\xbd\xed\xb8\x80"), id="a pair of surrogates"),
        pytest.param(b_word(b"\xf4\x90\x80\x80"), id="beyond Unicode"),
        pytest.param(b_word(b"\xd8\x00\x04\x14", "utf-16-be"), id="half a pair in UTF-16"),
        pytest.param(b_word(b"\x04", "utf-16"), id="half a character in UTF-16"),
        pytest.param(b_word(b"\x00\x11\x00\x00", "utf-32"), id="beyond Unicode in UTF-32"),
        pytest.param(b_word("Да".encode("utf-7"), "utf-7"), id="UTF-7"),
        pytest.param(b_word("Д".encode()[:1]) + b" x " + b_word("Д".encode()[1:]), id="halves with text between"),
        pytest.param(b_word("Д".encode()[:1]) + b_word("Д".encode()[1:], "koi8-r"), id="halves in two charsets"),
    ],
)
def test_lost_characters_show_and_are_never_guessed(raw: bytes) -> None:
    assert encodedwords.decode(raw, PHRASE).undecodable


@pytest.mark.parametrize(
    ("raw", "text", "repairs"),
    [
        pytest.param(SUBJECT.encode(), SUBJECT, (), id="utf-8"),
        pytest.param(SUBJECT.encode("cp1251"), SUBJECT, (Repair.CHARSET,), id="windows-1251"),
        pytest.param(SUBJECT.encode("koi8_r"), SUBJECT, (Repair.CHARSET,), id="koi8-r"),
        pytest.param(b"Re: " + SUBJECT.upper().encode("cp1251"), "Re: " + SUBJECT.upper(), (Repair.CHARSET,), id="in capitals"),
        pytest.param(
            "Запрос аттрибутов временого доступа".encode("koi8_r"),
            "Запрос аттрибутов временого доступа",
            (Repair.CHARSET,),
            id="misspelt",
        ),
        pytest.param(b_word(SUBJECT.encode("cp1251"), "unknown-8bit"), SUBJECT, (Repair.CHARSET,), id="a word of unknown-8bit"),
        pytest.param(b_word(SUBJECT.encode("koi8_r"), "us-ascii"), SUBJECT, (Repair.CHARSET,), id="a word of not us-ascii"),
        pytest.param(
            b_word(PHRASE.encode()) + " = Пришва А.А.".encode("cp1251"),
            PHRASE + " = \ufffd\ufffd\ufffd\ufffd\ufffd\ufffd",
            (),
            id="two meanings",
        ),
    ],
)
def test_raw_bytes_are_read_where_one_charset_makes_sense(raw: bytes, text: str, repairs: tuple[Repair, ...]) -> None:
    decoded = encodedwords.decode(raw, PHRASE)
    assert decoded.repairs == repairs
    assert decoded.text[: len(text)] == text


def test_without_a_phrase_raw_bytes_are_not_guessed() -> None:
    assert encodedwords.decode("Пришва".encode("cp1251"), "").undecodable


def test_likeness_counts_words_through_look_alikes_and_inflection() -> None:
    assert encodedwords.likeness("ЗАПРОC атрибут временный доступ", PHRASE) == 4
    assert encodedwords.likeness("Отпуск бухгалтера", PHRASE) == 0


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"=?utf-8?", b"B?", b"q?", b"?=", b"=D0", b" ", b"\xd0", b"0JQ="])).map(b"".join)
)
def test_any_bytes_become_text_that_can_be_stored(raw: bytes) -> None:
    text = encodedwords.decode(raw, PHRASE).text
    assert text.encode().decode() == text
