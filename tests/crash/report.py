"""How does the outcome of a campaign read? As a table that can stand in docs/reliability.md, and a list of faults."""

from __future__ import annotations

from collections import Counter
from typing import Final

from tests.crash.deeds import Deeds
from tests.crash.evidence import Evidence
from tests.crash.judge import Verdict
from tests.crash.moments import ALL, Part

SHOWN_FAULTS: Final = 40


def text(heading: str, deeds: Deeds, evidence: Evidence, verdict: Verdict) -> str:
    rows = {**_kills(deeds), **_letters(evidence), **_outcome(evidence, verdict)}
    lines = [
        f"\n{heading}",
        "",
        *(f"| {what} | {found} |" for what, found in rows.items()),
        "",
    ]
    if not verdict.faults:
        return "\n".join([*lines, "THE PROMISE HELD"])
    more = len(verdict.faults) - SHOWN_FAULTS
    return "\n".join(
        [
            *lines,
            f"THE PROMISE DID NOT HOLD: {len(verdict.faults)} faults",
            *(f"  {fault}" for fault in verdict.faults[:SHOWN_FAULTS]),
            *([f"  and {more} more"] if more > 0 else []),
        ]
    )


def _kills(deeds: Deeds) -> dict[str, object]:
    at_random = Counter(kill.part for kill in deeds.kills if kill.where == "at random")
    named = Counter(kill.where for kill in deeds.kills if kill.where != "at random")
    by_place = Counter(moment.place.value for moment in ALL for _ in range(named[str(moment)]))
    return {
        "kills": len(deeds.kills),
        "at random: " + ", ".join(part for part in Part if at_random[part]): ", ".join(
            str(at_random[part]) for part in Part if at_random[part]
        ),
        "at a named moment: " + ", ".join(by_place): ", ".join(map(str, by_place.values())),
        f"named moments hit, of {len(ALL)}": len(named),
        "longest life of a child after its supervisor, seconds": f"{deeds.longest_orphan:.1f}",
    }


def _letters(evidence: Evidence) -> dict[str, object]:
    by_sort = Counter(posted.sort.value for posted in evidence.posted)
    return {"letters": len(evidence.posted), **{f"— {sort}": count for sort, count in by_sort.most_common()}}


def _outcome(evidence: Evidence, verdict: Verdict) -> dict[str, object]:
    copies = ", ".join(f"{times}: {replies}" for times, replies in verdict.copies.items())
    return {
        "letters lost": verdict.lost,
        "letters with two credentials": verdict.double_credentials,
        "replies by the number of times they came": copies,
        "replies whose copies differ": verdict.differing,
        "copies outside the window of the promise": verdict.unexplained,
        "replies left to a person after three sends (not counting the server that never answers)": verdict.doubted,
        "letters quarantined (not counting those meant to be)": verdict.quarantined,
        "records in the journal": len(evidence.told),
        "everything else that must not be": len(verdict.faults),
    }
