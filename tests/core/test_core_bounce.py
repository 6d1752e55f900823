"""What bounces say, from letters in the documented forms of the programs that write them, and from whatever else may come."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import bounce, kinds, mime
from mailer.core.bounce import Bounce, NoReport
from mailer.core.deliverystatus import DIAGNOSTIC_MAX, RECIPIENTS_MAX, Outcome, Recipient
from mailer.core.parts import BODY_MAX, LETTER_MAX
from mailer.model import Form, Own

LETTERS = sorted((Path(__file__).parents[1] / "bounces").glob("*.eml"))
OWN = Own(message_id_domain="fond.example", reply_subjects=("Логин и пароль", "Отказ:"))
BOUNCE_ADDRESS = "mailer+{id}@fond.example"
ID = "5f1c0de94b7a4e21a0c3d6f8e9b71234"
OTHER_ID = ID[::-1]
FAILED = b"Final-Recipient: rfc822; ib@clinic.example\nAction: failed\nStatus: 5.1.1\n"


def read(content: bytes, bounce_address: str | None = BOUNCE_ADDRESS) -> Bounce | NoReport:
    return bounce.read(content, bounce_address=bounce_address)


def said(content: bytes) -> Bounce:
    found = read(content)
    assert isinstance(found, Bounce)
    return found


def report(*parts: bytes, boundary: bytes = b"b", headers: bytes = b"") -> bytes:
    head = headers + b"Content-Type: multipart/report; report-type=delivery-status; boundary=" + boundary + b"\n\n"
    return head + b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts) + b"--" + boundary + b"--\n"


def status(fields: bytes, *headers: bytes) -> bytes:
    return b"".join(b"%b\n" % header for header in (b"Content-Type: message/delivery-status", *headers)) + b"\n" + fields


def returned(fields: bytes, content_type: bytes = b"message/rfc822") -> bytes:
    return b"Content-Type: " + content_type + b"\n\n" + fields


@pytest.mark.parametrize("path", LETTERS, ids=[path.stem for path in LETTERS])
def test_a_letter_is_read_as_expected(path: Path) -> None:
    content = path.read_bytes()
    found = read(content)

    assert {
        "kind": kinds.judge(mime.read(content), Form(), OWN).kind,
        "bounce": found if isinstance(found, NoReport) else json.loads(json.dumps(asdict(found))),
    } == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def test_every_expectation_has_its_letter() -> None:
    assert [path.with_suffix(".json") for path in LETTERS] == sorted(LETTERS[0].parent.glob("*.json"))


@pytest.mark.parametrize("path", LETTERS, ids=[path.stem for path in LETTERS])
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r", b"\r\r\n"], ids=["CRLF", "CR", "doubled CR"])
def test_line_ends_change_nothing(path: Path, line_end: bytes) -> None:
    content = path.read_bytes()
    assert read(content.replace(b"\n", line_end)) == read(content)


@pytest.mark.parametrize("path", LETTERS, ids=[path.stem for path in LETTERS])
def test_wherever_a_letter_is_cut_nothing_is_made_up(path: Path) -> None:
    content = path.read_bytes()
    whole = read(content)
    for cut in range(0, len(content), 7):
        part = read(content[:cut])
        if isinstance(part, Bounce) and isinstance(whole, Bounce):
            assert {one.final for one in part.recipients} - {None} <= {one.final for one in whole.recipients} | cut_addresses(whole)
            assert set(part.reply_ids) <= set(whole.reply_ids)


def cut_addresses(whole: Bounce) -> set[str | None]:
    """An address that the cut itself shortened is still what is said up to there."""
    return {address[:end] for address in filter(None, (one.final for one in whole.recipients)) for end in range(len(address))}


@pytest.mark.parametrize(
    ("fields", "recipient"),
    [
        pytest.param(b"Action: failed", (Outcome.FAILED, None), id="failed"),
        pytest.param(b"Action: Failed (bad mailbox)\nStatus: 4.4.7 (expired)", (Outcome.FAILED, "4.4.7"), id="given-up"),
        pytest.param(b"Action: delayed\nStatus: 5.1.1", (Outcome.DELAYED, "5.1.1"), id="delayed-is-no-failure"),
        pytest.param(b"Action: delivered\nStatus: 2.1.5", (Outcome.DELIVERED, "2.1.5"), id="delivered"),
        pytest.param(b"Action: relayed", (Outcome.RELAYED, None), id="relayed"),
        pytest.param(b"Action: expanded", (Outcome.EXPANDED, None), id="expanded"),
        pytest.param(b"Status: 5.0.0", (Outcome.FAILED, "5.0.0"), id="no-action-5"),
        pytest.param(b"Status: 4.0.0", (Outcome.DELAYED, "4.0.0"), id="no-action-4"),
        pytest.param(b"Status: 2.0.0", (Outcome.DELIVERED, "2.0.0"), id="no-action-2"),
        pytest.param(b"Action: vanished\nStatus: 5.0.0", None, id="unknown-action"),
        pytest.param(b"Status: 3.0.0", None, id="unknown-class"),
        pytest.param(b"Diagnostic-Code: smtp; 550 no", None, id="no-outcome"),
    ],
)
def test_the_action_decides(fields: bytes, recipient: tuple[Outcome, str | None] | None) -> None:
    found = read(report(status(b"Final-Recipient: rfc822; ib@clinic.example\n" + fields + b"\n")))
    if recipient is None:
        assert found is NoReport.NOTHING_SAID
    else:
        assert isinstance(found, Bounce)
        assert [(one.outcome, one.status) for one in found.recipients] == [recipient]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("rfc822; ib@clinic.example", "ib@clinic.example"),
        ("RFC822;<IB@Clinic.Example>", "ib@clinic.example"),
        ("ib@clinic.example", "ib@clinic.example"),
        ("rfc822;ib@clinic.example (Ivan)", "ib@clinic.example"),
        ("utf-8; ib@клиника.рф", "ib@xn--80apagcdp.xn--p1ai"),
        ("utf-8; ib@\\x{43A}.example", "ib@xn--j1a.example"),
        ("utf-8; ib@\\x{FFFFFF}.example", None),
        ("utf-8; ib@\\x{D800}.example", None),
        ("rfc822; ib@\\x{43A}.example", None),
        ("rfc822; ib@clinic.example, z@z.example", None),
        ("x400; ib@clinic.example", None),
        ("rfc822;", None),
        ("", None),
    ],
)
def test_addresses_have_the_form_in_which_they_are_compared(written: str, address: str | None) -> None:
    fields = f"Final-Recipient: {written}\nOriginal-Recipient: {written}\nAction: failed\n"
    [recipient] = said(report(status(fields.encode()))).recipients
    assert (recipient.final, recipient.original) == (address, address)


def test_a_diagnostic_is_one_clean_line_and_cut() -> None:
    wild = b"Diagnostic-Code: smtp; 550\x1b[31m\xe2\x80\xae no\n\t\xff=?utf-8?B?0L3QtdGC?= " + b"x" * 2_000 + b"\n"
    [recipient] = said(report(status(FAILED + wild))).recipients
    assert recipient.diagnostic.startswith("smtp; 550[31m no �нет x")
    assert len(recipient.diagnostic) == DIAGNOSTIC_MAX


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 5.1.1 no", "5.1.1"),
        ("(#5.1.1)", "5.1.1"),
        ("554-5.7.606.", "5.7.606"),
        ("5.6.7.8 5.1.10", "5.1.10"),
        ("192.0.2.5.1.1", None),
        ("3.1.1", None),
    ],
)
def test_a_status_is_no_part_of_another_number(text: str, code: str | None) -> None:
    letter = b"Content-Type: text/plain\n\nHi. This is the qmail-send program.\n\n<ib@clinic.example>:\n" + text.encode() + b"\n"
    assert [one.status for one in said(letter).recipients] == [code]


@pytest.mark.parametrize(
    ("template", "headers", "ids"),
    [
        pytest.param(BOUNCE_ADDRESS, f"To: <mailer+{ID}@fond.example>", [ID], id="to"),
        pytest.param(BOUNCE_ADDRESS, f"Delivered-To: MAILER+{ID.upper()}@FOND.example", [ID], id="capitals"),
        pytest.param(BOUNCE_ADDRESS, f"X-Original-To: mailer+{ID}@fond.example", [ID], id="x-original-to"),
        pytest.param(BOUNCE_ADDRESS, f"Envelope-To: a@b.example,\n mailer+{ID}@fond.example", [ID], id="envelope-to"),
        pytest.param(
            BOUNCE_ADDRESS,
            f"To: mailer+{ID}@fond.example\nDelivered-To: mailer+{OTHER_ID}@fond.example\nEnvelope-To: mailer+{ID}@fond.example",
            [ID, OTHER_ID],
            id="two-each-once",
        ),
        pytest.param(BOUNCE_ADDRESS, f"Cc: mailer+{ID}@fond.example", [], id="another-header"),
        pytest.param(BOUNCE_ADDRESS, f"To: xmailer+{ID}@fond.example", [], id="more-before"),
        pytest.param(BOUNCE_ADDRESS, f"To: mailer+{ID}@fond.example.evil.example", [], id="more-behind"),
        pytest.param(BOUNCE_ADDRESS, f"To: mailer+{ID}0@fond.example", [], id="too-long"),
        pytest.param(BOUNCE_ADDRESS, f"To: mailer+{ID}@fondxexample", [], id="a-dot-is-a-dot"),
        pytest.param("{id}@b.fond.example", f"To: {ID}@b.fond.example", [ID], id="id-alone"),
        pytest.param("b-{id}@{id}.fond.example", f"To: b-{ID}@{ID}.fond.example", [ID], id="id-twice"),
        pytest.param("b-{id}@{id}.fond.example", f"To: b-{ID}@{OTHER_ID}.fond.example", [], id="two-ids"),
        pytest.param("desk@fond.example", "To: desk@fond.example", [], id="no-place-for-an-id"),
        pytest.param(None, f"To: mailer+{ID}@fond.example", [], id="no-bounce-address"),
    ],
)
def test_a_reply_is_known_by_the_address_its_bounce_came_to(template: str | None, headers: str, ids: list[str]) -> None:
    found = read(report(status(FAILED), headers=headers.encode() + b"\n"), template)
    assert isinstance(found, Bounce)
    assert list(found.reply_ids) == ids


@pytest.mark.parametrize(
    "content_type", [b"message/rfc822", b"text/rfc822-headers", b"Message/Global; x=y", b"message/global-headers"]
)
def test_a_reply_is_known_by_what_was_returned(content_type: bytes) -> None:
    fields = b"\nX-Mailer-Loop: " + ID.encode() + b"\nMessage-ID: <1@fond.example>\n"
    found = said(report(returned(fields, content_type), headers=b"References: <2@x.example>\n"))
    assert found == Bounce(recipients=(), reply_ids=(ID,), message_ids=("<1@fond.example>",))


def test_without_a_returned_letter_the_ids_that_are_answered_count() -> None:
    found = said(report(status(FAILED), headers=b"In-Reply-To: <1@x.example>\nReferences: <2@x.example> <1@x.example> <bad\n"))
    assert found.message_ids == ("<1@x.example>", "<2@x.example>")


@pytest.mark.parametrize("mark", [b"1", ID.encode() + b"0", b"x" + ID.encode()[1:], b""])
def test_a_loop_mark_that_is_no_id_is_none(mark: bytes) -> None:
    assert said(report(status(FAILED), returned(b"X-Mailer-Loop: " + mark + b"\n"))).reply_ids == ()


def test_a_status_inside_the_returned_letter_is_not_read() -> None:
    inner = report(status(FAILED.replace(b"ib@", b"z@")), boundary=b"inner")
    assert [one.final for one in said(report(status(FAILED), returned(inner))).recipients] == ["ib@clinic.example"]
    assert read(report(returned(inner))) is NoReport.NOTHING_SAID


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(b"disposition-notification", NoReport.READ_RECEIPT), (b"feedback-report", NoReport.NOTHING_SAID)],
)
def test_another_report_is_no_bounce(kind: bytes, reason: NoReport) -> None:
    letter = report(status(FAILED), returned(b"X-Mailer-Loop: " + ID.encode() + b"\n"))
    assert read(letter.replace(b"=delivery-status", b'="' + kind.upper() + b'"')) is reason


def test_a_status_counts_more_than_text_and_header() -> None:
    text = b"Content-Type: text/plain\n\nHi. This is the qmail-send program.\n\n<z@z.example>:\nno.\n"
    found = said(report(text, status(FAILED.replace(b"failed", b"delayed")), headers=b"X-Failed-Recipients: z@z.example\n"))
    assert [(one.outcome, one.final) for one in found.recipients] == [(Outcome.DELAYED, "ib@clinic.example")]


def test_a_header_alone_names_who_failed() -> None:
    found = said(
        b"X-Failed-Recipients: ib@clinic.example, broken, IB@clinic.example\nSubject: x\n\nSomething in an unknown tongue\n"
    )
    assert found.recipients == (Recipient(outcome=Outcome.FAILED, final="ib@clinic.example"),)


@pytest.mark.parametrize(
    ("phrase", "outcome"),
    [
        ("Hi. This is the qmail-send program", Outcome.FAILED),
        ("did not reach the following recipient(s):", Outcome.FAILED),
        ("not yet been delivered", Outcome.DELAYED),
        ("This is a warning message only. It could not be delivered to one or more", Outcome.DELAYED),
        ("Не удалось выполнить доставку следующим получателям: not yet been delivered", Outcome.FAILED),
    ],
)
def test_the_first_known_phrase_decides_however_it_is_folded(phrase: str, outcome: Outcome) -> None:
    text = f"{phrase.upper().replace(' ', chr(10))}\n\nib@clinic.example\n    Ящик переполнен\n"
    assert said(b"Subject: x\n\n" + text.encode()).recipients == (
        Recipient(outcome=outcome, final="ib@clinic.example", diagnostic="Ящик переполнен"),
    )


@pytest.mark.parametrize("charset", ["utf-8", "cp1251", "koi8_r"])
def test_russian_text_is_known_in_any_charset(charset: str) -> None:
    text = "Не удалось выполнить доставку следующим получателям:\n\nib@clinic.example\nЯщик переполнен\n".encode(charset)
    [recipient] = said(b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(text)).recipients
    assert (recipient.final, recipient.diagnostic) == ("ib@clinic.example", "Ящик переполнен")


def test_an_address_in_text_that_reports_nothing_is_nobodys_failure() -> None:
    assert read(b"Content-Type: text/plain\n\nWrite to\n\nib@clinic.example\n") is NoReport.NOTHING_SAID


@pytest.mark.parametrize(
    "boundary",
    ["-", "--", "b", "=_a:b/c'(d)?", "a b", "=" * 70],
)
def test_boundaries_of_any_shape_part_a_letter(boundary: str) -> None:
    letter = report(returned(b"a: b\n"), status(FAILED), boundary=b"@@").replace(b"--@@", b"--" + boundary.encode())
    found = said(letter.replace(b"boundary=@@", f'boundary="{boundary}"  '.encode()))
    assert [one.final for one in found.recipients] == ["ib@clinic.example"]


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(
            status(base64.encodebytes(FAILED * 2)[:-1] + b"!\n=\ngarbage", b"Content-Transfer-Encoding: base64"), id="padding"
        ),
        pytest.param(
            status(base64.b64encode(FAILED + b"x") + b"A", b"Content-Transfer-Encoding: Base64 (x)"), id="a digit too many"
        ),
        pytest.param(status(FAILED, b"Content-Transfer-Encoding: 7bit"), id="plain"),
        pytest.param(status(FAILED.replace(b"f", b"=66") + b"=", b"Content-Transfer-Encoding: quoted-printable"), id="quoted"),
        pytest.param(status(b"\n \n" + FAILED), id="empty lines first"),
        pytest.param(status(b"Reporting-MTA: dns; x\n \t\n" + FAILED), id="a line of white space between"),
        pytest.param(status(b"Reporting-MTA: dns; x\n" + FAILED), id="no line between"),
    ],
)
def test_careless_encodings_are_read(part: bytes) -> None:
    assert [one.final for one in said(report(part)).recipients] == ["ib@clinic.example"]


def nested(depth: int) -> bytes:
    inner = status(FAILED)
    for level in range(depth):
        inner = report(inner, boundary=f"n{level}".encode())
    return inner


def test_nests_are_entered_five_deep() -> None:
    assert len(said(nested(5)).recipients) == 1
    assert read(nested(6)) is NoReport.NOTHING_SAID


def test_twenty_parts_are_seen() -> None:
    assert len(said(report(*[b"\n"] * 18, status(FAILED))).recipients) == 1
    assert read(report(*[b"\n"] * 19, status(FAILED))) is NoReport.NOTHING_SAID


def test_a_hundred_recipients_are_given() -> None:
    many = b"\n".join(FAILED.replace(b"ib@", b"ib%d@" % number) for number in range(150))
    assert len(said(report(status(many))).recipients) == RECIPIENTS_MAX
    lines = b"".join(b"<ib%d@clinic.example>:\nno.\n\n" % number for number in range(150))
    assert len(said(b"Content-Type: text/plain\n\nHi. This is the\n\n" + lines).recipients) == RECIPIENTS_MAX


def test_the_same_said_twice_is_said_once() -> None:
    assert len(said(report(status(FAILED + b"\n" + FAILED), status(FAILED))).recipients) == 1


def test_what_lies_beyond_the_limits_of_size_is_not_seen() -> None:
    assert len(said(report(status(b"x\n" * 1_000 + FAILED))).recipients) == 1
    assert read(report(status(b"x" * BODY_MAX + b"\n\n" + FAILED))) is NoReport.NOTHING_SAID
    assert read(report(b"\n" + b"x" * LETTER_MAX, status(FAILED))) is NoReport.NOTHING_SAID


@pytest.mark.parametrize("boundary", [b"", b'""', b'" "', b'"'])
def test_without_a_boundary_nothing_is_parted(boundary: bytes) -> None:
    letter = report(status(FAILED)).replace(b"boundary=b", b"boundary=" + boundary).replace(b"--b", b"--")
    assert read(letter) is NoReport.NOTHING_SAID


HOSTILE = st.lists(
    st.sampled_from(
        [
            *(b"\n", b"\r\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b":", b"--", b"--b\n", b"--b--\n", b"-- copy\n", b"\n\n", b"="),
            *(
                b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n",
                b"Content-Type: ",
                b'"',
                b"; boundary=b",
            ),
            *(b"Content-Type: message/delivery-status\n\n", b"Content-Type: message/rfc822\n\n", b"Content-Type: text/plain\n\n"),
            *(b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", base64.b64encode(FAILED)),
            *(FAILED, b"Final-Recipient: utf-8; \\x{110000}@a\n", b"Action: failed\n", b"Status: 5", b"\\x{d800}", b"=\r"),
            *(
                b"Hi. This is the\n\n",
                b"<a@b>:\n",
                b"a@b",
                b"has been delayed",
                b"X-Failed-Recipients: a@b,\n",
                b"Message-ID: <a@b>\n",
            ),
            *(b"X-Mailer-Loop: " + ID.encode() + b"\n", b"To: mailer+" + ID.encode() + b"@fond.example\n", "клиника".encode()),
        ]
    ),
    max_size=40,
).map(b"".join)


@given(st.binary(max_size=400) | HOSTILE)
def test_any_bytes_are_a_bounce_or_none_and_never_an_error(content: bytes) -> None:
    found = read(content)
    assert isinstance(found, NoReport) or found.recipients or found.reply_ids or found.message_ids


@given(HOSTILE)
def test_a_delay_never_counts_as_a_failure(content: bytes) -> None:
    found = read(report(status(content.replace(b"ailed", b"elayed").replace(b"5", b"4"))))
    if isinstance(found, Bounce):
        assert all(one.outcome is not Outcome.FAILED for one in found.recipients)
