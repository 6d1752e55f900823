"""When did a part of the house start and stop, and with which configuration, templates and rules?

Not a step: the service tells through it before its first step runs and after its last one has ended. Of texts digests are told,
those of configuration and templates under the record key: nobody can guess an address from them. A run that never told its end is
told by the next one of the same part on the same machine: elsewhere nobody can know that it is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailer.core import evidence
from mailer.store import audit
from mailer.store.work import Worker

STARTED: Final = "service.started"
STOPPED: Final = "service.stopped"
LOST: Final = "service.lost"
LOOKED_AT: Final = 200  # of these records, the newest: a crash is told at the next start, not a hundred starts later


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One process: which part of the house it is (desk, courier), its name as an owner of leases, and its steps."""

    part: str
    process: str
    steps: Sequence[str]
    version: str
    mode: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """By what a run works: `configuration` and `templates` as texts in one piece, `rules` by the hash of the active ones."""

    configuration: str
    templates: str
    rules: str

    def digests(self, key: bytes) -> dict[str, str]:
        return {
            "configuration": evidence.personal_digest(key, self.configuration),
            "templates": evidence.personal_digest(key, self.templates),
            "rules": self.rules,
        }


def start(worker: Worker, run: Run, setup: Setup, *, is_gone: Callable[[str], bool]) -> None:
    """Tell that the run begins; which ones before it never told their end; and what is not as it was at the part's last start."""
    now = setup.digests(worker.pen.key)
    with worker.writing() as unit:
        told = [
            (evidence.read_header(sealed), evidence.read_details(sealed))
            for sealed in audit.last_of(unit.tx, (STARTED, STOPPED, LOST), LOOKED_AT)
        ]
        of_part = [(header["seq"], header["event"], details) for header, details in told if details["part"] == run.part]
        for seq, process in unended(of_part):
            if is_gone(process):
                unit.tell(LOST, importance="warning", outcome="failed", part=run.part, process=process, started=seq)
        unit.tell(
            STARTED,
            importance="notice",
            part=run.part,
            process=run.process,
            steps=run.steps,
            version=run.version,
            mode=run.mode,
            decided=now,
        )
        before = next((details for _seq, event, details in reversed(of_part) if event == STARTED), None)
        for what, digest in now.items():
            if before is not None and before[what] != digest:
                unit.tell("configuration.changed", importance="notice", part=run.part, what=what, before=before[what], after=digest)


def stop(worker: Worker, run: Run) -> None:
    """Tell that the run is over, every step of it ended."""
    with worker.writing() as unit:
        unit.tell(STOPPED, importance="notice", part=run.part, process=run.process)


def unended(told: Iterable[tuple[int, str, Mapping[str, Any]]]) -> list[tuple[int, str]]:
    """The starts after which nothing tells of an end, as number of the record and process: of these records, oldest first."""
    going: dict[str, int] = {}
    for seq, event, details in told:
        if event == STARTED:
            going[details["process"]] = seq
        else:
            going.pop(details["process"], None)
    return [(seq, process) for process, seq in going.items()]
