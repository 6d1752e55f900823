"""The states of letters, requests, credentials and replies: the same words in code, database, commands and documents.

Which change leads from one to another stands in `core/lifecycle.py`.
"""

from __future__ import annotations

from enum import StrEnum


class LetterState(StrEnum):
    KEPT = "kept"
    READ = "read"
    QUARANTINED = "quarantined"
    DROPPED = "dropped"


class RequestState(StrEnum):
    HELD = "held"
    APPROVED = "approved"
    REFUSED = "refused"
    ISSUED = "issued"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class CredentialState(StrEnum):
    RESERVED = "reserved"
    ACTIVE = "active"
    ABANDONED = "abandoned"
    IN_DOUBT = "in-doubt"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


class ReplyState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CONFIRMED = "confirmed"
    BOUNCED = "bounced"


class PairState(StrEnum):
    """A login with its password that the officer brought from elsewhere."""

    FREE = "free"
    TAKEN = "taken"  # reserved for one credential, its answer is not yet written
    HANDED = "handed"  # stands in an answer
    SPENT_BEFORE = "spent-before"  # went out before this database was restored from a backup
    DAMAGED = "damaged"  # does not open with the pool key


class Pausable(StrEnum):
    """The steps that a person may have stand still."""

    INTAKE = "intake"
    ISSUE = "issue"
    DELIVER = "deliver"


class LoginEffect(StrEnum):
    """What becomes of a sender's living logins when a person closes the sender; chosen each time, there is no default."""

    KEEP = "keep"
    SUSPEND = "suspend"
    REVOKE = "revoke"
