"""Which letters of a name are capitals? Re-casing of letters.md, section 3, and initials in their one display form.

A surname is re-cased only when it is wholly in capitals or wholly in small letters; otherwise it is kept as written, or refused
when a capital stands where none can («ПетровИИ», «ИвановПетров», «Иванов'Петров»: two meanings). Inside a word it can stand only
after «Мак» or a particle («ДиКаприо»), or after an apostrophe with one letter before it.
"""

from __future__ import annotations

import re
from typing import Final

from mailer.core.nameforms import core
from mailer.core.namewords import APOSTROPHE, CAPITAL, LETTER, PARTICLES, SMALL

_SPACED_HYPHEN: Final = re.compile(" ?- ?")
_PREFIXES: Final = "|".join(["Мак", *sorted(particle.title() for particle in PARTICLES)])
_BEFORE_CAPITAL: Final = f"(?:{_PREFIXES}){APOSTROPHE}?|[{CAPITAL[1:-1]}долт]{APOSTROPHE}"  # «МакДоналд», «Дель'Аква», «д’Эстен»
_TITLE: Final = re.compile(f"(?:{_BEFORE_CAPITAL})?{CAPITAL}{SMALL}*(?:{APOSTROPHE}{SMALL}+)*")
_AFTER_LONE_LETTER: Final = re.compile(f"(^{LETTER}{APOSTROPHE})({LETTER})")
_UNEVEN: Final = re.compile(f"(?<={SMALL}){CAPITAL}|(?<={CAPITAL}){CAPITAL}(?={LETTER}*{SMALL})")


def surname(written: str) -> str | None:
    """The surname's display form: «де ЛА КРУЗ» -> «де ла Круз»; None where its capitals allow no one reading."""
    name = core(written)
    particles = written[: len(written) - len(name)].split()
    parts = _SPACED_HYPHEN.split(name)
    if _is_one_case(name) and not (name.islower() and any(particle.istitle() for particle in particles)):  # «Бен или И.И.»
        return " ".join([*map(str.lower, particles), "-".join(map(_capitalised, parts))])
    if not _are_titles(parts) or not all(particle.islower() or particle.istitle() for particle in particles):
        return None  # «ЛА Иванов»: initials or a particle?
    return " ".join([*particles, "-".join(parts)])


def joined(written: str) -> str:
    """«Мамин - Сибиряк» -> «Мамин-Сибиряк»"""
    return _SPACED_HYPHEN.sub("-", written)


def is_even(word: str) -> bool:
    """Whether a full given name or patronymic is in one case or begins each part with its only capital."""
    return word.islower() or word.isupper() or _are_titles(_SPACED_HYPHEN.split(word))


def uneven_place(text: str) -> int | None:
    """Where the first capital stands that cannot be one, counted from 0."""
    match = _UNEVEN.search(text)
    return match.start() if match else None


def initials(written: str) -> str:
    """«Р-м И» -> «Р.-М.И.»"""
    return "".join("-" if sign == "-" else f"{sign.upper()}." for sign in written if sign not in " .,")


def initials_of_word(word: str) -> str:
    """«Анна-Мария» -> «А.-М.»"""
    return "-".join(f"{part[0].upper()}." for part in _SPACED_HYPHEN.split(word))


def _is_one_case(name: str) -> bool:
    return name.islower() or (name.isupper() and len(name) > 1)


def _are_titles(parts: list[str]) -> bool:
    """«Сухово-кобылин», «аль-Хорезми» and «Кёр-оглы» are kept as written."""
    first, *rest = parts
    return (_TITLE.fullmatch(first) is not None or first in PARTICLES) and all(
        _TITLE.fullmatch(part) is not None or part.islower() for part in rest
    )


def _capitalised(part: str) -> str:
    """A capital first; after an apostrophe only if one letter stands before it: «О'Генри», «Лук'янов»."""
    small = part.lower()
    shown = small[0].upper() + small[1:]
    return _AFTER_LONE_LETTER.sub(lambda match: match[1] + match[2].upper(), shown)
