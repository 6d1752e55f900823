"""What a letter is to us, from its bytes: every kind, and which of two kinds wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import kinds, mime
from mailer.model import LOOP_HEADER, Form, Kind, Own, Reading, Reason, Repair

FORM = Form()
OWN = Own(message_id_domain="fund.example", reply_subjects=("Логин и пароль", "Отказ:"))
OURS = f"<{'0123456789abcdef' * 2}@fund.example>"
SUBJECT = "Запрос атрибутов временного доступа = Пришва А.А."
FROM = "From: ib@clinic.example"
NULL_PATH = "Return-Path: <>"


def judge(*headers: str) -> Reading:
    return kinds.judge(mime.read("\r\n".join([*headers, "", "текст"]).encode()), FORM, OWN)


def asked(*headers: str, subject: str = SUBJECT) -> Reading:
    return judge(*headers, FROM, f"Subject: {subject}")


@pytest.mark.parametrize(
    "content", [b"", b"\r\n", b"\n\nSubject: x\n\n", b"\x00\xff\xfe", "Просто текст\n".encode(), b"no colon\n\n"]
)
def test_without_any_header_a_letter_is_unreadable(content: bytes) -> None:
    assert kinds.judge(mime.read(content), FORM, OWN) == Reading(kind=Kind.UNREADABLE)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        pytest.param([f"{LOOP_HEADER}: 1"], Kind.OWN_LETTER, id="our loop mark"),
        pytest.param([f"Message-ID: {OURS}"], Kind.OWN_LETTER, id="our id as its own"),
        pytest.param([f"Message-ID: {OURS.upper()}"], Kind.OWN_LETTER, id="our id in capitals"),
        pytest.param(
            [f"{LOOP_HEADER}: 1", "Content-Type: multipart/report; report-type=delivery-status"], Kind.OWN_LETTER, id="own first"
        ),
        pytest.param(
            ["Content-Type: multipart/report; report-type=delivery-status; boundary=x"], Kind.BOUNCE, id="a delivery report"
        ),
        pytest.param(
            ['Content-Type: Multipart/Report;\r\n\tboundary="a;b"; Report-Type="Delivery-Status"'], Kind.BOUNCE, id="folded, quoted"
        ),
        pytest.param(
            ["Content-Type: multipart/report; report-type=disposition-notification"], Kind.MACHINE_MAIL, id="a read receipt"
        ),
        pytest.param(
            ['Content-Type: multipart/report; boundary="a; report-type=delivery-status"; report-type=disposition-notification'],
            Kind.MACHINE_MAIL,
            id="a report's type within quotes is none",
        ),
        pytest.param(
            [NULL_PATH, "Content-Type: multipart/report; report-type=disposition-notification"],
            Kind.MACHINE_MAIL,
            id="a read receipt with the null return path it should have",
        ),
        pytest.param(["Content-Type: multipart/report"], Kind.REQUEST, id="a report of no type"),
        pytest.param(["Content-Type: multipart/mixed; report-type=delivery-status"], Kind.REQUEST, id="a type of no report"),
        pytest.param(
            ["Content-Type: multipart/report (x; y); report-type (z) = delivery-status"], Kind.BOUNCE, id="a report with comments"
        ),
        pytest.param(
            [NULL_PATH, "Content-Type: multipart/report; report-type=disposition-notification", f"In-Reply-To: {OURS}"],
            Kind.MACHINE_MAIL,
            id="a read receipt of our letter with the phrase",
        ),
        pytest.param(
            [f"In-Reply-To: {OURS}", "Content-Type: multipart/report; report-type=delivery-status"], Kind.BOUNCE, id="of our letter"
        ),
        pytest.param(["Auto-Submitted: auto-replied"], Kind.MACHINE_MAIL, id="auto-replied"),
        pytest.param(["Auto-Submitted: auto-generated; owner=x"], Kind.MACHINE_MAIL, id="auto-generated"),
        pytest.param(["Auto-Submitted: No (really)"], Kind.REQUEST, id="auto-submitted no"),
        pytest.param(["Auto-Submitted: no", "Auto-Submitted: auto-replied"], Kind.MACHINE_MAIL, id="no and yes"),
        pytest.param(["Auto-Submitted: (no) auto-replied (no)"], Kind.MACHINE_MAIL, id="a no in comments"),
        pytest.param(["AUTO-SUBMITTED:\r\n\tno"], Kind.REQUEST, id="a folded no"),
        pytest.param(["Auto-Submitted: no; owner=x"], Kind.REQUEST, id="a no with a parameter"),
        pytest.param(["Auto-Submitted:"], Kind.MACHINE_MAIL, id="auto-submitted nothing: other than no"),
        pytest.param(["Auto-Submitted: yes"], Kind.MACHINE_MAIL, id="auto-submitted, an unknown word"),
        pytest.param(["Precedence: bulk (a list)"], Kind.MACHINE_MAIL, id="bulk with a comment"),
        pytest.param(['Precedence: "JUNK"'], Kind.MACHINE_MAIL, id="junk in quotes"),
        pytest.param(["Precedence: first-class", "precedence : list"], Kind.MACHINE_MAIL, id="two precedences"),
        pytest.param(["Precedence: normal (bulk)"], Kind.REQUEST, id="bulk in a comment"),
        pytest.param(["Precedence:"], Kind.REQUEST, id="no precedence"),
        pytest.param(["X-Auto-Response-Suppress: DR", "X-Auto-Response-Suppress: oof (x)"], Kind.MACHINE_MAIL, id="in the second"),
        pytest.param(["X-Auto-Response-Suppress: None"], Kind.REQUEST, id="nothing suppressed"),
        pytest.param(["list-id:"], Kind.MACHINE_MAIL, id="an empty List-Id"),
        pytest.param(["List-Unsubscribe: <mailto:x@y.example>"], Kind.REQUEST, id="another header of lists"),
        pytest.param(["Return-Path: < >"], Kind.MACHINE_MAIL, id="a null return path with a blank"),
        pytest.param(["Precedence: Bulk"], Kind.MACHINE_MAIL, id="bulk"),
        pytest.param(["Precedence: list"], Kind.MACHINE_MAIL, id="list"),
        pytest.param(["Precedence: junk"], Kind.MACHINE_MAIL, id="junk"),
        pytest.param(["Precedence: first-class"], Kind.REQUEST, id="first-class"),
        pytest.param(["List-Id: <a.b.c>"], Kind.MACHINE_MAIL, id="a mailing list"),
        pytest.param(["X-Auto-Response-Suppress: DR, OOF, AutoReply"], Kind.MACHINE_MAIL, id="no answers wanted"),
        pytest.param(["X-Auto-Response-Suppress: All"], Kind.MACHINE_MAIL, id="no answers at all"),
        pytest.param(["X-Auto-Response-Suppress: DR, NRN"], Kind.REQUEST, id="no receipts wanted"),
        pytest.param([NULL_PATH], Kind.MACHINE_MAIL, id="a null return path"),
        pytest.param(["Return-Path: <ib@clinic.example>", NULL_PATH], Kind.REQUEST, id="a null return path that was sent along"),
        pytest.param(["Message-ID: <1@clinic.example>", f"Message-ID: {OURS}"], Kind.OWN_LETTER, id="a second id, ours"),
        pytest.param([], Kind.REQUEST, id="nothing special"),
    ],
)
def test_a_letter_with_the_phrase_is_of_one_kind(headers: list[str], kind: Kind) -> None:
    assert asked(*headers).kind is kind


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("MAILER-DAEMON@mx.example (Mail Delivery System)", Kind.BOUNCE),
        ("Mail Delivery Subsystem <MAILER-DAEMON>", Kind.BOUNCE),
        ("Mailer-Daemon (Mail Delivery System)", Kind.BOUNCE),
        ("postmaster of clinic.example <ib@clinic.example>", Kind.MACHINE_MAIL),
        ("mailer-daemons@mx.example", Kind.MACHINE_MAIL),
        ("Postmaster <postmaster@mx.example>", Kind.BOUNCE),
        ("ib@clinic.example", Kind.MACHINE_MAIL),
        ("postmaster@mx.example, a@b.example", Kind.MACHINE_MAIL),
    ],
)
def test_a_daemon_with_a_null_return_path_is_a_bounce(sender: str, kind: Kind) -> None:
    assert judge(NULL_PATH, f"From: {sender}", "Subject: Undelivered").kind is kind


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("Запрос атрибутов временного доступа", Kind.REQUEST),
        ("запрос атрибутов временного доступа = Пришва А.А.", Kind.REQUEST),
        ("Прошу атрибуты доступа Пришва А.А.", Kind.NEAR_SUBJECT),
        ("Отпуск бухгалтера", Kind.OTHER_SUBJECT),
        ("", Kind.OTHER_SUBJECT),
        ("Логин и пароль: Пришва А.А.", Kind.ANSWER_TO_US),
        ("Re: Отв: ЛОГИН И ПАРОЛЬ: Пришва А.А.", Kind.ANSWER_TO_US),
        ("Fwd: Отказ: не указаны инициалы", Kind.ANSWER_TO_US),
        ("Наш отказ: не указаны инициалы", Kind.OTHER_SUBJECT),
        ("«Логин и пароль: Пришва А.А.»", Kind.ANSWER_TO_US),
        ("Логин  и\u00a0пароль", Kind.ANSWER_TO_US),
        ("Отказ: атрибуты доступа", Kind.ANSWER_TO_US),
        ("ÐŸÑ€Ð¸ÑˆÐ²Ð°", Kind.OTHER_SUBJECT),
    ],
)
def test_the_subject_decides_the_rest(subject: str, kind: Kind) -> None:
    assert asked(subject=subject).kind is kind


def test_a_request_names_a_person() -> None:
    reading = asked()
    assert (reading.person and reading.person.canonical, reading.reason, reading.repairs) == ("Пришва А.А.", None, ())


@pytest.mark.parametrize("header", ["In-Reply-To", "References"])
def test_an_answer_to_us_is_left_unless_it_asks_again(header: str) -> None:
    thread = f"{header}: <other@x.example> {OURS}"
    assert asked(thread, subject="Спасибо").kind is Kind.ANSWER_TO_US
    assert asked(thread, subject="Запрос атрибутов временного доступа = Пришва").kind is Kind.ANSWER_TO_US
    again = asked(thread)
    assert (again.kind, again.person and again.person.canonical, again.repairs) == (Kind.REQUEST, "Пришва А.А.", (Repair.PREFIX,))
    assert asked(thread, subject=f"Re: {SUBJECT}").repairs == (Repair.PREFIX,)


def test_a_machine_that_asks_again_in_our_thread_is_still_a_machine() -> None:
    assert asked(f"In-Reply-To: {OURS}", "Auto-Submitted: auto-replied").kind is Kind.MACHINE_MAIL


@pytest.mark.parametrize("answered", [OURS.replace("fund", "fond"), "<1@fund.example>", OURS.replace("0", "g"), OURS[1:-1]])
def test_an_answer_to_somebody_else_is_a_request_like_any_other(answered: str) -> None:
    assert asked(f"In-Reply-To: {answered}").repairs == ()


def test_a_machines_letter_tells_whether_it_begins_with_the_phrase() -> None:
    marked = asked("Auto-Submitted: auto-generated")
    assert (marked.phrase_first, marked.reason, marked.person and marked.person.canonical) == (True, None, "Пришва А.А.")
    assert not asked("Auto-Submitted: auto-generated", subject="О доступе").phrase_first
    assert asked("Precedence: bulk", subject="Запрос атрибутов временного доступа = Пришва").reason is None


@pytest.mark.parametrize(
    ("subjects", "reason"),
    [
        pytest.param([SUBJECT, SUBJECT.replace("Пришва", "Иванов")], Reason.AMBIGUOUS_SUBJECT, id="two persons"),
        pytest.param(["Отпуск", SUBJECT], Reason.AMBIGUOUS_SUBJECT, id="a request and something else"),
        pytest.param([SUBJECT, SUBJECT], None, id="the same twice"),
        pytest.param(
            [SUBJECT, "=?utf-8?Q?" + SUBJECT.replace(" ", "_").replace("=", "=3D") + "?="], None, id="the same, written in two ways"
        ),
        pytest.param([SUBJECT + " " * 4_000 + "и Иванов И.И."], Reason.NAME_MALFORMED, id="cut"),
        pytest.param([SUBJECT, *(f"Отпуск {day}" for day in range(20))], Reason.AMBIGUOUS_SUBJECT, id="very many"),
    ],
)
def test_what_is_ambiguous_or_cut_is_refused(subjects: list[str], reason: Reason | None) -> None:
    reading = judge(FROM, *(f"Subject: {subject}" for subject in subjects))
    assert (reading.kind, reading.reason) == (Kind.REQUEST, reason)
    assert (reading.person is None) == (reason is not None)


@pytest.mark.parametrize(
    ("raw", "kind", "reason"),
    [
        (SUBJECT.encode("cp1251"), Kind.REQUEST, None),
        (SUBJECT.encode("koi8_r"), Kind.REQUEST, None),
        (SUBJECT.encode() + b"\xff", Kind.REQUEST, Reason.UNDECODABLE),
        (SUBJECT.encode()[:-3] + b"\xd0.", Kind.REQUEST, Reason.UNDECODABLE),
        (SUBJECT.encode("cp866"), Kind.OTHER_SUBJECT, None),
    ],
)
def test_a_name_of_unreadable_characters_is_refused(raw: bytes, kind: Kind, reason: Reason | None) -> None:
    reading = kinds.judge(mime.read(FROM.encode() + b"\nSubject: " + raw + b"\n\n"), FORM, OWN)
    assert (reading.kind, reading.reason) == (kind, reason)
    assert (Repair.CHARSET in reading.repairs) == (kind is Kind.REQUEST and reason is None)


@pytest.mark.parametrize(
    "filler",
    [
        pytest.param(b"a:\n", id="many headers"),
        pytest.param(b"Subject: =?utf-8?Q?=D0?=\n", id="many subjects"),
        pytest.param(b"=?a?q?x?=", id="words"),
        pytest.param(b"=?a?q?", id="open words"),
        pytest.param(b"=?utf-8?B?0JQ=?= ", id="B words"),
        pytest.param(b"\xcc\x81", id="marks"),
        pytest.param(b"\xd0\x97\xcc\x81\xcc\xa7", id="marks of two orders"),
        pytest.param(b"\xff", id="raw"),
        pytest.param(b"\n ", id="folds"),
        pytest.param(b"\r", id="CR"),
        pytest.param(b"\n\r", id="LF CR"),
        pytest.param(b"\x00", id="NUL"),
        pytest.param(b"Re: ", id="prefixes"),
        pytest.param("Запрос ".encode(), id="phrase words"),
        pytest.param("«".encode(), id="quotes"),
        pytest.param(b"\nFrom: a@x.ru", id="senders"),
        pytest.param(b"\nReferences: <<<<@@@@>", id="ids"),
        pytest.param(b"\nReferences: " + b"<a@b>" * 50, id="true ids"),
        pytest.param(b"\nContent-Type: multipart/report;" + b"a=b;" * 200, id="parameters"),
        pytest.param(b"\nFrom: " + b"(" * 900, id="comments"),
        pytest.param(b"\nDate: " + b"1 " * 40, id="dates"),
        pytest.param(b"\nAuto-Submitted: " + b"((no)" * 100, id="marks of machines"),
    ],
)
@pytest.mark.parametrize("begin", [b"", b"Subject: ", b"From: ", b"Subject: =?utf-8?B?"], ids=["bare", "subject", "from", "word"])
def test_the_worst_headers_name_no_person_and_no_sender(begin: bytes, filler: bytes) -> None:
    """All of this is longer than what is looked at; what it costs is measured elsewhere."""
    letter = mime.read(begin + filler * (mime.BLOCK_MAX // len(filler) + 1))
    assert kinds.judge(letter, FORM, OWN).person is None
    assert letter is None or letter.sender is None


HOSTILE = st.lists(
    st.sampled_from(
        [
            *(b"Subject: ", b"From: ", b"a@x.ru", b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b":", b"=?utf-8?B?", b"?="),
            *(b"Message-ID: ", OURS.encode(), b"References: ", b"Return-Path: <>", b"Date: ", b"Content-Type: multipart/report"),
            *(SUBJECT.encode(), SUBJECT.encode("cp1251"), b"\xef\xbb\xbf", b"From x@y Mon\n", b"Received: ", b"=?koi8-r?Q?"),
        ]
    ),
    max_size=40,
).map(b"".join)


@given(st.binary(max_size=400) | HOSTILE)
def test_any_bytes_are_of_exactly_one_kind(content: bytes) -> None:
    assert kinds.judge(mime.read(content), FORM, OWN).kind in Kind
