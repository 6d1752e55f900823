"""What may an officer have stand still for a while? Taking letters in, issuing, sending: until he has it go on.

A pause is a row; every process asks for it before each batch. What is in hand when it begins is finished.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailer.errors import RefusedError
from mailer.states import Pausable
from mailer.store import pauses
from mailer.store.db import Tx
from mailer.store.pauses import Pause
from mailer.store.work import Unit, Worker


def pause(worker: Worker, step: Pausable, mailbox: str, *, reason: str) -> Pause:
    """Have a step stand still, or intake of one mailbox; RefusedError when it does already."""
    with worker.writing() as unit:
        refuse_paused(unit.tx, step, mailbox)
        begun = Pause(step=step, mailbox=mailbox, since=unit.at, actor=worker.actor, reason=reason)
        if not pauses.begin(unit.tx, begun):
            raise RefusedError("{step} has just been paused by somebody else", step=_name(step, mailbox))
        _tell(unit, "step.paused", begun, reason=reason)
    return begun


def resume(worker: Worker, step: Pausable, mailbox: str, *, reason: str) -> Pause:
    """Have it go on; the pause that ended. RefusedError when there is no such pause."""
    with worker.writing() as unit:
        ended = paused(unit.tx, step, mailbox)
        if not pauses.end(unit.tx, ended):
            raise RefusedError("{step} has just been resumed by somebody else", step=_name(step, mailbox))
        _tell(unit, "step.resumed", ended, reason=reason)
    return ended


def refuse_paused(tx: Tx, step: Pausable, mailbox: str) -> None:
    found = pauses.find(tx, step, mailbox)
    if found is not None:
        raise RefusedError(
            "{step} is paused already, by {actor}: {reason}", step=_name(step, mailbox), actor=found.actor, reason=found.reason
        )


def paused(tx: Tx, step: Pausable, mailbox: str) -> Pause:
    """The pause that would end; RefusedError says which there are instead."""
    found = pauses.find(tx, step, mailbox)
    if found is not None:
        return found
    others = [one for one in pauses.every(tx) if one.step is step]
    if others:
        raise RefusedError(
            "{step} is not paused, but this is: {others}; nothing was changed", step=_name(step, mailbox), others=_names(others)
        )
    raise RefusedError("{step} is not paused: nothing was changed", step=_name(step, mailbox))


def _tell(unit: Unit, event: str, one: Pause, *, reason: str) -> None:
    unit.tell(event, importance="notice", step=one.step.value, mailbox=one.mailbox or None, reason=reason)


def _names(found: Sequence[Pause]) -> str:
    return ", ".join(_name(one.step, one.mailbox) for one in found)


def _name(step: Pausable, mailbox: str) -> str:
    """As it is typed after `mailer pause`."""
    return f"{step.value} --mailbox {mailbox}" if mailbox else step.value
