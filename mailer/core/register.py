"""What does a register file say? CSV bytes become checked rows; every bad row is named by its line, and then nothing is taken.

Columns `code,organisation,subscriber,address,answer_to` in any order under a header row. `subscriber` and `answer_to` may be empty;
a code on several rows adds addresses and points. UTF-8 with or without BOM, or windows-1251; `,` or `;` (Excel's habit here). Empty
columns at the right edge, as Excel leaves them, header row included, do not count; a row with a cell too few or too many is not
guessed at. A row is named by the line on which it begins. UTF-8 that was damaged on its way is not taken for windows-1251.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email

from mailer.core import addresses, csvtext, subscriber
from mailer.errors import SetupError
from mailer.model import Sender

COLUMNS: Final = ("code", "organisation", "subscriber", "address", "answer_to")
MAY_BE_EMPTY: Final = ("subscriber", "answer_to")
LONGEST: Final = {"code": 40, "organisation": 400, "subscriber": 400}  # characters, as the tables hold them
SHOWN: Final = 100  # characters of a cell that is shown in a complaint
LOCAL_MAX: Final = 64  # RFC 5321, 4.5.3.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the file, its addresses already in the form in which they are compared."""

    line: int
    code: str
    organisation: str
    subscriber: str
    address: str
    answer_to: str


def read(content: bytes) -> tuple[list[Row], list[SetupError]]:
    """Rows in their order, and what is wrong with each bad one."""
    text = csvtext.decoded(content)
    if text is None:
        return [], [SetupError("the file is neither UTF-8 nor windows-1251 text")]
    rows: list[Row] = []
    problems: list[SetupError] = []
    lines = _lines(text, problems)
    _line, header = next(lines, (1, []))
    names = [name.casefold() for name in _without_empty_end(header, len(header))]
    problems += _header_problems(names)
    if not problems:
        for line, cells in lines:
            if any(cells):
                _take(names, _without_empty_end(cells, len(header)), line, rows, problems)
    return rows, problems


def _lines(text: str, problems: list[SetupError]) -> Iterator[tuple[int, list[str]]]:
    """The rows, tidied: Excel leaves no-break spaces and line breaks in cells, other systems letters that are taken apart."""
    for line, cells in csvtext.rows(text, problems):
        yield line, [unicodedata.normalize("NFC", " ".join(cell.split())) for cell in cells]


def _without_empty_end(cells: Sequence[str], width: int) -> Sequence[str]:
    """The cells without those that stand, empty, under empty names; `width` is that of the header row as written."""
    if len(cells) <= width and not any(cells[len(COLUMNS) :]):
        return cells[: len(COLUMNS)]
    return cells


def conflicts(rows: Sequence[Row], registered: Sequence[Sender]) -> list[SetupError]:
    """Rows that contradict another row or the register: an address or point under two codes, a code with two organisations."""
    problems: list[SetupError] = []
    organisations: dict[str, str] = {}
    answers: dict[str, str] = {}
    holders = {address: sender.code for sender in registered for address in sender.addresses}
    keepers = {subscriber.key(point): sender.code for sender in registered for point in sender.points}
    for row in rows:
        where = {"line": row.line, "code": row.code}
        if other := _other(organisations, row.code, row.organisation):
            problems.append(
                SetupError("line {line}: the code {code} has two organisations, the other is {other}", other=other, **where)
            )
        if other := _other(holders, row.address, row.code):
            problems.append(
                SetupError(
                    "line {line}: the address {what} stands under two codes, {code} and {other}",
                    what=row.address,
                    other=other,
                    **where,
                )
            )
        if row.subscriber and (other := _other(keepers, subscriber.key(row.subscriber), row.code)):
            problems.append(
                SetupError("line {line}: this subscriber point stands under two codes, {code} and {other}", other=other, **where)
            )
        if row.answer_to and (other := _other(answers, row.code, row.answer_to)):
            problems.append(
                SetupError("line {line}: the code {code} has two answer addresses, the other is {other}", other=other, **where)
            )
    return problems


