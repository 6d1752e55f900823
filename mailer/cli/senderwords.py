"""How is a sender of the register shown, and what a change of it does?"""

from __future__ import annotations

from collections.abc import Iterator
from gettext import gettext as _
from typing import TYPE_CHECKING

from mailer.cli.options import say_dry
from mailer.cli.show import print_json, safe_text, say, say_long

if TYPE_CHECKING:
    from mailer.core.registerplan import Change
    from mailer.flow.override.closing import Reach
    from mailer.model import Sender


def difference_lines(change: Change) -> Iterator[str]:
    """A line for what differs, as `answer_to: a -> b`."""
    from mailer.core import registerplan

    if change.before is None:
        return
    for column, before, after in registerplan.differences(change.before, change.after):
        if before and after:
            yield safe_text(f"{column}: {before} -> {after}")
        else:
            yield safe_text(f"{column}: {'+' if after else '-'} {after or before}")


def reached_lines(reached: Reach) -> Iterator[str]:
    if reached.logins:
        yield _("living logins that end or are suspended: {count}").format(count=reached.logins)
    if reached.kept:
        yield _("logins that stay valid: {count}; `mailer credentials revoke --sender CODE --reason …` ends them").format(
            count=reached.kept
        )
    if reached.requests:
        yield _("approved requests that wait for a person again: {count}").format(count=reached.requests)


def say_reached(reached: Reach, *, changed: bool) -> None:
    for line in reached_lines(reached):
        say(line)
    say_dry(changed=changed)


def say_row(row: Sender, *, changed: bool) -> None:
    say(
        safe_text(
            _("{code}: {organisation}, {addresses}; answers go to {answer_to}").format(
                code=row.code, organisation=row.organisation, addresses=", ".join(row.addresses), answer_to=row.answer_to
            )
        )
    )
    say_dry(changed=changed)


def say_change(change: Change, *, as_json: bool, changed: bool) -> None:
    if as_json:
        print_json({"before": change.before, "sender": change.after, "changed": changed})
        return
    for line in difference_lines(change):
        say(line)
    if change.before is not None and change.before.answer_to != change.after.answer_to:
        told = _("the old answer address is told so by letter; the first login to the new one needs a person's approval")
        say_long(told, indent="")
    say_dry(changed=changed)
