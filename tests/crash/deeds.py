"""How is each named moment brought about? The right letters, the right process, and death at the right place."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from tests.crash.moments import Moment, Part, Place, Way
from tests.crash.office import PATIENCE_SECONDS, REGISTERED, STEPS, CampaignError, Office
from tests.crash.post import Post, Posted, Sort

DAY: Final = 86400
# What must arrive for a moment to come; anything else is brought about by a plain request.
PROVOKED_BY: Final = {
    "letter.ignored": Sort.BOUNCE,
    "request.held": Sort.UNKNOWN,
    "request.refused": Sort.PLACEHOLDER,
    "reply.returned": Sort.MUTE,
    "reply.doubted": Sort.MUTE,
    "reply.postponed": Sort.LATER,
    "reply.failed": Sort.NEVER,
}
ONCE: Final = {"lease taken", "login", "select", "greeting", "EHLO"}  # a process passes these once, or as often as it likes
REACH_SECONDS: Final = 120.0
PROVOKE_EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    at: float  # monotonic
    part: Part
    where: str  # a moment, or "at random"


class Deeds:
    """Everything that is done to the office, and what was done so far."""

    def __init__(self, office: Office, post: Post, chance: Random, on_kill: Callable[[], None]) -> None:
        self._office = office
        self._post = post
        self._chance = chance
        self._on_kill = on_kill
        self._units: dict[Part, subprocess.Popen[bytes]] = {}
        self._renumbered = 0  # letters that the server numbered once more
        self._days_ahead = 0
        self.imports = 0
        self.kills: list[Kill] = []
        self.longest_orphan = 0.0

    @property
    def senders(self) -> int:
        """How many rows the register of senders must hold."""
        return REGISTERED + self.imports

    def killed(self, part: Part, where: str) -> None:
        self.kills.append(Kill(at=time.monotonic(), part=part, where=where))
        self._on_kill()

    def named(self, moments: Sequence[Moment]) -> None:
        """Die at each of these moments, one after the other; afterwards no unit runs."""
        special = {
            "letter.renumbered": self._renumbering,
            "letter.quarantined": self._quarantine,
            "letter.observed": self._observing,
            "issuing.paused": self._pausing,
            "issuing.resumed": self._pausing,
            "key written": self._new_day,
            "key.made": self._new_day,
            "key.destroyed": self._destroying,
            "key.rotated": self._rotating,
            "sender.registered": self._importing,
            "lease left": self._leaving,
            "credential.superseded": self._replacing,
            "senders.imported": self._importing,
            "rules.activated": self._activating,
            "credential.revoked": self._revoking,
        }
        for moment in moments:
            special.get(moment.name, self._plain)(moment)
        for part in list(self._units):
            self._kill_unit(part)

    def come_to_rest(self) -> None:
        """The service as it is does all that is left; what waits for its next attempt is sent by a courier whose clock is ahead.

        It runs twice: only a listing in which nothing is left to move notices that some had been moved before a crash.
        """
        for _ in range(2):
            self._office.mailer("run", "--until-idle")
        later = ["--ahead", str(max(7200, self._days_ahead * DAY))]  # by the second it also finishes the keys of that day
        code = self._office.finish(self._office.doomed(later, "run", "--only", "deliver", "--until-idle"))
        if code:
            raise CampaignError(f"the last courier ended with {code}\n{self._office.log_end()}")

    def end_of_terms(self, moments: Sequence[Moment]) -> None:
        """Three months are over: every login that still lives ends, and its end is where the process dies."""
        ahead = ["--ahead", str(200 * DAY)]
        for moment in moments:
            self._doom(moment, options=ahead, steps="expire", provoke=lambda: None)
        last = self._office.start(self._office.doomed(ahead, "run", "--only", "expire"))
        self._office.wait_for(
            lambda: not self._office.count("SELECT count(*) FROM credentials WHERE state = 'active'"), "all logins to end", 60
        )
        last.send_signal(signal.SIGTERM)
        last.wait(PATIENCE_SECONDS)

    def _plain(self, moment: Moment) -> None:
        self._start_other(moment.part)
        sort = PROVOKED_BY.get(moment.name, Sort.PLAIN)

        def provoke() -> None:
            self._post.stream(self._chance.randrange(3))
            self._post.drop(sort)

        nth = 1 if moment.name in ONCE else self._chance.choice((1, 1, 1, 2))
        self._doom(moment, nth=nth, provoke=provoke)

    def _renumbering(self, moment: Moment) -> None:
        self._post.drop(Sort.NEAR)
        self._settle()
        self._kill_unit(Part.DESK)
        self._renumbered += self._office.letters_in("INBOX").total()
        self._office.renumber()
        self._doom(moment, provoke=lambda: None)

    def _quarantine(self, moment: Moment) -> None:
        """A letter that four processes die of: once in company, three times alone."""
        self._settle()
        self._kill_unit(Part.DESK)
        self._post.drop(Sort.POISON)
        killer = Moment(part=Part.DESK, place=Place.COMMIT, name="request.approved", way=Way.FAILED)
        for _ in range(4):
            self._doom(killer, provoke=lambda: None)
        self._doom(moment, provoke=lambda: None)

    def _observing(self, moment: Moment) -> None:
        self._settle()
        self._kill_unit(Part.DESK)
        self._doom(moment, config="observe", steps="intake,answer", provoke=lambda: self._post.drop(Sort.OBSERVED))
        self._office.mailer("run", "--until-idle", "--only", "intake,answer", config="observe")

    def _pausing(self, moment: Moment) -> None:
        """The breaker at one credential in 10 minutes; to let go again, the clock leaps once it has tripped."""
        options = ["--ahead", "700", "--ahead-once", "issuing.paused"] if moment.name == "issuing.resumed" else []

        def provoke() -> None:
            for _ in range(2):
                self._post.drop(Sort.PLAIN)

        self._doom(moment, config="narrow", options=options, provoke=provoke)

    def _new_day(self, moment: Moment) -> None:
        """The first courier of another day makes its keys: the private half, then the public one."""
        keys = self._office.home / "keys"
        while (keys / "epochs" / f"{self._day()}.pub").exists():  # a person may have had several made ahead
            self._days_ahead += 1
        once = moment.place is Place.COMMIT or (keys / "courier" / f"{self._day()}.key").exists()
        nth = 1 if once else self._chance.choice((1, 2))
        self._doom(moment, nth=nth, options=["--ahead", str(self._days_ahead * DAY)], provoke=lambda: None)

    def _destroying(self, moment: Moment) -> None:
        """Couriers of two later days make a pair each; two days after the second one nobody can be sealing to the first."""
        for part in list(self._units):
            self._kill_unit(part)
        for days in (1, 1, 2):
            self._days_ahead += days
            ahead = ["--ahead", str(self._days_ahead * DAY)]
            if days == 1:
                self._office.finish(self._office.doomed(ahead, "run", "--only", "deliver", "--until-idle"))
        self._doom(moment, options=ahead, provoke=lambda: None)

    def _rotating(self, moment: Moment) -> None:
        self._command(moment, "keys", "rotate", "epoch")
        self._office.mailer("keys", "rotate", "epoch")

    def _day(self) -> str:
        return (datetime.now(UTC) + timedelta(days=self._days_ahead)).date().isoformat()

    def _leaving(self, moment: Moment) -> None:
        """A lease is left when a unit is asked to stop."""
        self._start_other(moment.part)
        self._post.stream(2)
        self._doom(moment, provoke=lambda: None, ask_to_stop=True)

    def _replacing(self, moment: Moment) -> None:
        self._start_other(moment.part)
        first = self._answered()
        self._kill_unit(Part.COURIER)
        self._doom(moment, provoke=lambda: None, before=lambda: self._post.drop(Sort.AGAIN, replaces=first))

    def _importing(self, moment: Moment) -> None:
        self.imports += 1
        self._office.write_register(extra=self.imports)
        self._command(moment, "senders", "import", "senders.csv")
        self._office.mailer("senders", "import", "senders.csv")

    def _activating(self, moment: Moment) -> None:
        self._office.change_rules()
        self._command(moment, "rules", "activate")
        self._office.mailer("rules", "activate")

    def _revoking(self, moment: Moment) -> None:
        """A person ends a login, and looks afterwards whether it has ended."""
        posted = self._answered()
        posted.login = "revoked"
        (row,) = self._office.rows(
            "SELECT c.login FROM credentials c JOIN requests r ON r.id = c.request_id JOIN personal p ON p.id = c.person_id "
            f"WHERE p.value = '{posted.person}'"
        )
        words = ("credentials", "revoke", str(row["login"]), "--reason", "crash campaign")
        self._command(moment, *words)
        if not self._office.count(f"SELECT count(*) FROM credentials WHERE state = 'revoked' AND login = '{row['login']}'"):
            self._office.mailer(*words)

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
