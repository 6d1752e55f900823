"""The oldest records are taken out, once a bundle holds them all in full: byte for byte, proven, old enough, needed by nobody.

What register, lists of persons and rules rest on is told anew first, so that they stay proven. The pruning is itself a record, with
the edge of the tree from which verification goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final

from mailer.core.checkpointhistory import History
from mailer.core.checkpoints import Published
from mailer.core.merkle import Range
from mailer.errors import RefusedError
from mailer.flow import export
from mailer.store import audit, office, persons, pruning, recordpages, senders, verification
from mailer.store.recordpages import Selection
from mailer.store.work import Unit, Worker

FREE: Final = ("made_at",)  # what may differ between two bundles of the same records


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What lies in the folder of an export: see `core.bundle`."""

    manifest: bytes
    note: str
    records: BinaryIO


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruning:
    """What was, or would be, taken: the records up to `upto`, `count` of them; `restated`: senders told anew."""

    upto: int
    count: int
    restated: int


def prune(
    owner: Worker,
    bundle: Bundle,
    history: History,
    *,
    keep_days: int,
    reason: str,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda count: None,
) -> Pruning:
    """Delete what the bundle holds, as the owner of the database. RefusedError, and nothing is changed, when it is not the whole
    beginning of the record in full, is not what the database and a published checkpoint say, is too young or still needed.
    """
    with owner.reading() as tx:
        pruning.check_owner(tx)
    published = next((one for one in history.valid if one.signed == bundle.note), None)
    if published is None:
        raise RefusedError("the checkpoint of the bundle is not among the published ones: make the bundle anew")
    fault = verification.verify(owner.database, owner.pen.key, history).fault
    if fault is not None:
        raise RefusedError("record {seq}: {why}; nothing is pruned", seq=fault.seq, why=fault.why)
    upto = _compared(owner, bundle, published, progress)
    return _prune(owner, published, upto, bundle, keep_days=keep_days, reason=reason, dry_run=dry_run)


def _compared(owner: Worker, bundle: Bundle, published: Published, progress: Callable[[int], object]) -> int:
    """The last record of a bundle that is, byte for byte, what a bundle of the beginning of the record must be now."""
    try:
        manifest: dict[str, Any] = json.loads(bundle.manifest)
        selection, key = _asked(manifest["asked"]), manifest["public_key"]
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("the manifest of the bundle cannot be read: make the bundle anew") from error

    def compare(content: bytes) -> None:
        if bundle.records.read(len(content)) != content:
            raise RefusedError("the bundle does not hold the records of this database: make it anew")

    again = json.loads(export.bundled(owner, selection, published, compare, public_key=key, progress=progress))
    if bundle.records.read(1) or {**again, **_free(manifest)} != manifest:
        raise RefusedError("the bundle does not hold the records of this database: make it anew")
    if again["last"] < again["first"]:
        raise RefusedError("there is no record in the bundle")
    last: int = again["last"]
    return last


def _asked(told: Mapping[str, Any]) -> Selection:
    """What the bundle was made of; RefusedError unless that is everything up to a day."""
    if any(told[name] for name in ("since", "events", "actor", "sender")):
        raise RefusedError("the bundle must hold all records from the first one on: export it with --to alone")
    return Selection(until=told["until"] and datetime.fromisoformat(told["until"]))


def _free(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in FREE if name in manifest}


def _prune(
    owner: Worker, published: Published, upto: int, bundle: Bundle, *, keep_days: int, reason: str, dry_run: bool
) -> Pruning:
    with owner.writing(dry_run=dry_run) as unit:
        restated = _restate(unit, owner, upto)
        pruning.hold_head(unit.tx)
        _refuse_young(unit, upto, keep_days)
        if (hindering := pruning.needed(unit.tx, upto=upto)) is not None:
            raise RefusedError(
                "record {seq} is still needed: {why}; export and prune up to the day before it",
                seq=hindering.seq,
                why=RefusedError(hindering.why),
            )
        edge = _proven(unit, owner, published, upto)
        count = pruning.remove(unit.tx, upto=upto)
        unit.tell(
            "audit.pruned",
            importance="warning",
            upto=upto,
            count=count,
            root=edge.root().hex(),
            hashes=[one.hex() for one in edge.hashes],
            checkpoint=published.code,
            manifest=hashlib.sha256(bundle.manifest).hexdigest(),
            reason=reason,
        )
    return Pruning(upto=upto, count=count, restated=restated)


def _restate(unit: Unit, owner: Worker, upto: int) -> int:
    """Tell rows of the register, lists of persons and the active rules anew that only these records prove; how many rows.

    RefusedError while any row or list is not as it was written, or the rules are not those that were activated.
    """
    key = owner.pen.key
    senders.lock(unit.tx)
    for faults in (senders.faults(unit.tx, key), persons.faults(unit.tx, key)):
        if faults:
            code, why = min(faults.items())
            raise RefusedError("{code}: {why}; mend this first: `mailer check` says how", code=code, why=RefusedError(why))
    rows, lists = (_proven_by(unit, event, upto) for event in (senders.REGISTERED, persons.LISTED))
    for code in rows:
        senders.register(unit, code, owner.pen)
    for code in lists:
        persons.enlist(unit, code)
    _restate_rules(unit, key, upto)
    return len(rows)


def _restate_rules(unit: Unit, key: bytes, upto: int) -> None:
    active, told = office.active(unit.tx, key), audit.newest_of(unit.tx, office.ACTIVATED)
    if active is None or (told is not None and told.seq > upto):
        return
    if active.fault is not None:
        raise RefusedError("the active rules: {why}; mend this first: `mailer check` says how", why=RefusedError(active.fault))
    unit.tell("rules.activated", importance="notice", ruleset=active.hash, before=active.hash)


def _proven_by(unit: Unit, event: str, upto: int) -> list[str]:
    """Of which senders this was told last no later than that."""
    codes, found = sorted(audit.senders_of(unit.tx, event)), list[str]()
    for start in range(0, len(codes), senders.PAGE):
        page = codes[start : start + senders.PAGE]
        newest = audit.newest_of_senders(unit.tx, event, page)
        found += [code for code in page if newest[code].seq <= upto]
    return found


def _refuse_young(unit: Unit, upto: int, keep_days: int) -> None:
    newest, before = pruning.newest_at(unit.tx, upto=upto), unit.at - timedelta(days=keep_days)
    if newest is not None and newest >= before:
        raise RefusedError(
            "the bundle holds records of {newest}; only those from before {before} may be pruned ([audit] keep_days): "
            "export it with --to an earlier day",
            newest=newest.date(),
            before=before.date(),
        )


def _proven(unit: Unit, owner: Worker, published: Published, upto: int) -> Range:
    """The edge of the tree after `upto`, from which the records that stay lead to the checkpoint, here and now."""
    begin = pruning.anchor(unit.tx, owner.pen.key)
    start = begin.edge if begin else Range()
    edge = start.grown(recordpages.leaves(unit.tx, after=start.size, upto=upto))
    size = published.checkpoint.size
    if edge.grown(recordpages.leaves(unit.tx, after=upto, upto=size)).root() != published.checkpoint.root:
        raise RefusedError("the records do not lead to the checkpoint of the bundle: `mailer audit verify` says more")
    return edge
