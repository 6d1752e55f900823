"""Does an account stand as the record tells of its login's life? Whoever can only write the database cannot make it so.

The tables say what the last writer wrote; the record says until when a login was issued, whether that was changed, and that it has
ended. An account that works although its login has ended, works longer, or goes by another login was meddled with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mailer.core import evidence
from mailer.core.accounts import Managed
from mailer.errors import N_
from mailer.states import CredentialState, LoginEffect
from mailer.store import audit, personal, proof, pruning
from mailer.store.credentials import Credential, no_login
from mailer.store.db import Tx
from mailer.store.personal import Personal
from mailer.store.proof import Told

PAGE: Final = 500
SUSPENDED: Final = "credential.suspended"
ENDS: Final = ("credential.expired", "credential.revoked", "credential.superseded", SUSPENDED)
BEGINS: Final = ("credential.issued", "credential.extended", "credential.resumed")
LIFE: Final = ("credential.reserved", *BEGINS, *ENDS)


def fault(tx: Tx, credential: Credential, account: Managed, key: bytes) -> str | None:
    """Why this account is not as the record tells, or None when it is. An end of None is its own affair."""
    return faults(tx, [(credential, account)], key).get(credential.id)


def faults(tx: Tx, pairs: Sequence[tuple[Credential, Managed]], key: bytes) -> dict[str, str]:
    """Credential id -> what is wrong with its account; those that are as the record tells are left out."""
    found = {}
    pruned, closed = pruning.anchor(tx, key) is not None, _closed(tx, key) if pairs else {}
    for start in range(0, len(pairs), PAGE):
        page = pairs[start : start + PAGE]
        told = audit.of_requests(tx, sorted({credential.request_id for credential, _ in page}), *LIFE)
        people = personal.several(tx, sorted({credential.person_id for credential, _ in page}))
        for credential, account in page:
            if pruned and not told[credential.request_id] and not account.enabled:
                continue  # what told of it may have been pruned once it had ended; it works nowhere
            held = proof.holding(told[credential.request_id], key)
            why = _fault(credential, account, people[credential.person_id], held)
            if why is None and account.enabled and not isinstance(held, str) and _outlived(held, credential.id, closed):
                why = N_("it works, but its sender was closed since, and its logins ended")
            if why is not None:
                found[credential.id] = why
    return found


def _closed(tx: Tx, key: bytes) -> dict[str, int]:
    """Code -> the number of the record by which a person closed this sender last and had its living logins ended."""
    told = proof.holding(audit.of_events(tx, "sender.blocked", "sender.merged"), key)
    if isinstance(told, str):
        return {}  # what was changed in the record, its verification tells
    ended = [one for one in told if one.details["effect"] != LoginEffect.KEEP.value]
    return {str(one.header["sender"]): int(one.header["seq"]) for one in ended}


def _outlived(told: Sequence[Told], credential_id: str, closed: Mapping[str, int]) -> bool:
    """Whether its sender was closed after the last that made this login work: whoever hid its row from that left it working."""
    own = [one.header for one in told if one.details["credential"] == credential_id and one.event in BEGINS]
    return bool(own) and closed.get(str(own[-1]["sender"]), 0) > own[-1]["seq"]


def letter_fault(tx: Tx, credential: Credential, person: Personal, address: Personal, key: bytes) -> str | None:
    """Why no letter about this login may be written to this address: login, end, person or address are not as the record tells."""
    told = proof.holding(audit.of_request(tx, credential.request_id, *LIFE, "reply.queued"), key)
    if isinstance(told, str):
        return told
    living = credential.state is CredentialState.ACTIVE
    account = Managed(credential_id=credential.id, login=credential.login, enabled=living, expires_at=credential.valid_until)
    why = _fault(credential, account, person, [one for one in told if one.event != "reply.queued"])
    if why is not None:
        return why
    (issued,) = [one.details for one in told if one.event == "credential.issued" and one.details["credential"] == credential.id]
    answers = [one.details for one in told if one.event == "reply.queued" and one.details["credential"] == credential.id]
    if not proof.same(issued["person"], person):
        return N_("it was issued to another person")
    if not answers or not proof.same(answers[0]["recipient"], address):
        return N_("its answer went to another address")
    return None


def state_fault(tx: Tx, credential: Credential, key: bytes) -> str | None:
    """Why this login, active or blocked by the table, is not so by the last that the record tells of it."""
    told = proof.holding(audit.of_request(tx, credential.request_id, *LIFE), key)
    if isinstance(told, str):
        return told
    life = [one.event for one in told if one.details["credential"] == credential.id]
    wanted = (SUSPENDED,) if credential.state is CredentialState.SUSPENDED else BEGINS
    return None if life and life[-1] in wanted else N_("the record tells of another state")


def was_warned(tx: Tx, credential: Credential, days: int, key: bytes) -> bool:
    """Whether the record tells of a letter about this very end that was due then, or later."""
    told = proof.holding(audit.of_request(tx, credential.request_id, "credential.warned"), key)
    wanted = (credential.id, evidence.instant(credential.valid_until))
    return not isinstance(told, str) and any(
        (one.details["credential"], one.details["valid_until"]) == wanted and one.details["days"] <= days for one in told
    )


def _fault(credential: Credential, account: Managed, person: Personal, told: list[Told] | str) -> str | None:
    if isinstance(told, str):
        return told
    own = [one for one in told if one.details["credential"] == credential.id]
    reserved = [one.details["login_digest"] for one in own if one.event == "credential.reserved"]
    terms = [one.details["valid_until"] for one in own if one.event in {"credential.issued", "credential.extended"}]
    if not reserved or not terms:
        return N_("the record does not tell that it was issued")
    life = [one.event for one in own if one.event in {*BEGINS, *ENDS}]
    is_erased = account.login == no_login(credential.id) and life[-1] in ENDS
    if reserved[0] != person.login_digest(account.login) and not is_erased:
        return N_("its login is not the one that was issued") if person.salt else N_("it was issued to another person")
    if account.enabled and life[-1] in ENDS:
        return N_("it works, but the record tells that it has ended")
    if account.expires_at is not None and evidence.instant(account.expires_at) != terms[-1]:
        return N_("it ends at another time than the record tells")
    return None
