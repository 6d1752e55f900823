"""What does a bounce say that is only text? The forms of programs that write no delivery status, or whose status was lost.

    qmail       "Hi. This is the qmail-send program at …", then paragraphs `<address>:` and reason (QSBMF, D. J. Bernstein 1997)
    Exim        older than 4.84: "… could not be delivered to one or more of its recipients …", indented addresses, reasons deeper;
                its X-Failed-Recipients is read in `core.bounce`
    Exchange    5.5 to 2003: "… did not reach the following recipient(s):", `address on date`; later: "Delivery has failed to …"
    Postfix     `<address>: reason`, where a gateway took the delivery status away
    Sendmail    "… had permanent fatal errors …", `<address>`, "(reason: …)"

One reading for all of them: the first phrase of a table says whether the letter failed or is only late, a line with an address
alone names a recipient, the lines below it are the reason, and a line of dashes that speaks of the original ends it: headers of
the returned letter follow. 64 KiB are looked at, 200 address lines and 100 recipients. What is only HTML is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from mailer.core import addresses, mime
from mailer.core.deliverystatus import DIAGNOSTIC_MAX, RECIPIENTS_MAX, Outcome, Recipient, status_in

TEXT_MAX: Final = 64 * 1024  # bytes
_LINES_MAX: Final = 200  # with an address
_REASON_MAX: Final = 2_000  # characters of one paragraph

_PHRASES: Final = {
    "hi. this is the": Outcome.FAILED,
    "could not be delivered to one or more": Outcome.FAILED,
    "did not reach the following recipient": Outcome.FAILED,
    "delivery to the following recipients failed": Outcome.FAILED,
    "delivery to the following recipient failed": Outcome.FAILED,
    "delivery has failed to these recipients": Outcome.FAILED,
    "had permanent fatal errors": Outcome.FAILED,
    "не удалось выполнить доставку следующим": Outcome.FAILED,
    "not yet been delivered": Outcome.DELAYED,
    "has been delayed": Outcome.DELAYED,
    "delivery is delayed to these recipients": Outcome.DELAYED,
    "this is a warning": Outcome.DELAYED,
    "could not be delivered for": Outcome.DELAYED,
    "could not send message for": Outcome.DELAYED,
}
_CHARSETS: Final = ("utf-8", "cp1251", "koi8_r")
_COPY: Final = re.compile(
    rb"^(?:[ \t]*+-{2,}+[^\n]*?\b(?:copy|original|headers|unsent|returned)\b[^\n]*"
    rb"|[ \t]*+Original message headers:[ \t]*+)$",
    re.MULTILINE | re.IGNORECASE,
)
_DASHED: Final = re.compile(rb"\A(?:-[^\n]*+\n)++")  # Exim's next words on a long copy
_BEFORE_HEADERS: Final = re.compile(rb"\n(?:-[^\n]*+\n)*+\s*+")
_ADDRESS: Final = re.compile(
    r"^[ \t]*+(?:<([^\s<>@]++@[^\s<>@]++)>|([^\s<>@:]++@[^\s<>@:]++))"
    r"(?:[ \t]*+:?[ \t]*+|[ \t]++on [^\n]*+|(?<=>):[ \t]([^\n]*+))$",
    re.MULTILINE,
)
_PARAGRAPH_END: Final = re.compile(r"\n[ \t]*+(?:\n|\Z)")


@dataclass(frozen=True, kw_only=True, slots=True)
class TextReport:
    """`outcome` is None where no known phrase stands; `reasons` goes by recipient; `returned` is what follows of our letter."""

    outcome: Outcome | None
    reasons: Mapping[str, str]
    returned: bytes

    def recipients(self, named: Iterable[str] = ()) -> tuple[Recipient, ...]:
        """All recipients; `named` are those that a header of the bounce calls failed, where the text knows nothing else."""
        named = tuple(named)
        if self.outcome is None and not named:
            return ()
        reasons = {address: self.reasons.get(address, "") for address in named} or self.reasons
        return tuple(
            Recipient(outcome=self.outcome or Outcome.FAILED, final=address, status=status_in(reason), diagnostic=reason)
            for address, reason in islice(reasons.items(), RECIPIENTS_MAX)
        )


def read(content: bytes) -> TextReport:
    """The text of a bounce, lines ended by LF, in whatever charset makes it known."""
    content = content[:TEXT_MAX]
    copy = _COPY.search(content)
    said = content if copy is None else content[: copy.start()]
    rest = b"" if copy is None else content[copy.end() + 1 :]
    text, outcome = _understood(said)
    return TextReport(outcome=outcome, reasons=_reasons(text), returned=_DASHED.sub(b"", rest, count=1))


def returned_headers(content: bytes) -> tuple[int, int]:
    """Where the headers of the letter that a text returns begin, their heading included, and end; its end twice without one."""
    content = content[:TEXT_MAX]
    copy = _COPY.search(content)
    if copy is None:
        return len(content), len(content)
    begin = _BEFORE_HEADERS.match(content, copy.end())
    over = content.find(b"\n\n", copy.end() if begin is None else begin.end())
    return copy.start(), len(content) if over < 0 else over + 1


def _understood(said: bytes) -> tuple[str, Outcome | None]:
    """The text, and what its first known phrase says."""
    for charset in _CHARSETS:
        text = said.decode(charset, "replace")
        flat = " ".join(text.split()).lower()
        places = [(place, outcome) for phrase, outcome in _PHRASES.items() if (place := flat.find(phrase)) >= 0]
        if places:
            return text, min(places)[1]
    return said.decode("utf-8", "replace"), None


def _reasons(text: str) -> dict[str, str]:
    """Each address with all that is said of it: some programs name it twice, for people and for administrators."""
    found: dict[str, str] = {}
    lines = list(islice(_ADDRESS.finditer(text), _LINES_MAX))
    ends = [*(line.start() for line in lines[1:]), len(text)]
    for line, end in zip(lines, ends, strict=False):
        mailbox = addresses.only((line[1] or line[2]).encode("utf-8", "replace"))
        if mailbox is not None:
            paragraph = text[line.end() : min(end, line.end() + _REASON_MAX)]
            reason = " ".join([found.get(mailbox.address, ""), line[3] or "", _PARAGRAPH_END.split(paragraph, maxsplit=1)[0]])
            found[mailbox.address] = mime.shown(reason)[:DIAGNOSTIC_MAX]
    return found
