"""By what is a thing found that people write in several ways? Both sides of a search go through `folded`, then words are compared.

«Артёмов», «АРТЕМОВ» and «Apтемов» with a Latin A and p are one; so are «gb1@clinic.example» and «ГБ1 clinic»'s Latin look-alikes,
whatever their script. Signs only part words. It decides nothing: who may ask and whom a name means is read elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from mailer.core.namewords import TWINS

# What is compared has no capitals: «H» is the twin of «Н», so «h» has to be that of «н».
_TWINS: Final = {ord(chr(latin).lower()): chr(twin).lower() for latin, twin in TWINS.items()}
_SIGNS: Final = re.compile(r"[\W_]+")
# Marks stand over letters, some signs between them, and neither parts a word. «ё» loses its dots; «й» is another letter than «и».
_MARKS: Final = re.compile("[\u0300-\u0305\u0307-\u036f\u00ad\u200b-\u200f\u2060\ufeff]+|(?<!и)\u0306")


def folded(text: str) -> str:
    """The words of a text in one form, one space between them; "" where no letter or digit stands in it."""
    seen = unicodedata.normalize("NFD", text.casefold()).translate(_TWINS)
    return _SIGNS.sub(" ", unicodedata.normalize("NFC", _MARKS.sub("", seen))).strip()


def words(text: str) -> frozenset[str]:
    """The words under which a text is kept for searching: the first, and those longer than one letter (initials find nobody)."""
    first, *others = folded(text).split() or [""]
    return frozenset(word for word in (first, *(other for other in others if len(other) > 1)) if word)


def terms(query: str) -> tuple[str, ...]:
    """What the parts of a query ask for, each by itself. Initials belong to the word before them, or else to the one after:
    «Иванов И.И. больница» asks for «иванов и и» and for «больница». Parts without letters ask nothing."""
    found: list[str] = []
    initials = ""
    for term in filter(None, map(folded, query.split())):
        if any(len(word) > 1 for word in term.split()):
            found.append(f"{term} {initials}".rstrip())
            initials = ""
        elif found:
            found[-1] = f"{found[-1]} {term}"
        else:
            initials = f"{initials} {term}".lstrip()
    return tuple(dict.fromkeys([*found, initials] if initials else found))


def finds(term: str, text: str) -> bool:
    """Whether the words of a term stand side by side in a folded text, the last one perhaps longer."""
    return f" {term}" in f" {text}"
