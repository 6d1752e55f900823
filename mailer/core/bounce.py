"""What does a bounce say: of whom, and of which letter of ours? For letters that were judged to be a bounce; nothing raises.

What is read is what is said, and anybody can say it. Whether there is such a reply, and whether the recipient named is the one it
went to, the caller asks the database; only then does a bounce change anything (reliability.md, Replies and loops).

    of whom      message/delivery-status (RFC 3464, RFC 6533); without it the text and X-Failed-Recipients (`core.bouncetext`)
    of which     the reply's id in the address that the bounce was sent to, and in the loop mark of the returned letter;
                 the Message-ID of the returned letter, or, if nothing was returned, the ids that the bounce itself answers

A letter without any of these is no report, and a read receipt (RFC 8098) is none either. Limits: those of `core.parts`,
`core.deliverystatus` and `core.bouncetext`; besides 50 address headers of 4,000 bytes, 10 reply ids and 10 message ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import Final

from mailer.core import addresses, bouncetext, deliverystatus, mime, parts
from mailer.core.bouncetext import TextReport
from mailer.core.deliverystatus import RECIPIENTS_MAX, Recipient
from mailer.core.parts import Part
from mailer.model import LOOP_HEADER

_IDS_MAX: Final = 10
_HEADERS_MAX: Final = 50
_VALUE_MAX: Final = 4_000  # bytes of a header in which addresses or ids are looked for
TEXTS_MAX: Final = 2

_SENT_TO: Final = ("to", "delivered-to", "x-original-to", "envelope-to")
TEXT: Final = frozenset({"text/plain"})
STATUS: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
RETURNED: Final = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"})
_REPLY_ID: Final = re.compile(rb"[0-9a-f]{32}", re.IGNORECASE)
_MESSAGE_ID: Final = re.compile(rb"<[!-;=?A-~]{1,250}@[!-;=?A-~]{1,250}>")
_WITHIN: Final = rb"[!#-'*+\-./0-9=?A-Z^-~]"  # what an address may go on with, before or behind


class NoReport(StrEnum):
    """Why a letter that looked like a bounce reports nothing."""

    READ_RECEIPT = "read-receipt"
    NOTHING_SAID = "nothing-said"  # neither a recipient nor a letter of ours can be made out


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounce:
    """`reply_ids` (32 hexadecimal digits) count first, then `message_ids` (`<...@...>`); both in the order of what they are worth.

    `recipients` may be empty: then something came back, and nobody says why. Either kind of id may be missing, too.
    """

    recipients: tuple[Recipient, ...]
    reply_ids: tuple[str, ...]
    message_ids: tuple[str, ...]


def read(content: bytes, *, bounce_address: str | None) -> Bounce | NoReport:
    """Read the bytes of a bounce. `bounce_address` is the envelope sender of our replies, with `{id}` where a reply's id stands."""
    letter = parts.whole(content)
    kind = letter.content_type.report
    if kind not in {None, "", "delivery-status"}:
        return NoReport.READ_RECEIPT if kind == "disposition-notification" else NoReport.NOTHING_SAID
    leaves = list(parts.leaves(letter))
    texts = [bouncetext.read(leaf.content) for leaf in islice(_of(leaves, TEXT), TEXTS_MAX)]
    returned = [
        mime.headers(part.lstrip())
        for part in (*(leaf.content for leaf in _of(leaves, RETURNED)), *(text.returned for text in texts))
    ]
    marks = filter(_REPLY_ID.fullmatch, _values(returned, (LOOP_HEADER.lower(),)))
    said = Bounce(
        recipients=_recipients(letter, leaves, texts),
        reply_ids=_first(found.lower() for found in chain(_addressed(letter, bounce_address), marks)),
        message_ids=_first(_message_ids(returned, ("message-id",)))
        or _first(_message_ids([letter.headers], ("in-reply-to", "references"))),
    )
    return said if said.recipients or said.reply_ids or said.message_ids else NoReport.NOTHING_SAID


def _recipients(letter: Part, leaves: list[Part], texts: list[TextReport]) -> tuple[Recipient, ...]:
    """What a machine wrote for machines counts, and what it wrote for people only where there is nothing else."""
    statuses = chain.from_iterable(deliverystatus.recipients(leaf.content) for leaf in _of(leaves, STATUS))
    if reported := tuple(dict.fromkeys(islice(statuses, RECIPIENTS_MAX))):
        return reported
    telling = next((text for text in texts if text.outcome is not None), TextReport(outcome=None, reasons={}, returned=b""))
    return telling.recipients(_named_failed(letter))


def _named_failed(letter: Part) -> Iterator[str]:
    """Exim and Gmail name in a header whom they gave up, or at Gmail who is late: the text decides that."""
    written = (name for value in _values([letter.headers], ("x-failed-recipients",)) for name in value.split(b","))
    read_names = (addresses.only(name) for name in islice(written, RECIPIENTS_MAX))
    return (mailbox.address for mailbox in read_names if mailbox is not None)


def _addressed(letter: Part, bounce_address: str | None) -> Iterator[bytes]:
    if bounce_address is None or "{id}" not in bounce_address:
        return iter(())
    before, *behind = (re.escape(piece.encode("utf-8", "replace")) for piece in bounce_address.split("{id}"))
    address = before + rb"([0-9a-f]{32})" + rb"\1".join(behind)
    ours = re.compile(rb"(?<!" + _WITHIN + rb")" + address + rb"(?!" + _WITHIN + rb")", re.IGNORECASE)
    return (found[1] for value in _values([letter.headers], _SENT_TO) for found in ours.finditer(value))


def _message_ids(blocks: Iterable[Mapping[str, list[bytes]]], names: tuple[str, ...]) -> Iterator[bytes]:
    return (found for value in _values(blocks, names) for found in _MESSAGE_ID.findall(value))


def _of(leaves: list[Part], types: frozenset[str]) -> Iterator[Part]:
    return (leaf for leaf in leaves if leaf.content_type.name in types)


def _values(blocks: Iterable[Mapping[str, list[bytes]]], names: tuple[str, ...]) -> Iterator[bytes]:
    values = (value for block in blocks for name in names for value in block.get(name, []))
    return (value[:_VALUE_MAX] for value in islice(values, _HEADERS_MAX))


def _first(found: Iterable[bytes]) -> tuple[str, ...]:
    """Each id once, as text."""
    return tuple(dict.fromkeys(one.decode("ascii") for one in islice(found, _IDS_MAX)))
