"""What does a file of ready pairs say? Its bytes become checked pairs; bad rows are named by line, and then nothing is taken.

Columns `login,password` and, where the authority tells it, the pair's end, in any order under a header row. Login and password are
the authority's own: opaque strings, taken exactly as they stand. No complaint quotes either of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mailer.core import csvtext
from mailer.core.secret import Secret
from mailer.errors import N_, SetupError

LONGEST: Final = 128  # characters of a login or a password
EXPIRES: Final = "expires"
_DAYS: Final = ("%d.%m.%Y", "%Y-%m-%d")
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)  # long over: no such pair is taken
# Where an end that means "none", as 31.12.9999, is moved: it stays a moment in UTC.
_LAST: Final = datetime(9000, 12, 31, tzinfo=UTC)
_MOMENTS: Final = tuple(f"{day}{parting}{clock}" for day in _DAYS for parting in (" ", "T") for clock in ("%H:%M", "%H:%M:%S"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One line of the file. `expires_at` is the pair's last instant, UTC; None where the file does not tell it."""

    line: int
    login: str
    password: Secret
    expires_at: datetime | None


def read(content: bytes, *, expires_column: str, zone: ZoneInfo, not_before: datetime) -> tuple[list[Pair], list[SetupError]]:
    """Pairs in their order, and what is wrong with each bad row. A pair that ends before `not_before` is of no use to anybody."""
    text = csvtext.decoded(content)
    if text is None:
        return [], [SetupError("the file is neither UTF-8 nor windows-1251 text")]
    problems: list[SetupError] = []
    pairs: list[Pair] = []
    lines = csvtext.rows(text, problems)
    _line, header = next(lines, (1, []))
    names = [name.strip().casefold() for name in header]
    problems += _header_problems(names, expires_column.casefold())
    if problems:
        return [], problems
    for line, cells in lines:
        if any(cells):
            found = _pair(dict(zip(names, cells, strict=False)), line, len(cells) - len(names), expires_column.casefold(), zone)
            problems += found if isinstance(found, list) else []
            if isinstance(found, Pair):
                pairs.append(found)
    problems += [
        SetupError("line {line}: the pair ends too soon to be handed out", line=pair.line)
        for pair in pairs
        if pair.expires_at is not None and pair.expires_at < not_before
    ]
    return pairs, problems


def conflicts(pairs: Sequence[Pair], mark: Callable[[str], str], used: Callable[[Sequence[str]], set[str]]) -> list[SetupError]:
    """Logins that stand twice in the file, or that were used before: in the pool, by us, or before a backup was restored."""
    problems = []
    lines: dict[str, int] = {}
    marks = {pair.line: mark(pair.login) for pair in pairs}
    taken = used(list(marks.values()))
    for pair in pairs:
        first = lines.setdefault(marks[pair.line], pair.line)
        if first != pair.line:
            problems.append(SetupError("line {line}: the login stands in line {first} already", line=pair.line, first=first))
        elif marks[pair.line] in taken:
            problems.append(SetupError("line {line}: the login was imported or used before", line=pair.line))
    return problems


def _header_problems(names: Sequence[str], expires: str) -> list[SetupError]:
    known = ("login", "password", expires)
    problems = [SetupError("line 1: the column {name} is missing", name=name) for name in known[:2] if name not in names]
    if expires != EXPIRES and expires not in names:
        problems.append(SetupError("line 1: the column {name} is missing", name=expires))
    problems += [
        SetupError("line 1: unknown column {name}; known are {known}", name=f"№ {place}", known=", ".join(known))
        for place, name in enumerate(names, 1)
        if name not in known
    ]
    problems += [SetupError("line 1: the column {name} stands twice", name=name) for name in known if names.count(name) > 1]
    return problems


def _pair(cells: Mapping[str, str], line: int, surplus: int, expires: str, zone: ZoneInfo) -> Pair | list[SetupError]:
    if surplus:
        wanted = len(cells) if surplus > 0 else len(cells) - surplus
        return [SetupError("line {line}: {count} cells instead of {wanted}", line=line, count=wanted + surplus, wanted=wanted)]
    bad = [
        SetupError(complaint, line=line, name=name, limit=LONGEST)
        for name in ("login", "password")
        for complaint in [_fault(cells[name])]
        if complaint is not None
    ]
    written = cells.get(expires, "").strip()
    expires_at = _moment(written, zone) if written else None
    if written and expires_at is None:
        bad.append(SetupError("line {line}: {name} is no date such as 31.12.2026", line=line, name=expires))
    if bad:
        return bad
    return Pair(line=line, login=cells["login"], password=Secret(cells["password"]), expires_at=expires_at)


def _fault(written: str) -> str | None:
    """Why a letter could not carry this unchanged and readable."""
    if not written:
        return N_("line {line}: {name} is empty")
    if len(written) > LONGEST:
        return N_("line {line}: {name} is longer than {limit} characters")
    if not written.isprintable():  # controls, format and bidi characters, every space but U+0020, unassigned ones
        return N_("line {line}: {name} holds a character that cannot be seen")
    if written != written.strip():
        return N_("line {line}: {name} begins or ends with a space")
    return None


def _moment(written: str, zone: ZoneInfo) -> datetime | None:
    """A day means its last second in the fund's zone."""
    for form in (*_DAYS, *_MOMENTS):
        try:
            read = datetime.strptime(written, form).replace(tzinfo=zone)
        except ValueError:
            continue
        read = min(max(read, _FIRST.replace(tzinfo=zone)), _LAST.replace(tzinfo=zone))
        if form in _DAYS:
            midnight = datetime.combine(read.date() + timedelta(days=1), time(), zone)
            return midnight.astimezone(UTC) - timedelta(seconds=1)
        return read.astimezone(UTC)
    return None
