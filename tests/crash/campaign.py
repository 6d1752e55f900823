"""A crash campaign: the service is killed again and again while letters arrive, and then every letter is asked what became of it.

    python -m tests.crash.campaign --kills 500 [--database sqlite|postgresql] [--seed 1]

Some kills hit the whole service (`mailer run`: supervisor, desk and courier) at random moments, some hit desk, courier or a
person's command at a named moment (`moments.py`), and some a unit that worked beside. The kinds take turns, in blocks. Exit code 1:
something that the promise excludes has happened; the list says what, and the office's directory is left for inspection.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from random import Random
from typing import Final

from tests.crash import report
from tests.crash.deeds import Deeds
from tests.crash.evidence import gather
from tests.crash.judge import judge
from tests.crash.moments import ALL, Moment, Part
from tests.crash.office import CampaignError, Office, kill
from tests.crash.post import Post
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres
from tests.servers.processes import parts, runs

DATABASES: Final = ("sqlite", "postgresql")
BLOCK: Final = 6
ORPHAN_SECONDS: Final = 40.0  # 10 are promised, on a machine that does nothing else
NAMED_SHARE: Final = 0.4  # as many again, or nearly, die at random when the units are exchanged between two named moments
AT_WORK_SHARE: Final = 0.8  # of the services that are killed; the others die while they start


class Campaign:
    """One campaign on one database. `kills` counts at least; a block that was begun is carried out."""

    def __init__(self, office: Office, post: Post, chance: Random, kills: int, moments: Sequence[Moment]) -> None:
        self._office = office
        self._chance = chance
        self._wanted = kills
        self._moments = moments
        self._post = post
        self.deeds = Deeds(office, post, chance, on_kill=self._progress)
        self._began = time.monotonic()

    def run(self) -> None:
        waiting = [moment for moment in self._moments if moment.name != "credential.expired"]
        while waiting or len(self.deeds.kills) < self._wanted:
            block, waiting = waiting[:BLOCK], waiting[BLOCK:]
            self.deeds.named(sorted(block, key=lambda moment: moment.part))  # so that units are exchanged seldom
            left = self._wanted - len(self.deeds.kills) - len(waiting)
            if left > 0:
                self._random_block(min(BLOCK, left))
        self.deeds.come_to_rest()

    def end_of_terms(self) -> None:
        """The last kills: three months later, while all logins end."""
        self.deeds.end_of_terms([moment for moment in self._moments if moment.name == "credential.expired"])

    def _random_block(self, count: int) -> None:
        """The real service: its children die and are started again, then the supervisor dies and the children stop."""
        orphans: set[int] = set()
        for _ in range(0, count, 3):
            service = self._office.start(self._office.command("run"))
            if self._chance.random() < AT_WORK_SHARE:
                self._office.wait_for(lambda pid=service.pid: self._is_at_work(pid), "desk and courier to take their leases")
            self._arrivals()
            for part in self._chance.sample([Part.DESK, Part.COURIER], 2):
                child = parts(service.pid).get(part)
                if child is not None:
                    kill(child)
                    self.deeds.killed(part, "at random")
                    self._arrivals()
            children = parts(service.pid)
            kill(service.pid)
            service.wait()
            self.deeds.killed(Part.SUPERVISOR, "at random")
            orphans |= set(children.values())
            if self._chance.random() < 0.8:  # else the next one comes while the old children still stop
                began = time.monotonic()
                self._gone(orphans)
                self.deeds.longest_orphan = max(self.deeds.longest_orphan, time.monotonic() - began)
        self._gone(orphans)

    def _is_at_work(self, supervisor: int) -> bool:
        children = parts(supervisor)
        return len(children) == 2 and all(self.deeds.is_at_work(pid) for pid in children.values())

    def _gone(self, orphans: set[int]) -> None:
        for pid in orphans:
            self._office.wait_for(lambda pid=pid: not runs(pid), f"child {pid} of a dead supervisor to stop", ORPHAN_SECONDS)
        orphans.clear()

    def _arrivals(self) -> None:
        """Let a random time pass while letters arrive."""
        end = time.monotonic() + self._chance.uniform(0.05, 1.0)
        while (left := end - time.monotonic()) > 0:
            self._post.stream(1)
            time.sleep(min(left, self._chance.uniform(0.1, 0.4)))

    def _progress(self) -> None:
        count = len(self.deeds.kills)
        line = f"{count} of {self._wanted} kills, {len(self._post.posted)} letters, {time.monotonic() - self._began:.0f} s"
        if sys.stderr.isatty():
            print(f"\r{line} ", end="", file=sys.stderr, flush=True)
        elif count % 25 == 0:
            print(line, file=sys.stderr, flush=True)


def plan(kills: int, seed: int, shift: int) -> list[Moment]:
    """The named moments of a campaign, each once before any comes twice; `shift` lets several campaigns share them out."""
    moments = list(ALL)
    Random(seed).shuffle(moments)
    count = round(kills * NAMED_SHARE)
    return [moments[(shift * count + n) % len(moments)] for n in range(count)]


def run_one(database: str, kills: int, seed: int) -> tuple[report.Column, Sequence[str]]:
    """One campaign from an empty office to its judgement: the column of its table, and the faults found."""
    chance = Random(f"{seed} {database}")
    with ExitStack() as stack:
        url = stack.enter_context(Postgres()).fresh() if database == "postgresql" else ""
        dovecot = stack.enter_context(Dovecot())
        office = stack.enter_context(Office(url, dovecot, chance))
        post = Post(dovecot.drop, chance)
        campaign = Campaign(office, post, chance, kills, plan(kills, seed, DATABASES.index(database)))
        print(f"crash campaign on {database}, seed {seed}; the office is in {office.home}", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            campaign.run()
            evidence = gather(office, post, campaign.deeds)
            campaign.end_of_terms()
            verdict = judge(evidence, gather(office, post, campaign.deeds))
        except CampaignError as error:
            return {}, [f"the campaign could not go on: {error}"]
        column = report.column(
            evidence,
            verdict,
            seed=seed,
            seconds=time.monotonic() - began,
            longest_orphan=campaign.deeds.longest_orphan,
        )
    if not verdict.faults:
        office.remove()
    return column, verdict.faults


def main() -> None:
    parser = argparse.ArgumentParser(prog="crash", description="Kill the service at random and at every named step, then count.")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    columns = {}
    broken = False
    for database in given.database or DATABASES:
        columns[database], faults = run_one(database, given.kills, given.seed)
        print(f"\n{database}: {report.sentence(faults)}", file=sys.stderr, flush=True)
        if faults:
            broken = True
            print(f"To repeat: make crash KILLS={given.kills} DATABASE={database} SEED={given.seed}", file=sys.stderr)
    print(report.table(columns))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
