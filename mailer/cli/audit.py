"""`mailer audit`: read the record and verify it."""

from __future__ import annotations

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import exporting, lostkey, pruning
from mailer.cli.noun import Noun
from mailer.cli.opened import office_of, officer_of
from mailer.cli.options import AsLines, AsObject, Because, OnlyTry, given
from mailer.cli.show import LARGEST, brief, local, print_json, say, table, translated
from mailer.errors import NotFoundError, RefusedError, SetupError

if TYPE_CHECKING:
    from mailer.flow.report.oldletters import LetterProof
    from mailer.store.verification import Verdict


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("The record of every step."))
    noun.command("list", help=_("Show the newest records."))(_list)
    noun.command(
        "verify",
        help=_(
            "Verify records, their tree and the checkpoints (exit 1: tampered, 2: cannot verify, 3: a lost key to be compared)."
        ),
    )(_verify)
    noun.command(
        "verify-letter",
        help=_("Prove an old letter of ours: by its record and the checkpoints (exit 1: it is not, 2: nobody can tell)."),
    )(_verify_letter)
    noun.command("declare-restore", help=_("Say that the database was brought back from a backup."))(_declare_restore)
    noun.command("change-key", help=_("Give the checkpoints a new key, which the old one names."))(_change_key)
    lostkey.add_to(noun)
    noun.command("checkpoints", help=_("Write out the signed checkpoints that the database has."))(_checkpoints)
    exporting.add_to(noun)
    pruning.add_to(noun)
    app.add_typer(noun, name="audit")


def _list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST, help=_("How many."))] = 50,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.report import records
    from mailer.store import audit

    with office_of(context) as office, office.database.reading() as tx:
        entries = [records.entry(sealed) for sealed in audit.last(tx, limit)]
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    zone = office.config.zone
    table(
        ["№", _("at"), _("event"), _("sender"), _("request"), _("who"), _("details")],
        (
            (entry.seq, local(entry.at, zone), entry.event, entry.sender_code, entry.request_id, entry.actor, brief(entry.details))
            for entry in entries
        ),
        empty=_("there are no records yet"),
        beneath=True,
    )


def _verify(
    context: typer.Context,
    since: Annotated[int, typer.Option("--since", min=1, max=LARGEST, help=_("Start at this record."))] = 1,
    file: Annotated[
        Path | None, typer.Option("--checkpoints", help=_("Compare with this copy of the published checkpoints."))
    ] = None,
    public_key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help=_("The office's public key, as you have it on paper."))
    ] = None,
    as_json: AsObject = False,
) -> int:
    from mailer.service import published
    from mailer.store import verification

    with office_of(context) as office:
        try:
            key, history = office.pen().key, published.history(office, file)
            trusted = None if public_key is None else published.key_of(office, public_key, history)
        except SetupError as error:
            raise SetupError("CANNOT VERIFY: {why}", why=error) from error
        verdict = verification.verify(office.database, key, history, since=since, trusted=trusted)
        if verdict.fault is None and since > verdict.size:
            gone = NotFoundError("there is no record {seq}: the newest is {newest}", seq=since, newest=verdict.size)
            raise SetupError("CANNOT VERIFY: {why}", why=gone)
        zone = office.config.zone
    if as_json:
        print_json(_shown(verdict))
    else:
        say(_sentence(verdict))
        for one in verdict.lost:
            for line in lostkey.lines(one, zone):
                say(line)
    if verdict.fault is not None:
        return 1
    return 0 if all(one.confirmed for one in verdict.lost) else 3


def _shown(verdict: Verdict) -> dict[str, object]:
    fault = verdict.fault
    return {
        "verdict": verdict.outcome.value,
        "records": verdict.checked,
        "signed": verdict.signed,
        "restored": verdict.restored,
        "lost_keys": [lostkey.as_object(one) for one in verdict.lost],
        "pruned": verdict.pruned.edge.size if verdict.pruned else None,
        "record_seq": fault and fault.seq,
        "why": fault and fault.why,
    }


def _sentence(verdict: Verdict) -> str:
    """The verdict's own words are the same in every language, so that a log can be searched for them."""
    fault = verdict.fault
    if fault is not None:
        return _("TAMPERED: record {seq}: {why}").format(seq=fault.seq, why=translated(fault.why))
    said = [_("{verdict}: {count} records").format(verdict=verdict.outcome.value, count=verdict.checked)]
    said += [
        _("a restore was declared: what was signed beyond record {kept}, up to {lost}, is given up").format(
            kept=one.kept, lost=one.lost
        )
        for one in verdict.restored
    ]
    if verdict.pruned is not None:
        said.append(
            _("records up to {upto} were pruned, record {seq} tells so").format(
                upto=verdict.pruned.edge.size, seq=verdict.pruned.seq
            )
        )
    if verdict.signed is None:
        said.append(_("inside only: no checkpoint outside the database was compared"))
    elif verdict.signed < verdict.size:
        said.append(
            _("signed up to record {signed}, after it {count}").format(signed=verdict.signed, count=verdict.size - verdict.signed)
        )
    else:
        said.append(_("all of them under checkpoints outside the database"))
    return "; ".join(said)


