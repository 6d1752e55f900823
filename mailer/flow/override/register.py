"""What may an officer change about who may ask? Every row that changes is told to the record as a whole, and why.

Where answers no longer go is told to the address they went to, in the same transaction; that the first issue to the new one is held
is a fact of the decision (`store/facts.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.core import evidence, mime, registerplan
from mailer.core.registerplan import Change, Edit, Plan
from mailer.core.reply import local_moment
from mailer.core.replyvalues import AnswerAddressValues
from mailer.errors import RefusedError
from mailer.flow.ending import Disabler
from mailer.flow.override import closing
from mailer.flow.override.closing import Reach
from mailer.flow.stationery import Stationery
from mailer.model import Sender
from mailer.states import LoginEffect, RequestState
from mailer.store import letters, personal, requests, senders
from mailer.store.db import Tx
from mailer.store.senders import Row
from mailer.store.work import Unit, Worker


@dataclass(frozen=True, kw_only=True, slots=True)
class Hands:
    """What it takes to change the register besides a worker: letters to old addresses, and the places that end logins."""

    stationery: Stationery
    accounts: Disabler


def planned(tx: Tx, rows: Sequence[Sender], key: bytes, *, replaces: bool) -> Plan:
    """What an import of these rows would change now."""
    return registerplan.plan(rows, senders.every(tx), distrusted=senders.faults(tx, key), replaces=replaces)


def import_file(
    worker: Worker,
    hands: Hands,
    rows: Sequence[Sender],
    seen: Plan,
    *,
    replaces: bool,
    effect: LoginEffect,
    reason: str,
    file_digest: str,
) -> Reach:
    """Take a checked register file in, whole. RefusedError when it would no longer do what the person has seen.

    `effect` and `reason` are those of closing whoever is not in a file that replaces the register.
    """
    with worker.writing() as unit:
        senders.lock(unit.tx)
        plan = planned(unit.tx, rows, worker.pen.key, replaces=replaces)
        if plan != seen:
            raise RefusedError("the register has changed meanwhile: look at the changes again")
        reached = Reach()
        for sender in plan.removed:  # its addresses stay with it, so that nobody comes by them unseen
            senders.put(unit, registerplan.blocked(sender, reason=reason, until=None), worker.pen)
            reached += closing.close(unit, hands.accounts, sender.code, effect, key=worker.pen.key, reason=reason)
        changes = [
            *(Change(before=None, after=row) for row in plan.new),
            *(Change(before=None, after=registerplan.stamped(None, row, unit.at)) for row in plan.anew),
            *plan.changed,
        ]
        senders.vacate(unit.tx, [change.after.code for change in changes])
        for change in changes:
            _put(unit, hands, change, worker)
        unit.tell(
            "senders.imported",
            importance="notice",
            file_digest=file_digest,
            senders=len(rows),
            new=len(plan.new),
            changed=len(plan.changed) + len(plan.anew),
            removed=len(plan.removed),
            effect=effect.value if plan.removed else None,
            reason=reason or None,
        )
        return reached


def believed(tx: Tx, code: str, key: bytes) -> Sender:
    """The row as it was last written. RefusedError when somebody else changed it, NotFoundError when there is none."""
    senders.lock(tx, [code])
    row = senders.row(tx, code, key)
    if row.fault is not None:
        raise RefusedError(
            "the row {code} is not as it was last written: `mailer senders add {code} …` or an import writes it anew", code=code
        )
    return row.sender


def addable(tx: Tx, row: Sender, key: bytes) -> bool:
    """RefusedError when the code is taken or an address or point is another's. Whether a row of it is written anew."""
    there = senders.rows(tx, [row.code], key).get(row.code)
    if there is not None and there.fault is None:
        raise RefusedError("there is a sender {code} already: `mailer senders edit {code}` changes it", code=row.code)
    refuse_taken(tx, row)
    return there is not None


def asking(tx: Tx, number: int) -> str:
    """The address from which a held request of a stranger came. RefusedError for any other request."""
    request = requests.get(tx, number)
    if request.state is not RequestState.HELD or request.sender_code is not None or request.letter_id is None:
        raise RefusedError(
            "request {id} is not held for want of a registered sender: give the address with --address instead", id=number
        )
    kept = letters.get(tx, request.letter_id)
    letter = mime.read(kept.content, whole=kept.whole, size_bytes=kept.size_bytes)
    if letter is None or letter.sender is None:
        raise RefusedError(
            "the letter of request {id} names no sender beyond doubt: ask who wrote; `mailer senders add` with --address registers "
            "an organisation, `mailer requests withdraw {id}` closes the request",
            id=number,
        )
    if not kept.proven:
        raise RefusedError(
            "nothing proves that the letter of request {id} came from {address}: ask the organisation by other means, "
            "then register it with `mailer senders add`",
            id=number,
            address=letter.sender,
        )
    return letter.sender


def refuse_taken(tx: Tx, row: Sender) -> None:
    """RefusedError for an address or point of another sender."""
    taken = next(registerplan.taken_by_others(row, senders.every(tx)), None)
    if taken is not None:
        raise taken


def add(worker: Worker, row: Sender, *, reason: str, request: int | None = None) -> None:
    """Register a sender; `request` is the held one it is registered from."""
    with worker.writing() as unit:
        if request is not None:
            asking(unit.tx, request)
        anew = addable(unit.tx, row, worker.pen.key)
        senders.put(unit, registerplan.stamped(None, row, unit.at) if anew else row, worker.pen)
        unit.tell("sender.added", sender=row.code, request=request, importance="notice", reason=reason)


