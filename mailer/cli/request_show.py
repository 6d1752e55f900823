"""`mailer requests show`: one request with all that an officer needs to decide it, and its whole timeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mailer.cli.opened import office_of, operator
from mailer.cli.options import AsObject
from mailer.cli.request_list import cells, headings, to_do, why
from mailer.cli.show import LARGEST, local, plain, print_json, safe_text, say, say_long, table
from mailer.cli.timeline import show_entry
from mailer.core.requestwords import words
from mailer.states import RequestState

if TYPE_CHECKING:
    from datetime import datetime

    from mailer.core.decide import Tried
    from mailer.flow.report.dossier import Dossier
    from mailer.flow.report.records import Entry
    from mailer.flow.report.requests import RequestLine, RequestView
    from mailer.model import Reading
    from mailer.store.requests import Request


def add_to(noun: typer.Typer) -> None:
    noun.command("show", help=_("Show one request: the letter, each rule, earlier requests, namesakes, the whole timeline."))(_show)


def _show(
    context: typer.Context,
    request: Annotated[int, typer.Argument(metavar="№", min=1, max=LARGEST)],
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import lookups
    from mailer.flow.report.dossier import dossier
    from mailer.service.office import clock

    with office_of(context) as office:
        lookups.shown(office.worker(operator()), request)
        with office.database.reading() as tx:
            found = dossier(tx, request, office.own())
    if as_json:
        print_json(_as_object(found))
        return
    zone = office.config.zone
    _show_request(found.view, zone)
    _show_reading(found.reading)
    _show_why(found)
    _show_rules(found.rules)
    _show_beside(found, zone, clock())
    _show_timeline(found.view.timeline, zone)


def _as_object(found: Dossier) -> dict[str, object]:
    """The fields of the request and, beside them, those of the dossier."""
    beside = plain(found)
    del beside["view"], beside["line"]
    return {**request_as_object(found.view), **beside}


def request_as_object(view: RequestView) -> dict[str, object]:
    """The facts of a request as they are, not as the text that the database keeps."""
    return {
        **plain(view),
        "request": _with_facts(view.request),
        "repeated_by": [_with_facts(one) for one in view.repeated_by],
    }


def _with_facts(request: Request) -> dict[str, object]:
    return {**plain(request), "facts": json.loads(request.facts)}


def show_request(view: RequestView, zone: ZoneInfo) -> None:
    """A request for reading: what was asked, what was decided and why, what was issued and sent, and every record of it."""
    _show_request(view, zone)
    _show_timeline(view.timeline, zone)


def _show_request(view: RequestView, zone: ZoneInfo) -> None:
    request = view.request
    say(_("request {id}: {state}").format(id=request.id, state=request.state.value))
    if request.reissue_of is not None:
        say_long(_("repeats request {id}, whose answer did not arrive").format(id=request.reissue_of))
    if view.letter is not None:
        letter = view.letter
        told = _("letter {id} of {at}, from {sender}")
        say_long(told.format(id=letter.id, at=local(letter.received_at, zone), sender=safe_text(letter.from_address or "?")))
    say_long(_("subject: {subject}").format(subject=safe_text((view.letter.subject if view.letter else None) or "")))
    say_long(_("person: {person}").format(person=safe_text(view.person or "-")))
    if request.sender_code is not None or view.stranger is None:  # a stranger may have been registered since
        told = _("sender: {code}, {organisation}")
        say_long(told.format(code=safe_text(request.sender_code or "-"), organisation=safe_text(view.organisation or "-")))
    else:
        say_long(_("sender: {address}, not in the register or not proven").format(address=safe_text(view.stranger)))
    decided = _("decided: {verdict} by rule {rule}").format(verdict=request.verdict, rule=request.rule_id)
    say_long(decided + (f" ({request.reason})" if request.reason not in {None, request.rule_id} else ""))
    _show_issued(view, zone)


def _show_issued(view: RequestView, zone: ZoneInfo) -> None:
    if view.credential is not None:
        credential = view.credential
        told = _("login {login}: {state}, valid until {until}")
        until = local(credential.valid_until, zone)
        say_long(told.format(login=credential.login, state=credential.state.value, until=until))
    for reply in view.replies:
        told = _("reply {name} to {address}: {state}, {attempts} attempts")
        address = safe_text(view.answer_to or "-")
        say_long(told.format(name=reply.name, address=address, state=reply.state, attempts=reply.attempts))
    for repeat in view.repeated_by:
        say_long(_("repeated by request {id}: {state}").format(id=repeat.id, state=repeat.state.value))


def _show_reading(reading: Reading | None) -> None:
    """How the subject was read, to be compared with how it stands above."""
    if reading is None:
        return
    if reading.person is not None:
        name = reading.person
        told = _("read: surname {surname}, initials {initials}")
        said = told.format(surname=safe_text(name.surname), initials=safe_text(f"{name.initials} {name.suffix}".rstrip()))
    else:
        told = _("read: no name ({reason}); written: {written}")
        said = told.format(
            reason=reading.reason.value if reading.reason else reading.kind.value, written=safe_text(reading.written)
        )
    say_long(said)
    if reading.repairs:
        say_long(_("repairs: {repairs}").format(repairs=", ".join(repair.value for repair in reading.repairs)))


def _show_why(found: Dossier) -> None:
    line = found.line
    if line.reason is not None:
        say_long(_("why: {why}").format(why=safe_text(why(line))))
    if line.state == RequestState.HELD.value:
        say_long(_("what to do: {to_do}").format(to_do=to_do(words(line.reason, line.standing), line.id)))
    if found.also_open:
        numbers = ", ".join(f"№ {number}" for number in found.also_open)
        say_long("! " + _("for the same person there are also open: {numbers}").format(numbers=numbers), indent="")


def _show_rules(asked: Sequence[Tried] | None) -> None:
    if asked is None:
        return
    say()
    say(_("rules, in their order:"))
    for rule in asked:
        if rule.unmet is None:
            told = _("{name}: fits, hence {verdict}: {why}")
            say_long(
                "✓ " + safe_text(told.format(name=rule.name, verdict=rule.verdict.value, why=rule.why)), indent="", then="    "
            )
        elif rule.unmet == "any":
            say_long(_("{name}: no, none of its alternatives holds").format(name=rule.name))
        else:
            told = _("{name}: no, {fact} is {value}")
            say_long(told.format(name=rule.name, fact=rule.unmet, value=_value(rule.found)))


def _value(found: object) -> str:
    """A fact as rule files write it."""
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, tuple):
        return ", ".join(_value(one) for one in found) or "—"
    return str(found.value if isinstance(found, Enum) else "—" if found is None else found)


def _show_beside(found: Dossier, zone: ZoneInfo, now: datetime) -> None:
    lists: tuple[tuple[str, Sequence[RequestLine]], ...] = (
        (_("earlier requests for the same person:"), found.earlier_of_person),
        (_("earlier requests of the same sender:"), found.earlier_of_sender),
    )
    for title, lines in lists:
        if lines:
            say()
            say(title)
            table(headings(held=False), cells(lines, zone, now, held=False), empty="")
    if found.namesakes:
        say()
        say(_("! the same surname and initials under other senders:"))
        rows = ((one.person, one.sender_code or "—", one.organisation, one.request_id) for one in found.namesakes)
        table([_("person"), _("sender"), _("organisation"), _("newest request")], rows, empty="")


def _show_timeline(timeline: Sequence[Entry], zone: ZoneInfo) -> None:
    """Every record; who looked at it is said in one line."""
    say()
    for entry in timeline:
        if entry.event != "request.shown":
            show_entry(entry, zone)
    looked = [entry for entry in timeline if entry.event == "request.shown"]
    if looked:
        told = _("shown: {count} times, last at {at} to {actor}")
        say("  " + told.format(count=len(looked), at=local(looked[-1].at, zone), actor=safe_text(looked[-1].actor)))