def _verify_letter(
    context: typer.Context,
    letter: Annotated[Path, typer.Argument(metavar="FILE", help=_("The letter as it was received (.eml)."))],
    file: Annotated[
        Path | None, typer.Option("--checkpoints", help=_("Compare with this copy of the published checkpoints."))
    ] = None,
    as_json: AsObject = False,
) -> int:
    from mailer.flow.report import oldletters
    from mailer.flow.report.oldletters import Found
    from mailer.service import published

    try:
        content = letter.read_bytes()
    except OSError as error:
        raise SetupError("the file {path} cannot be read: {why}", path=letter, why=error.strerror) from error
    with office_of(context) as office:
        try:
            key, history = office.pen().key, published.history(office, file)
        except SetupError as error:
            raise SetupError("CANNOT VERIFY: {why}", why=error) from error
        proof = oldletters.prove(office.database, key, history, content)
    if as_json:
        print_json(proof)
    else:
        say(_of_letter(proof))
    if proof.found is Found.ERASED:
        return 2
    return 0 if proof.found in {Found.GENUINE, Found.UNSIGNED} else 1


def _of_letter(proof: LetterProof) -> str:
    """As with `_sentence`, the first words are the same in every language."""
    from mailer.flow.report.oldletters import Found

    values = {name: getattr(proof, name) for name in ("size", "named", "pruned", "erasure")}
    values |= {"request": proof.request_id, "seq": proof.record_seq}
    said = {
        Found.GENUINE: _("GENUINE: our answer to request {request}, byte for byte; record {seq}, checkpoint of {size} records"),
        Found.UNSIGNED: _("NOT YET SIGNED: our answer to request {request}, byte for byte; record {seq}, no checkpoint since"),
        Found.CHANGED: _("CHANGED: our answer to request {request} (record {seq}) was another one, byte for byte"),
        Found.ERASED: _(
            "ERASED: record {seq} tells of an answer to request {request} with this Message-ID. Whether it read as this file does "
            "can no longer be said: what it was compared by was destroyed with the personal data (record {erasure})"
        ),
        Found.UNKNOWN: _("UNKNOWN: no record tells of this letter")
        if proof.pruned is None
        else _("UNKNOWN: no record after {pruned} tells of this letter; those up to it were pruned, look into their bundle"),
        Found.TAMPERED: _("TAMPERED: record {seq}: {why}"),
    }[proof.found]
    named = _("the code in it names the checkpoint of {named} records") if proof.named is not None else ""
    lost = _("it was signed after a key was lost, see `mailer audit verify`") if proof.lost_key else ""
    why = translated(proof.why) if proof.why else ""
    return "; ".join(part.format(**values, why=why) for part in (said, named, lost) if part)


def _checkpoints(context: typer.Context) -> None:
    from mailer.store import checkpoints

    with office_of(context) as office, office.database.reading() as tx:
        notes = checkpoints.notes(tx)
    for signed in notes:
        typer.echo(signed)


def _declare_restore(
    context: typer.Context,
    reason: Because,
    dry_run: OnlyTry = False,
) -> None:
    from mailer.flow.override import record as override
    from mailer.store.verification import Fault

    why = given(reason)
    with officer_of(context, "audit declare-restore", dry_run=dry_run) as (office, worker):
        signer = office.record_signer(worker)
        kept, lost = override.declare_restore(worker, signer, reason=why, dry_run=dry_run)
        if dry_run:
            said = _(
                "would be declared: checkpoints hold up to record {kept}, what was signed beyond, up to {lost}, would be given up; "
                "nothing was changed"
            )
            say(said.format(kept=kept, lost=lost))
            office.signing_key().signer()  # who signs next must be there
            return
        say(
            _("declared: checkpoints hold up to record {kept}, what was signed beyond, up to {lost}, is given up").format(
                kept=kept, lost=lost
            )
        )
        found = signer.publish()
        if isinstance(found, Fault):
            raise RefusedError("record {seq}: {why}; nothing was signed", seq=found.seq, why=found.why)
        say(_("signed: {count} records, code {code}").format(count=found.checkpoint.size, code=found.code))


def _change_key(
    context: typer.Context,
    reason: Because,
    dry_run: OnlyTry = False,
) -> None:
    from mailer.flow.override import record as override

    why = given(reason)
    with officer_of(context, "audit change-key", dry_run=dry_run) as (office, worker):
        if dry_run:
            said = _("the old key would name a new one in the checkpoint of {count} records; nothing was changed")
            say(said.format(count=override.signable(office.record_signer(worker))))
            return
        found = override.change_key(worker, office.record_signer(worker), reason=why)
        key = office.signing_key()
    if found.checkpoint.change is None:
        said = _("the change that was cut off is finished: the new key signed {count} records")
    else:
        said = _("the old key named the new one in the checkpoint of {count} records")
    say(said.format(count=found.checkpoint.size))
    say(_("{path}: the new key; keep a copy of it, and give its public half to whoever verifies").format(path=key.private_path))
