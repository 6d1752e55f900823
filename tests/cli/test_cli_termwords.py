"""Is the rule of a term said in the reader's language, whatever made the term?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailer.cli.app import speak
from mailer.cli.show import brief
from mailer.cli.termwords import term_words
from mailer.core import terms
from mailer.model import Term

MOSCOW = ZoneInfo("Europe/Moscow")
AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
USUAL = terms.term(AT, MOSCOW, 3, None)


@pytest.mark.parametrize(
    ("term", "english", "russian"),
    [
        pytest.param(USUAL, "3 calendar months, Europe/Moscow", "3 календарных месяца, Europe/Moscow", id="months"),
        pytest.param(
            terms.term(AT, MOSCOW, 1, None), "1 calendar month, Europe/Moscow", "1 календарный месяц, Europe/Moscow", id="month"
        ),
        pytest.param(
            terms.term(AT, MOSCOW, 12, 60),
            "12 calendar months, at most 60 days, Europe/Moscow",
            "12 календарных месяцев, но не более 60 дн., Europe/Moscow",
            id="capped",
        ),
        pytest.param(
            terms.until_at_most(USUAL, AT + timedelta(days=30), MOSCOW),
            "3 calendar months, Europe/Moscow, the pair ends earlier",
            "3 календарных месяца, Europe/Moscow, у пары срок короче",
            id="pair",
        ),
        pytest.param(
            terms.extended(AT, MOSCOW, 2),
            "extended from 23.11.2026 by 2 calendar months, Europe/Moscow",
            "продлён с 23.11.2026 на 2 календарных месяца, Europe/Moscow",
            id="extended-by",
        ),
        pytest.param(
            terms.extended(AT, MOSCOW, date(2027, 1, 31)),
            "extended to 31.01.2027, Europe/Moscow",
            "продлён до 31.01.2027, Europe/Moscow",
            id="extended-to",
        ),
    ],
)
def test_each_rule_has_words(term: Term, english: str, russian: str, monkeypatch: pytest.MonkeyPatch) -> None:
    speak()
    assert term_words(term.rule) == english
    monkeypatch.setenv("LANGUAGE", "ru")
    assert term_words(term.rule) == russian
    assert brief({"term_rule": term.rule, "person": {"ref": 7}}) == f"term_rule={russian} person=#7"


def test_a_rule_of_another_program_stands_as_it_is() -> None:
    assert term_words("for ever") == "for ever"
