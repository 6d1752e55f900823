"""An officer's week by the commands alone: letters of every kind, and all that a person may have to do about them.

What is typed stands here as it is typed. Commands in vain are typed in the evenings, when the service is stopped and it can be seen
that they leave nothing but their record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.cli.offices import Shell
from tests.e2e.bureau import header
from tests.e2e.weekoffice import WeekOffice
from tests.e2e.weekpost import BIRTH_ANSWERS, BIRTH_NEW, DENT_NEW, EXPECTED, HEADLESS, NEW, PERSONS, POST, REGISTER, issued, letter
from tests.flow.desks import password_in
from tests.flow.test_flow_bounced import bounce
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.slow

DAYS = {  # whose letters come when
    "monday": ("plain", "not ours"),
    "tuesday": ("with ё", "near"),
    "wednesday": ("with е", "two words"),
    "thursday": ("no name", "two subjects"),
}


@pytest.fixture
def week(
    tmp_path: Path, database_url: str, dovecot: Dovecot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[WeekOffice]:
    with WeekOffice(tmp_path, database_url, dovecot, Shell(home=tmp_path, capsys=capsys), monkeypatch) as office:
        yield office


def test_a_week(week: WeekOffice) -> None:
    sunday(week)
    monday(week)
    monday_evening(week)
    tuesday(week)
    tuesday_by_hand(week)
    tuesday_evening(week)
    wednesday(week)
    a_password_is_lost(week)
    wednesday_evening(week)
    thursday(week)
    an_answer_comes_back(week)
    letters_for_people(week)
    issuing_is_paused(week)
    thursday_evening(week)
    friday(week)
    every_letter_is_accounted_for(week)
    every_clinic_got_its_answers(week)
    the_record_tells_it_all(week)


def come(week: WeekOffice, *names: str, ago: timedelta = timedelta()) -> None:
    """Letters arrive, and the rules make of them what the table says."""
    week.arrive(*(letter(name) for name in names), at=week.now - ago)
    kept = [POST[name] for name in names if POST[name].kept]
    found = week.ask("letters", "list", "--limit", str(len(kept)))
    assert [(one["sender"], one["verdict"], one["reason"]) for one in reversed(found)] == [
        (post.address, post.verdict, post.reason) for post in kept
    ]


def come_of(week: WeekOffice, day: str) -> None:
    first, last = (list(POST).index(name) for name in DAYS[day])
    come(week, *list(POST)[first : last + 1])


def held(week: WeekOffice, person: str | None) -> str:
    """The number of the request that waits for a person's decision, as the work list shows it."""
    (number,) = [one["id"] for one in week.ask("requests", "list", "--held", "--limit", "100") if one["person"] == person]
    return str(number)


def login(week: WeekOffice, person: str, state: str = "active") -> str:
    lines = week.ask("credentials", "list", "--state", state)
    return next(str(one["credential"]["login"]) for one in lines if one["person"] == person)


def sunday(week: WeekOffice) -> None:
    """The register is filled; a sender with no contract is blocked; one has a list of its persons."""
    senders, bad, persons = (str(week.home / name) for name in ("senders.csv", "bad.csv", "persons.csv"))
    Path(senders).write_text(REGISTER, encoding="utf-8")
    Path(bad).write_text(f"{REGISTER}290009,Без адреса,,,\n", encoding="utf-8")
    Path(persons).write_text(PERSONS, encoding="utf-8")
    week.refused("senders", "import", bad, code=2, told="command.failed", says="ничего не импортировано")
    assert "новых: 6" in week.type("senders", "import", senders, "--dry-run").out
    week.type("senders", "import", senders)
    week.refused("senders", "block", "290006", "--reason", "договор истёк", code=2, told="", says="--credentials")
    week.type("senders", "block", "290006", "--credentials", "keep", "--reason", "договор истёк")
    week.refused("persons", "import", persons, says="повторите команду с --yes")
    week.type("persons", "import", persons, "--yes")
    assert len(week.ask("senders", "list")) == 6


def monday(week: WeekOffice) -> None:
    """Most letters are answered by themselves; a clinic that nobody knows waits."""
    digest = week.morning(0)
    assert "принято писем: 0" in digest
    assert "Решения сотрудника ничто не ждёт." in digest
    come_of(week, "monday")
    come(week, "asked again at once")
    assert "ничто не требует внимания" in week.type("status").out
    waiting = held(week, "Новикова Н.Н.")
    assert f"--from-request {waiting}" in week.type("requests", "list", "--held").out
    assert "ib@newclinic.example, в реестре не найден" in week.type("requests", "show", waiting).out
    week.evening()


