"""What do the headers of a letter say? Any bytes become a Letter, or None where no header could be made out; nothing raises.

Headers are scanned here and not by `email.parser`, which fails or stalls on hostile mail (letters.md, section 1). The tree of MIME
parts is never walked, a body never decoded, and nothing that is read is believed. All costs are linear, and bounded:

    header block     256 KiB and 1,000 headers; a letter with more has no sender, and its subject counts as cut
    subject          64 KiB as written, 4,000 characters decoded
    From             4,000 bytes; ids 900 characters and 200 in all; 50 headers of the way the letter took, 2,000 characters each

A line ends with LF or CRLF; only where the very first line ends with a lone CR, and no LF stands among the headers, does CR end
them all. What is neither a header nor its continuation is passed over, as mail servers do. Without an empty line all of the bytes
are headers. A From that another program might find behind a lone CR or a NUL leaves the letter without a sender.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from mailer.core import addresses, contenttype, encodedwords
from mailer.core.addresses import Mailbox
from mailer.core.encodedwords import Decoded
from mailer.model import LOOP_HEADER, Answerable, Form, Letter

BLOCK_MAX: Final = 256 * 1024
HEADERS_MAX: Final = 1_000
SUBJECT_MAX: Final = 4_000
SUBJECT_BYTES_MAX: Final = 64 * 1024
ANSWERS_MAX: Final = 200
MESSAGE_IDS_MAX: Final = 10
DELIVERY_STATUS: Final = "delivery-status"
TRACE_MAX: Final = 50
TRACE_VALUE_MAX: Final = 2_000

_BOM: Final = b"\xef\xbb\xbf"
_MBOX: Final = re.compile(rb">?From [ \t]*[^ \t:\r\n][^\r\n]*(?:\r*\n)?")
_LONE_CR_FIRST: Final = re.compile(rb"[^\r\n]*+\r(?!\r*+\n)")
_HIDDEN_FROM: Final = re.compile(rb"[\r\x00\x0b\x0c][ \t]*from[ \t\r\x00]*:", re.IGNORECASE)
_EMPTY_FIRST: Final = re.compile(rb"\r*+\n")
_EMPTY_LINE: Final = re.compile(rb"\n\r*+\n")
FIELD: Final = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_ID: Final = re.compile(r"<[!-;=?-~]{3,898}>")
_THREAD: Final = frozenset({b"message-id", b"in-reply-to", b"references"})
_SUBJECTS_MAX: Final = 10  # different ones
_DAEMON_MAX: Final = 300  # bytes of a From that may name a mail server's daemon
_SHORT: Final = 100  # characters of a date or a mark

_TRACE: Final = {
    *("received", "return-path", "delivered-to", "x-original-to", "envelope-to", "x-received", "x-delivered-to"),
    *("authentication-results", "received-spf", "dkim-filter", "x-sieve"),
    *("status", "x-status", "x-uid", "x-uidl", "x-keywords", "content-length", "lines"),
}
_TRACE_FAMILIES: Final = ("arc-", "x-spam", "x-virus", "x-envelope-", "x-rspamd", "x-mozilla-", "x-kse-", "x-klms-", "x-drweb-")
"""What servers, filters and mailboxes write on a letter on its way and after: no part of what makes it the same letter."""

_BULK: Final = frozenset({"bulk", "list", "junk"})
_SUPPRESSED: Final = frozenset({"all", "autoreply", "oof"})
_COMMENT: Final = re.compile(r"\([^()]*+\)")
_BETWEEN_WORDS: Final = re.compile(r'[\s,;"]+')
_NULL_PATH: Final = re.compile(rb"<[ \t]*>(?:[ \t]*\([^()]*+\))?")
_DAEMON: Final = re.compile(rb"(?:[^<>@]*<)?\s*(?:mailer-daemon|postmaster)(?:@[^\s<>@]*)?\s*>?(?:\s*\([^()]*\))?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """The headers in order, names lower-cased, values unfolded and trimmed; `cut` when there were more than are looked at.

    `two_ways` when lines can be told apart in another way, by which there would be another From.
    """

    headers: list[tuple[str, bytes]]
    by_name: dict[str, list[bytes]]
    cut: bool
    two_ways: bool

    def values(self, name: str) -> list[bytes]:
        return self.by_name.get(name, [])

    def texts(self, name: str) -> list[str]:
        return [value.decode("ascii", "replace") for value in self.by_name.get(name, [])]


def read(content: bytes, *, whole: bool = True, size_bytes: int | None = None, phrase: str = Form().phrase) -> Letter | None:
    """Read a letter, or only its header block (`whole=False`; `size_bytes` is then the server's word on the whole).

    `phrase` tells in which charset a raw subject makes sense, and which of several subjects is meant.
    """
    block = _scan(content)
    if not block.headers:
        return None
    subject, count, subject_cut = _subject(block, phrase)
    mailbox = _mailbox(block)
    return Letter(
        subject=subject.text,
        subject_repairs=subject.repairs,
        subject_undecodable=subject.undecodable,
        subject_count=count,
        subject_cut=subject_cut or block.cut,
        sender=None if mailbox is None else mailbox.address,
        display_name="" if mailbox is None else shown(encodedwords.decode(mailbox.name, phrase).text),
        message_ids=_message_ids(block),
        answers=_answers(block),
        null_return_path=any(_NULL_PATH.fullmatch(path) for path in block.values("return-path")[:1]),
        machine_mark=next(_machine_marks(block), None),
        delivery_report=DELIVERY_STATUS in _reports(block),
        daemon=len(block.values("from")) == 1 and _DAEMON.fullmatch(block.values("from")[0][:_DAEMON_MAX]) is not None,
        loop_mark=LOOP_HEADER.lower() in block.by_name,
        authentication=tuple(islice(_way(block), TRACE_MAX)),
        size_bytes=len(content) if whole or size_bytes is None else size_bytes,
        digest=hashlib.sha256(content).hexdigest(),
        fingerprint=_fingerprint(block),
    )


def answerable(content: bytes) -> Answerable | None:
    """What `read` finds of it, for a letter that was judged already and is only to be answered."""
    fields = _fields(_header_lines(content)[0])[:HEADERS_MAX]
    block = _block([(name, value) for name, value in fields if name.lower() in _THREAD])
    return Answerable(message_ids=_message_ids(block), answers=_answers(block)) if fields else None


def headers(content: bytes) -> Mapping[str, list[bytes]]:
    """The headers alone, of a letter or of a part of one: names lower-cased, values in order, unfolded and trimmed, not decoded."""
    return _scan(content).by_name


def _scan(content: bytes) -> _Block:
    lines, ended = _header_lines(content)
    fields = _fields(lines)
    too_long = not ended and len(content) > BLOCK_MAX
    return _block(fields[:HEADERS_MAX], cut=too_long or len(fields) > HEADERS_MAX, two_ways=_HIDDEN_FROM.search(lines) is not None)


def _fields(lines: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values as they are written, at most one more than are looked at."""
    return [(match[1], match[2]) for match in islice(FIELD.finditer(lines), HEADERS_MAX + 1)]


def _block(fields: Sequence[tuple[bytes, bytes]], *, cut: bool = False, two_ways: bool = False) -> _Block:
    headers = [(name.lower().decode("ascii"), _unfolded(value)) for name, value in fields]
    by_name: dict[str, list[bytes]] = {}
    for name, value in headers:
        by_name.setdefault(name, []).append(value)
    return _Block(headers=headers, by_name=by_name, cut=cut, two_ways=two_ways)


def _header_lines(content: bytes) -> tuple[bytes, bool]:
    """All before the empty line, each line ended by LF; and whether there was an empty line."""
    block = content[:BLOCK_MAX].removeprefix(_BOM)
    if _LONE_CR_FIRST.match(block) and b"\n" not in block.partition(b"\r\r")[0]:
        block = block.replace(b"\n", b" ").replace(b"\r", b"\n")
    if mbox := _MBOX.match(block):
        block = block[mbox.end() :]
    if _EMPTY_FIRST.match(block):
        return b"", True
    empty = _EMPTY_LINE.search(block)
    lines = block if empty is None else block[: empty.start()]
    return lines.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n"), empty is not None


def _unfolded(value: bytes) -> bytes:
    """RFC 5322, 2.2.3: only the line end goes, the white space behind it stays."""
    return value.replace(b"\n", b"").strip(b" \t\r")


def _subject(block: _Block, phrase: str) -> tuple[Decoded, int, bool]:
    """The subject, or that of several which is most like a request; how many different ones there are; whether any was cut."""
    written = list(dict.fromkeys(block.values("subject")))
    cut = len(written) > _SUBJECTS_MAX or any(len(raw) > SUBJECT_BYTES_MAX for raw in written)
    decoded = [encodedwords.decode(raw[:SUBJECT_BYTES_MAX], phrase) for raw in written[:_SUBJECTS_MAX]]
    cut = cut or any(len(one.text) > SUBJECT_MAX for one in decoded)
    if len(decoded) == 1 and not cut:
        return decoded[0], 1, False
    best = max(decoded, key=lambda one: encodedwords.likeness(one.text, phrase), default=Decoded(text=""))
    different = {" ".join(one.text.split()) for one in decoded}  # a copy may be folded elsewhere
    return replace(best, text=best.text[:SUBJECT_MAX]), len(different), cut


def _mailbox(block: _Block) -> Mailbox | None:
    """Of a cut block nobody can say whether there is a second From, nor of one whose lines can be told apart in two ways."""
    written = block.values("from")
    return addresses.only(written[0]) if len(written) == 1 and not (block.cut or block.two_ways) else None


def _message_ids(block: _Block) -> tuple[str, ...]:
    return tuple(islice(_ids(block.texts("message-id")), MESSAGE_IDS_MAX))


def _answers(block: _Block) -> tuple[str, ...]:
    return tuple(dict.fromkeys(islice(_ids(block.texts("in-reply-to") + block.texts("references")), ANSWERS_MAX)))


def _ids(texts: list[str]) -> Iterator[str]:
    """What has the strict form of a message id; anything else may not stand in a header of ours."""
    return (found for text in texts for found in _ID.findall(text) if "@" in found[2:-2])


def _machine_marks(block: _Block) -> Iterator[str]:
    """letters.md, section 2, machine-mail: RFC 3834 and the older customs; and reports of another kind, as read receipts."""
    for text in block.texts("auto-submitted"):
        if _COMMENT.sub("", text).partition(";")[0].strip().lower() != "no":
            yield _mark("Auto-Submitted", text)
    for text in block.texts("precedence"):
        if not _BULK.isdisjoint(_words(text)):
            yield _mark("Precedence", text)
    for text in block.texts("list-id"):
        yield _mark("List-Id", text)
    for text in block.texts("x-auto-response-suppress"):
        if not _SUPPRESSED.isdisjoint(_words(text)):
            yield _mark("X-Auto-Response-Suppress", text)
    for kind in _reports(block):
        if kind not in {"", DELIVERY_STATUS}:
            yield _mark("Content-Type", f"multipart/report; report-type={kind}")


def _words(text: str) -> list[str]:
    return _BETWEEN_WORDS.split(_COMMENT.sub(" ", text).lower())


def _reports(block: _Block) -> list[str]:
    """What the letter reports, by its Content-Type (RFC 6522); usually nothing."""
    found = (contenttype.read(value).report for value in block.values("content-type"))
    return [kind for kind in found if kind is not None]


def _mark(name: str, text: str) -> str:
    return f"{name}: {shown(text)}"[:_SHORT]


def _way(block: _Block) -> Iterator[tuple[str, str]]:
    """Where the letter came along and who vouches for it; `core.trust` judges it and must see that a value was cut."""
    for name, value in block.headers:
        if name in {"received", "authentication-results"}:
            yield name, value[:TRACE_VALUE_MAX].decode("ascii", "replace")


def _fingerprint(block: _Block) -> str:
    lines = [f"{name}:".encode() + value + b"\n" for name, value in block.headers if not _is_trace(name)]
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _is_trace(name: str) -> bool:
    return name in _TRACE or name.startswith(_TRACE_FAMILIES)


def shown(text: str) -> str:
    """One line without control characters, as a name or a value may be shown and stored."""
    line = " ".join(text[:SUBJECT_MAX].split())
    return line if line.isprintable() else "".join(character for character in line if character.isprintable())
