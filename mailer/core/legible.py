"""How is what strangers wrote shown, so that it can do nothing to a terminal, a spreadsheet or a log? Without controls.

Controls, format and direction characters, and blanks other than the space, stand as escapes: `\\x1b`, `\\u202e`.
"""

from __future__ import annotations

import unicodedata


def safe_text(written: object) -> str:
    return "".join(character if harmless(character) else _escaped(character) for character in str(written))


def harmless(character: str) -> bool:
    """Whether a character is only what it looks like."""
    return unicodedata.category(character)[0] not in "CZ" or character == " "


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
