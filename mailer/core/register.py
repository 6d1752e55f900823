"""What does a register file say? CSV bytes become checked rows; every bad row is named by its line, and then nothing is taken.

Columns `code,organisation,subscriber,address,answer_to` in any order under a header row. `subscriber` and `answer_to` may be empty;
a code on several rows adds addresses and points. UTF-8 with or without BOM, or windows-1251; `,` or `;` (Excel's habit here).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final

from email_validator import EmailNotValidError, validate_email

from mailer.core import addresses, subscriber
from mailer.errors import SetupError
from mailer.model import Sender

COLUMNS: Final = ("code", "organisation", "subscriber", "address", "answer_to")
MAY_BE_EMPTY: Final = ("subscriber", "answer_to")
CODE_MAX: Final = 40
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
    text = _decoded(content)
    if text is None:
        return [], [SetupError("the file is neither UTF-8 nor windows-1251 text")]
    first_line = text.split("\n", 1)[0]
    table = csv.reader(
        StringIO(text, newline=""), delimiter=";" if first_line.count(";") > first_line.count(",") else ",", strict=True
    )
    rows: list[Row] = []
    problems: list[SetupError] = []
    try:
        names = [name.strip().casefold() for name in next(table, [])]
        problems += _header_problems(names)
        for line in [] if problems else table:
            cells = [" ".join(cell.split()) for cell in line]  # Excel leaves no-break spaces and line breaks in cells
            if any(cells):
                _take(dict(zip(names, cells, strict=False)), len(cells), table.line_num, rows, problems)
    except csv.Error as error:
        problems.append(SetupError("line {line}: {why}", line=table.line_num, why=error))
    return rows, problems


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


def _decoded(content: bytes) -> str | None:
    for charset in ("utf-8-sig", "windows-1251"):
        try:
            text = content.decode(charset)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def _header_problems(names: Sequence[str]) -> list[SetupError]:
    problems = [SetupError("line 1: the column {name} is missing", name=name) for name in COLUMNS if name not in names]
    problems += [
        SetupError("line 1: unknown column {name}; known are {known}", name=name, known=", ".join(COLUMNS))
        for name in names
        if name not in COLUMNS
    ]
    problems += [SetupError("line 1: the column {name} stands twice", name=name) for name in COLUMNS if names.count(name) > 1]
    return problems


def _take(cells: Mapping[str, str], count: int, line: int, rows: list[Row], problems: list[SetupError]) -> None:
    if count != len(COLUMNS):
        problems.append(SetupError("line {line}: {count} cells instead of {wanted}", line=line, count=count, wanted=len(COLUMNS)))
        return
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
    if len(cells["code"]) > CODE_MAX:
        bad.append(SetupError("line {line}: the code is longer than {limit} characters", line=line, limit=CODE_MAX))
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


def _address(cells: Mapping[str, str], name: str, line: int, bad: list[SetupError]) -> str:
    written = cells[name]
    found = bare_address(written) if written else ""
    if found is None:
        bad.append(SetupError("line {line}: {name} is not a mail address: {written}", line=line, name=name, written=written))
    return found or ""
