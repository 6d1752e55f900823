"""For whom may an organisation ask? A list as the authority or the organisation keeps it becomes checked names, one a row.

Columns `code,person` in any order under a header row (`officetable`), CSV or XLSX; `code` is the sender's in the register. A name
is read as in a letter's subject (`names`), full or with initials: two people whose surname and initials agree are one here as
there. A bad row is named by its line, and then nothing of the file is taken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailer.core import names, officetable
from mailer.errors import SetupError
from mailer.model import Form, PersonName

COLUMNS: Final = {
    "code": ("код", "код организации"),
    "person": ("фамилия и.о.", "фамилия и. о.", "фио", "ф.и.о.", "фамилия, имя, отчество", "фамилия имя отчество", "владелец"),
}
SHOWN: Final = 100  # characters of a name that is shown in a complaint


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What a file changes in one sender's list, by name; `same` counts those that stand on it already."""

    sender_code: str
    added: tuple[PersonName, ...]
    removed: tuple[PersonName, ...]
    same: int
    is_new: bool


def read(content: bytes, codes: Collection[str]) -> tuple[dict[str, list[PersonName]], list[SetupError]]:
    """Names by code, each once, in their order, and what is wrong with each bad row. `codes` are those of the register."""
    table, problems = officetable.read(content, COLUMNS)
    found: dict[str, dict[str, PersonName]] = {}
    for line, cells in table:
        code, reading = cells["code"], names.read(cells["person"], Form())
        if code not in codes:
            problems.append(SetupError("line {line}: the register knows no sender {code}", line=line, code=code[:SHOWN] or "—"))
        if reading.person is None:
            problems.append(
                SetupError(
                    "line {line}: {name} is no name of one person such as «Фамилия И.О.»: {written}",
                    line=line,
                    name="person",
                    written=cells["person"][:SHOWN],
                )
            )
        elif code in codes:
            found.setdefault(code, {}).setdefault(reading.person.key, reading.person)
    return {code: list(people.values()) for code, people in found.items()}, officetable.in_order(problems)


def digest(code: str, entries: Mapping[int, str | None]) -> str:
    """How the record tells of a whole list, lower-case hexadecimal: a SHA-256 of the sender's code and of each person's number and
    salted digest."""
    said = [code, sorted(entries.items())]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def listing(code: str, people: Sequence[PersonName], listed: Mapping[str, PersonName] | None, *, replaces: bool) -> Listing:
    """What taking `people` in changes; `listed` is who stands on the list by key, None where there is no list yet.

    Nobody is taken off unless the file replaces the list.
    """
    named = {person.key for person in people}
    added = tuple(person for person in people if person.key not in (listed or {}))
    removed = tuple(person for key, person in (listed or {}).items() if replaces and key not in named)
    return Listing(sender_code=code, added=added, removed=removed, same=len(people) - len(added), is_new=listed is None)
