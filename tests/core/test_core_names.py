"""Names are read as letters.md, section 3, says, and nothing that could name another person is read at all."""

import re
import unicodedata

import pytest

from mailer.core import names
from mailer.core.namewords import PARTICLES, SUFFIXES
from mailer.model import Form, Mistake, Reason, Repair

FORM = Form()
PATRONYMICS = ["Ильич", "Лукич", "Кузьмич", "Козьмич", "Фомич", "Никитич", "Гаврилич", "Данилич", "Саввич", "Юльевна", "Ильинична"]

READ = [
    ("Пришва А.А.", "Пришва А.А.", []),
    ("Пришва А. А.", "Пришва А.А.", ["initials"]),
    ("Пришва А.А", "Пришва А.А.", ["initials"]),
    ("Пришва АА", "Пришва А.А.", ["initials"]),
    ("Пришва А А", "Пришва А.А.", ["initials"]),
    ("Пришва А,А,", "Пришва А.А.", ["initials"]),
    ("Пришва А.А,", "Пришва А.А.", ["initials"]),
    ("Пришва А.А.,", "Пришва А.А.", ["punctuation"]),
    ("Пришва А.А..", "Пришва А.А.", ["punctuation"]),
    ("Пришва А.А;", "Пришва А.А.", ["punctuation", "initials"]),
    ("Ли К.", "Ли К.", []),
    ("Ли К", "Ли К.", ["initials"]),
    ("Ю А.Б.", "Ю А.Б.", []),
    ("Ю К.", "Ю К.", []),
    ("А.Б. Ю", "Ю А.Б.", ["initials-first"]),
    ("ПРИШВА А.А.", "Пришва А.А.", ["case"]),
    ("пришва а.а.", "Пришва А.А.", ["case"]),
    ("Пришва А.а.", "Пришва А.А.", ["case"]),
    ("Для И.И.", "Для И.И.", []),
    ("ПРИШВА Александр Андреевич", "Пришва А.А.", ["full-name", "case"]),
    ("Петров Pавел Иванович", "Петров Р.И.", ["lookalike", "latin-initials", "full-name"]),
    ("пришва а а", "Пришва А.А.", ["initials", "case"]),
    ("иванов и и", "Иванов И.И.", ["initials", "case"]),
    ("А.А. Пришва", "Пришва А.А.", ["initials-first"]),
    ("АА Пришва", "Пришва А.А.", ["initials-first", "initials"]),
    ("А.А.Пришва", "Пришва А.А.", ["initials-first", "spacing"]),
    ("А.А. Пришва.", "Пришва А.А.", ["punctuation", "initials-first"]),
    ("ПришваА.А.", "Пришва А.А.", ["spacing"]),
    ("Мамин-СибирякД. Н.", "Мамин-Сибиряк Д.Н.", ["spacing", "initials"]),
    ("АлиевИ.Г.оглы", "Алиев И.Г. оглы", ["spacing"]),
    ("Пришва\u200bА.А.", "Пришва А.А.", ["invisible", "spacing"]),
    ("Пришва Александр Андреевич", "Пришва А.А.", ["full-name"]),
    ("Александр Андреевич Пришва", "Пришва А.А.", ["full-name"]),
    ("ПРИШВА АЛЕКСАНДР АНДРЕЕВИЧ", "Пришва А.А.", ["full-name", "case"]),
    ("Мицкевич Иван Петрович", "Мицкевич И.П.", ["full-name"]),
    ("Иванова Анна-Мария Ильинична", "Иванова А.-М.И.", ["full-name"]),
    ("Иванов Лука Лукич", "Иванов Л.Л.", ["full-name"]),
    ("фон Визин Денис Иванович", "фон Визин Д.И.", ["full-name"]),
    ("Алиев Ильхам Гейдар оглы", "Алиев И.Г. оглы", ["full-name"]),
    ("Ильхам Гейдар оглы Алиев", "Алиев И.Г. оглы", ["full-name"]),
    ("Мамин-Сибиряк Д.Н.", "Мамин-Сибиряк Д.Н.", []),
    ("Мамин – Сибиряк Д.Н.", "Мамин-Сибиряк Д.Н.", ["dash"]),
    ("Мамин\u2011Сибиряк Д.Н.", "Мамин-Сибиряк Д.Н.", ["dash"]),
    ("МАМИН-СИБИРЯК Д.Н.", "Мамин-Сибиряк Д.Н.", ["case"]),
    ("фон Визин Д.И.", "фон Визин Д.И.", []),
    ("ФОН ВИЗИН Д.И.", "фон Визин Д.И.", ["case"]),
    ("де ла Круз М.П.", "де ла Круз М.П.", []),
    ("М.П. де ла Круз", "де ла Круз М.П.", ["initials-first"]),
    ("Ван А.Б.", "Ван А.Б.", []),
    ("МакДоналд Р.", "МакДоналд Р.", []),
    ("Дель'Аква Л.", "Дель'Аква Л.", []),
    ("Лук’яненко А.А.", "Лук’яненко А.А.", []),
    ("ДиКаприо Л.", "ДиКаприо Л.", []),
    *((f"{particle} Визин Д.И.", f"{particle} Визин Д.И.", []) for particle in sorted(PARTICLES)),
    *((f"{particle.title()} Визин Д.И.", f"{particle.title()} Визин Д.И.", []) for particle in sorted(PARTICLES)),
    *((f"{particle} ВИЗИН Д.И.".upper(), f"{particle} Визин Д.И.", ["case"]) for particle in sorted(PARTICLES)),
    ("Ли Ван Иванович", "Ли В.И.", ["full-name"]),
    *((f"Алиев И.Г. {suffix}", f"Алиев И.Г. {suffix}", []) for suffix in sorted(SUFFIXES)),
    *((f"Алиев И.Г. {suffix.upper()}", f"Алиев И.Г. {suffix}", ["case"]) for suffix in sorted(SUFFIXES)),
    *((f"Ильхам Гейдар {suffix} Алиев", f"Алиев И.Г. {suffix}", ["full-name"]) for suffix in sorted(SUFFIXES)),
    *((f"Пришва Лев {word}", f"Пришва Л.{word[0]}.", ["full-name"]) for word in PATRONYMICS),
    *((f"Лев {word} Пришва", f"Пришва Л.{word[0]}.", ["full-name"]) for word in PATRONYMICS),
    ("Алиев И.Г. оглы", "Алиев И.Г. оглы", []),
    ("Алиев И.Г.оглы", "Алиев И.Г. оглы", ["spacing"]),
    ("Алиев И.Г.-оглы", "Алиев И.Г. оглы", ["spacing"]),
    ("И.Г.–оглы Алиев", "Алиев И.Г. оглы", ["dash", "initials-first", "spacing"]),
    ("И.Г. оглы Алиев", "Алиев И.Г. оглы", ["initials-first"]),
    ("Ахметов Р.-М.И.", "Ахметов Р.-М.И.", []),
    ("О'Генри А.А.", "О'Генри А.А.", []),
    ("О'ГЕНРИ А.А.", "О'Генри А.А.", ["case"]),
    ("ЛУК'ЯНОВ А.А.", "Лук'янов А.А.", ["case"]),
    ("Д’Артаньян Ш.", "Д’Артаньян Ш.", []),
    ("д’Артаньян Ш.", "д’Артаньян Ш.", []),
    ("Артёмов Ё.Ё.", "Артёмов Ё.Ё.", []),
    (unicodedata.normalize("NFD", "Артёмов Й.Ё."), "Артёмов Й.Ё.", []),
    ("Ивaнов A.A.", "Иванов А.А.", ["lookalike"]),
    ("Ивaнов A.C.", "Иванов А.С.", ["lookalike"]),
    ("Иванов M.A.", "Иванов М.А.", ["lookalike"]),
    ("Иванов A.C.", "Иванов А.С.", ["lookalike", "latin-initials"]),
    ("Иванов P.X.", "Иванов Р.Х.", ["lookalike", "latin-initials"]),
    ("«Иванов И.И.».", "Иванов И.И.", ["punctuation", "quotes"]),
    ('"Иванов И.И."', "Иванов И.И.", ["quotes"]),
    ('«"Иванов И.И."»', "Иванов И.И.", ["quotes"]),
    ("'О'Генри А.А.'", "О'Генри А.А.", ["quotes"]),
    ("\u202eИванов\u200b\u00a0И.И.", "Иванов И.И.", ["invisible", "spacing"]),
]

