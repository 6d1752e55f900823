"""What headers say, from bytes in every shape that servers, mailers, files and attackers give them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import mime
from mailer.model import Letter

PLAIN = (
    "Return-Path: <ib@clinic.example>\n"
    "Received: from a by b\n\tfor <x@y.example>; Mon, 23 Nov 2026 10:00:00 +0300\n"
    "From: =?utf-8?B?0JjQkQ==?= <IB@Clinic.Example>\n"
    "Message-ID: <1@clinic.example>\n"
    "In-Reply-To: <2@fund.example>\n"
    "References: <3@fund.example>\n <2@fund.example>\n"
    "Date: Mon, 23 Nov 2026 10:00:00 +0300\n"
    "Subject: Запрос атрибутов временного\n доступа = Пришва А.А.\n"
    "Content-Type: text/plain\n"
    "\n"
    "From: other@x.example\n\nSubject: другое\n"
).encode()
HEAD = PLAIN[: PLAIN.index(b"\n\n") + 2]
SUBJECT = "Запрос атрибутов временного доступа = Пришва А.А."


def read(content: bytes) -> Letter:
    letter = mime.read(content)
    assert letter is not None
    return letter


def test_the_headers_of_an_ordinary_letter() -> None:
    assert read(PLAIN) == Letter(
        subject=SUBJECT,
        sender="ib@clinic.example",
        display_name="ИБ",
        message_ids=("<1@clinic.example>",),
        answers=("<2@fund.example>", "<3@fund.example>"),
        authentication=(("received", "from a by b\tfor <x@y.example>; Mon, 23 Nov 2026 10:00:00 +0300"),),
        size_bytes=len(PLAIN),
        digest=hashlib.sha256(PLAIN).hexdigest(),
        fingerprint=read(HEAD).fingerprint,
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PLAIN.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(PLAIN.replace(b"\n", b"\r"), id="CR"),
        pytest.param(PLAIN.replace(b"\n", b"\r\r\n"), id="doubled CR"),
        pytest.param(b"\xef\xbb\xbf" + PLAIN, id="BOM"),
        pytest.param(b"From ib@clinic.example Mon Nov 23 10:00:00 2026\n" + PLAIN, id="mbox"),
        pytest.param(b"\xef\xbb\xbf>From ib@clinic.example Mon\r\n" + PLAIN.replace(b"\n", b"\r\n"), id="BOM, quoted mbox, CRLF"),
        pytest.param(b"From ib@clinic.example Mon\r" + PLAIN.replace(b"\n", b"\r"), id="mbox, CR"),
        pytest.param(PLAIN.replace(b"Subject:", b"no header at all\nSUBJECT \t:"), id="a stray line, space before the colon"),
        pytest.param("строка\n".encode() + PLAIN, id="a stray line first"),
        pytest.param(PLAIN.replace(b"Subject:", b"X:\n\tfolded\nSubject:   "), id="an empty first line of a fold"),
        pytest.param(HEAD, id="only the headers"),
        pytest.param(HEAD[:-1], id="no empty line"),
        pytest.param(HEAD[:-2], id="no line end"),
    ],
)
def test_odd_forms_of_a_letter_say_the_same(content: bytes) -> None:
    letter = read(content)
    assert (letter.subject, letter.sender, letter.message_id) == (SUBJECT, "ib@clinic.example", "<1@clinic.example>")


@pytest.mark.parametrize("other", ["To", "X-From", "Subject", "Fro m"])
def test_a_lone_cr_inside_a_header_begins_no_new_one(other: str) -> None:
    letter = read(f"X: 1\r\nSubject: a\r{other}: z@z.example\r\nFrom: a@x.example\r\n\r\n".encode())
    assert (letter.sender, letter.subject) == ("a@x.example", f"a\r{other}: z@z.example")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"X: 1\r\nY: a\rFrom: z@z.example\r\nFrom: a@x.example\r\n\r\n", id="behind a CR"),
        pytest.param(b"X: 1\r\nY: a\r \tFROM : z@z.example\r\nFrom: a@x.example\r\n\r\n", id="behind a CR and a blank"),
        pytest.param(b"X: 1\r\nY: a\r\rfrom: z@z.example\r\nFrom: a@x.example\r\n\r\n", id="behind two"),
        pytest.param(b"X: 1\r\nY: a\0From: z@z.example\r\nFrom: a@x.example\r\n\r\n", id="behind a NUL"),
        pytest.param(b"X: 1\r\nFrom\0: z@z.example\r\nY: a\rFrom\0: b\r\nFrom: a@x.example\r\n\r\n", id="a NUL in the name"),
        pytest.param(b"X: 1\rFrom: a@x.example\rY: 2\r\nFrom: z@z.example\r\n\r\n", id="CR or CRLF lines"),
        pytest.param(b"X: 1\rFrom: a@x.example\nFrom: z@z.example\n\n", id="CR or LF lines"),
        pytest.param(b"X: 1\rFrom: a@x.example\r\n\r\n", id="the only From, by one reading"),
        pytest.param(b"X: 1\rFrom: a@x.example\rFrom: z@z.example\r\rbody\n", id="two, CR lines"),
    ],
)
def test_a_from_that_only_some_programs_see_names_nobody(content: bytes) -> None:
    assert read(content).sender is None


def test_the_names_of_headers_in_a_folded_signature_hide_no_from() -> None:
    letter = read(b"DKIM-Signature: v=1; h=to:\r\n\tfrom:date;\r\n from:x\r\nFrom: a@x.example\r\n\r\n")
    assert letter.sender == "a@x.example"


def test_folds_keep_the_white_space_that_was_written() -> None:
    assert read(b"Subject: a\r\n\tb\r\n \r\n c\r\n\r\n").subject == "a\tb  c"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"From: a@x.example\nFrom: a@x.example\n", id="two alike"),
        pytest.param(b"From: a@x.example\nFROM : b@x.example\n", id="two"),
        pytest.param(b"Sender: a@x.example\nReply-To: a@x.example\n", id="only others"),
        pytest.param(b"From:\n", id="empty"),
        pytest.param(b"From: a@x.example <z@z>\n", id="two addresses in one"),
        pytest.param(b"From: a@x.example\n" + b"X: y\n" * mime.HEADERS_MAX, id="more headers than are looked at"),
        pytest.param(b"From: a@x.example\nX: " + b"y" * mime.BLOCK_MAX, id="a longer block than is looked at"),
    ],
)
def test_without_one_from_and_one_address_there_is_no_sender(headers: bytes) -> None:
    assert read(b"Subject: x\n" + headers + b"\n").sender is None


def test_the_body_names_no_sender() -> None:
    assert read(b"Subject: x\n\nFrom: a@x.example\n").sender is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("=?koi8-r?B?6eI=?=", "ИБ"),
        ('"=?utf-8?B?0JjQkQ==?="', "ИБ"),
        ('"29(АрхТФОМС) ИБ"', "29(АрхТФОМС) ИБ"),
        ("=?utf-8?Q?=D0=98=0D=0A=00=D0=91?=", "И Б"),
        ("", ""),
    ],
)
def test_the_display_name_is_one_line_of_text(name: str, shown: str) -> None:
    assert read(f"From: {name} <a@x.example>\n\n".encode()).display_name == shown


@pytest.mark.parametrize(
    ("subjects", "count", "subject"),
    [
        ([], 0, ""),
        (["Отпуск"], 1, "Отпуск"),
        (["Отпуск", "Отпуск"], 1, "Отпуск"),
        (["Отпуск", SUBJECT], 2, SUBJECT),
        ([SUBJECT, "Отпуск", SUBJECT], 2, SUBJECT),
        ([SUBJECT, SUBJECT.replace(" ", "\n\t"), f"  {SUBJECT} "], 1, SUBJECT),
        ([SUBJECT, SUBJECT.replace("И", "и")], 1, SUBJECT),
        ([SUBJECT, SUBJECT.upper()], 2, SUBJECT),
        ([SUBJECT, ""], 2, SUBJECT),
        (["Отпуск", "=?utf-8?B?" + "0J7RgtC/0YPRgdC6" + "?="], 1, "Отпуск"),
    ],
)
def test_of_several_subjects_the_likeliest_is_read_and_all_are_counted(subjects: list[str], count: int, subject: str) -> None:
    letter = read("".join(["From: a@x.example\n", *(f"Subject: {one}\n" for one in subjects), "\n"]).encode())
    assert (letter.subject_count, letter.subject) == (count, subject)


def test_a_subject_in_another_form_is_no_subject() -> None:
    assert read(b"From: a@x.example\nSubject*: utf-8''%D0%94%D0%B0\nSubject*0*: utf-8''%D0%94\n\n").subject_count == 0


@pytest.mark.parametrize("path", [b"<>", b" < > ", b"<\t>"])
def test_a_null_return_path_is_known(path: bytes) -> None:
    assert read(b"Return-Path: " + path + b"\n\n").null_return_path
    assert not read(b"Return-Path: <a@x.example>\nReturn-Path: " + path + b"\n\n").null_return_path


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"--x\nContent-Type: multipart/mixed; boundary=x\n\n" * 10_000, id="ten thousand levels"),
        pytest.param(b"Content-Length: 3\n\nSubject: x\n", id="another length"),
        pytest.param(b"\0\xff\r\r\n" * 1_000, id="no text"),
    ],
)
def test_the_body_changes_nothing_but_digest_and_size(body: bytes) -> None:
    head = b"Content-Length: 1\nContent-Type: multipart/mixed; boundary=x\n" + HEAD
    assert replace(read(head + body), digest="", size_bytes=0) == replace(read(head), digest="", size_bytes=0)


@pytest.mark.parametrize(
    ("headers", "cut"),
    [
        pytest.param(b"Subject: " + b"x" * mime.SUBJECT_MAX + b"\n", False, id="as long as may be"),
        pytest.param(b"Subject: " + b"x" * (mime.SUBJECT_MAX + 1) + b"\n", True, id="one character more"),
        pytest.param(b"Subject: " + b"=?a?q??=" * 10_000 + b"\n", True, id="many words of nothing"),
        pytest.param(b"Subject: x\nSubject: " + b"y" * (mime.SUBJECT_MAX + 1) + b"\n", True, id="the other of two"),
        pytest.param(b"".join(b"Subject: %d\n" % number for number in range(11)), True, id="eleven subjects"),
        pytest.param(b"Subject: x\n" + b"X: y\n" * (mime.HEADERS_MAX - 1), False, id="as many headers as may be"),
        pytest.param(b"Subject: x\n" + b"X: y\n" * mime.HEADERS_MAX, True, id="one header more"),
        pytest.param(b"Subject: x\nX: " + b"y" * mime.BLOCK_MAX + b"\n", True, id="a block too long"),
        pytest.param(b"Subject: x\n\n" + b"y" * mime.BLOCK_MAX, False, id="a body is no header"),
    ],
)
def test_what_is_cut_is_known_to_be_cut(headers: bytes, cut: bool) -> None:
    letter = read(headers + b"\n")
    assert letter.subject_cut is cut
    assert len(letter.subject) <= mime.SUBJECT_MAX


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ("<a@b>", ("<a@b>",)),
        ("<a@b> <c@d> <a@b>", ("<a@b>", "<c@d>")),
        ("(x) <a@b>, <c@d>", ("<a@b>", "<c@d>")),
        ("a@b <a> <> <@> <@b> <a@> <a b@c> <a@b", ()),
        ("<a@б>", ()),
        (f"<{'a' * 1_000}@b>", ()),
        ("=?utf-8?q?=3Ca=40b=3E?=", ()),
    ],
)
def test_only_ids_of_the_strict_form_are_taken(written: str, ids: tuple[str, ...]) -> None:
    letter = read(f"Message-ID: {written}\nReferences: {written}\n\n".encode())
    assert letter.answers == ids
    assert letter.message_id == (ids[0] if ids else None)


@pytest.mark.parametrize(
    "added",
    [
        *(
            "Received: from b by c",
            "Return-Path: <>",
            "Delivered-To: x",
            "X-Original-To: x",
            "Envelope-To: x",
            "Status: RO",
            "X-UID: 7",
        ),
        *("Authentication-Results: x; none", "ARC-Seal: i=1", "Received-SPF: pass", "X-Spam-Score: 1", "X-KLMS-Rule-ID: 1"),
    ],
)
def test_what_servers_add_leaves_the_fingerprint(added: str) -> None:
    assert read(f"{added}\r\n folded\r\n".encode() + PLAIN).fingerprint == read(PLAIN).fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"<1@", b"<9@", id="another id"),
        pytest.param(b"10:00:00 +0300\nSub", b"10:00:01 +0300\nSub", id="another date"),
        pytest.param("Пришва".encode(), "Иванов".encode(), id="another name"),
        pytest.param(b"IB@", b"it@", id="another sender"),
        pytest.param(b"Content-Type", b"X-Content-Type", id="another header"),
    ],
)
def test_another_letter_has_another_fingerprint(old: bytes, new: bytes) -> None:
    assert read(PLAIN.replace(old, new)).fingerprint != read(PLAIN).fingerprint


@pytest.mark.parametrize("content", [PLAIN, PLAIN.replace(b"\n", b"\r\n"), PLAIN.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + PLAIN])
def test_the_fingerprint_outlives_line_ends_and_the_loss_of_the_body(content: bytes) -> None:
    assert read(content).fingerprint == read(HEAD).fingerprint
    assert read(content.upper()).fingerprint != read(HEAD).fingerprint


def test_header_names_in_capitals_are_the_same_headers() -> None:
    assert read(PLAIN.replace(b"Subject:", b"SUBJECT:")).fingerprint == read(PLAIN).fingerprint


def test_the_servers_word_on_the_size_counts_only_for_what_was_not_fetched() -> None:
    head = mime.read(HEAD, whole=False, size_bytes=5_000_000)
    assert head is not None
    assert (head.size_bytes, head.digest) == (5_000_000, hashlib.sha256(HEAD).hexdigest())
    whole = mime.read(PLAIN, size_bytes=1)
    assert whole is not None
    assert whole.size_bytes == len(PLAIN)


def test_marks_of_machines_are_short_and_printable() -> None:
    mark = read(b"Auto-Submitted: auto\x00\x1b[31m\xff" + b"x" * 500 + b"\n\n").machine_mark
    assert mark is not None
    assert mark.isprintable()
    assert len(mark) <= 100


def test_the_way_of_a_letter_is_kept_within_bounds() -> None:
    letter = read((b"Received: from a by b\nAuthentication-Results: " + b"x" * 3_000 + b"\n") * 100 + b"\n")
    assert len(letter.authentication) == mime.TRACE_MAX
    assert {len(value) for name, value in letter.authentication if name != "received"} == {mime.TRACE_VALUE_MAX}


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_reading_the_whole_or_the_headers_is_the_same(head: bytes, body: bytes) -> None:
    """Also for what no server would send: the empty line ends the headers, whatever follows."""
    block = b"X: y\r\n" + head.replace(b"\r", b"").replace(b"\n", b" ") + b"\r\n\r\n"
    assert read(block + body).fingerprint == read(block).fingerprint


@given(st.binary(max_size=500))
def test_any_bytes_become_text_that_can_be_stored(content: bytes) -> None:
    letter = mime.read(content)
    if letter is not None:
        shown = (letter.display_name, letter.machine_mark or "", *letter.answers, letter.message_id or "")
        assert all(text.isprintable() for text in shown)
        letter.subject.encode()
