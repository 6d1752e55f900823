"""What does a register file say? Its bytes become checked rows; every bad row is named by its line, and then nothing is taken.

Columns `code,organisation,subscriber,address,answer_to` in any order under a header row (`officetable`), CSV or XLSX. `subscriber`
and `answer_to` may be empty; a code on several rows adds addresses and points. CSV: UTF-8 with or without BOM, or windows-1251; `,`
or `;` (Excel's habit here). UTF-8 that was damaged on its way is not taken for windows-1251.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email

from mailer.core import addresses, officetable, subscriber
from mailer.errors import SetupError
from mailer.model import Sender

COLUMNS: Final = {  # each with the names under which an office keeps it
    "code": ("код",),
    "organisation": ("организация", "наименование организации", "наименование"),
    "subscriber": ("абонентский пункт", "абонент"),
    "address": ("адрес", "адрес электронной почты"),
    "answer_to": ("адрес для ответа", "адрес для ответов"),
}
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
    table, problems = officetable.read(content, COLUMNS)
    rows: list[Row] = []
    for line, cells in table:
        _take(cells, line, rows, problems)
    return rows, officetable.in_order(problems)


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


def text_fault(name: str, written: str) -> SetupError | None:
    """Why a person's own text cannot stand in this column, by the same rules as a file's."""
    cells = dict.fromkeys(COLUMNS, "-") | {name: written}
    if not _faults(cells, 0):
        return None
    return SetupError(
        "{name} cannot be «{written}»: it is empty, begins with =, holds what cannot be seen, or is longer than {limit} characters",
        name=name,
        written=written[:SHOWN],
        limit=LONGEST[name],
    )


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


def _take(cells: Mapping[str, str], line: int, rows: list[Row], problems: list[SetupError]) -> None:
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
        SetupError("line {line}: {name} holds a character that cannot be seen", line=line, name=name)
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
