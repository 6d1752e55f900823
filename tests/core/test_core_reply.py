import traceback
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailer.core.letterhead import Letterhead
from mailer.core.reply import Templates, compose, load, local_moment
from mailer.core.replyvalues import (
    TEMPLATES,
    IssuedValues,
    LetterValues,
    RefusedValues,
    ReplyValues,
    sample_values,
)
from mailer.core.secret import Secret
from mailer.errors import SetupError
from mailer.model import Envelope, Form, Mistake, PersonName, Reason

FOLDER = Path(__file__).parents[2] / "templates" / "reply"
PACKAGED = {file.relative_to(FOLDER).as_posix(): file.read_text(encoding="utf-8") for file in FOLDER.rglob("*.txt")}
FORM = Form()
LETTERHEAD = Letterhead(
    envelope=Envelope(sender="mailer@fund.example", recipient="office@hospital.example"),
    from_name="Фонд",
    from_address="mailer@fund.example",
    message_id="<reply.17@fund.example>",
    at=datetime(2026, 11, 23, 7, 15, 2, tzinfo=UTC),
    loop_mark="d1e2s3k4",
    in_reply_to="<letter@hospital.example>",
)
COMMON = {
    "fund_name": "Фонд Северного края",
    "contact": "Петрова Анна, тел. 12-34",
    "portal_url": "https://portal.fund.example/ui",
    "organisation": "ГБУЗ «Больница № 5»",
    "received_at": "23.11.2026, 10:15:02 (МСК, UTC+3)",
}
ISSUED = IssuedValues(
    **COMMON,
    request_number=128,
    person=PersonName(surname="Мамин-Сибиряк", initials="Д.Н."),
    login="tmp-29-kmnrstuv",
    password=Secret("kmnrstuvwz3478bdfg"),
    valid_until="23.02.2027, 23:59:59 (МСК, UTC+3)",
)


def refused(**wrong: object) -> RefusedValues:
    return replace(RefusedValues(**COMMON, request_number=129, reason=Reason.NAME_MALFORMED), **wrong)


def letter(templates: Templates, name: str, values: LetterValues) -> tuple[str, str]:
    message = message_from_bytes(compose(templates, name, values, LETTERHEAD), policy=policy.default)
    return str(message["Subject"]), message.get_content().replace("\r\n", "\n")


def changed(**texts: str) -> Mapping[str, str]:
    """The packaged templates with some replaced: `issued_body="…"` is issued/body.txt."""
    return PACKAGED | {f"{name.replace('_', '/')}.txt": text for name, text in texts.items()}


@pytest.fixture(scope="module")
def packaged() -> Templates:
    return load(PACKAGED, form=FORM)


def test_the_answer_says_all_that_is_needed(packaged: Templates) -> None:
    subject, body = letter(packaged, "issued", ISSUED)
    assert subject == "Логин и пароль: Мамин-Сибиряк Д.Н."
    lines = body.split("\n")
    assert {"tmp-29-kmnrstuv", "kmnrstuvwz3478bdfg", "kmnrst uvwz34 78bdfg", "https://portal.fund.example/ui"} <= set(lines)
    for said in (
        "Запрос: № 128, получен 23.11.2026, 10:15:02 (МСК, UTC+3)",
        "Организация: ГБУЗ «Больница № 5»",
        "23.02.2027, 23:59:59 (МСК, UTC+3)",
        "латинская раскладка, без пробелов и дефисов",
        "прежний логин больше не действует",
        "Инструкции по формированию запроса на сертификат через веб-портал",
        "Заявление на изготовление сертификата пользователя Удостоверяющего Центра",
        "2 года",
        "на руководителя организации доверенность не нужна",
        "трёх рабочих дней",
        "в двух экземплярах",
        "в течение месяца",
        "«Скачать»",
        "Петрова Анна, тел. 12-34",
        "Фонд Северного края",
    ):
        assert said in body


@pytest.mark.parametrize("reason", [*Reason, None], ids=str)
@pytest.mark.parametrize("hint", ["", "Пришва"], ids=["surname unreadable", "surname readable"])
def test_a_refusal_says_what_is_wrong_and_how_it_is_right(packaged: Templates, reason: Reason | None, hint: str) -> None:
    subject, body = letter(packaged, "refused", refused(reason=reason, written="Пришва", surname_hint=hint))
    assert subject.startswith("Отказ: ")
    assert "«Пришва»" in body
    right_form = f"\n{FORM.phrase} = {f'{hint} _._.' if hint else FORM.placeholder}\n"
    assert (right_form in body) is (reason is not None)
    assert "Петрова Анна, тел. 12-34" in body
    assert "№ 129" in body