REFUSED = [
    ("", Reason.NAME_MISSING),
    (" . ", Reason.NAME_MISSING),
    ("«»", Reason.NAME_MISSING),
    ("Фамилия И.О.", Reason.NAME_PLACEHOLDER),
    ("«ФАМИЛИЯ И. О.»", Reason.NAME_PLACEHOLDER),
    ("ФАМИЛИЯ ИО", Reason.NAME_PLACEHOLDER),
    ("Фaмилия И.O.", Reason.NAME_PLACEHOLDER),
    ("И.О. Фамилия", Reason.NAME_PLACEHOLDER),
    ("Фамилия И.", Reason.NAME_PLACEHOLDER),
    ("Иванов", Reason.INITIALS_MISSING),
    ("Мамин-Сибиряк", Reason.INITIALS_MISSING),
    ("И.И.", Reason.SURNAME_MISSING),
    ("И. И.", Reason.SURNAME_MISSING),
    ("И.Г. оглы", Reason.SURNAME_MISSING),
    ("Р.-М.И.", Reason.SURNAME_MISSING),
    ("Иванов Иван", Reason.NAME_AMBIGUOUS),
    ("Иванов Иван Сидоров", Reason.NAME_AMBIGUOUS),
    ("Анна Мария Кёр-оглы", Reason.NAME_AMBIGUOUS),
    ("Иван Петрович Мицкевич", Reason.NAME_AMBIGUOUS),
    ("ИВАНОВ ЯН", Reason.NAME_AMBIGUOUS),
    ("ЯН ИВАНОВ", Reason.NAME_AMBIGUOUS),
    ("иванов ян", Reason.NAME_AMBIGUOUS),
    ("Иванов Ян", Reason.NAME_AMBIGUOUS),
    ("Ю Иван", Reason.NAME_AMBIGUOUS),
    ("Ю А Б", Reason.NAME_AMBIGUOUS),
    ("К. Ю", Reason.SURNAME_MISSING),
    ("Ван Ли К.", Reason.NAME_AMBIGUOUS),
    ("фон ВИ", Reason.NAME_AMBIGUOUS),
    ("И.И. Ван Иванов", Reason.NAME_AMBIGUOUS),
    ("Ю К. Ван", Reason.NAME_AMBIGUOUS),
    ("Ю Б, Иванов", Reason.NAME_AMBIGUOUS),
    ("ван - ПЕТРОВ", Reason.INITIALS_MISSING),
    ("иванов и", Reason.SEVERAL_NAMES),
    ("Ivanov I.I.", Reason.NAME_NOT_CYRILLIC),
    ("Иванов I.I.", Reason.NAME_NOT_CYRILLIC),
    ("Иванов И.I.", Reason.NAME_NOT_CYRILLIC),
    ("Иванов И. I.", Reason.NAME_NOT_CYRILLIC),
    ("Мамин-Cибиpяк Ο.О.", Reason.NAME_NOT_CYRILLIC),
    ("COBA A.A.", Reason.NAME_NOT_CYRILLIC),
    ("Αлиев И.И.", Reason.NAME_NOT_CYRILLIC),
    ("Ｉванов И.И.", Reason.NAME_NOT_CYRILLIC),
    ("Иванов И.И., Петров П.П.", Reason.SEVERAL_NAMES),
    ("Иванов И.И.; Петров П.П.", Reason.SEVERAL_NAMES),
    ("Иванов И.И. и Петров П.П.", Reason.SEVERAL_NAMES),
    ("Иванов И.И. Петров П.П.", Reason.SEVERAL_NAMES),
    ("Иванов И.И.\u200bПетров П.П.", Reason.SEVERAL_NAMES),
    ("И.И. Иванов П.П. Петров", Reason.SEVERAL_NAMES),
    ("Иванов И.И., П.П.", Reason.SEVERAL_NAMES),
    ("Иванов и Петров И.И.", Reason.SEVERAL_NAMES),
    ("Иванов, Петров", Reason.SEVERAL_NAMES),
    ("Иванов и П.", Reason.SEVERAL_NAMES),
    ("Ван да Иванов И.И.", Reason.SEVERAL_NAMES),
    ("ван да иванов и.и.", Reason.SEVERAL_NAMES),
    ("Ю да Иван оглы", Reason.SEVERAL_NAMES),
    ("Бен или И.И.", Reason.NAME_MALFORMED),
    ("Иванов'Петров И.И.", Reason.NAME_MALFORMED),
    ("Ван и'Петрова И.И.", Reason.NAME_MALFORMED),
    ("Ким Иван Иванович – Ян оглы", Reason.TEXT_AFTER_NAME),
    ("ИВАНОВ ЯН – ВИЧ И", Reason.NAME_MALFORMED),
    ("ОЛЕГ ИВАНОВИЧ И", Reason.SEVERAL_NAMES),
    ("Иванов, Петров П.П.", Reason.SEVERAL_NAMES),
    ("Иванов/Петров И.И.", Reason.SEVERAL_NAMES),
    ("«Иванов И.И.», «Петров П.П.»", Reason.SEVERAL_NAMES),
    ("а и петров", Reason.SEVERAL_NAMES),
    ("иванов и петров", Reason.SEVERAL_NAMES),
    ("Иванов и Петрович", Reason.SEVERAL_NAMES),
    ("Иванов Иван Иванович, Петров Пётр Петрович", Reason.SEVERAL_NAMES),
    ("Иванов Иван Иванович Петров Пётр Петрович", Reason.SEVERAL_NAMES),
    ("Иванов И.И., главный врач", Reason.TEXT_AFTER_NAME),
    ("Иванов И.И. (бухгалтер)", Reason.TEXT_AFTER_NAME),
    ("Иванов И.И. тел. 12-34", Reason.TEXT_AFTER_NAME),
    ("Иванов И.И. ГБУЗ АО", Reason.TEXT_AFTER_NAME),
    ("Иванов И.И. Петров", Reason.TEXT_AFTER_NAME),
    ("Иванов Иван Иванович, главный врач", Reason.TEXT_AFTER_NAME),
    ("Иван0в И.И.", Reason.NAME_MALFORMED),
    ("Иванов И.И.И.", Reason.NAME_MALFORMED),
    ("Иванов, И.И.", Reason.NAME_MALFORMED),
    ("для Иванова И.И.", Reason.NAME_MALFORMED),
    ("для И.И.", Reason.NAME_MALFORMED),
    ("на и.и.", Reason.NAME_MALFORMED),
    ("для Иван Иванович", Reason.NAME_MALFORMED),
    ("для иван иванович", Reason.NAME_MALFORMED),
    ("для Мамед кызы Алиева", Reason.NAME_MALFORMED),
    ("врач Иван Ильич", Reason.NAME_MALFORMED),
    ("И" + "я" * 156 + " СР", Reason.NAME_MALFORMED),
    ("(повторно) = Иванов И.И.", Reason.NAME_MALFORMED),
    ("ИвановПетров И.И.", Reason.NAME_MALFORMED),
    ("ПетровИИ А.А.", Reason.NAME_MALFORMED),
    ("Иванов--Петров И.И.", Reason.NAME_MALFORMED),
    ("Ива\u0301нов И.И.", Reason.NAME_MALFORMED),
    ("Міщенко А.А.", Reason.NAME_MALFORMED),
    ("Иванов И. оглы", Reason.NAME_MALFORMED),
    ("ЛА Иванов П.П.", Reason.NAME_MALFORMED),
    ("ПришваА.", Reason.NAME_MALFORMED),
    ("ПришваАА", Reason.NAME_MALFORMED),
    ("Иванов Й3.И.", Reason.NAME_MALFORMED),
    ("Иванов И.І.", Reason.NAME_MALFORMED),
    ("Иванов И.И\u2024", Reason.NAME_MALFORMED),
    ("Иванов И\u0301.И.", Reason.NAME_MALFORMED),
    ("Иванов И.И.\u0301", Reason.NAME_MALFORMED),
    ("Иванов И.И.»", Reason.NAME_MALFORMED),
    ("«Иванов» И.И. «Петров»", Reason.NAME_MALFORMED),
    ("А" * 161, Reason.NAME_MALFORMED),
    ("Ив\ufffdнов И.И.", Reason.UNDECODABLE),
]


