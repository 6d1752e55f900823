"""Which logins were ever used? Their marks stay when a person is erased, and outside the database when a backup is restored.

A login is spent in the database when it is reserved or imported. Before it goes out in a letter it is noted outside as well
(`HandedOut`), with the credential it went out for, and before the commit that lets it out: so whatever backup is restored, no login
and no ready pair goes to a second person. A pair is known by its login, which no other pair may have. While the database is whole
it alone decides: each host has a file of its own.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from mailer.core.secret import login_mark
from mailer.store.db import Tx
from mailer.store.requests import ABANDONED
from mailer.store.schema import credentials, used_logins

PAGE = 500  # marks asked for at once: SQLite takes no more than some thousand in one statement


class HandedOut(Protocol):
    """What is kept outside the database."""

    def holders(self, marks: Iterable[str]) -> Mapping[str, str]:
        """Mark -> the credential for which its login last went out, of those that ever did."""

    def note(self, given: Mapping[str, str]) -> None:
        """Keep mark -> credential id; returns once it is on the disk. Noting again is harmless. EdgeError when it cannot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Logins:
    """`key` lies outside the database: without it a mark tells nothing, and no ready pair can be made up."""

    key: bytes = field(repr=False)
    handed_out: HandedOut

    def mark(self, login: str) -> str:
        return login_mark(self.key, login)

    def pair_proof(self, content: bytes) -> bytes:
        """That a ready pair was taken in by us: 32 bytes that nobody can make for another content without `key`."""
        return hmac.digest(self.key, b"mailer-pair-proof-1\n" + content, "sha256")

    def any_used(self, tx: Tx, marks: Mapping[str, str]) -> bool:
        """Whether one of these logins, each with its mark, was ever used: in this database, or in one that a backup replaced."""
        # Asked in two: the partial index of logins holds none that were abandoned, and these are few.
        asked = select(credentials.c.id).where(credentials.c.login.in_(marks))
        both = union_all(asked.where(credentials.c.state != ABANDONED), asked.where(credentials.c.state == ABANDONED))
        older = tx.execute(both.limit(1)).first()
        return older is not None or bool(self.used_among(tx, list(marks.values())))

    def used_among(self, tx: Tx, marks: Sequence[str]) -> set[str]:
        """Those of the marks that are used."""
        found = set(self.handed_out.holders(marks))
        for start in range(0, len(marks), PAGE):
            page = select(used_logins.c.mark).where(used_logins.c.mark.in_(marks[start : start + PAGE]))
            found.update(tx.execute(page).scalars())
        return found

    def gone_to_others(self, given: Mapping[str, str]) -> set[str]:
        """Of these, mark -> credential id, the credentials whose login went out for another: it must never go out for them."""
        holders = self.handed_out.holders(given)
        return {given[mark] for mark, holder in holders.items() if holder != given[mark]}

    def hand_out(self, given: Mapping[str, str]) -> None:
        """Note mark -> credential id outside, as the last thing before the commit that lets the logins out."""
        if given:
            self.handed_out.note(given)

    def spend_all(self, tx: Tx) -> None:
        """Mark every login in the database: those of before there were marks."""
        marks = {self.mark(login) for login in tx.execute(select(credentials.c.login)).scalars()}
        spend(tx, sorted(marks - self.used_among(tx, sorted(marks))))


def spend(tx: Tx, marks: Sequence[str]) -> None:
    """Never again; a mark that is there already is left."""
    if marks:
        dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
        tx.execute(dialect.insert(used_logins).on_conflict_do_nothing(), [{"mark": mark} for mark in marks])
