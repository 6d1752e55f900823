"""`mailer doctor`: can a letter with another's address get into a mailbox and be believed? The only check that sends letters."""

from __future__ import annotations

import sys
from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli.opened import office_of
from mailer.cli.options import AsLines
from mailer.cli.show import print_json, safe_text, say, translated
from mailer.errors import EdgeError, SetupError

if TYPE_CHECKING:
    from mailer.config.sections import Config, Mailbox
    from mailer.core.spoof import Outcome, Verdict
    from mailer.service.doctor import Plan
    from mailer.service.office import Office

SIGNS = {"refused": "✓", "closed": "✓", "rewritten": "✓", "unproven": "✓", "believed": "✗"}
UNKNOWN = "?"
YES = ("yes", "y", "да", "д")


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Send trial letters with another's From address and see whether a mailbox would believe them."))
    def doctor(
        context: typer.Context,
        *,
        mailbox: Annotated[str, typer.Option("--mailbox", help=_("This mailbox only."), metavar="NAME")] = "",
        to: Annotated[
            str, typer.Option("--to", help=_("Address whose letters land in the mailbox; else [fund] from."), metavar="ADDRESS")
        ] = "",
        spoofed: Annotated[
            str,
            typer.Option("--as", help=_("Address to write in From; else a made-up one at a registered domain."), metavar="ADDRESS"),
        ] = "",
        seconds: Annotated[int, typer.Option("--seconds", min=1, max=600, help=_("How long to wait for the letters."))] = 30,
        yes: Annotated[bool, typer.Option("--yes", help=_("Send without asking."))] = False,
        as_json: AsLines = False,
    ) -> int:
        with office_of(context) as office:
            chosen = _chosen(office.config, mailbox)
            plans = _plans(office, chosen, _address("--to", to) or office.config.fund.sender, _address("--as", spoofed), seconds)
            if not _agreed(plans, made_up=not spoofed, yes=yes, as_json=as_json):
                return 1
            good = [_examined(office, one, made_up=not spoofed, as_json=as_json) for one in plans]
        return 0 if all(good) else 1


def _chosen(config: Config, name: str) -> list[Mailbox]:
    known = [mailbox.name for mailbox in config.mailbox]
    if not known:
        raise SetupError("no [[mailbox]] is configured: there is nothing to try")
    if name and name not in known:
        raise SetupError("--mailbox: there is no mailbox {name}; known: {known}", name=name, known=", ".join(known))
    return [mailbox for mailbox in config.mailbox if name in {"", mailbox.name}]


def _address(option: str, written: str) -> str:
    from mailer.config.sections import ADDRESS

    if written and not ADDRESS.fullmatch(written):
        raise SetupError("{option}: {written} is not one bare mail address", option=option, written=written)
    return written


def _plans(office: Office, chosen: list[Mailbox], recipient: str, spoofed: str, seconds: int) -> list[Plan]:
    from mailer.service import doctor

    spoofed = spoofed or doctor.made_up_address(office) or ""
    if not spoofed:
        raise SetupError("the register is empty, so no domain is known to write from: fill it, or name an address with --as")
    if spoofed.lower() == office.config.fund.sender.lower():
        raise SetupError("--as: {address} is our own address, and the trial needs another's", address=spoofed)
    return [doctor.plan(office, mailbox, recipient=recipient, spoofed=spoofed, seconds=seconds) for mailbox in chosen]


def _agreed(plans: list[Plan], *, made_up: bool, yes: bool, as_json: bool) -> bool:
    """Say on standard error what will be done; whether it may be."""
    for plan in plans:
        count = len(plan.accounts)
        typer.echo(
            ngettext(
                "Up to {count} trial letter will be sent to {to}, to land in the folder {folder} of mailbox {mailbox}",
                "Up to {count} trial letters will be sent to {to}, to land in the folder {folder} of mailbox {mailbox}",
                count,
            ).format(count=count, to=plan.recipient, folder=safe_text(plan.settings.folder), mailbox=plan.settings.name),
            err=True,
        )
    typer.echo(
        (_("From: {address} (made up, at a domain of the register)") if made_up else _("From: {address}")).format(
            address=plans[0].spoofed
        ),
        err=True,
    )
    typer.echo(
        _(
            "They ask for nothing and hold no secret; mailer leaves them alone, and no other letter is touched. Where one cannot "
            "be delivered, the mail server may write to the address in From."
        ),
        err=True,
    )
    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        raise SetupError("nothing was sent: say --yes if these letters may go out")
    typer.echo(_("Send them? (yes/no)") + " ", nl=False, err=True)
    if sys.stdin.readline().strip().casefold() in YES:
        return True
    typer.echo(_("nothing was sent"), err=True)
    return False


