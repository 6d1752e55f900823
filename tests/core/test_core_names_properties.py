"""Whoever is named in any written form of letters.md, section 3, is read as the same person; whoever is not is not read at all."""

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailer.core import names, subject
from mailer.core.namewords import SUFFIXES
from mailer.model import Form

FORM = Form()
CAPITALS = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯ"
SMALL = CAPITALS.lower() + "ъыь"
TWINS = dict(zip("АВСЕНКМОРТХасеорху", "ABCEHKMOPTXaceopxy", strict=True))

words = st.builds(str.__add__, st.sampled_from(CAPITALS), st.text(SMALL, min_size=2, max_size=12))
surnames = st.one_of(
    words,
    st.builds("{}-{}".format, words, words),
    st.builds("{} {}".format, st.sampled_from(["фон", "де ла", "аль", "ван дер", "да"]), words),
    st.builds("{}'{}".format, st.sampled_from("ОД"), words),
    st.builds("{}’{}".format, words, words.map(str.lower)),
    st.builds("{}ʼ{}-{}".format, st.sampled_from("ОД"), words, words),
).filter(lambda name: not any(part.lower().endswith(("вич", "вна", "ична")) for part in name.replace("-", " ").split()))
letters = st.sampled_from(CAPITALS)
initials = st.one_of(letters, st.builds("{}-{}".format, letters, letters))
suffixes = st.sampled_from(["", *(f" {word}" for word in sorted(SUFFIXES))])
people = st.tuples(surnames, initials, initials, suffixes)


def dotted(initial: str) -> str:
    return "-".join(f"{letter}." for letter in initial.split("-"))


def as_word(initial: str, end: str) -> str:
    return "-".join(f"{letter}{end}" for letter in initial.split("-"))


def forms(surname: str, first: str, second: str, suffix: str) -> dict[str, str]:
    """All forms in which one person may be written; first and second are initials, as «Р» or «Р-М»."""
    given, one, two = f"{dotted(first)}{dotted(second)}", dotted(first), dotted(second)
    plain = suffix.strip() or "ндреевич"
    full = f"{as_word(first, 'лександр')} {as_word(second, 'ейдар')}{suffix}" if suffix else ""
    full = full or f"{as_word(first, 'лександр')} {as_word(second, plain)}"
    found = {
        "exact": f"{surname} {given}{suffix}",
        "spaced": f"{surname} {one} {two}{suffix}",
        "last dot missing": f"{surname} {given[:-1]}{suffix}",
        "letters apart": f"{surname} {first} {second}{suffix}",
        "suffix glued": f"{surname} {given}{suffix.strip()}",
        "comma at the end": f"{surname} {given[:-1]},{suffix}",
        "initials first": f"{given}{suffix} {surname}",
        "initials first, spaced": f"{one} {two}{suffix} {surname}",
        "quoted": f"«{surname} {given}{suffix}»",
        "quoted twice": f"\"'{surname} {given}{suffix}'\"",
        "punctuated": f" {surname} {given}{suffix} ;!",
        "no-break spaces": f"{surname}\u00a0{one}\u00a0{two}{suffix}",
        "invisible": f"\u202e{surname}\u200b {given}\ufeff{suffix}",
        "spaced dashes": f"{surname.replace('-', ' – ')} {given}{suffix}",
        "full name": f"{surname} {full}",
        "full name, surname last": f"{full} {surname}",
    }
    if "-" not in first + second:
        found |= {
            "no dots": f"{surname} {first}{second}{suffix}",
            "commas": f"{surname} {first},{second},{suffix}",
            "pair first": f"{first}{second}{suffix} {surname}",
        }
    return found


NAMES_OF_FORMS = list(forms("Иванов", "И", "И", ""))


