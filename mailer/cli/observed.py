"""What would have been done in mode `observe`: `mailer requests list --observed`, and a line of `status` and `run`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from gettext import gettext as _
from typing import TYPE_CHECKING

from mailer.cli.show import minute, print_json, safe_text, say, table

if TYPE_CHECKING:
    from mailer.flow.report.observed import Means, Would
    from mailer.model import Verdict
    from mailer.service.office import Office


def show_observed(office: Office, limit: int, *, as_json: bool) -> None:
    """The list, then the refusals as they would have been worded."""
    from mailer.flow.report import observed

    means = _means(office)
    with office.database.reading() as tx:
        found = observed.lines(tx, limit, means)
    if as_json:
        for line in found:
            print_json(line)
        return
    zone = office.config.zone
    table(
        [_("letter"), _("received"), _("sender"), _("person"), _("verdict"), _("rule"), _("reason"), _("what would follow")],
        (
            (
                line.letter_id,
                minute(line.received_at, zone),
                line.sender_code,
                line.person,
                line.verdict,
                line.rule_id,
                line.reason,
                _outcome(line),
            )
            for line in found
        ),
        empty=_("no letter was observed"),
    )
    for line in found:
        if line.body is not None:
            _show_refusal(line)


def _means(office: Office) -> Means:
    """With what the office would answer now."""
    from mailer.core.replyvalues import LetterValues
    from mailer.flow.report.observed import Means

    fund, ruleset = office.config.fund, office.active_rules()
    return Means(
        templates=office.templates(ruleset),
        about=LetterValues(fund_name=fund.name, contact=fund.contact or fund.sender, portal_url=fund.portal_url),
        form=ruleset.form,
        own=office.own(),
        zone=office.config.zone,
        months=office.config.credentials.months,
        max_days=office.config.credentials.max_days,
    )


def _show_refusal(line: Would) -> None:
    say(_("letter {id} would be answered so (the request number comes with the request):").format(id=line.letter_id))
    for one in [line.subject or "", "", *(line.body or "").splitlines()]:
        say("  | " + safe_text(one))
    say()


def _outcome(line: Would) -> str:
    if line.request_id is not None:
        return _("decided since: request {id}").format(id=line.request_id)
    if line.last_day is not None:
        return _("a login until {day}").format(day=_day(line.last_day))
    return _("a refusal: {subject}").format(subject=line.subject or "…") if line.verdict == "refuse" else _("a person decides")


def _day(day: date) -> str:
    return f"{day:%d.%m.%Y}"


def observed_lines(counts: Mapping[Verdict, int], mode: str) -> list[str]:
    """What `status` and `run` say of letters that were observed and then left alone; nothing when there are none."""
    if not counts:
        return []
    told = ", ".join(f"{verdict.value} {count}" for verdict, count in sorted(counts.items()))
    lines = [_("observed, would be: {counts}; look at them: mailer requests list --observed").format(counts=told)]
    if mode == "answer":
        lines.append(
            _("  they stay in the mailbox unanswered, also in mode answer: a person answers them, or the sender writes again")
        )
    return lines
