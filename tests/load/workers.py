"""Do several services on one PostgreSQL database answer each letter once, whoever is killed or stopped meanwhile? `make workers`.

    python -m tests.load.workers [--letters 2000] [--workers 4] [--seed 1]

So many desks and couriers, each a process of its own without a supervisor, share the letters of one mailbox. Meanwhile processes
are killed at random (and started again), two are stopped for longer than their lease, and one stops itself while it holds the
record's head. Then every letter is asked what became of it. Ends with 1 when one was lost or answered with two passwords, when
copies differ, when the record is not whole, or when the stopped one held the others up for longer than the database allows.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg

from tests.e2e.bureau import ROOT, Bureau, header, request
from tests.load.campaign import SENDERS, person
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import ROLE, Postgres

STEPS: Final = ("intake,answer,bounce,issue,expire", "deliver")
STOP_SECONDS: Final = 40.0  # longer than a lease (30 s)
HELD_UP_MAX: Final = 20.0  # the database ends a transaction that does nothing for 12 s; the others look again within seconds
KILL_EVERY: Final = 4.0


class Crew:
    """The processes; who is killed is replaced, as a service manager would."""

    def __init__(self, bureau: Bureau, count: int, chance: random.Random) -> None:
        self._bureau = bureau
        self._chance = chance
        self.members: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.kills = 0
        for _ in range(count):
            for steps in STEPS:
                self.members.append((steps, bureau.start("--only", steps)))

    def kill_one(self, spare: Sequence[subprocess.Popen[bytes]]) -> None:
        place = self._chance.choice([n for n, (_, process) in enumerate(self.members) if process not in spare])
        steps, process = self.members[place]
        process.kill()
        process.wait()
        self.kills += 1
        self.members[place] = (steps, self._bureau.start("--only", steps))

    def stop_all(self) -> None:
        for _, process in self.members:
            process.send_signal(signal.SIGTERM)
        for _, process in self.members:
            process.wait(30)


def frozen(bureau: Bureau, nth: int) -> subprocess.Popen[bytes]:
    """A desk that stops itself while it holds the head."""
    log = (bureau.home / "frozen.log").open("ab")
    program = [sys.executable, "-m", "tests.load.frozen", "--nth", str(nth), "--", "--config", str(bureau.config)]
    return subprocess.Popen(
        [*program, "run", "--only", STEPS[0]], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=bureau.environ, cwd=ROOT
    )


def is_stopped(process: subprocess.Popen[bytes]) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def trial(bureau: Bureau, url: str, count: int, workers: int, chance: random.Random) -> list[str]:
    """What went wrong; prints what was measured."""
    people = [person(n) for n in range(count)]
    posted = [request(who, SENDERS[n % len(SENDERS)], n) for n, who in enumerate(people)]
    crew = Crew(bureau, workers, chance)
    bureau.dovecot.drop(posted[: count // 2])
    bureau.wait_for(lambda: answered(bureau) > 0, "the first answer", 180)
    first = frozen(bureau, 2)
    bureau.dovecot.drop(posted[count // 2 :])
    bureau.wait_for(lambda: is_stopped(first), "the frozen desk to stop while it holds the head", 180)
    stopped_at = time.monotonic()
    halted: list[subprocess.Popen[bytes]] = []
    begun, next_kill, thawed = time.monotonic(), time.monotonic() + KILL_EVERY, False
    halted_at = begun
    while (answered(bureau) < count or not thawed or halted_at != float("inf")) and time.monotonic() - begun < 900:
        now = time.monotonic()
        if not halted and now - begun > 3:
            halted = [process for _, process in crew.members[:2]]
            for process in halted:
                process.send_signal(signal.SIGSTOP)
            halted_at = now
        if now >= next_kill:
            crew.kill_one(halted)
            next_kill = now + KILL_EVERY
        if not thawed and now - stopped_at > STOP_SECONDS:
            first.send_signal(signal.SIGCONT)
            thawed = True
        if halted and now - halted_at > STOP_SECONDS:
            for process in halted:
                process.send_signal(signal.SIGCONT)
            halted_at = float("inf")
        time.sleep(0.5)
    seconds = time.monotonic() - begun
    for process in (*halted, first):
        process.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGTERM)
    first.wait(30)
    crew.stop_all()
    bureau.mailer("run", "--until-idle", timeout=300)
    gap = longest_gap(url)
    print(f"{workers} desks and couriers, {count} letters: {seconds:.0f} s")
    print(f"{crew.kills} processes killed and replaced, {len(halted)} stopped for {STOP_SECONDS:.0f} s")
    print(f"longest time without a record while one held the head stopped: {gap:.1f} s")
    faults = judged(bureau, people)
    return [*faults, *([f"the others were held up for {gap:.0f} s"] if gap > HELD_UP_MAX else [])]


def answered(bureau: Bureau) -> int:
    return len(list(bureau.outbox.iterdir()))


def longest_gap(url: str) -> float:
    """Between two records, from the first answer to the last; seconds."""
    gaps = """
        WITH sent AS (SELECT min(seq) AS first, max(seq) AS last FROM records WHERE event = 'reply.sent')
        SELECT max(gap) FROM (SELECT extract(epoch FROM at - lag(at) OVER (ORDER BY seq)) AS gap FROM records, sent
        WHERE seq BETWEEN sent.first AND sent.last) AS gaps
    """
    with psycopg.connect(host=url.partition("host=")[2], user=ROLE, dbname=url.partition("@/")[2].partition("?")[0]) as database:
        found = database.execute(gaps).fetchone()
    return float(found[0]) if found else 0.0


def judged(bureau: Bureau, people: Sequence[str]) -> list[str]:
    faults = []
    issued = Counter(line["person"] for line in bureau.json("credentials", "list", "--limit", "100000"))
    if issued != Counter(people):
        faults.append(f"logins: {sum(issued.values())} for {len(people)} letters, {sum(n > 1 for n in issued.values())} twice")
    copies: dict[str, set[bytes]] = {}
    received = bureau.received()
    for one in received:
        copies.setdefault(header(one.content, "Subject"), set()).add(one.content)
    if set(copies) != {f"Логин и пароль: {who}" for who in people}:
        faults.append(f"{len(copies)} of {len(people)} people have an answer")
    if any(len(contents) > 1 for contents in copies.values()):
        faults.append("copies of an answer differ")
    states = Counter(line["state"] for line in bureau.json("requests", "list", "--limit", "100000"))
    if set(states) != {"answered"}:
        faults.append(f"requests: {dict(states)}")
    if "TAMPERED" in bureau.mailer("audit", "verify", timeout=300):
        faults.append("the record is not whole")
    print(f"answers {len(received)}, second copies {len(received) - len(copies)}, all the same: {not faults}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("letters", 2000), ("workers", 4), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    wanted = parser.parse_args()
    with Postgres() as server, Dovecot() as dovecot, tempfile.TemporaryDirectory(prefix="mailer-workers-") as name:
        url = server.fresh()
        more = "sender_daily = 100000\nsender_active = 100000\naddress_replies_daily = 100000"
        with Bureau(Path(name), url, dovecot, more=more, delay_seconds=0.02) as office:
            office.register(SENDERS)
            faults = trial(office, url, wanted.letters, wanted.workers, random.Random(wanted.seed))
            if faults:
                print((office.home / "frozen.log").read_text()[-1500:], office.log()[-3000:], sep="\n", file=sys.stderr)
    for fault in faults:
        print("FAULT:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
