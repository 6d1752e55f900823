"""How does a letter's way through the trial office look on a terminal? What was sent, what was decided and why, what came of it.

Letters are shown as text, never as markup, and only through `safe_text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as _
from itertools import takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailer.cli.show import brief, local, safe_text
from mailer.demo.letters import Posted
from mailer.demo.witness import Flaw, Story
from mailer.flow.report.records import Entry
from mailer.model import Verdict

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDEST = 100  # columns; wider lines of prose are hard to read
LABEL = 12  # columns
DETAILS = 4  # which column of a timeline
SHORTEST_ECHO = 5  # lines; an end shared with the reply before is left out from here on


class Narrator:
    """Tells stories one after another; a long end that a reply shares with the one before is not repeated."""

    def __init__(self, zone: ZoneInfo) -> None:
        from rich.console import Console

        self._zone = zone
        self._console: Console = Console(highlight=False)
        self._console.width = min(self._console.width, WIDEST) if self._console.is_terminal else WIDEST
        self._told: list[str] = []

    def headline(self, text: str) -> None:
        from rich.text import Text

        self._console.print()
        self._console.rule(Text(text, style="bold"), align="left", characters="━", style="cyan")

    def sent(self, posted: Posted, note: str = "") -> None:
        """Told at once, before anything is known of the rest."""
        rows = [(_("from"), posted.sender), (_("subject"), posted.subject)]
        self._rows([*rows, ("", note)] if note else rows)

    def became(self, story: Story) -> None:
        self._rows(self._decision(story))
        if story.reply is not None:
            self._reply(story.reply.subject, story.reply.text)
        if story.timeline:
            self._timeline(story.timeline)

    def mark(self, good: bool, text: str) -> None:
        from rich.text import Text

        sign, style = ("✓", "bold green") if good else ("✗", "bold red")
        self._console.print(Text.assemble((f"{sign} ", style), safe_text(text)))

    def _decision(self, story: Story) -> list[tuple[str, str]]:
        rows = []
        if story.reading.person is not None:
            rows.append((_("person"), story.reading.person.canonical))
        if story.reading.repairs:
            rows.append((_("repairs"), ", ".join(repair.value for repair in story.reading.repairs)))
        if story.verdict is None:
            return [*rows, (_("decision"), _("none yet"))]
        rows.append((_("decision"), f"{_verdict(story.verdict)} ({story.verdict.value})"))
        rows.append((_("why"), story.why))
        rows.append((_("rule"), story.rule_id))
        if story.reason is not None and story.reason != story.rule_id:
            rows.append((_("reason"), story.reason))
        if not story.kept:
            rows.append(("", _("the letter stays in the fund's mailbox, untouched; only its number and kind were noted")))
        return rows + self._outcome(story)

    def _outcome(self, story: Story) -> list[tuple[str, str]]:
        request = story.request
        if request is None:
            return []
        rows = [(_("request"), _("№ {id}: {state}").format(id=request.request.id, state=request.request.state.value))]
        credential = request.credential
        if credential is not None:
            until = local(credential.valid_until, self._zone)
            told = _("{login}: {state}, valid until {until}")
            rows.append((_("login"), told.format(login=credential.login, state=credential.state.value, until=until)))
        if story.reply is None:
            rows.append((_("reply"), _("none was sent") if story.at_rest else _("none yet")))
        else:
            told = _("arrived in the mailbox {address} after {seconds:.1f} s")
            rows.append((_("reply"), told.format(address=story.reply.recipient, seconds=story.seconds)))
        return rows

    def _reply(self, subject: str, text: str) -> None:
        from rich.panel import Panel
        from rich.text import Text

        lines = [safe_text(line) for line in text.strip().splitlines()]
        shown, echo = lines, _common_end(lines, self._told)
        if echo >= SHORTEST_ECHO:
            shown = [*lines[:-echo], "", _("[… {count} more lines, the same as in the reply above]").format(count=echo)]
        self._told = lines
        title = Text(safe_text(subject), style="bold")
        self._console.print(Panel(Text("\n".join(shown)), title=title, title_align="left", border_style="cyan"))

    def _timeline(self, timeline: Sequence[Entry]) -> None:
        """Each record with the details that no record before it has told."""
        known: set[str] = set()
        rows = []
        for entry in timeline:
            details = [brief({key: value}) for key, value in entry.details.items()]
            time = f"{entry.at.astimezone(self._zone):%H:%M:%S.%f}"[:-3]
            new = " ".join(detail for detail in details if detail and detail not in known)
            rows.append((f"{entry.seq:>4}", time, entry.actor.removeprefix("mailer-"), entry.event, new))
            known.update(details)
        self._rows([(_("record"), _("№, time, who, what, new details"))])
        self._console.print(_grid(rows, dim=DETAILS))

    def _rows(self, rows: Sequence[tuple[str, str]]) -> None:
        self._console.print(_grid([(label.rjust(LABEL), value) for label, value in rows], dim=0))


def _common_end(lines: Sequence[str], others: Sequence[str]) -> int:
    """How many last lines both have in common."""
    pairs = zip(reversed(lines), reversed(others), strict=False)
    return sum(1 for _pair in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _grid(rows: Sequence[Sequence[str]], *, dim: int) -> RenderableType:
    """Columns side by side, the last one wrapped; the column `dim` matters less."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    last = len(rows[0]) - 1
    for column in range(last):
        table.add_column(style="dim" if column == dim else "", no_wrap=True)
    table.add_column(style="dim" if last == dim else "", overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(safe_text(cell)) for cell in row))
    return Padding(table, (0, 0, 0, 1))


def _verdict(verdict: Verdict) -> str:
    return {
        Verdict.ISSUE: _("a login and a password are issued"),
        Verdict.HOLD: _("a person decides"),
        Verdict.REFUSE: _("refused"),
        Verdict.IGNORE: _("nothing is answered"),
    }[verdict]


def what_is_wrong(flaw: Flaw) -> str:
    return {
        Flaw.UNFINISHED: _("it did not come to rest in time"),
        Flaw.OTHER_END: _("it was decided in another way, or its request ended in another state"),
        Flaw.NO_REPLY: _("no reply has arrived in the mailbox of who wrote it"),
        Flaw.PASSWORD: _("the login and password in the reply are not valid"),
        Flaw.UNASKED_REPLY: _("a reply has arrived although nothing should be answered"),
    }[flaw]