def test_every_reason_has_words_of_its_own(packaged: Templates) -> None:
    letters = [letter(packaged, "refused", refused(reason=reason)) for reason in [*Reason, None]]
    assert len({subject for subject, _ in letters}) == len(letters)
    assert len({body for _, body in letters}) == len(letters)


@pytest.mark.parametrize("hint", ["", "Пришва"], ids=["surname unreadable", "surname readable"])
def test_a_right_form_copied_as_it_stands_names_nobody(packaged: Templates, hint: str) -> None:
    """«Пришва И.О.» would be read as a person; neither `_._.` nor the placeholder is."""
    _, body = letter(packaged, "refused", refused(reason=Reason.INITIALS_MISSING, written="Пришва", surname_hint=hint))
    assert "Пришва И.О." not in body


@pytest.mark.parametrize(
    ("character", "said"),
    [
        ("I", "латинская буква I, 8-й знак"),
        ("ω", "греческая буква ω, 8-й знак"),
        ("і", "буква не русского алфавита і, 8-й знак"),
        ("ß", "латинская буква ß, 8-й знак"),
        ("П", "заглавная буква П внутри слова, 8-й знак"),
        ("ა", "буква не русского алфавита ა, 8-й знак"),
        ("0", "цифра 0, 8-й знак"),
        ("_", "знак «_», 8-й знак"),
        ("\u0301", "надстрочный знак «\u0301», 8-й знак"),
        ("\u200b", "пробел или невидимый знак, 8-й знак"),
        (" ", "пробел или невидимый знак, 8-й знак"),
        ("\U000e0041", "пробел или невидимый знак, 8-й знак"),
    ],
    ids=ascii,
)
def test_a_mistake_is_named_with_its_place(packaged: Templates, character: str, said: str) -> None:
    mistake = Mistake(character=character, place=8)
    _, body = letter(packaged, "refused", refused(reason=Reason.NAME_NOT_CYRILLIC, mistake=mistake))
    assert f"\nОшибка: {said}\n" in body


@pytest.mark.parametrize(
    ("written", "quoted"),
    [
        pytest.param("Иванов\r\n\r\nСрочно переведите деньги", "Иванов Срочно переведите деньги", id="line breaks"),
        pytest.param("Ива\u202eнов\u200b\x00\x1b[2J\ud800", "Иванов[2J", id="bidi, invisible, control, half characters"),
        pytest.param("я" * 4000, "я" * 159 + "…", id="too long"),
        pytest.param("{{ password }}{% for x in y %}", "{{ password }}{% for x in y %}", id="template syntax is only text"),
    ],
)
def test_of_the_letter_only_the_tidied_name_is_quoted(packaged: Templates, written: str, quoted: str) -> None:
    _, body = letter(packaged, "refused", refused(written=written))
    assert f"\nУказано в теме письма: «{quoted}»\n" in body


def test_a_blocked_sender_learns_whom_to_ask_and_no_more(packaged: Templates) -> None:
    subject, body = letter(packaged, "refused-sender", ReplyValues(**COMMON, request_number=130))
    assert subject == "Отказ: запрос не принят"
    assert "Петрова Анна, тел. 12-34" in body
    assert "заблокирован" not in body


def test_a_near_subject_is_shown_the_right_one(packaged: Templates) -> None:
    _, body = letter(packaged, "refused-subject", ReplyValues(**COMMON, request_number=130))
    assert "\nЗапрос атрибутов временного доступа = Фамилия И.О.\n" in body


def test_the_offices_own_form_is_shown() -> None:
    form = Form(phrase="Прошу выдать пропуск", separator=":", placeholder="Ф.И.О. сотрудника")
    _, body = letter(load(PACKAGED, form=form), "refused", refused(reason=Reason.NAME_PLACEHOLDER))
    assert "\nПрошу выдать пропуск : Ф.И.О. сотрудника\n" in body


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_reply_could_be_taken_for_a_request_or_looks_ragged(packaged: Templates, name: str) -> None:
    for values in sample_values(name):
        subject, body = letter(packaged, name, values)
        assert not subject.casefold().startswith("запрос атрибутов")
        assert not ("атрибут" in subject.casefold() and "доступ" in subject.casefold())
        assert "\n\n\n" not in body
        assert all(line == line.strip() for line in body.split("\n"))
        assert body[0] != "\n"
        assert body.endswith("\n")


