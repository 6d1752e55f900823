"""Which logins were ever used? Their marks stay when a person is erased, and outside the database when a backup is restored.

A login is spent in the database when it is reserved or imported. Before it goes out in a letter it is noted outside as well
(`HandedOut`), with the credential it went out for, and before the commit that lets it out: so whatever backup is restored, no login
and no ready pair goes to a second person. A pair is known by its login, which no other pair may have. While the database is whole
it alone decides: each host has a file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from mailer.core.secret import login_mark
from mailer.store.db import Tx
from mailer.store.schema import credentials, used_logins

PAGE = 500  # marks asked for at once: SQLite takes no more than some thousand in one statement


class HandedOut(Protocol):
    """What is kept outside the database."""

    def holder(self, mark: str) -> str | None:
        """The credential for which a login last went out; None when it never did."""

    def note(self, given: Mapping[str, str]) -> None:
        """Keep mark -> credential id; returns once it is on the disk. Noting again is harmless. EdgeError when it cannot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Logins:
    """`key` lies outside the database: without it a mark tells nothing."""

    key: bytes = field(repr=False)
    handed_out: HandedOut

    def mark(self, login: str) -> str:
        return login_mark(self.key, login)

    def any_used(self, tx: Tx, logins: Sequence[str]) -> bool:
        """Whether one of them was ever used here, in this database or in one that a backup has replaced."""
        older = tx.execute(select(credentials.c.id).where(credentials.c.login.in_(logins)).limit(1)).first()
        return older is not None or bool(self.used_among(tx, [self.mark(login) for login in logins]))

    def used_among(self, tx: Tx, marks: Sequence[str]) -> set[str]:
        """Those of the marks that are used."""
        found = {mark for mark in marks if self.handed_out.holder(mark) is not None}
        for start in range(0, len(marks), PAGE):
            page = select(used_logins.c.mark).where(used_logins.c.mark.in_(marks[start : start + PAGE]))
            found.update(tx.execute(page).scalars())
        return found

    def went_to_another(self, login: str, credential_id: str) -> bool:
        """Whether this login went out for another credential: then it must never go out for this one."""
        return self.handed_out.holder(self.mark(login)) not in {None, credential_id}

    def hand_out(self, given: Mapping[str, str]) -> None:
        """Note login -> credential id outside, as the last thing before the commit that lets them out."""
        if given:
            self.handed_out.note({self.mark(login): credential_id for login, credential_id in given.items()})

    def spend_all(self, tx: Tx) -> None:
        """Mark every login in the database: those of before there were marks."""
        marks = {self.mark(login) for login in tx.execute(select(credentials.c.login)).scalars()}
        spend(tx, sorted(marks - self.used_among(tx, sorted(marks))))


def spend(tx: Tx, marks: Sequence[str]) -> None:
    """Never again; a mark that is there already is left."""
    if marks:
        dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
        tx.execute(dialect.insert(used_logins).on_conflict_do_nothing(), [{"mark": mark} for mark in marks])