def monday_evening(week: WeekOffice) -> None:
    stranger, done = held(week, "Новикова Н.Н."), "1"
    week.refused("requests", "approve", stranger, "--reason", "похоже на правду", says=f"--from-request {stranger}")
    week.refused("requests", "approve", done, "--reason", "ещё раз", says="mailer credentials revoke")
    week.refused("requests", "refuse", stranger, done, "--reason", "оба", says="ничего не изменено")
    week.refused("requests", "withdraw", "999", "--reason", "опечатка", code=1, says="mailer requests list")
    week.refused("requests", "withdraw", stranger, "--reason", " ", code=2, told="", says="нужно указать причину")
    week.refused("requests", "hold", stranger, "--reason", "пусть ждёт", says="а не approved")
    week.type("requests", "approve", stranger, "--reason", "проба", "--dry-run", code=3)


def tuesday(week: WeekOffice) -> None:
    """The clinic is registered from its first letter, and that letter is answered."""
    waiting = held(week, "Новикова Н.Н.")
    digest = week.morning(1)
    for line in ("принято писем: 12", "отказано: 4", "отправлено ответов: 12", f"запрос № {waiting}, отправителя нет в реестре"):
        assert line in digest
    assert "mailer requests list --held" in digest
    come_of(week, "tuesday")
    words = ("senders", "add", "290007", "--organisation", "Новая клиника", "--from-request", waiting, "--reason", "письмо")
    assert "ничего не изменено" in week.type(*words, "--dry-run").out
    assert f"уйдёт на {NEW}" in week.type(*words).out
    shown = week.type("requests", "show", waiting).out
    assert "отправитель: 290007, Новая клиника" in shown
    assert "у других отправителей" not in shown
    week.pass_time(minutes=1)
    assert week.subjects_to(NEW) == [issued("Новикова Н.Н.")]


def tuesday_by_hand(week: WeekOffice) -> None:
    """A name is set right, an approval taken back and given again, strangers are closed, and somebody telephones."""
    latin, strange = held(week, "Иванов В.С."), held(week, "Громов Г.Г.")
    because = ("--reason", "уточнено по телефону")
    said = week.type("requests", "correct", latin, "--name", "Иванова В.С.", *because).out
    assert f"mailer requests approve {latin}" in said
    assert "имя исправил сотрудник" in week.type("requests", "list", "--held").out
    week.type("requests", "approve", latin, *because)
    assert f"запрос {latin}: held" in week.type("requests", "undo", latin, *because).out
    assert f"mailer requests undo {latin}" in week.type("requests", "approve", latin, *because).out
    week.type("requests", "refuse", strange, "--reason", "писал не владелец адреса")
    numbers = [held(week, "Жуков Ж.Ж."), *(str(one["id"]) for one in week.ask("requests", "list", "--find", "who@elsewhere.example"))]
    assert len(numbers) == 3
    week.type("requests", "withdraw", *numbers, "--reason", "посторонние")
    assert "ответ уйдёт на" in week.type("issue", "Орлова О.О.", "--to", "290004", *because).out
    week.type("issue", "Чужая О.О.", "--to", "290004", *because)
    week.pass_time(minutes=1)
    week.type("requests", "refuse", held(week, "Чужая О.О."), "--reason", "её нет в списке")
    week.pass_time(minutes=1)
    week.evening()
    assert [one["person"] for one in week.ask("requests", "list", "--held")] == ["Чужой Ч.Ч."]


def tuesday_evening(week: WeekOffice) -> None:
    because = ("--reason", "просят")
    (latin,) = [str(one["id"]) for one in week.ask("requests", "list", "--person", "Иванова В.С.")]
    week.refused("requests", "undo", latin, *because, says="создан или создаётся")
    week.refused("requests", "correct", latin, "--name", "Иванов В.С.", *because, says="ничего не изменено")
    week.refused("issue", "Ли К.", "--to", "290999", *because, code=1, says="290999")
    week.refused("issue", "Ли К.", "--to", "290006", *because, says="сначала снимите блокирование")
    week.refused("issue", "Ли", "--to", "290001", *because, says="Фамилия И.О.")
    again = ("senders", "add", "290008", "--organisation", "Кто-то", "--from-request", latin, *because)
    week.refused(*again, says="не отложен")
    taken = ("senders", "add", "290001", "--organisation", "Кто-то", "--address", "x@y.example", *because)
    week.refused(*taken, says="mailer senders edit 290001")


def wednesday(week: WeekOffice) -> None:
    """An organisation is blocked and its logins with it; what came as a reply is approved after a call."""
    digest = week.morning(2)
    assert f"запрос № {held(week, 'Чужой Ч.Ч.')}, код 290004" in digest
    assert "отказано: 5, из них сотрудником: 2" in digest
    come_of(week, "wednesday")
    week.type("requests", "approve", held(week, "Иванов И.И."), "--reason", "прежний пароль не сохранён")
    block = ("senders", "block", "290005", "--credentials", "suspend", "--reason", "проверка")
    assert "будет отозвано или заблокировано: 2" in week.type(*block, "--dry-run").out
    week.type(*block)
    come(week, "of the blocked")
    assert {one["person"] for one in week.ask("credentials", "list", "--state", "suspended")} == {"О'Генри Ш.", "фон Визин Д.И."}
    assert "срок: пока не снимет сотрудник" in week.type("senders", "show", "290005").out


