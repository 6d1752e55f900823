"""A subject is a request when it begins with the phrase, as letters.md, section 2, says; every tolerance is recorded."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import subject
from mailer.model import Form, Reason, Repair

FORM = Form()
PHRASE = FORM.phrase

READ = [
    (f"{PHRASE} = Иванов И.И.", []),
    (f"{PHRASE}=Иванов И.И.", []),
    (f"{PHRASE.upper()} = Иванов И.И.", []),
    (f"\ufeff{PHRASE} = Иванов И.И.", ["invisible"]),
    (f"{PHRASE}\t =\u00a0 Иванов И.И.", ["spacing"]),
    (f"Re: RE[2]: Fw: Fwd: Ответ: Отв: НА: Пересл: {PHRASE} = Иванов И.И.", ["prefix"]),
    (f'"{PHRASE} = Иванов И.И."', ["quotes"]),
    (f'"Re: {PHRASE} = Иванов И.И."', ["quotes", "prefix"]),
    (f"Re: «{PHRASE} = Иванов И.И.»", ["prefix", "quotes"]),
    (f"«{PHRASE}» = «Иванов И.И.»", ["quotes"]),
    (f"{PHRASE.replace('а', 'a')} = Иванов И.И.", ["lookalike"]),
    (f"{PHRASE.replace('атр', 'аттр')} = Иванов И.И.", ["phrase-typo"]),
    (f"{PHRASE[:-1]} = Иванов И.И.", ["phrase-typo"]),
    (f"{PHRASE.replace('ем', 'ме')} = Иванов И.И.", ["phrase-typo"]),
    (f"«{PHRASE.replace('атр', 'аттр')}» = Иванов И.И.", ["quotes", "phrase-typo"]),
    (f"{PHRASE}а = Иванов И.И.", ["phrase-typo"]),
    (f"{PHRASE} Иванов И.И.", ["separator"]),
    (f"{PHRASE}Иванов И.И.", ["separator"]),
    (f"{PHRASE[:-2]} = Иванов И.И.", ["phrase-typo"]),
    (f"{PHRASE[:-1]} а = Иванов И.И.", ["phrase-typo"]),
    (f"{PHRASE[:-1]} И.И. Иванов", ["phrase-typo", "separator", "initials-first"]),
    (f"'{PHRASE} = Иванов И.И.'", ["quotes"]),
    *((f"{PHRASE} {sign} Иванов И.И.", ["separator"]) for sign in ("＝", ":", "-", "–", "—", "==", ": -", "= -")),
]


@pytest.mark.parametrize(("text", "repairs"), READ, ids=[ascii(case[0][:60]) for case in READ])
def test_a_request_is_read_with_its_repairs(text: str, repairs: list[str]) -> None:
    reading = subject.read(text, FORM)

    assert reading.fit == "request"
    assert reading.person is not None, reading
    assert reading.person.canonical == "Иванов И.И."
    assert [str(repair) for repair in reading.repairs] == repairs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PHRASE, Reason.NAME_MISSING),
        (f"{PHRASE} =", Reason.NAME_MISSING),
        (f"{PHRASE} = Фамилия И.О.", Reason.NAME_PLACEHOLDER),
        (f"{PHRASE} (повторно) = Иванов И.И.", Reason.NAME_MALFORMED),
        (f"{PHRASE} для Иванова И.И.", Reason.NAME_MALFORMED),
        (f"{PHRASE}де ла Круз С.А.", Reason.NAME_MALFORMED),
        (f"{PHRASE}да Винчи Л.", Reason.NAME_MALFORMED),
        (f"{PHRASE}вОВК А-М", Reason.NAME_MALFORMED),
        (f"{PHRASE}а Иванов И.И.", Reason.NAME_MALFORMED),
        (f"{PHRASE[:-2]} Ю Ван А.Б.", Reason.NAME_MALFORMED),
        (f"{PHRASE[:-1]} А–Б.В. Пришва", Reason.NAME_AMBIGUOUS),
        (f"{PHRASE} = - - Иванов И.И.", Reason.NAME_MALFORMED),
        (f"{PHRASE} = Иванов И.И. = Петров П.П.", Reason.SEVERAL_NAMES),
        (f"{PHRASE} = {'И' * 5000}", Reason.NAME_MALFORMED),
        (f"{PHRASE} = Иванов И.И.{' ' * 4000}, Петров П.П.", Reason.NAME_MALFORMED),
    ],
    ids=lambda value: ascii(value)[:80],
)
def test_a_request_without_one_name_is_refused(text: str, reason: Reason) -> None:
    reading = subject.read(text, FORM)

    assert (reading.fit, reading.person, reading.reason) == ("request", None, reason)


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        (f"Прошу: {PHRASE} = Иванов И.И.", "near"),
        ("Доступ: пришлите атрибуты", "near"),
        ("ДОCТУП и АТPИБУТЫ", "near"),
        (PHRASE.replace("атр", "т").replace("вр", "в") + " = Иванов И.И.", "other"),
        ("Отчёт за ноябрь", "other"),
        ("", "other"),
    ],
    ids=lambda value: ascii(value)[:80],
)
def test_other_subjects_name_nobody(text: str, fit: str) -> None:
    reading = subject.read(text, FORM)

    assert (reading.fit, reading.person, reading.reason) == (fit, None, None)


def examples() -> list[tuple[str, str]]:
    """The lines of the module's docstring: repair or fit, and a subject; three spaces begin a note."""
    lines = (subject.__doc__ or "").replace("<zero width space>", "\u200b").replace("<no-break space>", "\u00a0").splitlines()
    found = [re.fullmatch(r" {4}([a-z-]+) +([^ =].+?)(?: {3,}.*)?", line) for line in lines]
    return [(match[1], match[2]) for match in found if match]


