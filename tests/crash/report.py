"""How does the outcome of a campaign read? As a column of the table in docs/reliability.md, and a list of faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from tests.crash.evidence import Evidence
from tests.crash.hands import Kill
from tests.crash.judge import Verdict
from tests.crash.moments import ALL
from tests.crash.post import Sort

SHOWN_FAULTS: Final = 40
Column = Mapping[str, str]


def column(evidence: Evidence, verdict: Verdict, *, seed: int, seconds: float, longest_orphan: float) -> Column:
    """What was done and what was found, one line each, in the order in which it is read."""
    by_sort = Counter(posted.sort for posted in evidence.posted)
    return {
        "date, seed": f"{evidence.told[0].at:%Y-%m-%d}, {seed}",
        "time for one kill, in seconds": f"{seconds / len(evidence.kills):.1f}",
        **_kills(evidence.kills),
        "longest life of a child after its supervisor, in seconds": f"{longest_orphan:.1f}",
        "**letters put into the mailbox**": str(len(evidence.posted)),
        **{f"— {sort}": str(by_sort[sort]) for sort in Sort},
        **_outcome(evidence, verdict),
    }


def table(columns: Mapping[str, Column]) -> str:
    """The columns side by side, in Markdown; the name of each is its head."""
    what = list(dict.fromkeys(line for one in columns.values() for line in one))
    rows = [[line, *(one.get(line, "0") for one in columns.values())] for line in what]
    cells = [["", *columns], ["---", *("---:" for _ in columns)], *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def sentence(faults: Sequence[str]) -> str:
    if not faults:
        return "THE PROMISE HELD"
    shown = "".join(f"\n  {fault}" for fault in faults[:SHOWN_FAULTS])
    more = f"\n  and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
    return f"THE PROMISE DID NOT HOLD: {len(faults)} faults{shown}{more}"


def _kills(kills: Sequence[Kill]) -> Column:
    named = Counter(str(kill.where) for kill in kills)
    groups = {
        f"{part} killed {where}": sum(named[str(moment)] for moment in ALL if (moment.part, moment.place) == (part, place))
        for part, place, where in dict.fromkeys((moment.part, moment.place, moment.where) for moment in ALL)
    }
    at_random = Counter(f"{kill.part} killed at random" for kill in kills if kill.where == "at random")
    hits = [named[str(moment)] for moment in ALL]
    return {
        "**kills**": str(len(kills)),
        **{f"— {what}": str(count) for what, count in (sorted(at_random.items()) + list(groups.items()))},
        f"named moments hit, of {len(ALL)}": str(sum(count > 0 for count in hits)),
        "fewest kills at one of them": str(min(hits)),
    }


def _outcome(evidence: Evidence, verdict: Verdict) -> Column:
    copies = ", ".join(f"{times}×: {replies}" for times, replies in verdict.copies.items())
    return {
        "**letters lost**": str(verdict.lost),
        "**letters with two credentials**": str(verdict.double_credentials),
        "replies that reached the mail server, by how often": copies,
        "**replies whose copies differ**": str(verdict.differing),
        "**copies outside the window that the promise names**": str(verdict.unexplained),
        "replies before a person after three sends (the mute server's not counted)": str(verdict.doubted),
        "letters before a person after four deaths (those meant to be not counted)": str(verdict.quarantined),
        "records, whole and gapless": str(len(evidence.told)),
        "**letters or replies that wait for ever, and all other faults**": str(len(verdict.faults)),
    }
