"""Which characters and words may stand in a subject line and in a name? The closed tables of letters.md, sections 2 and 3.

It holds tables and the two foldings built on them, no grammar: what may follow what stands in `nameforms`. There is no list of
surnames or given names here, and there must never be one: no dictionary gates a name.

A folding by `TWINS` or `DASHES` keeps every character in its place, so that a mistake can be named by its place.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from mailer.model import Repair

LETTER: Final = "[А-Яа-яЁё]"
CAPITAL: Final = "[А-ЯЁ]"
SMALL: Final = "[а-яё]"
APOSTROPHE: Final = "['’ʼ]"

_DUTCH_GERMAN_ROMANCE: Final = ["фон", "фан", "ван", "де", "ди", "да", "дель", "дер", "ден", "ла", "ле", "лос", "тер", "цу"]
_EASTERN_ENGLISH: Final = ["бен", "ибн", "аль", "эль", "оф"]
PARTICLES: Final = frozenset([*_DUTCH_GERMAN_ROMANCE, *_EASTERN_ENGLISH])
PREPOSITIONS: Final = frozenset(
    ["без", "в", "для", "до", "за", "из", "к", "на", "о", "об", "от", "по", "при", "про", "с", "у"]
)  # in small letters: no surname, a sentence
SUFFIXES: Final = frozenset(["оглы", "оглу", "кызы", "гызы", "улы", "уулу"])

PATRONYMIC_ENDINGS: Final = ("вич", "вна", "ична")
PATRONYMICS: Final = frozenset(["ильич", "лукич", "кузьмич", "козьмич", "фомич", "никитич", "гаврилич", "данилич", "саввич"])
SHORTEST_PATRONYMIC: Final = 5  # letters: «Ильич»; «Вич» itself is a surname

TWINS: Final = str.maketrans("ABCEHKMOPTXaceopxy", "АВСЕНКМОРТХасеорху")  # I, Y and digits are never folded
TRANSLITERATIONS: Final = frozenset("BCHPXcpxy")  # as an initial each may stand for another sound than its twin: Boris, Pavel, Yury
DASHES: Final = dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-")

QUOTE_PAIRS: Final = frozenset({"«»", "“”", "„“", "„”", '""', "''", "‘’"})
DOUBLE_QUOTES: Final = frozenset('«»“”„"')
SINGLE_QUOTES: Final = frozenset("'‘’")
_INNER_SIGN: Final = re.compile(f"{APOSTROPHE}|-")
_INNER_APOSTROPHE: Final = re.compile(rf"(?<=[^\W\d_]){APOSTROPHE}(?=[^\W\d_])")

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls that are not white space
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # zero-width, bidi, soft hyphen
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_SPACE: Final = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_SPACES: Final = re.compile(f"{_SPACE}+")
_UNEVEN_SPACE: Final = re.compile(f"^ | $| {_SPACE}|{_SPACE.replace(' ', '', 1)}")


def tidied(text: str, repairs: list[Repair]) -> str:
    """The text in NFC, without invisible characters, every run of white space one space; `repairs` is told what was needed."""
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    if _INVISIBLE.search(text):
        repairs.append(Repair.INVISIBLE)
        text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    if _UNEVEN_SPACE.search(text):
        repairs.append(Repair.SPACING)
        text = _SPACES.sub(" ", text).strip(" ")
    return text


def folded(text: str) -> str:
    """What phrases and placeholders are compared by: small letters, look-alikes as their Cyrillic twins, ё as е."""
    return text.translate(TWINS).lower().replace("ё", "е")


def quoted(text: str) -> bool:
    """Whether one pair of quotes stands around the whole, with none of its kind inside (an apostrophe between letters is none)."""
    if not _paired(text):
        return False
    if text[0] in SINGLE_QUOTES:
        return SINGLE_QUOTES.isdisjoint(_INNER_APOSTROPHE.sub("", text[1:-1]))
    return DOUBLE_QUOTES.isdisjoint(text[1:-1])


def quoted_again(text: str) -> bool:
    """Whether one pair of quotes stands around the whole, or two around each other: «"Иванов И.И."»."""
    return quoted(text) or (_paired(text) and quoted(text[1:-1].strip(" ")))


def _paired(text: str) -> bool:
    return len(text) > 1 and text[0] + text[-1] in QUOTE_PAIRS


def is_patronymic(word: str) -> bool:
    """Whether a word has a patronymic's ending; «Мицкевич» has one too, so it is only asked where a patronymic may stand."""
    small = _INNER_SIGN.split(word.lower())[-1]
    return small in PATRONYMICS or (len(small) >= SHORTEST_PATRONYMIC and small.endswith(PATRONYMIC_ENDINGS))


def unique(repairs: list[Repair]) -> tuple[Repair, ...]:
    """The repairs in the order of their first use, none twice."""
    return tuple(dict.fromkeys(repairs))