def a_password_is_lost(week: WeekOffice) -> None:
    """It cannot be sent again: the new login ends the old one when it has left."""
    (before,) = [one.content for one in week.letters_to("gb1@clinic.example") if header(one.content, "Subject") == issued("Ли К.")]
    old, old_password = password_in(before)
    week.mailer("credentials", "check", old, stdin=f"{old_password}\n".encode(), exit_code=0)
    assert "mailer requests undo" in week.type("credentials", "reissue", old, "--reason", "пароль утерян").out
    week.pass_time(minutes=1)
    new, password = password_in(week.letters_to("gb1@clinic.example")[-1].content)
    week.mailer("credentials", "check", old, stdin=f"{old_password}\n".encode(), exit_code=1)
    week.mailer("credentials", "check", new, stdin=f"{password}\n".encode(), exit_code=0)
    week.evening()


def wednesday_evening(week: WeekOffice) -> None:
    """A request that a program wrote is never answered; its person gets the login by the officer's own order."""
    machine, because = held(week, "Титов Т.Т."), ("--reason", "нужен по телефону")
    week.refused("credentials", "resend", login(week, "Ли К."), *because, says="mailer credentials reissue")
    week.refused("credentials", "reissue", "tmp-29-none", *because, code=1, says="mailer credentials list")
    week.refused("credentials", "extend", login(week, "Ли К."), "--months", "1", *because, says="и так действует")
    assert "на такие письма не отвечают" in week.type("requests", "list", "--held").out
    week.refused("requests", "approve", machine, *because, says="mailer issue")
    week.type("issue", "Титов Т.Т.", "--to", "290002", *because)
    week.type("requests", "withdraw", machine, "--reason", "выдано по телефону")
    week.refused("requests", "withdraw", machine, "--reason", "ещё раз", says="ничего не изменено")


def thursday(week: WeekOffice) -> None:
    """The blocked organisation is taken back; one of its logins is not. Another's answers go elsewhere from now on."""
    assert "приостановлено" not in week.morning(3).lower()
    assert login(week, "Титов Т.Т.")
    assert "остаются заблокированными" in week.type("senders", "unblock", "290005", "--reason", "проверка окончена").out
    week.type("credentials", "revoke", login(week, "фон Визин Д.И.", "suspended"), "--reason", "уволен")
    come(week, "of the unblocked")
    come_of(week, "thursday")
    said = week.type("senders", "edit", "290002", "--answer-to", DENT_NEW, "--reason", "просьба на бланке").out
    assert "на прежний адрес" in said
    come(week, "new address")
    week.type("requests", "approve", held(week, "Фомин Ф.Ф."), "--reason", "адрес подтверждён")
    week.pass_time(minutes=1)
    assert week.subjects_to(DENT_NEW) == [issued("Фомин Ф.Ф.")]


def an_answer_comes_back(week: WeekOffice) -> None:
    """Its login is blocked, the officer is told what to do, and the answer goes to an address that works."""
    (answer,) = [one for one in week.letters_to(BIRTH_ANSWERS) if header(one.content, "Subject") == issued("Артёмова А.А.")]
    sent = re.search("[0-9a-f]{32}", answer.sender)
    assert sent is not None
    week.arrive(bounce(sent[0]).replace(b"ib@clinic.example", BIRTH_ANSWERS.encode()))
    assert "mailer requests list --undelivered" in week.type("status", code=1).out
    assert "mailer requests list --held" in week.type("requests", "list", "--undelivered").out
    assert login(week, "Артёмова А.А.", "suspended")
    week.type("senders", "edit", "290003", "--answer-to", BIRTH_NEW, "--reason", "прежний не работает")
    week.type("requests", "approve", held(week, "Артёмова А.А."), "--reason", "адрес подтверждён")
    week.pass_time(minutes=1)
    assert week.subjects_to(BIRTH_NEW) == [issued("Артёмова А.А.")]
    assert "ничто не требует внимания" in week.type("status").out