@pytest.mark.parametrize(("written", "canonical", "repairs"), READ, ids=[ascii(case[0]) for case in READ])
def test_a_name_is_read_and_each_repair_recorded(written: str, canonical: str, repairs: list[str]) -> None:
    reading = names.read(written, FORM)

    assert reading.person is not None, reading
    assert reading.person.canonical == canonical
    assert [str(repair) for repair in reading.repairs] == repairs


@pytest.mark.parametrize(("written", "reason"), REFUSED, ids=[ascii(case[0][:40]) for case in REFUSED])
def test_what_is_not_plainly_one_person_is_refused(written: str, reason: Reason) -> None:
    reading = names.read(written, FORM)

    assert (reading.person, reading.reason) == (None, reason)


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("Ivanov I.I.", Mistake(character="I", place=1)),
        ("Иванов I.I.", Mistake(character="I", place=8)),
        ("COBA A.A.", Mistake(character="C", place=1)),
        ("«Иванов I.I.»", Mistake(character="I", place=9)),
        ("Иван0в И.И.", Mistake(character="0", place=5)),
        ("ИвановПетров И.И.", Mistake(character="П", place=7)),
        ("Иванов, И.И.", Mistake(character=",", place=7)),
        ("Иванов И.И.И.", None),
    ],
    ids=ascii,
)
def test_the_mistake_names_the_character_and_its_place(written: str, mistake: Mistake | None) -> None:
    assert names.read(written, FORM).mistake == mistake


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("Иванов", "Иванов"),
        ("ИВАНОВ", "Иванов"),
        ("Иванов I.I.", "Иванов"),
        ("Иванов И.И., врач", "Иванов"),
        ("Ivanov I.I.", ""),
        ("Иванов И.И., Петров П.П.", ""),
        ("Иванов Иван", ""),
    ],
    ids=ascii,
)
def test_a_refusal_keeps_the_surname_it_could_read(written: str, hint: str) -> None:
    assert names.read(written, FORM).surname_hint == hint


