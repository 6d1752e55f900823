"""In which forms do records leave the house? JSON lines, CSV and XLSX cells, CEF (audit.md, Export; ГОСТ Р 59548-2022).

JSON lines carry the stored bytes themselves, header and details joined into one object. Cells and CEF are for people and other
programs: what is in them cannot break out of its place. Must not know where the records come from or the text goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from mailer.core import evidence
from mailer.core.csvtext import harmless
from mailer.core.evidence import Sealed
from mailer.core.legible import safe_text

COLUMNS: Final = ("seq", "at", "event", "importance", "actor", "sender", "request", "outcome", "details")
CEF_SEVERITY: Final[Mapping[str, int]] = {"info": 2, "notice": 4, "warning": 7, "alarm": 9}
_PLAIN: Final = re.compile(r"[!-~А-Яа-яЁё «»№—–…]*")  # nothing in it needs escaping: most cells
_CEF_VALUE: Final = str.maketrans({"\\": "\\\\", "=": "\\="})
_CEF_HEADER: Final = str.maketrans({"\\": "\\\\", "|": "\\|"})


def json_line(sealed: Sealed) -> bytes:
    """One object and a newline: the header's members, then `details`. Both are as they were hashed, byte for byte."""
    evidence.texts(sealed)
    return sealed.header[:-1] + b',"details":' + sealed.details + b"}\n"


def cells(sealed: Sealed) -> list[str]:
    """A cell for each of `COLUMNS`, fit for CSV and XLSX: no formula to a spreadsheet, no control or direction character."""
    header = evidence.read_header(sealed)
    values = (header[name] for name in COLUMNS[:-1])
    return [*("" if value is None else cell(str(value)) for value in values), cell(evidence.texts(sealed)[1])]


def cell(text: str) -> str:
    return harmless(text if _PLAIN.fullmatch(text) else safe_text(text))


def cef_line(sealed: Sealed, *, version: str) -> bytes:
    """ArcSight Common Event Format, CEF:0; details stand in `cs2` as JSON. `rt` is in milliseconds since 1970."""
    header = evidence.read_header(sealed)
    event = header["event"].translate(_CEF_HEADER)
    severity = CEF_SEVERITY[header["importance"]]
    values: dict[str, object] = {
        "rt": int(datetime.fromisoformat(header["at"]).timestamp() * 1000),
        "externalId": header["seq"],
        "suser": header["actor"],
        "outcome": header["outcome"],
        "cs1Label": "sender",
        "cs1": header["sender"],
        "cn1Label": "request",
        "cn1": header["request"],
        "cs2Label": "details",
        "cs2": evidence.texts(sealed)[1],
    }
    told = " ".join(f"{name}={_cef(value)}" for name, value in values.items() if value is not None)
    return f"CEF:0|mailer|mailer|{version.translate(_CEF_HEADER)}|{event}|{event}|{severity}|{told}\n".encode()


def _cef(value: object) -> str:
    text = str(value)
    return (text if _PLAIN.fullmatch(text) else safe_text(text)).translate(_CEF_VALUE)
