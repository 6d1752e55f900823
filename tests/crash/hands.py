"""What is at hand to bring a moment about? Units that run beside, a process that dies at its moment, letters that are answered."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.crash.moments import Moment, Part, Place
from tests.crash.office import STEPS, CampaignError, Office, numbers
from tests.crash.post import Post, Posted, Sort

REACH_SECONDS: Final = 120.0
PROVOKE_EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    at: float  # monotonic
    part: Part
    where: str  # a moment, or "at random"


class Hands:
    """The units that run, and every death so far."""

    def __init__(self, office: Office, post: Post, chance: Random, on_kill: Callable[[], None]) -> None:
        self._office = office
        self._post = post
        self._chance = chance
        self._on_kill = on_kill
        self._units: dict[Part, subprocess.Popen[bytes]] = {}
        self._renumbered = 0  # letters that the server numbered once more
        self.kills: list[Kill] = []

    def killed(self, part: Part, where: str) -> None:
        self.kills.append(Kill(at=time.monotonic(), part=part, where=where))
        self._on_kill()

    def _command(self, moment: Moment, *words: str) -> None:
        code = self._office.finish(self._office.doomed(["--at", moment.name, "--way", moment.way], *words))
        self._must_have_died(moment, code)

    def _answered(self) -> Posted:
        """An answered letter whose login may still be replaced or revoked."""
        for part in STEPS:
            self._start(part)
        self._post.drop(Sort.PLAIN)
        found: list[Posted] = []

        def look() -> bool:
            people = {
                row["value"]
                for row in self._office.rows(
                    "SELECT p.value FROM requests r JOIN personal p ON p.id = r.person_id WHERE r.state = 'answered'"
                )
            }
            found[:] = [
                one
                for one in self._post.posted
                if one.sort is Sort.PLAIN and one.twin is None and one.login == "active" and one.person in people
            ]
            return bool(found)

        self._office.wait_for(look, "an answered letter")
        return self._chance.choice(found)

    def _kept(self, posted: Posted) -> int:
        """Under which number a letter is kept."""
        letters = self._office.rows("SELECT id, content FROM letters")
        return next(row["id"] for row in letters if numbers([row["content"]]) == [posted.number])

    def _told(self, event: str) -> int:
        """How often the record tells of an event."""
        return sum(f'"{event}"'.encode() in bytes(row["header"]) for row in self._office.rows("SELECT header FROM records"))

    def _settle(self) -> None:
        """Both units work until every letter is in the ledger and nothing is left to do."""
        for part in STEPS:
            self._start(part)
        self._office.come_to_rest(self._post.arrivals + self._renumbered)

    def _start_other(self, part: Part) -> None:
        self._start(Part.COURIER if part is Part.DESK else Part.DESK)

    def _start(self, part: Part) -> None:
        unit = self._units.get(part)
        if unit is None or unit.poll() is not None:
            self._units[part] = self._office.start(self._office.command("run", "--only", STEPS[part]))

    def _kill_unit(self, part: Part) -> None:
        """A unit that runs is killed wherever it is just now, while letters arrive."""
        unit = self._units.pop(part, None)
        if unit is None:
            return
        time.sleep(self._chance.uniform(0.0, 0.2))
        if unit.poll() is not None:
            raise CampaignError(f"the {part} ended by itself with {unit.returncode}\n{self._office.log_end()}")
        unit.kill()
        unit.wait()
        self.killed(part, "at random")

    def _doom(
        self,
        moment: Moment,
        *,
        provoke: Callable[[], object],
        before: Callable[[], object] = lambda: None,
        nth: int = 1,
        config: str = "mailer",
        steps: str = "",
        options: Sequence[str] = (),
        ask_to_stop: bool = False,
    ) -> None:
        """Start the part whose moment it is, provoke the moment until it has died of it."""
        self._kill_unit(moment.part)
        before()
        inside = moment.place in {Place.COMMIT, Place.CALL}
        at = ["--at", moment.name, "--way", moment.way, "--nth", str(nth)] if inside else []
        process = self._office.start(
            self._office.doomed([*at, *options], "run", "--only", steps or STEPS[moment.part], config=config)
        )
        if not inside:
            self._office.trap.set(moment.place, moment.name, moment.way, nth, process.kill)
        end = time.monotonic() + REACH_SECONDS
        while process.poll() is None and time.monotonic() < end:
            provoke()
            if ask_to_stop:
                self._office.wait_for(lambda: self.is_at_work(process.pid), f"the {moment.part} to take its leases")
                process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(PROVOKE_EVERY_SECONDS)
        self._office.trap.clear()
        if process.poll() is None:
            raise CampaignError(f"never reached: {moment}\n{self._office.log_end()}")
        self._must_have_died(moment, process.returncode)

    def is_at_work(self, pid: int) -> bool:
        """Whether a process holds a lease."""
        return any(f":{pid}:" in str(row["owner"]) for row in self._office.rows("SELECT owner FROM leases"))

    def _must_have_died(self, moment: Moment, code: int) -> None:
        if code != -signal.SIGKILL:
            raise CampaignError(f"ended with {code} instead of dying: {moment}\n{self._office.log_end()}")
        self.killed(moment.part, str(moment))