def letters_for_people(week: WeekOffice) -> None:
    """What nobody can read is closed; a letter of three weeks ago goes back into the mailbox for a person."""
    come(week, "old", ago=timedelta(days=20))
    come(week, HEADLESS)
    old, headless = held(week, "Орлова О.О."), held(week, None)
    assert "mailer letters export" in week.type("requests", "list", "--held").out
    (kept,) = [str(one["id"]) for one in week.ask("letters", "list") if one["reason"] == "unreadable"]
    week.type("letters", "export", kept, str(week.home / "unreadable.eml"), "--reason", "посмотреть")
    (kept,) = [str(one["id"]) for one in week.ask("letters", "list") if one["reason"] == "too-old"]
    before = len(week.dovecot.letters())
    week.type("letters", "forward", kept, "--reason", "ответит отдел")
    week.pass_time(minutes=1)
    assert len(week.dovecot.letters()) == before + 1
    week.type("requests", "withdraw", old, headless, "--reason", "ответит отдел")


def issuing_is_paused(week: WeekOffice) -> None:
    week.type("pause", "issue", "--reason", "обновление портала")
    come(week, "asked anew")
    said = week.type("status", code=1).out
    assert "mailer resume issue" in said
    assert "ожидают его: 1" in said
    assert len(week.subjects_to("gb1@clinic.example")) == 10
    week.type("resume", "issue", "--reason", "портал работает")
    week.pass_time(minutes=1)
    assert week.subjects_to("gb1@clinic.example")[-1] == issued("Ли К.")
    week.evening()


def thursday_evening(week: WeekOffice) -> None:
    because = ("--reason", "ещё раз")
    week.refused("senders", "unblock", "290005", *because, says="не заблокирован")
    week.refused("senders", "edit", "290002", "--answer-to", DENT_NEW, *because, says="")
    week.refused("credentials", "revoke", login(week, "фон Визин Д.И.", "revoked"), *because, says="отозвать его нельзя")
    week.refused("letters", "forward", "999", *because, code=1, says="mailer letters list")
    week.refused("resume", "issue", *because, says="не приостановлено")
    week.refused("requests", "reprocess", "1", "--yes", *because, says="ничего не изменено")


def friday(week: WeekOffice) -> None:
    """A list of persons grows, and who is on it now gets a login by today's rules; another login may live longer."""
    digest = week.morning(4)
    unlisted = held(week, "Чужой Ч.Ч.")
    assert f"Ждут решения сотрудника: 1\n- запрос № {unlisted}, код 290004" in digest
    come(week, "of the new clinic")
    (week.home / "persons.csv").write_text(f"{PERSONS}290004,Чужой Ч.Ч.\n", encoding="utf-8")
    assert "добавляется лиц: 1" in week.type("persons", "import", str(week.home / "persons.csv"), "--reason", "письмо").out
    again = ("requests", "reprocess", unlisted, "--reason", "список дополнен")
    assert "person-unknown" in week.type(*again, "--dry-run").out
    week.type(*again, "--yes")
    week.type("credentials", "extend", login(week, "Пришва А.А."), "--months", "3", "--reason", "просьба на бланке")
    week.pass_time(minutes=1)
    week.evening()
    digest = week.morning(5)
    assert "Решения сотрудника ничто не ждёт." in digest
    assert "Тревог нет." in digest
    week.evening()


def every_letter_is_accounted_for(week: WeekOffice) -> None:
    """Each is kept and judged, or lies where it lay; each request is at its end."""
    kept = week.ask("letters", "list", "--limit", "1000")
    assert {one["state"] for one in kept} == {"read"}
    assert len([one for one in kept if one["kind"] != "bounce"]) == len([post for post in POST.values() if post.kept])
    states = Counter(one["state"] for one in week.ask("requests", "list", "--limit", "1000"))
    assert set(states) == {"answered", "refused", "withdrawn"}
    assert len(week.dovecot.letters()) + len(week.dovecot.letters("Обработано")) == week.dropped
    assert len(POST) > 40


def every_clinic_got_its_answers(week: WeekOffice) -> None:
    """So many, of this kind, to this address; and nobody else got anything."""
    officer = {"ib@fond.example"}
    recipients = {recipient for one in week.received() for recipient in one.recipients}
    assert recipients - officer == set(EXPECTED)
    for address, subjects in EXPECTED.items():
        assert Counter(week.subjects_to(address)) == Counter(subjects), address


def the_record_tells_it_all(week: WeekOffice) -> None:
    """It is whole and signed, and the journal lists each login that was issued."""
    assert "VALID" in week.type("audit", "verify").out
    journal = week.home / "journal.xlsx"
    week.type("audit", "export", str(journal), "--format", "journal")
    sheet = load_workbook(journal, read_only=True).worksheets[0]
    rows = [row for row in sheet.iter_rows(min_row=4, values_only=True) if row[0]]
    listed = Counter(str(row[3]) for row in rows)
    subjects = [subject for subjects in EXPECTED.values() for subject in subjects]
    assert listed == Counter(subject.removeprefix(issued("")) for subject in subjects if subject.startswith(issued("")))
