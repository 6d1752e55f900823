"""Words for the fuzzer to try, printed in libFuzzer's form: pieces of the phrase in every charset, headers, encoded words."""

from __future__ import annotations

import base64

from tests.fuzz import pieces
from tests.fuzz.invariants import FORM

HEADERS = (
    *("Subject: ", "From: ", "To: ", "Date: ", "Message-ID: ", "In-Reply-To: ", "References: ", "Return-Path: <>", "Received: "),
    *("Auto-Submitted: ", "Precedence: bulk", "List-Id: ", "X-Auto-Response-Suppress: ", "X-Mailer-Loop: ", "Content-Type: "),
    *("Authentication-Results: mx.fond.example; ", "multipart/report; report-type=delivery-status", " by mx.fond.example "),
    *(
        "dmarc=pass",
        "dkim=pass",
        "auth=pass",
        "header.from=",
        "header.d=",
        "smtp.auth=",
        "reason=",
        "MAILER-DAEMON@",
        "@fond.example>",
    ),
)
SIGNS = (
    "\r\n",
    "\n",
    "\r",
    "\r\n ",
    "\n\t",
    "\r\n\r\n",
    "=?",
    "?=",
    "?B?",
    "?Q?",
    "?= =?",
    "=3D",
    "<",
    ">",
    '"',
    "(",
    ")",
    "@",
    ";",
    "\0",
)


def tokens() -> list[bytes]:
    """Each once."""
    texts = [
        *FORM.phrase.split(),
        FORM.phrase + " =",
        FORM.placeholder,
        *pieces.SURNAMES[:8],
        "И.И.",
        "А.А.",
        "оглы",
        "Re: ",
        "Отв: ",
    ]
    codecs = ("utf_8", "cp1251", "koi8_r", "iso8859_5", "cp866")
    written = [text.encode(codec) for text in texts for codec in codecs if "’" not in text]
    words = [f"=?{label}?".encode() for label, _ in pieces.CHARSETS]
    words += [b"=?utf-8?B?" + base64.b64encode(text.encode()) + b"?=" for text in (FORM.phrase + " = Иванов И.И.", *texts)]
    others = [text.encode() for text in (*HEADERS, *SIGNS, *pieces.INVISIBLE, *pieces.SPACES)]
    return list(dict.fromkeys([*others, *words, *written]))


if __name__ == "__main__":
    for token in tokens():
        print('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"')
