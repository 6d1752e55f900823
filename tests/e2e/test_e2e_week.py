"""An officer's week by the commands alone: letters of every kind, and all that a person may have to do about them.

What is typed stands here as it is typed. Commands in vain are typed in the evenings, when the service is stopped and it can be seen
that they leave nothing but their record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.offices import Shell
from tests.e2e.bureau import header
from tests.e2e.weekend import every_clinic_got_its_answers, every_letter_is_accounted_for, the_record_tells_it_all
from tests.e2e.weekoffice import WeekOffice
from tests.e2e.weekpost import BIRTH_ANSWERS, BIRTH_NEW, DENT_NEW, GB1, HEADLESS, NEW, PERSONS, REGISTER, issued
from tests.flow.desks import password_in
from tests.flow.test_flow_bounced import bounce
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.slow


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


def sunday(week: WeekOffice) -> None:
    """The register is filled; a sender with no contract is blocked; one has a list of its persons."""
    senders, bad, persons = (str(week.home / name) for name in ("senders.csv", "bad.csv", "persons.csv"))
    Path(senders).write_text(REGISTER, encoding="utf-8")
    Path(bad).write_text(f"{REGISTER}290009,Без адреса,,,\n", encoding="utf-8")
    Path(persons).write_text(PERSONS, encoding="utf-8")
    week.refused("senders", "import", bad, code=2, told="command.failed", says="ничего не загружено")
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
    week.come_of("monday")
    week.come("asked again at once")
    assert "ничто не требует внимания" in week.type("status").out
    waiting = week.held("Новикова Н.Н.")
    assert f"--from-request {waiting}" in week.type("requests", "list", "--held").out
    assert "ib@newclinic.example, в реестре не найден" in week.type("requests", "show", waiting).out
    week.evening()


def monday_evening(week: WeekOffice) -> None:
    stranger, done = week.held("Новикова Н.Н."), "1"
    week.refused("requests", "approve", stranger, "--reason", "похоже на правду", says=f"--from-request {stranger}")
    week.refused("requests", "approve", done, "--reason", "ещё раз", says="mailer credentials revoke")
    week.refused("requests", "refuse", stranger, done, "--reason", "оба", says="ничего не изменено")
    week.refused("requests", "withdraw", "999", "--reason", "опечатка", code=1, says="mailer requests list")
    week.refused("requests", "withdraw", stranger, "--reason", " ", code=2, told="", says="нужно указать причину")
    week.refused("requests", "hold", stranger, "--reason", "пусть ждёт", says="а не approved")
    week.type("requests", "approve", stranger, "--reason", "проба", "--dry-run", code=3)


def tuesday(week: WeekOffice) -> None:
    """The clinic is registered from its first letter, and that letter is answered."""
    waiting = week.held("Новикова Н.Н.")
    digest = week.morning(1)
    for line in ("принято писем: 13", "отказано: 3", "отправлено ответов: 11", f"запрос № {waiting}, отправителя нет в реестре"):
        assert line in digest
    assert "mailer requests list --held" in digest
    week.come_of("tuesday")
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
    latin, strange = week.held("Иванов В.С."), week.held("Громов Г.Г.")
    because = ("--reason", "уточнено по телефону")
    said = week.type("requests", "correct", latin, "--name", "Иванова В.С.", *because).out
    assert f"mailer requests approve {latin}" in said
    assert "имя исправил сотрудник" in week.type("requests", "list", "--held").out
    week.type("requests", "approve", latin, *because)
    assert f"запрос {latin}: held" in week.type("requests", "undo", latin, *because).out
    assert f"mailer requests undo {latin}" in week.type("requests", "approve", latin, *because).out
    week.type("requests", "refuse", strange, "--reason", "писал не владелец адреса")
    numbers = [
        week.held("Жуков Ж.Ж."),
        *(str(one["id"]) for one in week.ask("requests", "list", "--find", "who@elsewhere.example")),
    ]
    assert len(numbers) == 3
    week.type("requests", "withdraw", *numbers, "--reason", "посторонние")
    assert "ответ уйдёт на" in week.type("issue", "Орлова О.О.", "--to", "290004", *because).out
    week.type("issue", "Чужая О.О.", "--to", "290004", *because)
    week.pass_time(minutes=1)
    week.type("requests", "refuse", week.held("Чужая О.О."), "--reason", "её нет в списке")
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
    week.refused(*again, says="укажите адрес")
    taken = ("senders", "add", "290001", "--organisation", "Кто-то", "--address", "x@y.example", *because)
    week.refused(*taken, says="mailer senders edit 290001")


def wednesday(week: WeekOffice) -> None:
    """An organisation is blocked and its logins with it; what came as a reply is approved after a call."""
    digest = week.morning(2)
    assert f"запрос № {week.held('Чужой Ч.Ч.')}, код 290004" in digest
    assert "отказано: 5, из них сотрудником: 2" in digest
    week.come_of("wednesday")
    week.type("requests", "approve", week.held("Иванов И.И."), "--reason", "прежний пароль не сохранён")
    block = ("senders", "block", "290005", "--credentials", "suspend", "--reason", "проверка")
    assert "будет отозвано или заблокировано: 2" in week.type(*block, "--dry-run").out
    week.type(*block)
    week.come("of the blocked")
    assert {one["person"] for one in week.ask("credentials", "list", "--state", "suspended")} == {"О'Генри Ш.", "фон Визин Д.И."}
    assert "срок: пока не снимет сотрудник" in week.type("senders", "show", "290005").out


def a_password_is_lost(week: WeekOffice) -> None:
    """It cannot be sent again: the new login ends the old one when it has left."""
    (before,) = [one.content for one in week.letters_to(GB1) if header(one.content, "Subject") == issued("Ли К.")]
    old, old_password = password_in(before)
    week.mailer("credentials", "check", old, stdin=f"{old_password}\n".encode(), exit_code=0)
    assert "mailer requests undo" in week.type("credentials", "reissue", old, "--reason", "пароль утерян").out
    week.pass_time(minutes=1)
    new, password = password_in(week.letters_to(GB1)[-1].content)
    week.mailer("credentials", "check", old, stdin=f"{old_password}\n".encode(), exit_code=1)
    week.mailer("credentials", "check", new, stdin=f"{password}\n".encode(), exit_code=0)
    week.evening()


def wednesday_evening(week: WeekOffice) -> None:
    """A request that a program wrote is never answered; its person gets the login by the officer's own order."""
    machine, because = week.held("Титов Т.Т."), ("--reason", "нужен по телефону")
    week.refused("credentials", "resend", week.login("Ли К."), *because, says="mailer credentials reissue")
    week.refused("credentials", "reissue", "tmp-29-none", *because, code=1, says="mailer credentials list")
    week.refused("credentials", "extend", week.login("Ли К."), "--months", "1", *because, says="и так действует")
    assert "на такие письма не отвечают" in week.type("requests", "list", "--held").out
    week.refused("requests", "approve", machine, *because, says="mailer issue")
    week.type("issue", "Титов Т.Т.", "--to", "290002", *because)
    week.type("requests", "withdraw", machine, "--reason", "выдано по телефону")
    week.refused("requests", "withdraw", machine, "--reason", "ещё раз", says="ничего не изменено")


