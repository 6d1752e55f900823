"""Which letters name a person, and which only seem to."""

from __future__ import annotations

import base64

import pytest

from mailer.core import erasing, mentions
from mailer.core.mentions import Mention, Wanted
from mailer.model import Form, Own, PersonName
from mailer.states import CredentialState, LetterState, ReplyState, RequestState

IVANOV = Wanted(name=PersonName(surname="Семёнов", initials="И.П."))
LI = Wanted(name=PersonName(surname="Ли", initials="К."))
DOUBLE = Wanted(name=PersonName(surname="Мамин-Сибиряк", initials="Д.Н."))
OWN = Own(message_id_domain="fond.example")
HEAD = "From: a@b.example\r\nSubject: {subject}\r\nMessage-ID: <1@b.example>\r\n"


@pytest.mark.parametrize(
    ("wanted", "text", "named"),
    [
        (IVANOV, "для Семёнов И.П., тел.", True),
        (IVANOV, "СЕМЕНОВ И П", True),
        (IVANOV, "И. П. Семенов", True),
        (IVANOV, "Семёнов Иван Петрович", True),
        (IVANOV, "Иван Петрович Семёнов", True),
        (IVANOV, "СемёновИ.П.", True),
        (IVANOV, "Ceмёнoв И.П.", True),
        (IVANOV, "Семёнов П.И.", False),
        (IVANOV, "Семёнова И.П.", False),
        (IVANOV, "Подсемёнов И.П.", False),
        (IVANOV, "Семёнов", False),
        (LI, "могли ли к вам", False),
        (LI, "Ли К., врач", True),
        (LI, "К. Ли", True),
        (DOUBLE, "Мамин-Сибиряк Д.Н.", True),
        (DOUBLE, "Мамин – Сибиряк Д. Н.", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_name_is_known_in_its_writings(wanted: Wanted, text: str, *, named: bool) -> None:
    assert wanted.is_in(text) is named


@pytest.mark.parametrize(
    ("content", "how"),
    [
        (HEAD.format(subject="Запрос атрибутов временного доступа = Семенов ИП") + "\r\n", Mention.ASKED),
        (HEAD.format(subject="Запрос атрибутов временного доступа = Семёнов") + "\r\n", Mention.SURNAME),
        (HEAD.format(subject="Запрос атрибутов временного доступа = Ли К.") + "\r\nисп. Семёнов И.П.\r\n", Mention.WRITTEN),
        (
            HEAD.format(subject="?")
            + "Content-Transfer-Encoding: base64\r\n\r\n"
            + base64.b64encode("для: Семёнов И.П.".encode("cp1251")).decode(),
            Mention.WRITTEN,
        ),
        (HEAD.format(subject="о Семёнове") + "\r\n", None),
        ("нет заголовков, Семёнов И.П.", Mention.WRITTEN),
    ],
    ids=["asked", "surname", "body", "encoded body", "other", "no headers"],
)
def test_a_letter_names_a_person(content: str, how: Mention | None) -> None:
    assert mentions.in_letter(IVANOV, content.encode(), whole=True, form=Form(), own=OWN) is how


def test_what_lives_hinders_and_only_some_of_it_can_be_ended() -> None:
    living = erasing.living(
        letters={1: LetterState.KEPT, 2: LetterState.READ, 3: LetterState.QUARANTINED},
        requests={4: RequestState.HELD, 5: RequestState.ISSUED, 6: RequestState.ANSWERED},
        others={7: RequestState.APPROVED, 8: RequestState.REFUSED},
        credentials={"a": CredentialState.ACTIVE, "b": CredentialState.RESERVED, "c": CredentialState.EXPIRED},
        replies={"d": ReplyState.QUEUED, "e": ReplyState.SENDING, "f": ReplyState.SENT},
    )
    assert [(one.name, one.endable) for one in living] == [
        ("1", False),
        ("3", False),
        ("7", False),
        ("4", True),
        ("a", True),
        ("b", False),
        ("d", True),
        ("e", False),
    ]


def test_a_mark_tells_kinds_and_keys_apart() -> None:
    marks = {erasing.mark(key, kind, "d") for key in (b"1", b"2") for kind in ("person", "letter")}
    assert len(marks) == 4
