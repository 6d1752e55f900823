"""May this person's data be destroyed now, and by what is it known afterwards that it was? (152-ФЗ, статья 21)

Nothing is destroyed while it is still worked with: first what lives is ended. What was destroyed is known outside the database by
a keyed mark of its digest, which tells nothing and holds for that very row or letter alone: the same person who writes again is a
new row, with a new salt, and is not touched.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from mailer.states import CredentialState, LetterState, ReplyState, RequestState

Key = TypeVar("Key")
OVER: Final = frozenset({RequestState.REFUSED, RequestState.ANSWERED, RequestState.WITHDRAWN})
ENDED: Final = frozenset({CredentialState.ABANDONED, CredentialState.EXPIRED, CredentialState.REVOKED, CredentialState.SUPERSEDED})
DONE: Final = frozenset({ReplyState.SENT, ReplyState.FAILED, ReplyState.CONFIRMED, ReplyState.BOUNCED})
LAID_ASIDE: Final = frozenset({LetterState.READ, LetterState.DROPPED})

ENDABLE_REQUESTS: Final = frozenset({RequestState.HELD, RequestState.APPROVED})
ENDABLE_CREDENTIALS: Final = frozenset({CredentialState.ACTIVE, CredentialState.SUSPENDED})
ENDABLE_REPLIES: Final = frozenset({ReplyState.QUEUED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Living:
    """What is still worked with, by number, id or login; `endable`: a person may end it by the same command."""

    kind: str  # letter | request | credential | reply
    name: str
    state: StrEnum
    endable: bool


def living(
    *,
    letters: Mapping[int, LetterState],
    requests: Mapping[int, RequestState],
    others: Mapping[int, RequestState],
    credentials: Mapping[str, CredentialState],
    replies: Mapping[str, ReplyState],
) -> list[Living]:
    """What hinders, in the order in which it would be ended. An issued request ends with its reply; `others` are requests of other
    persons, in letters that name this one."""
    over = OVER | {RequestState.ISSUED}
    return [
        *(
            Living(kind="letter", name=str(one), state=state, endable=False)
            for one, state in letters.items()
            if state not in LAID_ASIDE
        ),
        *(Living(kind="request", name=str(one), state=state, endable=False) for one, state in others.items() if state not in over),
        *(
            Living(kind="request", name=str(one), state=state, endable=state in ENDABLE_REQUESTS)
            for one, state in requests.items()
            if state not in over
        ),
        *(
            Living(kind="credential", name=one, state=state, endable=state in ENDABLE_CREDENTIALS)
            for one, state in credentials.items()
            if state not in ENDED
        ),
        *(
            Living(kind="reply", name=one, state=state, endable=state in ENDABLE_REPLIES)
            for one, state in replies.items()
            if state not in DONE
        ),
    ]


def mark(key: bytes, kind: str, digest: str) -> str:
    """By what a destroyed row or letter is known: lower-case hexadecimal. `digest`: a row's as the record has it, or a letter's."""
    return hmac.new(key, f"mailer-erased-1\n{kind}\n{digest}".encode(), hashlib.sha256).hexdigest()


def chunks(ids: Sequence[Key], size: int = 500) -> list[Sequence[Key]]:
    """SQLite takes no more than some thousand values in one statement."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]
