"""What do the papers of a destruction say? An act and an extract from the log, to be signed and kept for three years.

Fields as asked by приказ Роскомнадзора от 28.10.2022 № 179: the act (п. 3) names operator and address, who works by order, whose
data, who destroyed it with post and signature, what was destroyed, in which information system, how, why and when; the extract
(п. 5) whose data, what was destroyed, in which system, why and when. They name people, as the law wants it, and so are files
outside the database, which keeps their digests alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from io import StringIO
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from mailer.errors import N_, SetupError

BLANK: Final = "______________________"
HEADINGS: Final = (
    N_("date and time"),
    N_("event"),
    N_("number of the record"),
    N_("subject or code of the organisation"),
    N_("destroyed"),
    N_("number"),
    N_("information system"),
    N_("reason"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whose data; `sender`: the code of the organisation, "" where it is not in the register."""

    name: str
    sender: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Category:
    what: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A line of the extract: one thing that was destroyed, or an earlier record that tells of it; what does not apply is ""."""

    at: datetime
    event: str
    seq: int | None
    subject: str
    what: str
    number: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Papers:
    """What both say. `at` is the time of the record that tells of the destruction."""

    operator: str
    operator_address: str
    system: str
    actor: str
    reason: str
    at: datetime
    zone: ZoneInfo
    subjects: Sequence[Subject]
    categories: Sequence[Category]
    entries: Sequence[Entry]
    mailbox: str = ""  # where letters were removed from a mail server: its name in the configuration


def act(papers: Papers, template: str, *, extract_name: str, extract_digest: str) -> str:
    """The act as text. SetupError when the office's own template does not render."""
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, keep_trailing_newline=True)
    environment.globals.clear()
    local = papers.at.astimezone(papers.zone)
    known = {
        "date": f"{local:%d.%m.%Y}",
        "at": f"{local:%d.%m.%Y %H:%M:%S %z}",
        "operator": papers.operator,
        "operator_address": papers.operator_address,
        "system": papers.system,
        "actor": papers.actor,
        "reason": papers.reason,
        "subjects": [asdict(one) for one in papers.subjects],
        "categories": [asdict(one) for one in papers.categories],
        "extract_name": extract_name,
        "extract_digest": extract_digest,
        "blank": BLANK,
        "mailbox": papers.mailbox,
    }
    try:
        return environment.from_string(template).render(known)
    except TemplateError as error:
        raise SetupError("templates/personal/act.txt does not render: {why}", why=error) from error


def extract(papers: Papers, say: Callable[[str], str]) -> str:
    """The extract as CSV for a Russian Excel: a BOM, `;`, CRLF (RFC 4180); no cell can begin a formula."""
    text = StringIO()
    table = csv.writer(text, delimiter=";", lineterminator="\r\n")
    table.writerow([say(heading) for heading in HEADINGS])
    for entry in papers.entries:
        at = f"{entry.at.astimezone(papers.zone):%d.%m.%Y %H:%M:%S %z}"
        seq = "" if entry.seq is None else str(entry.seq)
        cells = (at, entry.event, seq, entry.subject, entry.what, entry.number, papers.system, papers.reason)
        table.writerow([_harmless(cell) for cell in cells])
    return "\ufeff" + text.getvalue()


def _harmless(cell: str) -> str:
    return "'" + cell if cell.lstrip()[:1] in ("=", "+", "-", "@") and cell.strip() else cell