def thursday(week: WeekOffice) -> None:
    """The blocked organisation is taken back; one of its logins is not. Another's answers go elsewhere from now on."""
    assert "приостановлено" not in week.morning(3).lower()
    assert week.login("Титов Т.Т.")
    assert "заблокированных логинов остаётся" in week.type("senders", "unblock", "290005", "--reason", "проверка окончена").out
    week.type("credentials", "revoke", week.login("фон Визин Д.И.", "suspended"), "--reason", "уволен")
    week.come("of the unblocked")
    week.come_of("thursday")
    said = week.type("senders", "edit", "290002", "--answer-to", DENT_NEW, "--reason", "просьба на бланке").out
    assert "на прежний адрес" in said
    week.come("new address")
    week.type("requests", "approve", week.held("Фомин Ф.Ф."), "--reason", "адрес подтверждён")
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
    assert week.login("Артёмова А.А.", "suspended")
    week.type("senders", "edit", "290003", "--answer-to", BIRTH_NEW, "--reason", "прежний не работает")
    week.type("requests", "approve", week.held("Артёмова А.А."), "--reason", "адрес подтверждён")
    week.pass_time(minutes=1)
    assert week.subjects_to(BIRTH_NEW) == [issued("Артёмова А.А.")]
    assert "ничто не требует внимания" in week.type("status").out


def letters_for_people(week: WeekOffice) -> None:
    """What nobody can read is closed; a letter of three weeks ago goes back into the mailbox for a person."""
    week.come("old", ago=timedelta(days=20))
    week.come(HEADLESS)
    old, headless = week.held("Орлова О.О."), week.held(None)
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
    before = week.subjects_to(GB1)
    week.type("pause", "issue", "--reason", "обновление портала")
    week.come("asked anew")
    said = week.type("status", code=1).out
    assert "mailer resume issue" in said
    assert "ожидают его: 1" in said
    assert week.subjects_to(GB1) == before
    week.type("resume", "issue", "--reason", "портал работает")
    week.pass_time(minutes=1)
    assert week.subjects_to(GB1)[-1] == issued("Ли К.")
    week.evening()


def thursday_evening(week: WeekOffice) -> None:
    because = ("--reason", "ещё раз")
    week.refused("senders", "unblock", "290005", *because, says="не заблокирован")
    week.refused("senders", "edit", "290002", "--answer-to", DENT_NEW, *because, says="в реестре так и записано")
    week.refused("credentials", "revoke", week.login("фон Визин Д.И.", "revoked"), *because, says="отозвать его нельзя")
    week.refused("letters", "forward", "999", *because, code=1, says="mailer letters list")
    week.refused("resume", "issue", *because, says="не приостановлено")
    week.refused("requests", "reprocess", "1", "--yes", *because, says="ничего не изменено")


def friday(week: WeekOffice) -> None:
    """A list of persons grows, and who is on it now gets a login by today's rules; another login may live longer."""
    digest = week.morning(4)
    unlisted = week.held("Чужой Ч.Ч.")
    assert f"Ждут решения сотрудника: 1\n- запрос № {unlisted}, код 290004" in digest
    week.come("of the new clinic")
    (week.home / "persons.csv").write_text(f"{PERSONS}290004,Чужой Ч.Ч.\n", encoding="utf-8")
    assert "добавляется лиц: 1" in week.type("persons", "import", str(week.home / "persons.csv"), "--reason", "письмо").out
    again = ("requests", "reprocess", unlisted, "--reason", "список дополнен")
    assert "person-unknown" in week.type(*again, "--dry-run").out
    week.type(*again, "--yes")
    week.type("credentials", "extend", week.login("Кузнецов К.К."), "--months", "3", "--reason", "просьба на бланке")
    week.pass_time(minutes=1)
    week.evening()
    digest = week.morning(5)
    assert "Решения сотрудника ничто не ждёт." in digest
    assert "Тревог нет." in digest
    week.evening()
