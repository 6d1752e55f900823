"""Does a search find what is written in another way, and nothing else?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import folding
from mailer.core.namewords import TWINS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Артёмов Ё.Ё.", "артемов е е", id="yo"),
        pytest.param("Apтeмoв E.E.", "артемов е е", id="latin-twins"),
        pytest.param("Аpтe\u0308мoв", "артемов", id="decomposed"),
        pytest.param("ИВА\u00adНО\u200bВ", "иванов", id="invisible"),
        pytest.param("  «Больница  № 7»,\tг. Мирный ", "больница 7 г мирный", id="signs"),
        pytest.param("GB-1@Clinic.Example", folding.folded("gb 1 clinic example"), id="address"),
        pytest.param("Мамин–Сибиряк Д.Н.", "мамин сибиряк д н", id="dash"),
        pytest.param("ЙОД й", "йод й", id="short-i-is-no-i"),
        pytest.param("«—…»", "", id="nothing"),
    ],
)
def test_a_text_is_folded(text: str, expected: str) -> None:
    assert folding.folded(text) == expected


@pytest.mark.parametrize("latin", [chr(one) for one in TWINS])
@pytest.mark.parametrize("case", [str.upper, str.lower], ids=["upper", "lower"])
def test_each_look_alike_is_its_twin_in_either_case(latin: str, case: type[str]) -> None:
    assert folding.folded(case(latin)) == folding.folded(chr(TWINS[ord(latin)]))


@given(st.text(max_size=60))
def test_folding_again_changes_nothing(text: str) -> None:
    once = folding.folded(text)
    assert folding.folded(once) == once
    assert once == " ".join(once.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Мамин-Сибиряк Д.Н.", {"мамин", "сибиряк"}, id="initials-are-left-out"),
        pytest.param("Ю А.Б.", {"ю"}, id="a-surname-of-one-letter-stays"),
        pytest.param("", set(), id="nothing"),
    ],
)
def test_words_are_what_is_searched_by(text: str, expected: set[str]) -> None:
    assert folding.words(text) == expected


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        pytest.param("артемов", "Артёмов Ё.Ё.", True, id="yo"),
        pytest.param("артём", "Артёмов Ё.Ё.", True, id="beginning"),
        pytest.param("темов", "Артёмов Ё.Ё.", False, id="not-from-the-middle"),
        pytest.param("Артемов Е.", "Артёмов Ё.Ё.", True, id="with-initials"),
        pytest.param("Артемов Ж.", "Артёмов Ё.Ё.", False, id="other-initials"),
        pytest.param("сибиряк", "Мамин-Сибиряк Д.Н.", True, id="second-part"),
        pytest.param("мамин-сиб", "Мамин-Сибиряк Д.Н.", True, id="both-parts"),
        pytest.param("gb1@clinic", "gb1@clinic.example", True, id="address"),
        pytest.param("clinic gb1", "gb1@clinic.example", True, id="any-order"),
        pytest.param("b1@clinic", "gb1@clinic.example", False, id="inside-a-word"),
    ],
)
def test_terms_find(query: str, text: str, found: bool) -> None:
    assert all(folding.finds(term, folding.folded(text)) for term in folding.terms(query)) is found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("Иванов И.И.", ("иванов и и",), id="initials-go-with-the-surname"),
        pytest.param("иванов и. и.", ("иванов и и",), id="initials-apart"),
        pytest.param("И.И. Иванов больница", ("иванов и и", "больница"), id="initials-first"),
        pytest.param("больница № 7", ("больница 7",), id="a-digit-goes-too"),
        pytest.param("Ю А.Б.", ("ю а б",), id="a-surname-of-one-letter"),
        pytest.param("иванов Ивaнoв", ("иванов",), id="once"),
        pytest.param("« — »", (), id="nothing"),
    ],
)
def test_a_query_has_terms(query: str, expected: tuple[str, ...]) -> None:
    assert folding.terms(query) == expected