@pytest.mark.parametrize(("word", "text"), examples(), ids=ascii)
def test_the_examples_of_the_documentation_are_true(word: str, text: str) -> None:
    reading = subject.read(text, FORM)

    if word in {"near", "other"}:
        assert reading.fit == word
    else:
        assert reading.person is not None
        assert (reading.person.canonical, reading.repairs) == ("Иванов И.И.", (Repair(word),))


def test_the_documentation_shows_every_repair_of_a_subject() -> None:
    shown = {word for word, _ in examples()}
    assert shown >= {"invisible", "spacing", "prefix", "quotes", "lookalike", "phrase-typo", "separator", "near", "other"}


def test_written_is_the_name_as_it_stood() -> None:
    reading = subject.read(f"Re:  {PHRASE} =  «Ivanov  I.I.»", FORM)

    assert reading.written == "«Ivanov I.I.»"
    assert reading.mistake is not None
    assert reading.written[reading.mistake.place - 1] == reading.mistake.character == "I"


def test_another_office_may_have_another_form() -> None:
    form = Form(phrase="Прошу пропуск", separator="#", placeholder="Иванов И.И.")

    assert subject.read("Прошу пропуск # Петров П.П.", form).repairs == ()
    assert subject.read("Прошу пропуск # И.И. Иванов", form).reason is Reason.NAME_PLACEHOLDER
    assert subject.read(f"{PHRASE} = Петров П.П.", form).fit == "near"


@given(st.text(max_size=300), st.booleans())
def test_any_text_gives_one_reading(text: str, after_phrase: bool) -> None:
    reading = subject.read(PHRASE + text if after_phrase else text, FORM)

    named = (reading.person is None) != (reading.reason is None)
    assert named == (reading.fit == "request")
    assert len(set(reading.repairs)) == len(reading.repairs)


@given(st.text(st.sampled_from('Re: «»"\u200b\u00a0\ufeffFwd:[2]'), max_size=80))
def test_tidying_twice_changes_nothing(noise: str) -> None:
    tidied = subject.tidy(noise + PHRASE, [])

    assert subject.tidy(tidied, []) == tidied
