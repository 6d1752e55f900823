"""What is a good password or login, and how is it kept from being shown? Chance comes in as an argument.

A `Secret` shows itself nowhere by accident: not in logs, tracebacks, JSON or pickles. Only `reveal()` gives the text, and only the
final render of a reply, the making of an account and the sealing of a ready pair call it (reliability.md, Secrets). This module
stores and sends nothing.
"""

from __future__ import annotations

import hmac
import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn, SupportsIndex, final

RandBelow = Callable[[int], int]
"""A uniform random whole number from 0 up to, not including, the argument: `secrets.randbelow`."""

MIN_ENTROPY_BITS: Final = 70
"""From here on no search is feasible, even with the pepper stolen, so a verifier needs no slow hash."""

UNMISTAKABLE: Final = "bdfghjkmnrstuvwz3478"
"""Letters and digits that look like no other of them and like no Cyrillic letter (domain.md)."""

_MIXED_CLASSES: Final = (
    "DFGLNR",
    "bdfghjkmnrstuvwz",
    "3478",
)  # capitals like Cyrillic ones, or like their own small letter, are left out
_LATIN_KEYS: Final = str.maketrans(
    "йцукенгшщзхъфывапролджэячсмитьбюЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮ",
    "qwertyuiop[]asdfghjkl;'zxcvbnm,.QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>",
)  # what the same key gives on the Latin layout
_LOGIN_SYMBOLS: Final = 8
_LOGIN_SUFFIX_SYMBOLS: Final = 6
_LOGIN_SURNAME_MAX: Final = 24
_ATTEMPTS: Final = 1000  # each fits with far more than even odds: only a broken source of chance gets through them all


@final
class Secret:
    """A text that nothing shows by accident. Two compare in constant time; none can be hashed, copied or pickled."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The text itself: for the final render of a reply, for making an account and for sealing a ready pair, nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would show which secrets are equal

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is neither pickled nor copied")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a secret is neither pickled nor copied")


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """How passwords are made: `length` symbols of `alphabet`, at least one of each of `classes`.

    Raises ValueError when it is not sound, or when its passwords hold less than `MIN_ENTROPY_BITS`.
    """

    name: str
    alphabet: str
    length: int
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.alphabet)) != len(self.alphabet) or not re.fullmatch(r"[!-~]+", self.alphabet):
            raise ValueError(f"profile {self.name}: the alphabet must be printable ASCII without spaces, each symbol once")
        if not all(symbols and set(symbols) <= set(self.alphabet) for symbols in self.classes):
            raise ValueError(f"profile {self.name}: each class must hold symbols of the alphabet only")
        bits = entropy_bits(self)
        if bits < MIN_ENTROPY_BITS:
            raise ValueError(f"profile {self.name}: {bits:.1f} bits, at least {MIN_ENTROPY_BITS} are needed")


def entropy_bits(profile: Profile) -> float:
    """The logarithm of how many passwords the profile allows, all equally likely; 0 when it allows none.

    With classes: inclusion-exclusion over the passwords that lack one or more of them.
    """
    allowed = 0
    for count in range(len(profile.classes) + 1):
        for lacking in itertools.combinations(profile.classes, count):
            symbols = len(set(profile.alphabet).difference(*lacking))
            allowed += (-1) ** count * symbols**profile.length
    return math.log2(allowed) if allowed > 0 else 0.0


PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(name="default", alphabet=UNMISTAKABLE, length=18),
            Profile(name="mixed", alphabet="".join(_MIXED_CLASSES), length=18, classes=_MIXED_CLASSES),
        )
    }
)


def password(profile: Profile, randbelow: RandBelow) -> Secret:
    """A new password; every one the profile allows is equally likely (those that lack a class are thrown away whole).

    Raises ValueError when the source of chance never gives one that fits.
    """
    for _ in range(_ATTEMPTS):
        text = _symbols(profile.alphabet, profile.length, randbelow)
        if all(set(text) & set(symbols) for symbols in profile.classes):
            return Secret(text)
    raise ValueError("the source of chance is broken: it never gave a password that fits")


def groups(password: Secret, size: int = 6) -> Secret:
    """The password in groups parted by spaces, for reading aloud."""
    text = password._text
    return Secret(" ".join(text[start : start + size] for start in range(0, len(text), size)))


def readings(written: str) -> list[tuple[Secret, bool]]:
    """What a person may have meant who typed one of our passwords: without spaces and hyphens, which none of ours holds; then the
    same keys on the Latin layout, if there is anything Cyrillic in it. With each goes whether it took the other layout."""
    tidy = re.sub(r"[\s\u00ad\u2010-\u2015\u2212-]", "", written)
    other = tidy.translate(_LATIN_KEYS)
    return [(Secret(tidy), False)] + ([(Secret(other), True)] if other != tidy else [])


def login_mark(key: bytes, login: str) -> str:
    """By what a login is known once the login itself is erased: lower-case hexadecimal; without `key` it tells nothing.

    Case does not part two logins: where they are used it seldom counts.
    """
    return hmac.digest(key, b"mailer-login-1\n" + login.casefold().encode(), "sha256").hex()


def opaque_login(prefix: str, randbelow: RandBelow) -> str:
    """A login that tells nothing: `prefix` as given (`tmp-29-`) and 8 random symbols."""
    return prefix + _symbols(UNMISTAKABLE, _LOGIN_SYMBOLS, randbelow)


def named_login(surname: str, initials: str, randbelow: RandBelow) -> str:
    """A login that tells whose it is: `ivanov-ii-` and 6 random symbols; letters by ICAO Doc 9303, those it lacks are left out."""
    # Imported here: it reads all its tables at once, and offices with opaque logins never need them.
    import iuliia  # type: ignore[import-untyped]  # noqa: PLC0415

    latin = iuliia.ICAO_DOC_9303.translate(f"{surname}|{initials}").lower()
    family, given = (re.sub(r"[^a-z-]", "", part.replace(" ", "-")) for part in latin.split("|"))
    parts = (
        family[:_LOGIN_SURNAME_MAX].strip("-"),
        given.replace("-", ""),
        _symbols(UNMISTAKABLE, _LOGIN_SUFFIX_SYMBOLS, randbelow),
    )
    return "-".join(part for part in parts if part)


def _symbols(alphabet: str, count: int, randbelow: RandBelow) -> str:
    return "".join(alphabet[randbelow(len(alphabet))] for _ in range(count))
