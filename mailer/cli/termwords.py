"""How is the rule that made a term said to a reader? In his language; records and JSON keep it as `core/terms.py` wrote it."""

from __future__ import annotations

import re
from datetime import date
from gettext import gettext as _
from gettext import ngettext
from typing import Final

RULE: Final = re.compile(
    r"(?:(?P<months>\d+) calendar months(?: capped at (?P<days>\d+) days)?"
    r"|extended by (?P<more>\d+) calendar months from (?P<since>\d{4}-\d\d-\d\d)"
    r"|extended to (?P<day>\d{4}-\d\d-\d\d)), (?P<zone>[^,]+)(?P<pair>, the pair ends earlier)?"
)


def term_words(rule: str) -> str:
    """The rule in words; one that this program did not write as it stands."""
    found = RULE.fullmatch(rule)
    if found is None:
        return rule
    if found["day"]:
        said = _("extended to {day}").format(day=_day(found["day"]))
    elif found["more"]:
        said = _("extended from {day} by {months}").format(day=_day(found["since"]), months=_months(found["more"]))
    elif found["days"]:
        said = _("{months}, at most {days} days").format(months=_months(found["months"]), days=found["days"])
    else:
        said = _months(found["months"])
    pair = ", " + _("the pair ends earlier") if found["pair"] else ""
    return f"{said}, {found['zone']}{pair}"


def _months(written: str) -> str:
    count = int(written)
    return ngettext("{count} calendar month", "{count} calendar months", count).format(count=count)


def _day(written: str) -> str:
    return f"{date.fromisoformat(written):%d.%m.%Y}"
