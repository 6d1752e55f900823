import copy
import itertools
import json
import math
import pickle
import random
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.secret import (
    PROFILES,
    UNMISTAKABLE,
    Profile,
    Secret,
    entropy_bits,
    groups,
    login_mark,
    named_login,
    opaque_login,
    password,
    readings,
)

CANARY = "bdfghjkmnrstuvwz34"
LOOKS_LIKE_CYRILLIC = set("ABCEHKMOPTXYaceopxy")
LOOKS_LIKE_ANOTHER = set("0OoQ1lIi|25S69q")


@dataclass(frozen=True)
class Holder:
    password: Secret


def seeded(seed: int) -> Callable[[int], int]:
    return random.Random(seed).randrange


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(lambda secret: f"{secret} {secret!r} {secret:>40}", id="format"),
        pytest.param(lambda secret: "%s %r" % (secret, secret), id="percent"),  # noqa: UP031
        pytest.param(lambda secret: repr([secret, {"a": secret}]), id="inside a list"),
        pytest.param(lambda secret: repr(Holder(password=secret)), id="inside a dataclass"),
        pytest.param(lambda secret: json.dumps({"a": secret}, default=str), id="json with default=str"),
        pytest.param(lambda secret: str(ValueError("wrong", secret)), id="in an exception"),
    ],
)
def test_a_secret_is_never_shown(shown: Callable[[Secret], str]) -> None:
    text = shown(Secret(CANARY))
    assert CANARY not in text
    assert "***" in text


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(json.dumps, id="json"),
        pytest.param(lambda secret: json.dumps(Holder(password=secret), default=vars), id="json by attributes"),
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(lambda secret: pickle.dumps(secret, protocol=0), id="old pickle"),
        pytest.param(lambda secret: pickle.dumps(Holder(password=secret)), id="pickle inside"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda secret: asdict(Holder(password=secret)), id="asdict"),
        pytest.param(vars, id="vars"),
        pytest.param(hash, id="hash"),
        pytest.param(lambda secret: secret.__getstate__(), id="state"),
        pytest.param(iter, id="iterate"),
        pytest.param(len, id="length"),
    ],
)
def test_a_secret_does_not_get_out(leak: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as refused:
        leak(Secret(CANARY))
    assert CANARY not in str(refused.value)


def test_a_secret_does_not_change() -> None:
    secret = Secret(CANARY)
    with pytest.raises(AttributeError):
        secret._text = "another"
    assert secret.reveal() == CANARY


def test_secrets_compare_only_with_secrets() -> None:
    assert Secret("пароль") == Secret("пароль")
    assert Secret("пароль") != Secret("другой")
    assert Secret(CANARY) != CANARY


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_passwords_keep_their_profile(profile: Profile) -> None:
    made = [password(profile, seeded(seed)).reveal() for seed in range(500)]
    assert all(len(text) == profile.length and set(text) <= set(profile.alphabet) for text in made)
    assert all(set(text) & set(symbols) for text in made for symbols in profile.classes)
    assert len(set(made)) == 500


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_no_symbol_looks_like_another_or_like_a_cyrillic_letter(profile: Profile) -> None:
    symbols = set(profile.alphabet)
    assert not symbols & LOOKS_LIKE_CYRILLIC
    assert not symbols & LOOKS_LIKE_ANOTHER
    same_shape_in_both_cases = set("ckmopsuvwxyzj")
    assert not {symbol for symbol in symbols & same_shape_in_both_cases if symbol.upper() in symbols}


def test_entropy_of_the_profiles() -> None:
    assert entropy_bits(PROFILES["default"]) == pytest.approx(18 * math.log2(20))
    assert 80 < entropy_bits(PROFILES["mixed"]) < 18 * math.log2(26)


def test_entropy_with_classes_counts_the_passwords_there_are() -> None:
    """A small twin of the formula: count by hand what a profile of 3 symbols would allow, and compare the ratio."""
    alphabet, classes = "abcde12", ("abcde", "12")
    allowed = sum(
        all(set(text) & set(symbols) for symbols in classes)
        for text in ((x, y, z) for x in alphabet for y in alphabet for z in alphabet)
    )
    assert allowed == 7**3 - 5**3 - 2**3
    long = Profile(name="long", alphabet=alphabet, length=30, classes=classes)
    assert entropy_bits(long) == pytest.approx(math.log2(7**30 - 5**30 - 2**30))


@pytest.mark.parametrize(
    ("alphabet", "length", "classes", "complaint"),
    [
        pytest.param(UNMISTAKABLE, 16, (), "69.2 bits", id="under 70 bits"),
        pytest.param("", 18, (), "alphabet", id="empty alphabet"),
        pytest.param("aab" * 20, 18, (), "alphabet", id="symbols twice"),
        pytest.param("абвгдежзиклмнопрст", 40, (), "alphabet", id="not ASCII"),
        pytest.param("abcdefgh ijklmnop", 40, (), "alphabet", id="space"),
        pytest.param("abcdefgh", 40, ("xyz",), "class", id="class outside the alphabet"),
        pytest.param("abcdefgh", 40, ("",), "class", id="empty class"),
        pytest.param("abcdefghijklmnopqrstuvwxyz", 2, ("a", "b", "c"), "0.0 bits", id="more classes than symbols"),
    ],
)
def test_unsound_profiles_are_refused(alphabet: str, length: int, classes: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Profile(name="office", alphabet=alphabet, length=length, classes=classes)


def test_a_broken_source_of_chance_is_noticed() -> None:
    with pytest.raises(ValueError, match="chance"):
        password(PROFILES["mixed"], lambda below: 0)


def once_in_a_billion(freedom: int) -> float:
    """What chi-squared exceeds with a probability of 1e-9 (Wilson and Hilferty's cube of a normal variable, z = 5.998)."""
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + 5.998 * math.sqrt(spread)) ** 3


def shares(profile: Profile) -> dict[str, float]:
    """How likely each symbol is at any one place: counted, since passwords that lack a class are thrown away."""

    def allowed(length: int, classes: list[str]) -> int:
        parts = [(chosen, (-1) ** len(chosen)) for n in range(len(classes) + 1) for chosen in itertools.combinations(classes, n)]
        return sum(sign * len(set(profile.alphabet).difference(*lacking)) ** length for lacking, sign in parts)

    left = {symbol: [one for one in profile.classes if symbol not in one] for symbol in profile.alphabet}
    whole = allowed(profile.length, list(profile.classes))
    return {symbol: allowed(profile.length - 1, classes) / whole for symbol, classes in left.items()}


def chi_squared(counts: Counter[str], expected: dict[str, float], total: int) -> float:
    return sum((counts[symbol] - total * share) ** 2 / (total * share) for symbol, share in expected.items())


@pytest.mark.parametrize("source", [seeded(1), seeded(2), secrets.randbelow], ids=["seed 1", "seed 2", "the real source"])
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_every_symbol_is_as_likely_as_it_must_be_at_every_place(profile: Profile, source: Callable[[int], int]) -> None:
    made = [password(profile, source).reveal() for _ in range(4000)]
    expected, freedom = shares(profile), len(profile.alphabet) - 1
    assert sum(expected.values()) == pytest.approx(1)
    for place in range(profile.length):
        counts = Counter(text[place] for text in made)
        assert chi_squared(counts, expected, len(made)) < once_in_a_billion(freedom), f"place {place}"
    pairs = Counter(text[place : place + 2] for text in made for place in range(0, profile.length, 2))
    both = {a + b: expected[a] * expected[b] for a in expected for b in expected}
    if not profile.classes:  # with classes neighbours are not quite independent
        assert chi_squared(pairs, both, len(made) * profile.length // 2) < once_in_a_billion(len(both) - 1)


def test_the_test_sees_a_source_that_leans() -> None:
    """One symbol in twenty taken modulo a byte: 256 is no multiple of 20, the usual mistake."""
    chance = random.Random(1)
    made = [password(PROFILES["default"], lambda below: chance.randrange(256) % below).reveal() for _ in range(40000)]
    counts = Counter("".join(made))
    assert chi_squared(counts, shares(PROFILES["default"]), len(made) * 18) > once_in_a_billion(19)


def test_logins_are_drawn_evenly() -> None:
    counts = Counter("".join(opaque_login("", secrets.randbelow) for _ in range(5000)))
    assert chi_squared(counts, dict.fromkeys(UNMISTAKABLE, 1 / 20), 40000) < once_in_a_billion(19)


@pytest.mark.parametrize(
    ("written", "other_layout"),
    [
        pytest.param("bdfghjkmnrstuvwz34", False, id="as it is"),
        pytest.param("bdfghj kmnrst uvwz34", False, id="in groups"),
        pytest.param(" bdfghj-kmnrst\u2011uvwz34\u00a0\n", False, id="hyphens, a no-break space, a line end"),
        pytest.param("ивапро льткые гмця34", True, id="on the Russian layout"),
        pytest.param("ивaпро-bdf", None, id="something else"),
    ],
)
def test_a_password_as_people_type_it(written: str, other_layout: bool | None) -> None:
    right = [other for reading, other in readings(written) if reading == Secret(CANARY)]
    assert right == ([] if other_layout is None else [other_layout])


def test_the_other_layout_changes_nothing_that_was_latin() -> None:
    assert len(readings(CANARY)) == 1
    assert [reading.reveal() for reading, _ in readings("ЙцуQwe123")] == ["ЙцуQwe123", "QweQwe123"]


def test_a_mark_tells_nothing_and_case_parts_no_logins() -> None:
    mark = login_mark(b"k" * 32, "tmp-29-bdfghjkm")
    assert re.fullmatch("[0-9a-f]{64}", mark)
    assert mark == login_mark(b"k" * 32, "TMP-29-bdfghjkm")
    assert len({mark, login_mark(b"j" * 32, "tmp-29-bdfghjkm"), login_mark(b"k" * 32, "tmp-29-bdfghjkn")}) == 3


@given(text=st.text(alphabet=UNMISTAKABLE, min_size=1, max_size=40))
def test_groups_hold_the_same_password(text: str) -> None:
    read_aloud = groups(Secret(text)).reveal()
    assert read_aloud.replace(" ", "") == text
    assert all(0 < len(group) <= 6 for group in read_aloud.split(" "))


def test_groups_of_six() -> None:
    assert groups(Secret(CANARY)).reveal() == "bdfghj kmnrst uvwz34"


def test_an_opaque_login_tells_nothing() -> None:
    made = {opaque_login("tmp-29-", seeded(seed)) for seed in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch(rf"tmp-29-[{UNMISTAKABLE}]{{8}}", login) for login in made)


@pytest.mark.parametrize(
    ("surname", "initials", "start"),
    [
        ("Иванов", "И.И.", "ivanov-ii-"),
        ("Щукин", "Ю.Я.", "shchukin-iuia-"),
        ("Подъячев", "Ё.Й.", "podieiachev-ei-"),
        ("Мамин-Сибиряк", "Д.Н.", "mamin-sibiriak-dn-"),
        ("фон Визин", "Д.И.", "fon-vizin-di-"),
        ("О'Генри", "А.А.", "ogenri-aa-"),
        ("Ахметов", "Р.-М.И.", "akhmetov-rmi-"),
        ("Ли", "К.", "li-k-"),
        ("Щербинкина-Константинопольская", "А.", "shcherbinkina-konstantin-a-"),
    ],
)
def test_a_named_login_tells_whose_it_is(surname: str, initials: str, start: str) -> None:
    assert re.fullmatch(rf"{start}[{UNMISTAKABLE}]{{6}}", named_login(surname, initials, seeded(1)))


def test_a_name_without_latin_form_still_gets_a_login() -> None:
    assert re.fullmatch(rf"[{UNMISTAKABLE}]{{6}}", named_login("Ї", "Ї.", seeded(1)))