def edit(worker: Worker, hands: Hands, code: str, wanted: Edit, *, reason: str) -> Change:
    """Change what the register says of a sender. RefusedError when nothing would change."""
    return _change(worker, hands, code, lambda before: registerplan.edited(before, wanted), event="sender.edited", reason=reason)


def block(
    worker: Worker, hands: Hands, code: str, *, until: datetime | None, effect: LoginEffect, reason: str
) -> tuple[Change, Reach]:
    """Refuse a sender's letters, until a person lifts it or the end comes."""
    with worker.writing() as unit:
        before = believed(unit.tx, code, worker.pen.key)
        change = Change(before=before, after=registerplan.blocked(before, reason=reason, until=until))
        _put(unit, hands, change, worker)
        reached = closing.close(unit, hands.accounts, code, effect, key=worker.pen.key, reason=reason)
        unit.tell(
            "sender.blocked",
            sender=code,
            importance="notice",
            reason=reason,
            until=None if until is None else evidence.instant(until),
            effect=effect.value,
            logins=reached.logins,
            requests=reached.requests,
        )
        return change, reached


def unblock(worker: Worker, hands: Hands, code: str, *, reason: str) -> Change:
    """Take a sender's letters again. Its suspended logins stay as they are."""
    return _change(worker, hands, code, unblocked, event="sender.unblocked", reason=reason)


def unblocked(before: Sender) -> Sender:
    if not before.blocked:
        raise RefusedError("{code} is not blocked", code=before.code)
    return registerplan.unblocked(before)


def joined(tx: Tx, source: str, target: str, key: bytes, *, at: datetime, reason: str) -> tuple[Change, Change]:
    """What merging would change now: the row that is closed, and the one that lives on, which must not be blocked."""
    if source == target:
        raise RefusedError("{code} cannot be merged with itself", code=source)
    senders.lock(tx, [source, target])
    before = believed(tx, source, key), believed(tx, target, key)
    if before[1].is_blocked(at):
        raise RefusedError("{code} is blocked itself: `mailer senders unblock {code} --reason …` first", code=target)
    after = registerplan.joined(*before, reason=reason)
    return Change(before=before[0], after=after[0]), Change(before=before[1], after=after[1])


def merge(worker: Worker, hands: Hands, source: str, target: str, *, effect: LoginEffect, reason: str) -> Reach:
    """Lead all addresses and points of one code to another and close the first; its requests and logins keep its code."""
    with worker.writing() as unit:
        for change in joined(unit.tx, source, target, worker.pen.key, at=unit.at, reason=reason):
            _put(unit, hands, change, worker)
        reached = closing.close(unit, hands.accounts, source, effect, key=worker.pen.key, reason=reason)
        unit.tell(
            "sender.merged",
            sender=source,
            importance="notice",
            into=target,
            reason=reason,
            effect=effect.value,
            logins=reached.logins,
            requests=reached.requests,
        )
        return reached


def show(worker: Worker, code: str) -> Row:
    """One row whole. Who looks at it is recorded: names of points are names of people."""
    with worker.writing() as unit:
        row = senders.row(unit.tx, code, worker.pen.key)
        unit.tell("sender.shown", sender=code, importance="notice")
        return row


def export(worker: Worker) -> list[Sender]:
    """The whole register, told to the record before anybody has it."""
    with worker.writing() as unit:
        found = senders.every(unit.tx)
        unit.tell("senders.exported", importance="notice", senders=len(found))
        return found


def adopt(worker: Worker) -> None:
    """Tell the record of the rows that an older version of this program wrote, so that they are believed."""
    with worker.writing() as unit:
        for sender in senders.every(unit.tx):
            senders.register(unit, sender.code, worker.pen)


def _change(worker: Worker, hands: Hands, code: str, wanted: Callable[[Sender], Sender], *, event: str, reason: str) -> Change:
    with worker.writing() as unit:
        before = believed(unit.tx, code, worker.pen.key)
        change = Change(before=before, after=wanted(before))
        refuse_unchanged(change)
        refuse_taken(unit.tx, change.after)
        _put(unit, hands, change, worker)
        unit.tell(
            event,
            sender=code,
            importance="notice",
            reason=reason,
            columns=sorted({name for name, _old, _new in registerplan.differences(before, change.after)}),
        )
        return change


def refuse_unchanged(change: Change) -> None:
    if change.before == change.after:
        raise RefusedError("nothing would change: the register says so already")


def _put(unit: Unit, hands: Hands, change: Change, worker: Worker) -> None:
    before, after = change.before, change.after
    if before is None or before.answer_to == after.answer_to:
        senders.put(unit, after, worker.pen)
        return
    senders.put(unit, registerplan.stamped(before, after, unit.at), worker.pen)
    _tell_old_address(unit, hands.stationery, before)


def _tell_old_address(unit: Unit, stationery: Stationery, before: Sender) -> None:
    fund = stationery.fund
    if before.answer_to == fund.address.lower():
        return
    stationery.write(
        unit,
        request_id=None,
        sender_code=before.code,
        recipient=personal.address(unit, before.code, before.answer_to, stationery.randbytes),
        name="answer-address",
        values=AnswerAddressValues(
            fund_name=fund.name,
            contact=fund.contact,
            portal_url=fund.portal_url,
            changed_at=local_moment(unit.at, fund.zone),
        ),
        answered=None,
    )