def examples() -> list[tuple[str, str, str]]:
    """The lines of the module's docstring: repair or reason, text, and what it is read as."""
    found = []
    for line in (names.__doc__ or "").splitlines():
        match = re.fullmatch(r" {4}([a-z-]+) +(.+?)(?: +-> (.+?))?(?: {2,}.*)?", line)
        if match:
            text = match[2].replace("<zero width space>", "\u200b").replace("<no-break space>", "\u00a0")
            text = text.replace("<replacement character>", "\ufffd")
            found += [(match[1], example, match[3] or "") for example in text.split("; ")]
    return found


@pytest.mark.parametrize(("word", "written", "canonical"), examples(), ids=ascii)
def test_the_examples_of_the_documentation_are_true(word: str, written: str, canonical: str) -> None:
    reading = names.read(written, FORM)

    if canonical:
        assert reading.person is not None
        assert reading.person.canonical == canonical
        assert Repair(word) in reading.repairs
    else:
        assert reading.reason == Reason(word)


def test_every_repair_and_reason_of_a_name_has_an_example() -> None:
    elsewhere = {Repair.CHARSET, Repair.PREFIX, Repair.PHRASE_TYPO, Repair.SEPARATOR, Reason.AMBIGUOUS_SUBJECT}
    assert {word for word, _, _ in examples()} == {*map(str, [*Repair, *Reason])} - {*map(str, elsewhere)}
