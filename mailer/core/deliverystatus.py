"""What does a delivery status say of each recipient? message/delivery-status (RFC 3464) and its international form (RFC 6533).

What is said is given on, not believed: whether a recipient is one of ours, and whether a report is forged, the caller finds out.
At most 200 blocks are looked at and 100 recipients given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from mailer.core import addresses, encodedwords, mime

RECIPIENTS_MAX: Final = 100
DIAGNOSTIC_MAX: Final = 500  # characters

_BLOCKS_MAX: Final = 200
_VALUE_MAX: Final = 4_000  # bytes of a field
_BETWEEN: Final = re.compile(rb"\n(?:[ \t]*+\n)++")
_COMMENT: Final = re.compile(rb"\([^()]*+\)")
_STATUS: Final = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
_TYPED: Final = re.compile(rb"\s*+(?:(rfc822|utf-8)\s*+;)?\s*+([^;]*+)", re.IGNORECASE | re.DOTALL)
_EMBEDDED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


class Outcome(StrEnum):
    """What became of the letter for one recipient (RFC 3464, 2.3.3). Only `failed` says that it will never arrive."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"  # given to a system that reports no more
    EXPANDED = "expanded"  # given to each of a list


_BY_ACTION: Final = {outcome.value: outcome for outcome in Outcome}
_BY_CLASS: Final = {"2": Outcome.DELIVERED, "4": Outcome.DELAYED, "5": Outcome.FAILED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipient:
    """One recipient of a report. Addresses have the form in which addresses are compared, None where they have no such form.

    `final` is whom the reporting server tried, `original` whom the sender had named, as far as it knew. `status` is a code of
    RFC 3463. `diagnostic` is one line of at most 500 characters that strangers wrote: it is shown only through `safe_text`.
    """

    outcome: Outcome
    final: str | None
    original: str | None = None
    status: str | None = None
    diagnostic: str = ""


def recipients(content: bytes) -> Iterator[Recipient]:
    """The recipients of one delivery status, lines ended by LF."""
    read = (_recipient(mime.headers(block)) for block in islice(_blocks(content.lstrip()), _BLOCKS_MAX))
    return islice((recipient for recipient in read if recipient is not None), RECIPIENTS_MAX)


def status_in(text: str) -> str | None:
    """The first code of RFC 3463 in a text; parts of longer dotted numbers are none."""
    found = _STATUS.search(text)
    return found[0] if found else None


def diagnostic(raw: bytes) -> str:
    """One line without control characters, cut."""
    return mime.shown(encodedwords.decode(raw[:_VALUE_MAX], "").text)[:DIAGNOSTIC_MAX]


def _blocks(content: bytes) -> Iterator[bytes]:
    begin = 0
    for between in _BETWEEN.finditer(content):
        yield content[begin : between.start() + 1]
        begin = between.end()
    yield content[begin:]


def _recipient(fields: Mapping[str, list[bytes]]) -> Recipient | None:
    """A block that names nobody is about the whole letter; one that says no outcome says nothing."""
    if "final-recipient" not in fields and "original-recipient" not in fields:
        return None
    status = status_in(_plain(fields, "status"))
    outcome = _outcome(_plain(fields, "action"), status)
    if outcome is None:
        return None
    return Recipient(
        outcome=outcome,
        final=_address(_value(fields, "final-recipient")),
        original=_address(_value(fields, "original-recipient")),
        status=status,
        diagnostic=diagnostic(_value(fields, "diagnostic-code")),
    )


def _outcome(action: str, status: str | None) -> Outcome | None:
    """The action decides; the class of the status only where there is no action, and then 4.x.x is no failure."""
    if action:
        return _BY_ACTION.get(action)
    return _BY_CLASS[status[0]] if status else None


def _value(fields: Mapping[str, list[bytes]], name: str) -> bytes:
    return next(iter(fields.get(name, [])), b"")[:_VALUE_MAX]


def _plain(fields: Mapping[str, list[bytes]], name: str) -> str:
    return _COMMENT.sub(b"", _value(fields, name)).decode("ascii", "replace").strip().lower()


def _address(field: bytes) -> str | None:
    """`rfc822; a@x.ru`, `utf-8; a@\\x{43F}.ru` or the address alone; of other types nobody knows what they name."""
    typed = _TYPED.fullmatch(field)
    if typed is None:
        return None
    kind, written = typed.groups()
    if kind and kind.lower() == b"utf-8":
        written = _EMBEDDED.sub(_embedded, written.decode("utf-8", "replace")).encode("utf-8", "replace")
    mailbox = addresses.only(written)
    return None if mailbox is None else mailbox.address


def _embedded(escaped: re.Match[str]) -> str:
    """RFC 6533, 3: a character as its number."""
    number = int(escaped[1], 16)
    return chr(number) if number <= 0x10FFFF else encodedwords.UNREADABLE
