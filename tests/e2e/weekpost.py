"""The letters of one week, each in the form in which somebody might write it, and what becomes of it before a person decides.

A letter has a name, by which the days of `test_e2e_week.py` call it. How each form is read is tried in `tests/letters`.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.header import Header
from email.utils import parseaddr
from typing import Final

from tests.e2e.bureau import PHRASE

GB1, DENT, BIRTH, POLY, SANAT, PRIV = (f"{name}@clinic.example" for name in ("gb1", "dent", "birth", "poly", "sanat", "priv"))
BIRTH_ANSWERS, BIRTH_NEW, DENT_NEW = (f"{name}@clinic.example" for name in ("birth-it", "birth-new", "dent-new"))
NEW, STRANGER = "ib@newclinic.example", "who@elsewhere.example"
REGISTER: Final = f"""code,organisation,subscriber,address,answer_to
290001,ГБУЗ «Городская больница № 1»,29(ГБ1) ИБ Иванова И.И.,{GB1},
290002,Зубная клиника,29(Зуб) Сидоров С.С.,{DENT},
290003,Родильный дом,,{BIRTH},{BIRTH_ANSWERS}
290004,Областная поликлиника,,{POLY},
290005,Санаторий «Беломорье»,,{SANAT},
290006,ООО «Частная клиника»,,{PRIV},
"""
PERSONS: Final = "code,person\n290004,Кузнецов К.К.\n290004,Орлова О.О.\n"
ANSWERS_FROM: Final = "uc@fond.example"
HEADLESS: Final = "unreadable"


@dataclass(frozen=True, kw_only=True)
class Post:
    """A letter: `subject` is what stands behind the phrase, or all of it where `bare`; `more`: further header lines.

    `verdict` and `reason`: what the rules make of it, before a person decides anything.
    """

    sender: str
    subject: str
    verdict: str
    reason: str | None = None
    bare: bool = False
    more: str = ""
    charset: str = "utf-8"
    kept: bool = True

    @property
    def address(self) -> str | None:
        """From whom it is, as far as that can be said."""
        _, address = parseaddr(self.sender)
        return address if address and "," not in self.sender else None


def good(sender: str, subject: str, *, bare: bool = False, more: str = "", charset: str = "utf-8") -> Post:
    return Post(sender=sender, subject=subject, verdict="issue", bare=bare, more=more, charset=charset)


def refused(sender: str, subject: str, reason: str, *, bare: bool = False, more: str = "") -> Post:
    return Post(sender=sender, subject=subject, verdict="refuse", reason=reason, bare=bare, more=more)


def held(sender: str, subject: str, reason: str, *, bare: bool = False, more: str = "") -> Post:
    return Post(sender=sender, subject=subject, verdict="hold", reason=reason, bare=bare, more=more)


def ignored(sender: str, subject: str, reason: str) -> Post:
    """A request that is kept, and then left alone."""
    return Post(sender=sender, subject=subject, verdict="ignore", reason=reason)


def left(sender: str, subject: str, *, more: str = "") -> Post:
    """None of ours: it stays where it is, and nothing is kept of it."""
    return Post(sender=sender, subject=subject, verdict="", bare=True, more=more, kept=False)


POST: Final = {
    # Monday
    "plain": good(GB1, "Пришва А.А."),
    "capitals": good(GB1, "ЛИ К."),
    "full name": good(DENT, "Мамин-Сибиряк Дмитрий Наркисович"),
    "look-alike": good(DENT, "Ивaнов И.И."),  # a Latin a
    "initials first": good(BIRTH, "А.А. Артёмова"),
    "double-spaced": good(SANAT, "  фон   Визин  Д.И."),
    "koi8": good(SANAT, "О'Генри Ш.", charset="koi8-r"),
    "misspelt phrase": good(DENT, "Запрос аттрибутов временного доступа - Юрьева Я.Я.", bare=True),
    "no initials": refused(BIRTH, "Иванов", "initials-missing"),
    "several names": refused(POLY, "Иванов И.И., Петров П.П.", "several-names"),
    "blocked": refused(PRIV, "Волков В.В.", "blocked-sender"),
    "a clinic's first": held(NEW, "Новикова Н.Н.", "unknown-sender"),
    "not ours": left(GB1, "Отчёт о работе за октябрь"),
    "asked again at once": ignored(GB1, "Пришва А.А.", "just-issued"),
    # Tuesday
    "with ё": good(GB1, "Семёнов С.С."),
    "namesake": good(DENT, "Пришва А.А."),
    "listed": good(POLY, "Кузнецов К.К."),
    "unlisted": held(POLY, "Чужой Ч.Ч.", "person-unknown"),
    "latin initials": held(GB1, "Иванов B.C.", "latin-initials"),
    "another's point": held(f"29(Зуб) Сидоров С.С. <{GB1}>", "Громов Г.Г.", "display-name"),
    "forged": held(f"{GB1}, {STRANGER}", "Жуков Ж.Ж.", "unknown-sender"),
    "stranger": held(STRANGER, "Зуев З.З.", "unknown-sender"),
    "stranger's second": held(STRANGER, "Зуева З.З.", "unknown-sender"),
    "stranger, unreadable": ignored(STRANGER, "Зуев", "initials-missing"),
    "stranger, near": left(STRANGER, "Прошу выдать атрибуты доступа"),
    "placeholder": refused(SANAT, "Фамилия И.О.", "name-placeholder"),
    "latin": refused(SANAT, "Ivanov I.I.", "name-not-cyrillic"),
    "near": refused(SANAT, "Прошу выдать атрибуты доступа к порталу", "near-subject", bare=True),
    # Wednesday
    "with е": good(GB1, "Семенов С.С."),
    "reply with a login": held(DENT, f"Re: {PHRASE} = Иванов И.И.", "reply-with-active", bare=True),
    "answer to us": left(GB1, "Re: Логин и пароль: Пришва А.А."),
    "out of office": left(GB1, "Автоответ: я в отпуске", more="Auto-Submitted: auto-replied\r\n"),
    "machine's request": held(DENT, "Титов Т.Т.", "machine-mail", more="Precedence: bulk\r\n"),
    "post after name": refused(GB1, "Белов Б.Б., главный врач", "text-after-name"),
    "two words": refused(GB1, "Иванов Иван", "name-ambiguous"),
    "of the blocked": refused(SANAT, "Рыбин Р.Р.", "blocked-sender"),
    # Thursday
    "no name": refused(BIRTH, "", "name-missing"),
    "no surname": refused(BIRTH, "И.И.", "surname-missing"),
    "digit": refused(BIRTH, "Иван0в И.И.", "name-malformed"),
    "two subjects": refused(POLY, "Орлова О.О.", "ambiguous-subject", more="Subject: Отчёт\r\n"),
    "old": held(POLY, "Орлова О.О.", "too-old"),
    "asked anew": good(GB1, "Ли К."),
    "new address": held(DENT, "Фомин Ф.Ф.", "address-changed"),
    "of the unblocked": good(SANAT, "Рыбин Р.Р."),
    # Friday
    "of the new clinic": good(NEW, "Новиков Н.Н."),
    HEADLESS: held("", "", "unreadable"),
}
DAYS: Final = {  # the first and the last of the letters that come together
    "monday": ("plain", "not ours"),
    "tuesday": ("with ё", "near"),
    "wednesday": ("with е", "two words"),
    "thursday": ("no name", "two subjects"),
}


def letter(name: str) -> bytes:
    """The letter as it comes in."""
    post = POST[name]
    if name == HEADLESS:
        return b"\x00" * 40
    subject = post.subject if post.bare else f"{PHRASE} = {post.subject}"
    if post.charset != "utf-8":
        subject = Header(subject, post.charset, maxlinelen=200).encode()
    return (
        f"From: {post.sender}\r\nTo: {ANSWERS_FROM}\r\nSubject: {subject}\r\n{post.more}"
        f"Message-ID: <{list(POST).index(name)}@week.example>\r\n\r\nпрошу выдать\r\n"
    ).encode()


def issued(person: str) -> str:
    return f"Логин и пароль: {person}"


def wrong(what: str) -> str:
    return f"Отказ: {what}"


_CLOSED, _FORM, _ASK = wrong("запрос не принят"), wrong("тема письма не по форме"), wrong("запрос не может быть выполнен")
EXPECTED: Final = {  # address -> subjects of all the letters that it must have got in this week, in no order
    GB1: [
        *map(issued, ("Пришва А.А.", "Ли К.", "Семёнов С.С.", "Иванова В.С.", "Семёнов С.С.")),
        *map(issued, ("Ли К.", "Ли К.")),  # the password was lost; asked anew
        *map(wrong, ("лишний текст после инициалов", "неясно, где фамилия")),
        _ASK,  # the letter in another's name
    ],
    DENT: [
        *map(issued, ("Мамин-Сибиряк Д.Н.", "Иванов И.И.", "Юрьева Я.Я.", "Пришва А.А.", "Иванов И.И.", "Титов Т.Т.")),
        "Изменён адрес для ответов фонда",
    ],
    DENT_NEW: [issued("Фомин Ф.Ф.")],
    BIRTH_ANSWERS: [
        issued("Артёмова А.А."),
        *map(wrong, ("не указаны инициалы", "не указаны фамилия и инициалы")),
        *map(wrong, ("не указана фамилия", "фамилия и инициалы не по форме")),
        "Изменён адрес для ответов фонда",
    ],
    BIRTH_NEW: [issued("Артёмова А.А.")],
    POLY: [
        *map(issued, ("Кузнецов К.К.", "Орлова О.О.", "Чужой Ч.Ч.")),
        *map(wrong, ("указано несколько человек", "у письма несколько тем")),
        _ASK,  # who was asked for by telephone, and is on no list
        "Срок действия логина продлён: Кузнецов К.К.",
    ],
    SANAT: [
        *map(issued, ("фон Визин Д.И.", "О'Генри Ш.", "Рыбин Р.Р.")),
        *map(wrong, ("вместо фамилии оставлен образец", "фамилия или инициалы не кириллицей")),
        _FORM,
        _CLOSED,
    ],
    PRIV: [_CLOSED],
    NEW: [issued("Новикова Н.Н."), issued("Новиков Н.Н.")],
}