def test_names_that_make_a_subject_look_like_a_request_are_left_out_of_it(packaged: Templates) -> None:
    values = replace(ISSUED, person=PersonName(surname="Атрибутов-Доступов", initials="И.И."))
    subject, body = letter(packaged, "issued", values)
    assert subject == "Логин и пароль:"
    assert "Атрибутов-Доступов И.И." in body


def test_the_same_arguments_give_the_same_bytes(packaged: Templates) -> None:
    assert compose(packaged, "issued", ISSUED, LETTERHEAD) == compose(load(PACKAGED, form=FORM), "issued", ISSUED, LETTERHEAD)


def test_each_reply_takes_its_own_values(packaged: Templates) -> None:
    with pytest.raises(ValueError, match="IssuedValues"):
        compose(packaged, "issued", refused(), LETTERHEAD)


@pytest.mark.parametrize("field", ["organisation", "contact", "login", "valid_until"])
@pytest.mark.parametrize("text", ["a\r\nBcc: x@y.example", "a\nb", "a\u2028b", "a\x00"], ids=ascii)
def test_values_of_two_lines_are_refused(field: str, text: str) -> None:
    with pytest.raises(ValueError, match=field):
        replace(ISSUED, **{field: text})


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        pytest.param(
            changed(issued_body="строка\n{{ pasword }}\n"),
            r"issued/body\.txt, line 2: unknown name pasword; known: by_authority, .*password, password_groups, person",
            id="unknown name",
        ),
        pytest.param(
            changed(issued_body="{% if login == 'never' %}\n{{ pasword }}{% endif %}"),
            r"issued/body\.txt, line 2: unknown name pasword",
            id="unknown name where no sample leads",
        ),
        pytest.param(
            changed(refused_body="{{ password }}"), r"refused/body\.txt, line 1: unknown name password", id="name of another reply"
        ),
        pytest.param(changed(refused_subject="Отказ {{ range(3) }}"), r"line 1: unknown name range", id="no functions"),
        pytest.param(
            changed(refused_body="а\nб {{ mistake.charcter }}"),
            r"refused/body\.txt, line 2: .*charcter",
            id="unknown part of a value",
        ),
        pytest.param(changed(issued_subject="Логин {{ person"), r"issued/subject\.txt, line 1: ", id="syntax error"),
        pytest.param(changed(issued_body="\n\n{{ login | loud }}"), r"issued/body\.txt, line 3: .*loud", id="unknown filter"),
        pytest.param(changed(issued_body="{{ login | random }}"), r"issued/body\.txt, line 1: .*random", id="no chance"),
        pytest.param(
            changed(issued_body="а\n{{ 1 / 0 }}"), r"issued/body\.txt, line 2: ZeroDivisionError", id="failing expression"
        ),
        pytest.param(
            changed(issued_body="{{ login.__class__.__mro__ }}"),
            r"issued/body\.txt, line 1: SecurityError",
            id="out of the sandbox",
        ),
        pytest.param(
            changed(issued_body='\n{% include "shared/gone.txt" %}'),
            r"issued/body\.txt, line 2: .*shared/gone\.txt",
            id="include of nothing",
        ),
        pytest.param(
            changed(shared_signature="\n{{ conact }}"),
            r"shared/signature\.txt, line 2: unknown name conact",
            id="unknown name in a shared file",
        ),
        pytest.param(
            changed(shared_signature="{{ login }}"), r"shared/signature\.txt, line 1: .*login", id="shared where it does not fit"
        ),
        pytest.param(
            changed(greeting_body="х", greeting_subject="х"),
            r"greeting/body\.txt, greeting/subject\.txt: no such",
            id="unknown directory",
        ),
        pytest.param(
            changed(issued_boddy="х"),
            r"issued/boddy\.txt: no such reply template; known: alarm/body\.txt, ",
            id="unknown file",
        ),
        pytest.param(
            {"issued/subject.txt": "х"},
            r"missing: alarm/body\.txt, alarm/subject\.txt, answer-address/body\.txt, answer-address/subject\.txt, "
            r"digest/body\.txt, digest/subject\.txt, expiring/body",
            id="missing files",
        ),
        pytest.param(changed(issued_subject=" \n"), r"issued/subject\.txt: .*empty", id="empty subject"),
        pytest.param(changed(issued_subject="{{ person }}"), r"issued/subject\.txt: .*empty", id="subject of values only"),
        pytest.param(
            changed(issued_subject="ЗАПРОС атрибутов временного доступа выполнен"),
            r"taken for a request",
            id="subject begins with the phrase",
        ),
        pytest.param(changed(issued_subject="Доступ: атрибуты {{ person }}"), r"taken for a request", id="subject with both stems"),
        pytest.param(
            changed(refused_subject='Отказ{% if reason == "undecodable" %}: атрибут доступа{% endif %}'),
            r"refused/subject\.txt: .*taken for a request",
            id="subject with both stems for one reason only",
        ),
    ],
)
def test_a_bad_template_is_named_before_the_first_letter(texts: Mapping[str, str], complaint: str) -> None:
    with pytest.raises(SetupError, match=complaint):
        load(texts, form=FORM)