@pytest.mark.parametrize("form", NAMES_OF_FORMS)
@given(person=people, latin=st.integers(0, 2**80), recase=st.sampled_from([str, str.upper, str.lower]))
def test_every_written_form_is_read_as_the_same_person(
    form: str, person: tuple[str, str, str, str], latin: int, recase: Callable[[str], str]
) -> None:
    """In each form, with look-alikes, in capitals or small letters; and once read, it is exact."""
    surname, first, second, suffix = person
    written = forms(surname, first, second, suffix).get(form)
    assume(written is not None)
    assume(recase is str or form not in {"no dots", "pair first"})  # «ИВАНОВ ЯН» is refused
    find = written.rindex if "first" in form or "last" in form else written.index
    keep = find(surname.rpartition(" ")[2][:3])  # a surname holds one Cyrillic letter at least
    shown = recase(written)
    shown = "".join(TWINS.get(s, s) if latin >> place & 1 and place != keep else s for place, s in enumerate(shown))
    exact = f"{surname} {dotted(first)}{dotted(second)}{suffix}"

    reading = names.read(shown, FORM)

    assert reading.person is not None, (shown, reading)
    assert reading.person.canonical == exact
    assert names.read(exact, FORM) == names.NameReading(person=reading.person)


ENVELOPES = ["{} = {}", "Re: {}={}", "Fwd: «{} – {}»", "«{}» = «{}»", "{}: {}", "{} {}", '\u200bОтв: НА: {} = - "{}"', "{}\t= {};"]


@given(
    envelope=st.sampled_from(ENVELOPES),
    phrase=st.sampled_from([FORM.phrase, FORM.phrase.upper(), FORM.phrase.replace("атр", "аттр"), FORM.phrase.replace("о", "o")]),
    surname=surnames,
    first=initials,
)
def test_a_subject_names_whom_its_name_names(envelope: str, phrase: str, surname: str, first: str) -> None:
    exact = f"{surname} {dotted(first)}И."
    assume(not ("’" in surname and "«" not in envelope))

    reading = subject.read(envelope.format(phrase, exact), FORM)

    assert reading.person is not None, reading
    assert reading.person.canonical == exact
    again = subject.read(f"{FORM.phrase} = {reading.person.canonical}", FORM)
    assert (again.person, again.repairs) == (reading.person, ())


NAME_LIKE = st.text(
    st.sampled_from("ИванПетроЮйи А.А. ,;-–'’«»\"ABCIXacoyоглыивичфондаМк=()0\u0301\u200b\u00a0\ufffd"), max_size=40
)
JOINS = [
    ", ",
    "; ",
    " и ",
    " да ",
    " ",
    "/",
    " - ",
    "\u200b ",
    " = ",
    ",",
    " & ",
    "\u2028",
    "; и ",
    "\u2063",
    " И ",
    "+",
    ". ",
    "|",
]


@given(st.one_of(st.text(max_size=200), NAME_LIKE))
def test_any_text_gives_a_person_or_a_reason(written: str) -> None:
    reading = names.read(written, FORM)

    assert (reading.person is None) != (reading.reason is None)
    assert len(set(reading.repairs)) == len(reading.repairs)


@given(NAME_LIKE)
def test_reading_is_idempotent(written: str) -> None:
    person = names.read(written, FORM).person
    if person is not None:
        again = names.read(person.canonical, FORM)
        assert (again.person, again.repairs) == (person, ())


@given(NAME_LIKE)
def test_a_person_holds_the_letters_that_were_written(written: str) -> None:
    """Nothing is invented: each letter of the surname stands in the text, as itself or its twin, and in the same order."""
    person = names.read(written, FORM).person
    if person is not None:
        signs = iter(names.folded(names.tidied(written, [])))
        assert all(sign in signs for sign in names.folded(person.surname.rpartition(" ")[2].replace("-", "")))


@pytest.mark.parametrize(
    "style", ["{0} {1}.{2}.", "{1}.{2}. {0}", "{0} {1}лександр {2}ндреевич", "{0} {1}{2}", "{0} {1} {2}", "{0} {1}."]
)
@given(both=st.tuples(words, words), ours=st.tuples(letters, letters), join=st.sampled_from(JOINS), alike=st.booleans())
def test_two_people_are_never_one(style: str, both: tuple[str, str], ours: tuple[str, str], join: str, alike: bool) -> None:
    one = (style if alike else "{0} {1}.{2}.").format(both[0], *ours)
    other = style.format(both[1], *reversed(ours))

    assert names.read(f"{one}{join}{other}", FORM).person is None
