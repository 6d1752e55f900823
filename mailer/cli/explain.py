"""`mailer explain`: what would happen to these letters, changing nothing (letters.md, section 6)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli.opened import office_of
from mailer.cli.options import AsLines
from mailer.cli.show import print_json, safe_text, say, translated
from mailer.errors import SetupError

if TYPE_CHECKING:
    from mailer.core.bounce import Bounce, NoReport
    from mailer.flow.explain import Channel, Explanation
    from mailer.service.office import Office


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Say what would happen to letters in files (- is standard input), changing nothing."))
    def explain(
        context: typer.Context,
        files: Annotated[list[str], typer.Argument(metavar="FILE...", help=_("Letters as files."))],
        mailbox: Annotated[str, typer.Option("--mailbox", help=_("As if they came through this mailbox."), metavar="NAME")] = "",
        as_json: AsLines = False,
    ) -> int:
        from mailer.flow.explain import explain as judge
        from mailer.service.office import clock

        unread = 0
        with office_of(context) as office, office.database.reading() as tx:
            channel, ruleset, own, limits = _channel(office, mailbox), office.active_rules(), office.own(), office.limits()
            address, key = office.config.fund.bounce_address, office.pen().key
            for file in files:
                try:
                    content = _content(file)
                except OSError as error:
                    unread += 1
                    _tell_unread(file, translated(SetupError("{why}", why=error)), as_json=as_json)
                    continue
                found = judge(
                    tx,
                    content,
                    channel=channel,
                    ruleset=ruleset,
                    own=own,
                    limits=limits,
                    now=clock(),
                    key=key,
                    bounce_address=address,
                )
                if as_json:
                    print_json({"file": file, **_as_object(found), "error": None})
                else:
                    _show(file, found)
        return 1 if unread else 0


def _channel(office: Office, name: str) -> Channel:
    from mailer.flow.explain import Channel
    from mailer.model import Trust

    if not name:
        return Channel()
    for mailbox in office.config.mailbox:
        if mailbox.name == name:
            return Channel(
                trust=Trust(mailbox.trust),
                authserv_id=mailbox.authserv_id,
                shared_domains=frozenset(mailbox.shared_domains),
            )
    known = ", ".join(mailbox.name for mailbox in office.config.mailbox)
    raise SetupError("--mailbox: there is no mailbox {name}; known: {known}", name=name, known=known or "-")


def _content(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _as_object(found: Explanation) -> Mapping[str, Any]:
    sender, decision = found.sender, found.decision
    return {
        "kind": found.reading.kind.value,
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "person": found.reading.person,
        "repairs": [repair.value for repair in found.reading.repairs],
        "sender_code": None if sender is None else sender.code,
        "organisation": None if sender is None else sender.organisation,
        "rule_id": decision.rule_id,
        "trace": list(decision.trace),
        "bounce": _bounce_as_object(found.bounce),
    }


def _bounce_as_object(said: Bounce | NoReport | None) -> Mapping[str, Any] | None:
    """`reason`: why nothing could be read in it, else null."""
    if said is None:
        return None
    if isinstance(said, str):
        return {"recipients": [], "reply_ids": [], "message_ids": [], "reason": said.value}
    recipients = [
        {
            "outcome": recipient.outcome.value,
            "status": recipient.status,
            "final_recipient": recipient.final,
            "original_recipient": recipient.original,
            "diagnostic": recipient.diagnostic,
        }
        for recipient in said.recipients
    ]
    return {"recipients": recipients, "reply_ids": said.reply_ids, "message_ids": said.message_ids, "reason": None}


def _tell_unread(file: str, why: str, *, as_json: bool) -> None:
    if as_json:
        empty = dict.fromkeys(("kind", "verdict", "reason", "person", "sender_code", "organisation", "rule_id", "bounce"))
        print_json({"file": file, **empty, "repairs": [], "trace": [], "error": why})
    else:
        say(_("{file}: cannot be read: {why}").format(file=safe_text(file), why=why))


def _show(file: str, found: Explanation) -> None:
    decision = found.decision
    say(
        f"{safe_text(file)}: {found.reading.kind.value} → {decision.verdict.value}"
        + (f" ({decision.reason})" if decision.reason else "")
    )
    say("  " + _("why: {why} [{rule}]").format(why=safe_text(decision.why), rule=decision.rule_id))
    if found.reading.person is not None:
        say("  " + _("person: {person}").format(person=safe_text(found.reading.person.canonical)))
    elif found.reading.written:
        say("  " + _("written: {written}").format(written=safe_text(found.reading.written)))
    if found.sender is not None:
        say(
            "  "
            + _("sender: {code}, {organisation}").format(
                code=safe_text(found.sender.code), organisation=safe_text(found.sender.organisation)
            )
        )
    if found.reading.repairs:
        say("  " + _("repairs: {repairs}").format(repairs=", ".join(repair.value for repair in found.reading.repairs)))
    if found.bounce is not None:
        _show_bounce(found.bounce)


def _show_bounce(said: Bounce | NoReport) -> None:
    if isinstance(said, str):
        say("  " + _("nothing could be read in this delivery report ({reason})").format(reason=said.value))
        return
    for recipient in said.recipients:
        address = recipient.final or recipient.original or "?"
        line = f"{address}: {recipient.outcome.value} {recipient.status or ''}".rstrip()
        say("  " + safe_text(f"{line} — {recipient.diagnostic}" if recipient.diagnostic else line))
    ids = ", ".join([*said.reply_ids, *said.message_ids])
    say("  " + _("reply: {ids}").format(ids=safe_text(ids) if ids else _("cannot be made out")))