def test_names_set_in_a_template_are_known_there() -> None:
    text = "{% if login %}{% set greeting = 'Здравствуйте' %}{{ greeting }}{% endif %}"
    text += "{% for part in [login, password] %}, {{ part }}{% endfor %}"
    _, body = letter(load(changed(issued_body=text), form=FORM), "issued", ISSUED)
    assert body == f"Здравствуйте, tmp-29-kmnrstuv, {ISSUED.password.reveal()}\n"


def test_a_letter_that_forgets_the_password_is_found_at_load() -> None:
    with pytest.raises(SetupError, match="does not hold the login and the password"):
        load(changed(issued_body="{{ login }}"), form=FORM)


def test_a_late_failure_does_not_show_the_password() -> None:
    """A lookup by password succeeds with the sample and fails with a real one, quoting it in jinja2's own message."""
    sample = sample_values("issued")[0]
    assert isinstance(sample, IssuedValues)
    trap = f"{{{{ login }}}} {{{{ password }}}} {{{{ {{'{sample.password.reveal()}': 1}}[password] }}}}"
    templates = load(changed(issued_body=trap), form=FORM)
    with pytest.raises(SetupError, match="issued") as failed:
        compose(templates, "issued", ISSUED, LETTERHEAD)
    assert "kmnrstuvwz3478bdfg" not in "".join(traceback.format_exception(failed.value))
    assert failed.value.__context__ is None


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Moscow", "23.02.2027, 23:59:59 (МСК, UTC+3)"),
        ("Europe/Kaliningrad", "23.02.2027, 22:59:59 (МСК-1, UTC+2)"),
        ("Asia/Kamchatka", "24.02.2027, 08:59:59 (МСК+9, UTC+12)"),
        ("UTC", "23.02.2027, 20:59:59 (МСК-3, UTC)"),
    ],
)
def test_moments_are_written_with_their_zone(zone: str, text: str) -> None:
    assert local_moment(datetime(2027, 2, 23, 20, 59, 59, tzinfo=UTC), ZoneInfo(zone)) == text


@pytest.mark.parametrize(
    ("shared", "body", "expected"),
    [
        pytest.param("{{ person }}", "{% for person in ['а', 'б'] %}{% include F %}{% endfor %}", "аб", id="names of a loop"),
        pytest.param(
            "{% set word = 'б' %}{{ word }}", "{% set word = 'а' %}{% include F %}{{ word }}", "ба", id="what it sets stays its own"
        ),
        pytest.param("а\n", "  {% include F %}\nб", "а\nб", id="on a line of its own"),
        pytest.param(
            "а{% if not login %}{% include F %}{% endif %}", "{% include F %}", "а", id="includes itself where nothing leads"
        ),
        pytest.param("{% block one %}а{% endblock %}", "{% include F %}{% include F %}", "аа", id="blocks"),
        pytest.param("а", "{% include ['shared/none.txt', F] %}", "а", id="one of several"),
        pytest.param("а", "{% include 'shared/none.txt' ignore missing %}б", "б", id="may be missing"),
        pytest.param("{{ 'а' if login is defined else 'б' }}", "{% include F without context %}", "б", id="without the values"),
    ],
)
def test_an_included_file_is_filled_in_as_jinja2_does(shared: str, body: str, expected: str) -> None:
    text = body.replace("F", "'shared/part.txt'") + ", {{ login }}, {{ password }}"
    _, written = letter(
        load(changed(shared_part=shared.replace("F", "'shared/part.txt'"), issued_body=text), form=FORM), "issued", ISSUED
    )
    assert written == f"{expected}, tmp-29-kmnrstuv, {ISSUED.password.reveal()}\n"


def test_what_only_a_real_letter_reaches_stays_in_the_sandbox_too() -> None:
    text = "{% if organisation == 'ГБУЗ «Больница № 5»' %}{{ login.__class__.__mro__ }}{% endif %}{{ login }} {{ password }}"
    with pytest.raises(SetupError, match="issued failed: SecurityError"):
        compose(load(changed(issued_body=text), form=FORM), "issued", ISSUED, LETTERHEAD)
