"""How a subscriber point's name is shown and compared."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import subscriber
from mailer.core.subscriber import Parts

PUBLISHED = "29(АрхТФОМС) ИБ Нач. отдела Пришва А.А."


@pytest.mark.parametrize(
    ("point", "parts"),
    [
        (PUBLISHED, Parts(code="29", organisation="АрхТФОМС", unit="ИБ", post="Нач. отдела", person="Пришва А.А.")),
        ("29 (ГБУЗ «Больница № 1»)", Parts(code="29", organisation="ГБУЗ «Больница № 1»")),
        ("29(ГП-2) Гл. врач фон Ли К.", Parts(code="29", organisation="ГП-2", post="Гл. врач", person="фон Ли К.")),
        (
            "29(ГП-2) Отдел кадров Мамин-Сибиряк Д. Н.",
            Parts(code="29", organisation="ГП-2", unit="Отдел кадров", person="Мамин-Сибиряк Д. Н."),
        ),
        ("29(ГП-2) Специалист", Parts(code="29", organisation="ГП-2", post="Специалист")),
        ("  29(ГП-2)\tИБ ", Parts(code="29", organisation="ГП-2", unit="ИБ")),
        ("Больница (стационар)", Parts(organisation="Больница (стационар)")),
        (f"«{PUBLISHED}»", Parts(code="29", organisation="АрхТФОМС", unit="ИБ", post="Нач. отдела", person="Пришва А.А.")),
        (PUBLISHED.lower(), Parts(code="29", organisation="архтфомс", unit="иб", post="нач. отдела", person="пришва а.а.")),
        ("29(АрхТФОМС) Пришва А.А.", Parts(code="29", organisation="АрхТФОМС", person="Пришва А.А.")),
        (
            "29(АрхТФОМС) Пришва А.А., нач. отдела ИБ",
            Parts(code="29", organisation="АрхТФОМС", post="нач. отдела ИБ", person="Пришва А.А."),
        ),
        (
            "29(ГБУЗ АО «АОКБ» (филиал № 2 (стационар))) ИБ, инженер, А.А. Пришва",
            Parts(
                code="29", organisation="ГБУЗ АО «АОКБ» (филиал № 2 (стационар))", unit="ИБ", post="инженер", person="А.А. Пришва"
            ),
        ),
        (
            f"29({'Учреждение ' * 40}) Отдел кадров Иванова Анна Петровна",
            Parts(code="29", organisation=("Учреждение " * 40).strip(), unit="Отдел кадров", person="Иванова Анна Петровна"),
        ),
        ("29(ГП-2) ИО гл. врача Ли К.", Parts(code="29", organisation="ГП-2", post="ИО гл. врача", person="Ли К.")),
        ("29(ГП-2) И.О. Директора", Parts(code="29", organisation="ГП-2", post="И.О. Директора")),
        ("29(ГП-2) врио нач. отдела", Parts(code="29", organisation="ГП-2", post="врио нач. отдела")),
        ("29(ГП-2) Отдел ИТ", Parts(code="29", organisation="ГП-2", unit="Отдел ИТ")),
        ("29(ГП-2) Бухгалтерия", Parts(code="29", organisation="ГП-2", unit="Бухгалтерия")),
        ("29(ГП-2", Parts(organisation="29(ГП-2")),
        ("", Parts()),
    ],
)
def test_the_parts_of_a_point(point: str, parts: Parts) -> None:
    assert subscriber.parse(point) == parts


@pytest.mark.parametrize(
    "written",
    [
        PUBLISHED.upper(),
        f"  {PUBLISHED.replace(' ', '   ')}\u00a0",
        PUBLISHED.replace(" ", "\t"),
        unicodedata.normalize("NFD", PUBLISHED),
        PUBLISHED.replace("ИБ", "И\u200bБ"),
        PUBLISHED.replace("И", "\u00adИ"),
    ],
)
def test_one_point_written_differently_has_one_key(written: str) -> None:
    assert subscriber.key(written) == subscriber.key(PUBLISHED)


def test_quotes_of_any_kind_are_the_same() -> None:
    keys = {subscriber.key(f"29(ГБУЗ {opening}Заря{closing})") for opening, closing in ("«»", "“”", "„“", '""')}
    assert len(keys) == 1


@pytest.mark.parametrize("other", [PUBLISHED.replace("29", "28"), PUBLISHED.replace("ИБ", "ИТ"), PUBLISHED[:-1], f"{PUBLISHED}."])
def test_other_points_have_other_keys(other: str) -> None:
    assert subscriber.key(other) != subscriber.key(PUBLISHED)


def test_long_names_that_begin_alike_are_told_apart() -> None:
    long, longer = "29(Б) " + "а" * 1_000, "29(Б) " + "а" * 1_001
    assert subscriber.key(long) != subscriber.key(longer)
    assert len(subscriber.key(longer)) == subscriber.KEY_MAX


@given(st.text(max_size=500))
def test_any_text_has_parts_and_a_stable_key(point: str) -> None:
    subscriber.parse(point)
    key = subscriber.key(point)
    assert subscriber.key(key) == key
    assert len(key) <= subscriber.KEY_MAX
