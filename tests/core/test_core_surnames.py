"""No dictionary gates a name: every surname of a public data set is read as it stands (letters.md, section 3)."""

import pytest
from russian_names import RussianNames

from mailer.core import names
from mailer.model import Form, Repair

FORM = Form()
MEN, WOMEN = 4, 9  # where the package (0.1.2) keeps surnames; its other lists are given names and patronymics
YO = ["Артёмов", "Ёлкин", "Щеголёв", "Ё", "Муравьёв-Апостол", "Хрущёва", "Ён", "д’Ёльский", "О'Лёри", "Ружьё"]
CORRUPT = {"Крас\x1bнов", "Крас\x1bнова"}  # an escape inside; these two are read without it, which is a repair


@pytest.mark.slow
def test_every_surname_of_the_data_set_is_read_unchanged() -> None:
    surnames = [surname for place in (MEN, WOMEN) for surname in RussianNames._data[place].split(" ")]  # it has no public list
    assert len(surnames) == 199_742

    changed = set()
    for surname in surnames:
        reading = names.read(f"{surname} И.И.", FORM)
        if reading.person is None or reading.person.canonical != f"{surname} И.И." or reading.repairs:
            changed.add(surname)

    assert changed == CORRUPT
    assert names.read("Крас\x1bнов И.И.", FORM).repairs == (Repair.INVISIBLE,)


@pytest.mark.parametrize("surname", YO)
def test_surnames_with_yo_are_read_unchanged(surname: str) -> None:
    """The data set holds none."""
    reading = names.read(f"{surname} Ё.И.", FORM)

    assert reading.person is not None
    assert (reading.person.canonical, reading.repairs) == (f"{surname} Ё.И.", ())
