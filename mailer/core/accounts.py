"""What is an account, wherever it is kept, and do the accounts there agree with what we issued?

The nouns that every place of validity speaks in, and the comparison of the two lists. Must not know how a place is reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mailer.core.secret import Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a place of validity can do; what it cannot is refused by it, or noted for a person to do there."""

    makes_secret: bool  # login and password come from there; else we make both
    sets_expiry: bool  # the end of an account can be set and changed
    disables: bool  # an account can be ended at once; else disabling is only noted
    tells_first_use: bool  # it knows whether an account was used


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """The account to be made. `password` is None where the place makes the secret."""

    credential_id: str
    login: str
    password: Secret | None
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Handout:
    """What goes into the letter. `expires_at` is the place's own end of it, None where it does not say."""

    login: str
    password: Secret
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Managed:
    """An account of ours as the place has it."""

    credential_id: str
    login: str
    enabled: bool
    expires_at: datetime | None


class Standing(StrEnum):
    """What a check of login and password gave."""

    VALID = "valid"
    WRONG = "wrong"  # not this password
    ENDED = "ended"  # the right password of a login that is over or blocked
    UNKNOWN = "unknown"  # no such login here
    DISTRUSTED = "distrusted"  # the right password, but the account is not as the record tells


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """A credential as we have it: `active` means that its login should work."""

    credential_id: str
    login: str
    active: bool
    pending: bool  # not issued yet: an account may be there or not
    valid_until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Distrusted:
    """An account that somebody meddled with: it is not as the record tells."""

    account: Managed
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """What does not agree, both ways. `by_hand`: ended with us, but the place cannot end it, a person must do it there."""

    without_credential: list[Managed] = field(default_factory=list)  # accounts that work though nothing living stands behind them
    without_account: list[Issued] = field(default_factory=list)  # credentials whose login does not work
    other_end: list[Issued] = field(default_factory=list)  # the account ends at another time than we told
    by_hand: list[Managed] = field(default_factory=list)
    distrusted: list[Distrusted] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any((self.without_credential, self.without_account, self.other_end, self.by_hand, self.distrusted))


def compare(issued: Mapping[str, Issued], there: Iterable[tuple[Managed, Capabilities]], *, now: datetime) -> Differences:
    """Hold the accounts of all places against the credentials, by credential id."""
    found = Differences()
    seen: set[str] = set()
    for account, can in there:
        seen.add(account.credential_id)
        credential = issued.get(account.credential_id)
        if credential is not None and credential.pending:
            continue
        over = account.expires_at is not None and account.expires_at < now
        if credential is None or not credential.active:
            if account.enabled:
                found.without_credential.append(account)
            elif not can.disables and not over and (credential is None or credential.valid_until >= now):
                found.by_hand.append(account)
        elif not account.enabled:
            found.without_account.append(credential)
        elif _ends_otherwise(account, credential, can):
            found.other_end.append(credential)
    found.without_account.extend(one for one in issued.values() if one.active and one.credential_id not in seen)
    return found


def _ends_otherwise(account: Managed, credential: Issued, can: Capabilities) -> bool:
    """Where the end is ours to set it must be the one we told; elsewhere it must not come before."""
    if account.expires_at is None:
        return False
    return account.expires_at != credential.valid_until if can.sets_expiry else account.expires_at < credential.valid_until
