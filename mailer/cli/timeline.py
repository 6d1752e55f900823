"""How does one record look among others of the same letter or request? On one line, or where that is too long, on several."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailer.cli.show import WIDEST, brief, local, safe_text, say, say_long

if TYPE_CHECKING:
    from mailer.flow.report.records import Entry


def show_entry(entry: Entry, zone: ZoneInfo) -> None:
    """When, what, and the details."""
    at, details = local(entry.at, zone), safe_text(brief(entry.details))
    line = f"  {at}  {entry.event:<22} {details}".rstrip()
    if len(line) <= WIDEST:
        say(line)
    else:
        say(f"  {at}  {entry.event}")
        say_long(details, indent="      ", then="      ")
