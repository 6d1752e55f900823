"""Does the channel prove who sent this letter? Each mailbox declares how far its senders are proven (letters.md, section 4).

With `network` the server itself binds the From address to the login. With `authentication-results` (RFC 8601) only the word of our
own server counts, and only what stands above the first Received that is not our host's: what lies below came with the letter.

    dmarc=pass                     header.from, where it is said, is the From domain
    dkim=pass                      header.d is the From domain, letter for letter
    auth=pass                      smtp.auth is the From address; the only proof for shared (public) mail domains
    spf, ARC, anything else        proves nothing

DMARC's relaxed alignment (RFC 7489, 3.1.1: header.d may be any domain of the same organisation) needs the public suffix list:
without it `dkim=pass header.d=ru` would prove every `.ru` domain, and even with it one hospital could sign for another under the
domain of their ministry. So DKIM by itself counts only where it is strictly aligned; whose signature is aligned only loosely is
proven by `dmarc=pass`, for which our server has looked the domain's policy up.

Only the topmost of our own headers proves; any of them may contradict, and then nothing is proven. (One server checks DMARC once:
`dmarc=pass` beside another result for it means that somebody's words came in unquoted.) So is nothing if one of ours cannot be read
to its end, was cut, or is one of many, or if something above them cannot be told from ours. Comments and quoted strings hold what
strangers wrote: they are taken out and emptied before `authres` looks, since it reads on inside a comment that it does not
understand.

What no reading of headers can mend: a server that leaves foreign headers with its own name in a letter (RFC 8601, 5, has it take
them out) and adds none itself, even if the stranger put a Received in its name above them; or that writes a stranger's words
unquoted. `doctor` tries those. A letter without any Received is believed like one that only our hosts have seen. Nothing here
raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from mailer.core.mime import TRACE_VALUE_MAX
from mailer.model import Letter, Trust

_OURS_MAX: Final = 3  # one server writes one or two; more is a flood, and reading them is slow

_PRINTABLE: Final = re.compile(r"[\t -~]*")
_INNER: Final = r"\((?:[^()\\]|\\.)*+\)"
_ASIDE: Final = re.compile(
    rf"\((?:[^()\\]|\\.|{_INNER})*+(?P<closed>\))?"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*+)(?P<ended>")?'
)
_SPECIALS: Final = frozenset('()"\\')
_PLAIN_QUOTED: Final = re.compile(r"[A-Za-z0-9._@+-]+")
_EMPTIED: Final = ".."  # what stands for a quoted string: no domain and no address is written so
_RECEIVED_BY: Final = re.compile(r"\s*(?:from\s+\S+\s+)?by\s+([^\s;]+)", re.IGNORECASE)
_AUTHSERV_ID: Final = re.compile(r"\s*([^\s;]+)\s*(?:1\s*)?(?:;|$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Clause:
    """One result of our server's: `dkim=pass header.d=x.ru`. Properties keep all the values that each was given."""

    method: str
    result: str
    properties: Mapping[str, frozenset[str]]

    def says(self, name: str, value: str) -> bool:
        return self.properties.get(name) == frozenset({value})

    def denies(self, name: str, value: str) -> bool:
        return name in self.properties and not self.says(name, value)


def standing(letter: Letter, *, trust: Trust, authserv_id: str | None, shared_domains: frozenset[str]) -> bool:
    """Whether the sender's address is proven. `shared_domains` are those where anybody can have an address, in ASCII form."""
    if letter.sender is None:
        return False
    if trust is Trust.NETWORK:
        return True
    return authserv_id is not None and _is_vouched_for(letter, letter.sender, authserv_id.casefold(), shared_domains)


def _is_vouched_for(letter: Letter, sender: str, ours: str, shared_domains: frozenset[str]) -> bool:
    headers = list(islice(_our_headers(letter, ours), _OURS_MAX + 1))
    if not headers or len(headers) > _OURS_MAX:
        return False
    said = [_clauses(header) for header in headers[:1]]
    if not any(_proves(clause, sender, shared=sender.partition("@")[2] in shared_domains) for clause in said[0] or ()):
        return False
    if len({clause.result for clause in said[0] or () if clause.method == "dmarc"}) > 1:
        return False
    said += [_clauses(header) for header in headers[1:]]
    return not any(clauses is None or any(_contradicts(clause, sender) for clause in clauses) for clauses in said)


def _our_headers(letter: Letter, ours: str) -> Iterator[str]:
    """Our own server's results above the first foreign Received, topmost first; one above them without a name counts as ours."""
    found = False
    for name, value in letter.authentication:
        plain = _plain(value)
        if name == "received":
            host = _RECEIVED_BY.match(plain or "")
            if host is None or not _is_our_host(host[1], ours):
                return
            continue
        named = _AUTHSERV_ID.match(plain or "")
        if not found if named is None else named[1].casefold() == ours:
            found = True
            yield plain or ""


def _is_our_host(host: str, ours: str) -> bool:
    """RFC 8601, 2.5: an authserv-id may be the name of the host or of the domain it serves."""
    host = host.casefold().rstrip(".")
    return host == ours or host.endswith("." + ours)


def _plain(value: str) -> str | None:
    """A header without its comments, its quoted strings emptied; None if it is cut, not ASCII, or does not come out even.

    A comment may hold comments, as `(using TLSv1.3 with cipher X (256/256 bits))` does; those may hold none.
    """
    if len(value) >= TRACE_VALUE_MAX or not _PRINTABLE.fullmatch(value):
        return None
    plain = _ASIDE.sub(_without_aside, value)
    return None if _SPECIALS.intersection(plain) else plain


def _without_aside(aside: re.Match[str]) -> str:
    if aside["closed"]:
        return " "
    if aside["ended"]:
        return aside["quoted"] if _PLAIN_QUOTED.fullmatch(aside["quoted"]) else _EMPTIED
    return aside[0][0]


def _clauses(plain: str) -> list[_Clause] | None:
    """What one header says; None if `authres` cannot read all of it."""
    import authres  # noqa: PLC0415 - slow to load, and most offices never need it

    try:
        results = authres.AuthenticationResultsHeader.parse_value(plain).results
        return [_clause(result) for result in results if result.version in {None, "1"}]
    except Exception:  # its own errors, and whatever hostile text provokes besides: none of it proves anything
        return None


def _clause(result: Any) -> _Clause:
    values: dict[str, set[str]] = {}
    for said in result.properties:
        values.setdefault(f"{said.type}.{said.name}", set()).add(str(said.value).casefold())
    properties = {name: frozenset(given) for name, given in values.items()}
    return _Clause(method=result.method, result=result.result, properties=properties)


def _proves(said: _Clause, sender: str, *, shared: bool) -> bool:
    if said.result != "pass":
        return False
    if said.method == "auth":
        return said.says("smtp.auth", sender)
    domain = sender.partition("@")[2]
    if said.method == "dkim":
        return not shared and said.says("header.d", domain)
    return said.method == "dmarc" and not shared  # its header.from, if any, has been looked at by _contradicts


def _contradicts(said: _Clause, sender: str) -> bool:
    """Our server found the proof false, or looked at another From or another login than the sender's."""
    domain = sender.partition("@")[2]
    match said.method:
        case "dmarc":
            return said.result == "fail" or said.denies("header.from", domain)
        case "dkim":
            return said.result == "fail" and said.says("header.d", domain)
        case "auth":
            return said.result == "fail" or said.denies("smtp.auth", sender)
    return False
