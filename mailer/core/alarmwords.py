"""How is an alarm said? For each kind a title, a sentence, and what a person can do; English here, the catalogue holds the Russian.

The commands say them in the reader's language, letters to the officer and the alarm command always in Russian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mailer.errors import N_


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    title: str
    what: str
    to_do: str


WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "mailbox-silent": Words(
            title=N_("a mailbox is not checked"),
            what=N_("mailbox {place}: no successful check for {minutes} minutes"),
            to_do=N_("see why: `mailer status`; try the server: `mailer check`; if the service does not run, start it"),
        ),
        "service-stopped": Words(
            title=N_("the service does not run"),
            what=N_("the part {place} of the service does not run"),
            to_do=N_("start it: `mailer run` or its service unit"),
        ),
        "step-failing": Words(
            title=N_("a step fails"),
            what=N_("the step {place} does not get through"),
            to_do=N_("see why: `mailer status` and the log of the service"),
        ),
        "lease-fight": Words(
            title=N_("processes take work from each other"),
            what=N_("the step {place} was taken from a running process {losses} times"),
            to_do=N_("compare the clocks of the hosts; processes on different hosts need different host names"),
        ),
        "letters-quarantined": Words(
            title=N_("letters in quarantine"),
            what=N_("letters in quarantine: {count}"),
            to_do=N_("look at them: `mailer letters list --quarantined`"),
        ),
        "issuing-paused": Words(
            title=N_("issuing is paused"),
            what=N_("more than {limit} logins within 10 minutes: issuing is paused; requests waiting: {count}"),
            to_do=N_("see whether so many are expected: `mailer requests list --state approved`; it goes on by itself"),
        ),
        "intake-paused": Words(
            title=N_("a mailbox was paused by a person"),
            what=N_("mailbox {place} was paused by a person: new letters stay in it unread"),
            to_do=N_("who paused it and why: `mailer status`; to go on: `mailer resume intake`"),
        ),
        "step-paused": Words(
            title=N_("a step was paused by a person"),
            what=N_("the step {place} was paused by a person; waiting for it: {waiting}"),
            to_do=N_("who paused it and why: `mailer status`; to go on: `mailer resume {place}`"),
        ),
        "pool-low": Words(
            title=N_("few pairs are left in the pool"),
            what=N_("free pairs of login and password in the pool: {free}"),
            to_do=N_(
                "get new ones from the authority and take them in: `mailer accounts import`; without a pair requests are held"
            ),
        ),
        "replies-waiting": Words(
            title=N_("replies do not leave"),
            what=N_("replies waiting for more than an hour: {waiting}"),
            to_do=N_("see what the mail server said: `mailer status`; try it: `mailer check`"),
        ),
        "replies-undelivered": Words(
            title=N_("replies did not arrive"),
            what=N_("replies that did not arrive for certain: {count}"),
            to_do=N_("look at them: `mailer requests list --undelivered`"),
        ),
        "notices-undelivered": Words(
            title=N_("letters to the officer did not arrive"),
            what=N_("letters to the officer that wait or did not arrive: {count}"),
            to_do=N_("check the address `[fund] officer` and the mail server: `mailer check`"),
        ),
        "accounts-lingering": Words(
            title=N_("logins that are over still work"),
            what=N_("logins that are over and could not be disabled yet: {count}"),
            to_do=N_("disable them by hand where they are valid: `mailer accounts reconcile`; it is tried again every minute"),
        ),
        "logins-distrusted": Words(
            title=N_("logins are not as the record tells"),
            what=N_("logins that are not as the record tells: {count}; somebody changed the database past this program"),
            to_do=N_(
                "see which: `mailer accounts reconcile`, `mailer audit list`; end them: `mailer credentials revoke`, or, if they "
                "work although they are over, `mailer accounts reconcile --disable-orphans`; find out who can write the database"
            ),
        ),
        "key-old": Words(
            title=N_("the key of waiting replies is about to end"),
            what=N_("replies whose key is {days} days old: {count}; it is kept for 14 days"),
            to_do=N_("let them leave or settle them: `mailer requests list --undelivered`; later they must be issued anew"),
        ),
        "key-missing": Words(
            title=N_("a key is missing"),
            what=N_("the key {place} is missing"),
            to_do=N_(
                "bring it back from its backup; what was sealed to a lost key of the courier must be issued anew, "
                "a checkpoint.key without a backup declared lost: `mailer audit declare-lost-key`"
            ),
        ),
        "erasure-unfinished": Words(
            title=N_("personal data that was destroyed may be here again"),
            what=N_("personal data that was destroyed may stand in the database or in its files again"),
            to_do=N_("destroy it once more: `mailer personal reapply`; before that, sign no act"),
        ),
        "disk-low": Words(
            title=N_("the disk is nearly full"),
            what=N_("free on the disk of {place}: {free_mb} MB"),
            to_do=N_("make room: without it nothing is kept, issued or answered"),
        ),
        "clock-jumped": Words(
            title=N_("the clock jumped"),
            what=N_("the clock of this machine jumped by {seconds} seconds"),
            to_do=N_("check the time synchronisation: terms of logins are counted by this clock"),
        ),
        "record-doubted": Words(
            title=N_("the record is not what was written"),
            what=N_("the record is not signed any more: something in it, or in what was signed, is not as it was"),
            to_do=N_(
                "see what: `mailer audit verify`; after a restore from a backup declare it: `mailer audit declare-restore`; "
                "otherwise keep database, keys and checkpoints as they are and find out who changed them"
            ),
        ),
    }
)
