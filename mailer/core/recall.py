"""What did the office know when it decided? The facts that stand beside a decision, read back from their JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, Final

from mailer.model import Facts, Kind, NameStanding, Reason, Repair, SenderStanding

_WORDS: Final = {"kind": Kind, "name": NameStanding, "sender": SenderStanding, "reason": Reason}


def facts(written: str) -> Facts | None:
    """None where none were stored (a person's own request, a repeated one), or where they use words of another version.

    A fact that the program did not know yet has the value that it has where nothing is known.
    """
    stored: dict[str, Any] = json.loads(written)
    known = {field.name: stored[field.name] for field in fields(Facts) if field.name in stored}
    try:
        for name, words in _WORDS.items():
            if known.get(name) is not None:
                known[name] = words(known[name])
        known["repairs"] = tuple(Repair(repair) for repair in known.get("repairs", ()))
        return Facts(**known)
    except (ValueError, TypeError):
        return None


def standing(written: str) -> SenderStanding | None:
    """What register and channel said of the sender then; None where nothing was stored."""
    found = json.loads(written).get("sender")
    return SenderStanding(found) if found in set(SenderStanding) else None
