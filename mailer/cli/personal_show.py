"""What `mailer personal` shows of what it found or destroyed, and the new file that a person gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.cli.show import print_json, safe_text, say, translated
from mailer.errors import N_

if TYPE_CHECKING:
    from mailer.core.erasing import Living
    from mailer.flow.override.personal import Found
    from mailer.store.erasure import Holdings

LISTS = {
    "letter_ids": N_("numbers of letters"),
    "request_ids": N_("numbers of requests"),
    "logins": N_("logins"),
    "reply_ids": N_("ids of answers"),
    "sender_codes": N_("codes of senders"),
    "named_in_register": N_("named in the register under"),
    "unread_letter_ids": N_("letters not looked into"),
}


def show_cleared(mailbox: str, found: Mapping[int, int], paths: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        print_json({"mailbox": mailbox, "letter_ids": sorted(set(found.values())), "papers": paths, "changed": bool(paths)})
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
    lists: dict[str, Sequence[object]] = {
        "letter_ids": [letter.id for letter in held.letters],
        "request_ids": sorted(held.requests),
        "logins": [one.login for one in held.credentials],
        "reply_ids": sorted(held.replies),
        "sender_codes": [code or None for code in found.codes],
        "named_in_register": found.register,
        "unread_letter_ids": found.unread,
    }
    if as_json:
        mentions = [{"letter_id": number, "mention": how} for number, how in found.named.items()]
        print_json({"counts": held.counts(), **lists, "mentions": mentions})
        return
    for line in _counted(held.counts()):
        say(line)
    for name, listed in lists.items():
        if listed:
            say(f"  {_(LISTS[name])}: {safe_text(', '.join('-' if one is None else str(one) for one in listed))}")
    if found.unread:
        say(_("letters that no command reads were not looked into: {count}").format(count=len(found.unread)))


def show_erased(held: Holdings, paths: Sequence[Path], living: Sequence[Living], *, as_json: bool, changed: bool) -> None:
    from mailer.flow.override.destruction import named
    from mailer.flow.override.inventory import categories

    if as_json:
        letters, requests = [letter.id for letter in held.letters], sorted(held.requests)
        told = {"counts": held.counts(), "letter_ids": letters, "request_ids": requests, "hindering": living}
        print_json({**told, "papers": paths, "changed": changed})
        return
    for one in categories(held):
        say(f"{_(one.what)}: {one.count}")
    for hindering in living:
        say("! " + safe_text(_("still in use: {living}").format(living=translated(named(hindering)))))
    for path in paths:
        say(_("{path}: to be signed and kept for three years").format(path=safe_text(path)))
    if not changed:
        say(_("nothing was changed"))
