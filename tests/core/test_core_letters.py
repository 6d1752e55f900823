"""Whatever bytes come are judged: one kind and one verdict, whoever wrote them and in whatever line ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mailer.core import kinds, mime, rules
from mailer.core.decide import decide
from mailer.edge import office
from mailer.model import LOOP_HEADER, Facts, Form, Kind, Letter, NameStanding, Own, Reading, SenderStanding, Verdict

LETTERS = sorted((Path(__file__).parents[1] / "letters").glob("*.eml"))
OWN = Own(message_id_domain="mail.fund.example", reply_subjects=("Ваш запрос временного доступа",))


PACKAGED = rules.load(office.rule_texts(None))
SUBJECT = "Запрос атрибутов временного доступа = Пришва А.А."
HEADERS = st.lists(
    st.one_of(
        st.builds(
            lambda name, space, value: name + space + b": " + value,
            st.sampled_from(
                [
                    *(b"Subject", b"subject", b"From", b"FROM", b"To", b"Return-Path", b"Received", b"Authentication-Results"),
                    *(b"Message-ID", b"References", b"In-Reply-To", b"Auto-Submitted", b"Precedence", b"Content-Type"),
                    *(b"List-Id", b"X-Auto-Response-Suppress", LOOP_HEADER.encode(), b"Content-Length"),
                ]
            ),
            st.sampled_from([b"", b" "]),
            st.one_of(
                st.sampled_from(
                    [
                        *(SUBJECT.encode(), SUBJECT.encode("cp1251"), SUBJECT.encode("koi8_r"), f"Re: {SUBJECT}".encode()),
                        *(b"=?utf-8?B?0JfQsA==?=", b"<a@x.example>", b"a@x.example", b"<>", b"no", b"bulk", b"auto-replied"),
                        *(b"multipart/report; report-type=delivery-status", b"All", b"a@x.example, b@x.example", b"12"),
                        "Прошу атрибуты доступа".encode(),
                    ]
                ),
                st.binary(max_size=40).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"")),
            ),
        ),
        st.sampled_from([b"no header", b" a fold", b"\ta fold: x", "строка".encode()]),
    ),
    min_size=1,
    max_size=8,
).map(lambda lines: [b"X-First: 1", *lines])
BYTES = (
    st.binary(max_size=300) | HEADERS.map(b"\r\n".join) | st.tuples(HEADERS.map(b"\r".join), st.binary(max_size=60)).map(b"".join)
)


def judged(content: bytes) -> tuple[Letter | None, Reading]:
    """A letter without what is meant to depend on its very bytes, and its reading."""
    letter = mime.read(content)
    return letter and replace(letter, digest="", size_bytes=0), kinds.judge(letter, Form(), OWN)


@given(BYTES, st.sampled_from(SenderStanding), st.booleans())
def test_any_bytes_have_one_kind_and_one_verdict(content: bytes, sender: SenderStanding, duplicate: bool) -> None:
    reading = judged(content)[1]
    unreadable = NameStanding.UNREADABLE if reading.kind is Kind.REQUEST else NameStanding.NONE
    facts = Facts(
        kind=reading.kind,
        name=unreadable if reading.person is None else NameStanding.READ,
        sender=sender,
        reason=reading.reason,
        repairs=reading.repairs,
        phrase_first=reading.phrase_first,
        duplicate=duplicate,
    )
    decision = decide(facts, PACKAGED)
    assert decision.rule_id in {rule.id for rule in PACKAGED.rules}
    assert (decision.reply is None) == (decision.verdict in {Verdict.HOLD, Verdict.IGNORE})
    if decision.verdict is Verdict.ISSUE:
        assert (reading.kind, sender, reading.person is None) == (Kind.REQUEST, SenderStanding.KNOWN, False)


@given(HEADERS, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.binary(max_size=200), st.binary(max_size=200))
def test_the_body_has_no_say(lines: list[bytes], end: bytes, one: bytes, other: bytes) -> None:
    head = end.join([*lines, b"", b""])
    assert judged(head + one) == judged(head + other) == judged(head)


@given(HEADERS)
def test_line_ends_and_what_files_add_have_no_say(lines: list[bytes]) -> None:
    plain = b"\n".join([*lines, b"", "тело".encode()])
    mbox = b"From ib@clinic.example Mon Nov 23 10:00:00 2026\n"
    variants = [
        plain.replace(b"\n", b"\r\n"),
        plain.replace(b"\n", b"\r"),
        plain.replace(b"\n", b"\r\r\n"),
        b"\xef\xbb\xbf" + plain,
        mbox + plain,
        (mbox + plain).replace(b"\n", b"\r\n"),
        (mbox + plain).replace(b"\n", b"\r"),
        b"\xef\xbb\xbf>" + mbox + plain,
    ]
    assert [judged(variant) for variant in variants] == [judged(plain)] * len(variants)
