"""What `mailer personal` shows of what it found or destroyed, and the new file that a person gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.cli.show import print_json, safe_text, say

if TYPE_CHECKING:
    from mailer.core.erasing import Living
    from mailer.flow.override.personal import Found
    from mailer.store.erasure import Holdings


def show_cleared(mailbox: str, found: Mapping[int, int], paths: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        letters = sorted(set(found.values()))
        print_json({"mailbox": mailbox, "letters": letters, "papers": [str(path) for path in paths]})
        return
    say(_("{mailbox}: letters in the done folder to be removed: {count}").format(mailbox=mailbox, count=len(found)))
    for path in paths:
        say(_("{path}: to be signed and kept for three years").format(path=safe_text(path)))


def _counted(counts: Mapping[str, int]) -> Iterator[str]:
    words: dict[str, Callable[[int], str]] = {
        "names": lambda count: _("names: {count}").format(count=count),
        "addresses": lambda count: _("addresses that only this person used: {count}").format(count=count),
        "letters": lambda count: _("letters with their bytes: {count}").format(count=count),
        "filed": lambda count: _("of these in the done folder on the mail server: {count}").format(count=count),
        "requests": lambda count: _("requests: {count}").format(count=count),
        "credentials": lambda count: _("credentials: {count}").format(count=count),
        "local_logins": lambda count: _("logins in our own accounts: {count}").format(count=count),
        "sealed": lambda count: _("answers that are still sealed: {count}").format(count=count),
    }
    return (words[name](count) for name, count in counts.items())


def show_found(found: Found, *, as_json: bool) -> None:
    held = found.held
    numbers: dict[str, Sequence[object]] = {
        "letters": [letter.id for letter in held.letters],
        "requests": sorted(held.requests),
        "credentials": [one.login for one in held.credentials],
        "replies": sorted(held.replies),
        "senders": found.codes,
        "register": found.register,
        "unread": found.unread,
    }
    if as_json:
        print_json(
            {"counts": found.counts(), "numbers": numbers, "named": {str(one): how.value for one, how in found.named.items()}}
        )
        return
    for line in _counted(found.counts()):
        say(line)
    for name, listed in numbers.items():
        if listed:
            say(f"  {name}: {safe_text(', '.join(str(one) or '-' for one in listed))}")
    if found.unread:
        say(_("letters that no command reads were not looked into: {count}").format(count=len(found.unread)))


def show_erased(held: Holdings, paths: Sequence[Path], living: Sequence[Living], *, as_json: bool) -> None:
    from mailer.flow.override.inventory import categories

    counted = categories(held)
    if as_json:
        print_json(
            {
                "erased": {one.what: one.count for one in counted},
                "letters": [letter.id for letter in held.letters],
                "requests": sorted(held.requests),
                "papers": [str(path) for path in paths],
                "hindering": living,
            }
        )
        return
    for one in counted:
        say(f"{_(one.what)}: {one.count}")
    for hindering in living:
        say("! " + safe_text(f"{hindering.kind} {hindering.name}: {hindering.state.value}"))
    for path in paths:
        say(_("{path}: to be signed and kept for three years").format(path=safe_text(path)))
