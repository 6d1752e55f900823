"""What would change in the register? Rows of a file, or a person's wish, beside the rows that are there; nothing is done here.

A file brings senders and adds to them. Only where it is to replace the register does it take anything away, and then a sender that
is not in it is closed, never forgotten: requests and records speak of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailer.core import register, subscriber
from mailer.errors import RefusedError
from mailer.model import Sender


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One row before and after. `before` None: there is none that may be believed."""

    before: Sender | None
    after: Sender


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What an import does. `anew` are rows that are not as they were last written: they become what the file says alone."""

    new: tuple[Sender, ...]
    changed: tuple[Change, ...]
    anew: tuple[Sender, ...]
    removed: tuple[Sender, ...]
    same: int

    @property
    def is_empty(self) -> bool:
        return not (self.new or self.changed or self.anew or self.removed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """What a person wants changed in one row; None and () leave it as it is."""

    organisation: str | None = None
    answer_to: str | None = None
    add_addresses: tuple[str, ...] = ()
    remove_addresses: tuple[str, ...] = ()
    add_points: tuple[str, ...] = ()
    remove_points: tuple[str, ...] = ()


def plan(rows: Sequence[Sender], registered: Sequence[Sender], *, distrusted: Collection[str], replaces: bool) -> Plan:
    """Rows of a file against the register; `distrusted` are codes of rows that are not as they were last written."""
    known = {sender.code: sender for sender in registered}
    new, changed, anew = [], [], []
    for row in rows:
        before = known.get(row.code)
        if before is None:
            new.append(row)
        elif row.code in distrusted:
            anew.append(row)
        elif differences(before, after := taken_over(before, row) if replaces else merged(before, row)):
            changed.append(Change(before=before, after=after))
    named = {row.code for row in rows}
    removed = [
        one for one in registered if replaces and one.code not in named and not is_closed(one) and one.code not in distrusted
    ]
    return Plan(
        new=tuple(new),
        changed=tuple(changed),
        anew=tuple(anew),
        removed=tuple(removed),
        same=len(rows) - len(new) - len(changed) - len(anew),
    )


def merged(before: Sender, row: Sender) -> Sender:
    """The row as it stands, with what another says of it and has besides: nothing is taken away, a block least of all."""
    points = {subscriber.key(point): point for point in (*row.points, *before.points)}
    return replace(
        before,
        organisation=row.organisation,
        answer_to=row.answer_to,
        addresses=tuple(sorted({*before.addresses, *row.addresses})),
        points=tuple(sorted(points.values())),
    )


def taken_over(before: Sender, row: Sender) -> Sender:
    """The row as another says, addresses and points that this one does not name gone; a block stays."""
    points = {subscriber.key(point): point for point in before.points}
    kept = {subscriber.key(point): points.get(subscriber.key(point), point) for point in row.points}
    return replace(
        before,
        organisation=row.organisation,
        answer_to=row.answer_to,
        addresses=tuple(sorted(row.addresses)),
        points=tuple(sorted(kept.values())),
    )


def edited(before: Sender, edit: Edit) -> Sender:
    """RefusedError: what is to be removed is not there, or nothing would be left to know the sender by."""
    for address in edit.remove_addresses:
        if address not in before.addresses:
            raise RefusedError("{code} has no address {what}", code=before.code, what=address)
    keys = {subscriber.key(point): point for point in before.points}
    for point in edit.remove_points:
        if subscriber.key(point) not in keys:
            raise RefusedError("{code} has no subscriber point {what}", code=before.code, what=point)
    gone = {subscriber.key(point) for point in edit.remove_points}
    keys = {key: point for key, point in keys.items() if key not in gone} | {
        subscriber.key(point): point for point in edit.add_points
    }
    addresses = {address for address in before.addresses if address not in edit.remove_addresses} | set(edit.add_addresses)
    if not addresses:
        raise RefusedError("{code} would have no address left: block it instead", code=before.code)
    return replace(
        before,
        organisation=before.organisation if edit.organisation is None else edit.organisation,
        answer_to=before.answer_to if edit.answer_to is None else edit.answer_to,
        addresses=tuple(sorted(addresses)),
        points=tuple(sorted(keys.values())),
    )


def joined(source: Sender, target: Sender, *, reason: str) -> tuple[Sender, Sender]:
    """Two codes of one organisation: all ways of the first lead to the second, and the first is closed."""
    points = {subscriber.key(point): point for point in (*source.points, *target.points)}
    rest = replace(source, addresses=(), points=(), blocked=True, blocked_until=None, block_reason=reason)
    whole = replace(target, addresses=tuple(sorted({*source.addresses, *target.addresses})), points=tuple(sorted(points.values())))
    return rest, whole


def blocked(sender: Sender, *, reason: str, until: datetime | None) -> Sender:
    """`until` is the last instant of the block; None: until a person lifts it."""
    return replace(sender, blocked=True, blocked_until=until, block_reason=reason)


def unblocked(sender: Sender) -> Sender:
    return replace(sender, blocked=False, blocked_until=None, block_reason="")


def is_closed(sender: Sender) -> bool:
    """Blocked without an end."""
    return sender.blocked and sender.blocked_until is None


def stamped(before: Sender | None, after: Sender, now: datetime) -> Sender:
    """The row with the moment its answer address changed, if it does; of a row that is not believed nobody knows the old one."""
    if before is not None and before.answer_to == after.answer_to:
        return after
    return replace(after, answer_changed_at=now)


def taken_by_others(sender: Sender, registered: Sequence[Sender]) -> Iterator[RefusedError]:
    """Its addresses and points that stand under another code."""
    others = [other for other in registered if other.code != sender.code]
    holders = {address: other.code for other in others for address in other.addresses}
    keepers = {subscriber.key(point): other.code for other in others for point in other.points}
    for address in sender.addresses:
        if address in holders:
            yield RefusedError("the address {what} stands under {code}", what=address, code=holders[address])
    for point in sender.points:
        if subscriber.key(point) in keepers:
            yield RefusedError("the subscriber point {what} stands under {code}", what=point, code=keepers[subscriber.key(point)])


def differences(before: Sender, after: Sender) -> list[tuple[str, str, str]]:
    """What differs: the name of a column, what stood there and what does. Of addresses and points only what comes and goes."""
    found = [
        (name, getattr(before, name), getattr(after, name))
        for name in ("organisation", "answer_to")
        if getattr(before, name) != getattr(after, name)
    ]
    ways: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
        "address": (before.addresses, after.addresses),
        "subscriber": (before.points, after.points),
    }
    for name, (old, new) in ways.items():
        found += [(name, one, "") for one in old if one not in new]
        found += [(name, "", one) for one in new if one not in old]
    return found


def lines_of(sender: Sender) -> list[list[str]]:
    """A sender as lines of a register file, by the order of its columns: one for each address or point, the longer of the two."""
    count = max(len(sender.addresses), len(sender.points), 1)
    addresses = [*sender.addresses, *[sender.addresses[-1] if sender.addresses else ""] * (count - len(sender.addresses))]
    points = [*sender.points, *[""] * (count - len(sender.points))]
    said = {"code": sender.code, "organisation": sender.organisation, "answer_to": sender.answer_to}
    return [
        [{**said, "subscriber": point, "address": address}[name] for name in register.COLUMNS]
        for point, address in zip(points, addresses, strict=True)
    ]
