"""How does a person learn that the term of a login changes or ends? A letter to where its answer went, and never a password.

Not a step: expire warns through it, and so does an officer who extends a login. Person, address, login, end and the
organisation's name stand in tables; each is held against the record before a letter is written.
"""

from __future__ import annotations

from datetime import datetime

from mailer.core.reply import local_moment
from mailer.core.replyvalues import TermValues
from mailer.flow.stationery import Stationery, refuse_unwritable
from mailer.store import personal, places, senders, standing
from mailer.store.credentials import Credential
from mailer.store.work import Unit


def write(
    unit: Unit, stationery: Stationery, credential: Credential, name: str, *, key: bytes, until: datetime | None = None
) -> str | None:
    """Queue letter `name` about this login in this transaction; why none can be written, else None.

    The credential as the record tells of it; `until`: its end from now on, where this very transaction changes it.
    """
    person, address = personal.get(unit.tx, credential.person_id), personal.get(unit.tx, credential.answer_to_id)
    fault = standing.letter_fault(unit.tx, credential, person, address, key)
    if fault is not None or person.name is None:
        return fault or "the person was erased"
    row = senders.row(unit.tx, credential.sender_code, key)
    if row.fault is not None:
        return row.fault
    refuse_unwritable(row.sender)
    fund = stationery.fund
    values = TermValues(
        fund_name=fund.name,
        contact=fund.contact,
        portal_url=fund.portal_url,
        organisation=row.sender.organisation,
        person=person.name,
        login=credential.login,
        valid_until=local_moment(until or credential.valid_until, fund.zone),
        by_authority=places.is_from_pool(unit.tx, credential.id),
    )
    stationery.write(
        unit,
        request_id=credential.request_id,
        sender_code=credential.sender_code,
        recipient=address,
        name=name,
        values=values,
        answered=None,
    )
    return None
