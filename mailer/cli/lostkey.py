"""`mailer audit declare-lost-key`: nobody has the private half of the signing key any more; and what a verification says of it."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli.opened import officer_of
from mailer.cli.options import Because, OnlyTry, agreed, given
from mailer.cli.show import local, safe_text, say

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mailer.store.lostkeys import Loss


def add_to(noun: typer.Typer) -> None:
    noun.command(
        "declare-lost-key",
        help=_("Say that nobody has the private half of the checkpoints' key any more; a new key signs from then on."),
    )(_declare)


def lines(loss: Loss, zone: ZoneInfo) -> list[str]:
    """What stands since then rests on the new key alone: whoever has database and record key could have made it."""
    said = loss.said
    if loss.seq is None:
        told = [_("the key was declared lost; the record of it is gone, with those that were pruned or given up")]
    else:
        told = [_("the key was declared lost on {at} (record {seq})").format(at=local(loss.at, zone), seq=loss.seq)]
    told.append(safe_text(said.change.old))
    if not said.carried_out:
        return [*told, _("no new one is in its place: run `mailer audit declare-lost-key` again, or bring the old one back")]
    told.append(_("up to record {proven}, checkpoints of the old key prove what stands").format(proven=said.proven))
    if loss.confirmed:
        return [*told, _("the key that was given is the one that followed, or came after it")]
    return [
        *told,
        _("what came after that, whoever has database and keys could have made:"),
        _("compare the new key with the one on paper, or give that by --key"),
        safe_text(said.change.new),
    ]


def as_object(loss: Loss) -> dict[str, object]:
    said = loss.said
    return {
        "record_seq": loss.seq,
        "at": loss.at,
        "old": str(said.change.old),
        "new": str(said.change.new),
        "proven": said.proven,
        "carried_out": said.carried_out,
        "confirmed": loss.confirmed,
    }


def _declare(
    context: typer.Context,
    reason: Because,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask."))] = False,
    dry_run: OnlyTry = False,
) -> None:
    from mailer.flow.override import record as override

    why = given(reason)
    with officer_of(context, "audit declare-lost-key", dry_run=dry_run) as (office, worker):
        signer = office.record_signer(worker)
        is_declared = office.signing_key().is_half_succeeded()
        if not is_declared:
            lost, size = override.look_at_lost_key(signer)
            say(_("the lost key: {key}").format(key=lost))
            said = _("a new one would sign {count} records; every verification would tell of the loss, and ask for the new key")
            say(said.format(count=size))
        if dry_run:
            say(_("nothing was changed"))
            return
        if not agreed(yes=yes, needed=not is_declared):
            return
        found = override.declare_lost_key(worker, signer, reason=why)
        key = office.signing_key()
    say(_("declared lost; the new key signed {count} records, code {code}").format(count=found.checkpoint.size, code=found.code))
    say(_("{path}: the new key; keep a copy of it").format(path=key.private_path))
    say(_("its public half: {key}").format(key=key.public()))
    say(_("put that on paper and give it to whoever verifies: `mailer audit verify --key …` compares it"))