def _examined(office: Office, plan: Plan, *, made_up: bool, as_json: bool) -> bool:
    from mailer.core import spoof
    from mailer.service import doctor

    try:
        outcomes = doctor.examine(office, plan)
    except EdgeError as error:
        _tell_failure(plan, error, as_json=as_json)
        return False
    verdict = spoof.verdict(outcomes)
    if as_json:
        print_json({**_as_object(plan, outcomes, verdict), "error": None})
    else:
        _tell(plan, outcomes, verdict, made_up=made_up)
    return verdict is spoof.Verdict.STOOD


def _tell_failure(plan: Plan, error: EdgeError, *, as_json: bool) -> None:
    if as_json:
        print_json({**_as_object(plan, [], None), "error": str(error)})
    else:
        say(f"✗ {plan.settings.name}: {safe_text(translated(error))}. " + _("Nothing is known of this mailbox."))


def _as_object(plan: Plan, outcomes: list[Outcome], verdict: Verdict | None) -> dict[str, Any]:
    return {
        "mailbox": plan.settings.name,
        "trust": plan.settings.trust,
        "to_address": plan.recipient,
        "from_address": plan.spoofed,
        "verdict": verdict,
        "left": sum(outcome.arrived for outcome in outcomes),
        "ways": outcomes,
    }


def _tell(plan: Plan, outcomes: list[Outcome], verdict: Verdict, *, made_up: bool) -> None:
    say(f'{plan.settings.name}: trust = "{plan.settings.trust}"')
    for outcome in outcomes:
        say(f"  {SIGNS.get(outcome.fate.value, UNKNOWN)} {_way(plan, outcome)}: {_fate(outcome)}")
    say(_sentence(plan, verdict))
    if any(outcome.fate.value == "unseen" for outcome in outcomes):
        say(
            _(
                "Do letters to {to} land in the folder {folder} (--to names another address), not among spam, and within "
                "{seconds} s (--seconds)?"
            ).format(to=plan.recipient, folder=safe_text(plan.settings.folder), seconds=plan.seconds)
        )
    if made_up and verdict.value != "untried":
        say(_("The address was made up; a server may treat a registered one otherwise: --as ADDRESS tries that."))
    left = sum(outcome.arrived for outcome in outcomes)
    if left:
        say(
            ngettext(
                "{count} trial letter is left in the folder {folder} and may be deleted: «{subject}»",
                "{count} trial letters are left in the folder {folder} and may be deleted: «{subject}»",
                left,
            ).format(count=left, folder=safe_text(plan.settings.folder), subject=_subject())
        )


def _subject() -> str:
    from mailer.service.doctor import SUBJECT

    return SUBJECT


def _way(plan: Plan, outcome: Outcome) -> str:
    account = plan.accounts[outcome.way]
    login = _("with our login") if account.user else _("without a login")
    text = (
        _("{server} {login}, another's From, our envelope sender")
        if outcome.way.value == "header"
        else _("{server} {login}, another's From and envelope sender")
    )
    return text.format(server=safe_text(f"{account.host}:{account.port}"), login=login)


def _fate(outcome: Outcome) -> str:
    text = {
        "refused": _("refused at {command}: {detail}"),
        "closed": _("nobody takes letters there"),
        "rewritten": _("arrived with another From: {sender}") if outcome.from_address else _("arrived without a readable From"),
        "unproven": _("arrived as written and is not believed"),
        "believed": _("arrived as written and would be believed"),
        "unseen": _("taken, and not found in the folder in time: {detail}"),
        "put-off": _("put off at {command}, try again later: {detail}"),
        "untried": _("could not be tried: {detail}"),
    }[outcome.fate.value]
    told = text.format(command=outcome.command, detail=safe_text(outcome.detail), sender=safe_text(outcome.from_address or ""))
    return f"{told} ({_results(outcome)})" if outcome.fate.value in {"unproven", "believed"} else told


def _results(outcome: Outcome) -> str:
    if outcome.results is None:
        return _("no Authentication-Results")
    return f"Authentication-Results: {safe_text(' '.join(outcome.results.split()))}"


def _sentence(plan: Plan, verdict: Verdict) -> str:
    network = plan.settings.trust == "network"
    text = {
        "stood": _('Mailbox {mailbox} believed no trial letter: trust = "{trust}" has stood this trial.'),
        "believed": _(
            "Mailbox {mailbox} would believe a letter in another's name: let the mail server bind the From address to the login, "
            'or set trust = "authentication-results" if the server writes those.'
        )
        if network
        else _(
            "Mailbox {mailbox} would believe a letter in another's name, because the mail server itself vouches for it: let the "
            "mail server bind the From address to the login."
        ),
        "unsure": _("Mailbox {mailbox} believed no trial letter, but it is not known what became of all of them."),
        "untried": _("Nothing could be tried, so nothing is known of mailbox {mailbox}."),
    }[verdict.value]
    return text.format(mailbox=plan.settings.name, trust=plan.settings.trust)