def _other(taken: dict[str, str], key: str, value: str) -> str | None:
    """Who else has this key already; else it is taken now."""
    found = taken.setdefault(key, value)
    return found if found != value else None


def senders(rows: Sequence[Row], registered: Sequence[Sender]) -> list[Sender]:
    """The rows as senders. Without `answer_to` an answer goes where it went before, else to the first address."""
    answered = {sender.code: sender.answer_to for sender in registered}
    found = []
    for code in dict.fromkeys(row.code for row in rows):
        own = [row for row in rows if row.code == code]
        explicit = next((row.answer_to for row in own if row.answer_to), "")
        found.append(
            Sender(
                code=code,
                organisation=own[0].organisation,
                answer_to=explicit or answered.get(code) or own[0].address,
                addresses=tuple(dict.fromkeys(row.address for row in own)),
                points=tuple({subscriber.key(row.subscriber): row.subscriber for row in own if row.subscriber}.values()),
            )
        )
    return found


def bare_address(written: str) -> str | None:
    """The form in which addresses are compared: lower case, ASCII domain; None when it is no bare mail address.

    The domain is read as in letters, since email-validator refuses names that only exist inside a network, such as `fond.local`.
    """
    local, _, domain = written.rpartition("@")
    host = addresses.ascii_domain(domain)
    if host is None or len(local) > LOCAL_MAX:
        return None
    try:
        validate_email(f"{local}@example.org", check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    return f"{local.lower()}@{host}"


def _header_problems(names: Sequence[str]) -> list[SetupError]:
    problems = [SetupError("line 1: the column {name} is missing", name=name) for name in COLUMNS if name not in names]
    problems += [
        SetupError("line 1: unknown column {name}; known are {known}", name=name, known=", ".join(COLUMNS))
        for name in names
        if name not in COLUMNS
    ]
    problems += [SetupError("line 1: the column {name} stands twice", name=name) for name in COLUMNS if names.count(name) > 1]
    return problems


def _take(names: Sequence[str], written: Sequence[str], line: int, rows: list[Row], problems: list[SetupError]) -> None:
    if len(written) != len(COLUMNS):
        problems.append(
            SetupError("line {line}: {count} cells instead of {wanted}", line=line, count=len(written), wanted=len(COLUMNS))
        )
        return
    cells = dict(zip(names, written, strict=True))
    bad = _faults(cells, line)
    address, answer_to = (_address(cells, name, line, bad) for name in ("address", "answer_to"))
    if bad:
        problems += bad
        return
    rows.append(
        Row(
            line=line,
            code=cells["code"],
            organisation=cells["organisation"],
            subscriber=cells["subscriber"],
            address=address,
            answer_to=answer_to,
        )
    )


def _faults(cells: Mapping[str, str], line: int) -> list[SetupError]:
    bad = [
        SetupError("line {line}: {name} is empty", line=line, name=name)
        for name in COLUMNS
        if not (cells[name] or name in MAY_BE_EMPTY)
    ]
    bad += [
        SetupError("line {line}: {name} holds a control character", line=line, name=name)
        for name in COLUMNS
        if not cells[name].isprintable()
    ]
    bad += [
        SetupError("line {line}: {name} is a formula, not text", line=line, name=name)
        for name in LONGEST
        if cells[name].startswith("=")
    ]
    bad += [
        SetupError("line {line}: {name} is longer than {limit} characters", line=line, name=name, limit=limit)
        for name, limit in LONGEST.items()
        if len(cells[name]) > limit
    ]
    return bad


def _address(cells: Mapping[str, str], name: str, line: int, bad: list[SetupError]) -> str:
    written = cells[name]
    found = bare_address(written) if written else ""
    if found is None:
        bad.append(
            SetupError("line {line}: {name} is not a mail address: {written}", line=line, name=name, written=written[:SHOWN])
        )
    return found or ""
