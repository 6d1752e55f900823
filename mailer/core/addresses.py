"""Which one address does a From header name? One, beyond doubt, or none.

Two programs that read one header differently are how senders are forged, so the grammar here is narrower than RFC 5322, 3.4:

    a@x.ru                        a@x.ru (Иванов)
    Иванов И.И. <a@x.ru>          "Иванов, Иван" <a@x.ru>          =?utf-8?B?...?= <a@x.ru>

Several addresses, groups, routes, an empty `<>`, nested comments or such that hold `<`, `>`, `@`, an unquoted `@` before the
angle bracket (`a@x.ru <z@z>`), quoted or non-ASCII local parts and domain literals are all no address. So is a header with control
characters: a program in C stops reading at NUL, others take a lone CR for the end of a line. Nothing is decoded here: what encoded
words hold is never an address. Local parts are compared without case, as the register does; a look-alike domain is another domain.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_HEADER_MAX: Final = 4_000  # bytes of a From header; what would be cut is not read
_LOCAL_MAX: Final = 64  # RFC 5321, 4.5.3.1
_DOMAIN_MAX: Final = 253

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_COMMENT: Final = rb'\([^()<>@,;:"\\]*\)'
_SPACE: Final = rb"[ \t]"
_SPEC: Final = rb'(?P<spec>[^\s()<>,;:"\\\[\]@]+@[^\s()<>,;:"\\\[\]@]+)'
_NAME: Final = (
    rb'(?P<name>(?:"(?:[^"\\]|\\.)*+"'  # quoted: may hold anything, and is never an address
    rb"|=\?[^?\s]++\?[bBqQ]\?[^?<>@()\"\\]*+\?="  # an encoded word of a mailer that left `,` or `:` in it
    rb"|" + _COMMENT + rb'|[^()<>@,;:"\\\[\]])*+)'
)
_BARE: Final = re.compile(_SPACE + rb"*+" + _SPEC + _SPACE + rb"*+(?P<name>(?:" + _COMMENT + rb")?)" + _SPACE + rb"*+")
_ANGLED: Final = re.compile(
    _NAME + rb"<" + _SPACE + rb"*+" + _SPEC + _SPACE + rb"*+>" + _SPACE + rb"*+(?:" + _COMMENT + _SPACE + rb"*+)?",
    re.DOTALL,
)
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """Who a header names: the bare address in the form in which addresses are compared, and the name beside it, still encoded."""

    address: str
    name: bytes


def only(header: bytes) -> Mailbox | None:
    """The one mailbox of an unfolded From header."""
    if len(header) > _HEADER_MAX or _CONTROL.search(header):
        return None
    found = _BARE.fullmatch(header) or _ANGLED.fullmatch(header)
    if found is None:
        return None
    address = _compared(found["spec"])
    return None if address is None else Mailbox(address=address, name=_spoken(found["name"]))


def ascii_domain(domain: str) -> str | None:
    """A domain as it is compared: lower case, IDNA 2008; None if it is none. Full width letters and the like are none."""
    if not domain.isascii():
        if unicodedata.normalize("NFKC", domain) != domain:
            return None
        import idna  # noqa: PLC0415 - its tables are slow to load, and most domains are ASCII

        try:
            domain = ".".join(idna.alabel(label).decode("ascii") for label in domain.lower().split("."))
        except (idna.IDNAError, UnicodeError):
            return None
    domain = domain.lower()
    return domain if len(domain) <= _DOMAIN_MAX and _DOMAIN.fullmatch(domain) else None


def _compared(spec: bytes) -> str | None:
    try:
        local, _, domain = spec.decode("utf-8").partition("@")
    except UnicodeDecodeError:
        return None
    host = ascii_domain(domain)
    if host is None or len(local) > _LOCAL_MAX or not _LOCAL.fullmatch(local) or "=?" in local:  # some would decode it
        return None
    return f"{local.lower()}@{host}"


def _spoken(name: bytes) -> bytes:
    """The display name without its quotes; a comment, where that is all there is, without its brackets."""
    name = name.strip(b" \t")
    if name[:1] == b'"' and name[-1:] == b'"':
        return _QUOTED_PAIR.sub(rb"\1", name[1:-1])
    return name[1:-1] if name[:1] == b"(" and name[-1:] == b")" else name
