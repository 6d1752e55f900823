"""How is each named moment brought about? The right letters, the right process, and death at the right place."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from mailer.core.keeping import DAILY, Group
from tests.crash.hands import Hands
from tests.crash.moments import Moment, Part, Place, Way
from tests.crash.office import PATIENCE_SECONDS, REGISTERED, CampaignError, Office
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
    "credential.suspended": Sort.NEVER,
}
UNREADABLE_SHARE: Final = DAILY[Group.UNREADABLE].letters
ONCE: Final = {"lease taken", "login", "select", "greeting", "EHLO"}  # a process passes these once, or as often as it likes


class Deeds(Hands):
    """Everything that is done to the office, and what was done so far."""

    def __init__(self, office: Office, post: Post, chance: Random, on_kill: Callable[[], None]) -> None:
        super().__init__(office, post, chance, on_kill)
        self._days_ahead = 0
        self._looks = 0  # for alarms, each some hours after the one before
        self.imports = 0
        self.longest_orphan = 0.0

    @property
    def senders(self) -> int:
        """How many rows the register of senders must hold."""
        return REGISTERED + self.imports

    def named(self, moments: Sequence[Moment]) -> None:
        """Die at each of these moments, one after the other; afterwards no unit runs."""
        special = {
            "letter.renumbered": self._renumbering,
            "letter.quarantined": self._quarantine,
            "letter.observed": self._observing,
            "letter.unreachable": self._unreachable,
            "filing.refused": self._refusing_moves,
            "filing.resumed": self._refusing_moves,
            "intake.capped": self._capping,
            "reply.bounced": self._bouncing,
            "delivery.paused": self._away,
            "delivery.resumed": self._away,
            "alarm.raised": self._alarming,
            "alarm.cleared": self._alarming,
            "notice.queued": self._alarming,
            "letter.retried": self._taking_up,
            "letter.dropped": self._taking_up,
            "letter.exported": self._exporting,
            "command.refused": self._asking_in_vain,
            "step.paused": self._standing_still,
            "step.resumed": self._standing_still,
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
            "sender.shown": self._looking,
            "senders.exported": self._looking,
            "persons.imported": self._listing,
            "persons.shown": self._looking,
            "rules.activated": self._activating,
            "credential.revoked": self._revoking,
            "pool.imported": self._filling,
            "pool.low": self._drawing,
            "pool.skipped": self._drawing,
            "credential.check-failed": self._mistyping,
            "account.disabled": self._reconciling,
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
            lambda: not self._office.count("SELECT count(*) FROM credentials WHERE state IN ('active', 'suspended')"),
            "all logins to end",
            60,
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
        self._poison()
        self._doom(moment, provoke=lambda: None)

    def _poison(self) -> Posted:
        """A letter that four processes die of: once in company, three times alone."""
        self._settle()
        self._kill_unit(Part.DESK)
        posted = self._post.drop(Sort.POISON)
        killer = Moment(part=Part.DESK, place=Place.COMMIT, name="request.approved", way=Way.FAILED)
        for _ in range(4):
            self._doom(killer, provoke=lambda: None)
        return posted

    def _taking_up(self, moment: Moment) -> None:
        """A person has a quarantined letter read once more, or gives it up, and looks afterwards whether that was done."""
        word, sort = {"letter.retried": ("retry", Sort.RETRIED), "letter.dropped": ("drop", Sort.DROPPED)}[moment.name]
        posted = next((one for one in self._post.posted if one.sort is Sort.POISON), None) or self._poison()
        self._settle()
        letter = self._kept(posted)
        posted.sort = sort
        words = ("letters", word, str(letter), "--reason", "crash campaign")
        self._command(moment, *words)
        if self._office.count(f"SELECT count(*) FROM letters WHERE state = 'quarantined' AND id = {letter}"):
            self._office.mailer(*words)

    def _exporting(self, moment: Moment) -> None:
        self._command(moment, "letters", "export", str(self._kept(self._answered())), "-")

    def _bouncing(self, moment: Moment) -> None:
        """The answer with a login comes back from the recipient's server."""
        posted = self._answered()
        replies = self._office.rows(
            "SELECT o.message_id FROM replies o JOIN requests r ON r.id = o.request_id JOIN personal p ON p.id = r.person_id "
            f"WHERE p.value = '{posted.person}' AND o.state = 'sent'"
        )
        posted.sort, posted.login = Sort.RETURNED, "suspended"
        self._doom(moment, provoke=lambda: self._post.bounce(posted.sender, str(replies[0]["message_id"])))

    def _unreachable(self, moment: Moment) -> None:
        """Whoever asks for this one letter loses the line, three times; the next desk finds it mended."""
        self._settle()
        self._kill_unit(Part.DESK)
        self._post.drop(Sort.PLAIN)
        self._office.relay.drops_headers = True
        self._doom(moment, provoke=lambda: None)
        self._office.relay.drops_headers = False

    def _refusing_moves(self, moment: Moment) -> None:
        self._kill_unit(Part.DESK)  # or it meets the refusal first
        before = self._told("filing.refused")
        self._office.relay.refuses_moves = True

        def provoke() -> None:
            if self._told("filing.refused") > before:
                self._office.relay.refuses_moves = False
            self._post.drop(Sort.PLAIN)

        self._doom(moment, provoke=provoke)
        self._office.relay.refuses_moves = False

    def _capping(self, moment: Moment) -> None:
        """More unreadable letters than a day's share; the desk knows the share of the day before it died."""
        spent = any(one.sort is Sort.UNREADABLE for one in self._post.posted)
        self._doom(moment, provoke=lambda: None, before=lambda: self._post.unreadable(1 if spent else UNREADABLE_SHARE + 1))

    def _away(self, moment: Moment) -> None:
        """The mail server takes nothing until that is told; the next courier, a while later, sends what had to wait."""
        self._kill_unit(Part.COURIER)  # or it meets the closed door first
        before = self._told("delivery.paused")
        self._start(Part.DESK)
        self._office.sink.is_away = lambda: self._told("delivery.paused") == before
        options = ["--ahead", "120", "--ahead-once", "delivery.paused"] if moment.name == "delivery.resumed" else []
        self._doom(moment, options=options, provoke=lambda: self._post.drop(Sort.PLAIN))
        self._office.sink.is_away = lambda: False
        if self._office.finish(self._office.doomed(["--ahead", "120"], "run", "--only", "deliver", "--until-idle")):
            raise CampaignError(f"the courier after the pause failed\n{self._office.log_end()}")

    def _alarming(self, moment: Moment) -> None:
        """The disk is called full, and then it is not; each time some hours later, or no letter would tell of it."""
        self._looks += 1
        look = ["--look-often", "--ahead", str(self._looks * 7200)]
        cleared = moment.name == "alarm.cleared"
        standing = "SELECT count(*) FROM alarms WHERE cleared_at IS NULL AND kind = 'disk-low'"
        self._kill_unit(Part.DESK)
        unit = self._office.start(self._office.doomed(look, "run", "--only", "alarm", config="alarmed" if cleared else "mailer"))
        self._office.wait_for(
            lambda: self.is_at_work(unit.pid) and bool(self._office.count(standing)) == cleared, "the alarm before the moment"
        )
        unit.send_signal(signal.SIGTERM)
        unit.wait(PATIENCE_SECONDS)
        look[-1] = str(self._looks * 7200 + 3700)
        self._doom(moment, config="mailer" if cleared else "alarmed", options=look, steps="alarm", provoke=lambda: None)

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

    def _looking(self, moment: Moment) -> None:
        code = f"{290000 + REGISTERED - 1}"
        deeds = {"sender.shown": ("senders", "show", code), "persons.shown": ("persons", "show", code)}
        self._command(moment, *deeds.get(moment.name, ("senders", "export")))

    def _listing(self, moment: Moment) -> None:
        """A list for a sender who asks for nobody: the answers of the others must not change."""
        self.imports += 1
        self._office.write_register(extra=self.imports)
        self._office.mailer("senders", "import", "senders.csv")
        newcomer = 290000 + REGISTERED + self.imports - 1
        (self._office.home / "persons.csv").write_text(f"code,person\n{newcomer},Иванов И.И.\n", encoding="utf-8")
        self._command(moment, "persons", "import", "persons.csv", "--yes")

    def _activating(self, moment: Moment) -> None:
        self._office.change_rules()
        self._command(moment, "rules", "activate")
        self._office.mailer("rules", "activate")

    def _filling(self, moment: Moment) -> None:
        self._office.write_pairs()
        self._command(moment, "accounts", "import", "pairs.csv")

    def _drawing(self, moment: Moment) -> None:
        """A desk that issues from the pool, right after an import; one of the pairs is damaged."""
        self._office.write_pairs()
        self._office.mailer("accounts", "import", "pairs.csv")
        next_free = "(SELECT min(number) FROM pool_pairs WHERE state = 'free')"
        self._office.change(f"UPDATE pool_pairs SET mark = 'damaged ' || id WHERE number = {next_free}")
        self._doom(moment, config="pool", provoke=lambda: self._post.drop(Sort.PLAIN))
        self._office.mailer("run", "--until-idle", "--only", "intake,answer,issue", config="pool")

    def _mistyping(self, moment: Moment) -> None:
        """Somebody types a login that nobody has; the record hears of it when the minute is over."""
        self._office.finish(self._office.command("credentials", "check", "nobody"))
        self._doom(moment, options=["--ahead", "70"], steps="expire", provoke=lambda: None)

    def _reconciling(self, moment: Moment) -> None:
        """A revoked login is made to work again behind the program's back; the comparison finds and ends it."""
        posted = self._answered()
        posted.login = "revoked"
        row = self._credential(posted)
        self._office.mailer("credentials", "revoke", str(row["login"]), "--reason", "crash campaign")
        for table in ("accounts_local", "pool_pairs"):
            self._office.change(f"UPDATE {table} SET enabled = true WHERE credential_id = '{row['id']}'")
        words = ("accounts", "reconcile", "--disable-orphans", "--reason", "crash campaign")
        self._command(moment, *words)
        self._office.finish(self._office.command(*words))

    def _revoking(self, moment: Moment) -> None:
        """A person ends a login, and looks afterwards whether it has ended."""
        posted = self._answered()
        posted.login = "revoked"
        row = self._credential(posted)
        words = ("credentials", "revoke", str(row["login"]), "--reason", "crash campaign")
        self._command(moment, *words)
        if not self._office.count(f"SELECT count(*) FROM credentials WHERE state = 'revoked' AND login = '{row['login']}'"):
            self._office.mailer(*words)

    def _asking_in_vain(self, moment: Moment) -> None:
        """Nothing is paused, so nothing can be resumed."""
        self._command(moment, "resume", "deliver", "--reason", "crash campaign")

    def _standing_still(self, moment: Moment) -> None:
        """A person has a step stand still and go on; when he dies of either, he looks, and does it again if it was not done."""
        pause, resume = (("pause", "issue", "--reason", "crash campaign"), ("resume", "issue", "--reason", "crash campaign"))
        if moment.name == "step.paused":
            self._command(moment, *pause)
        else:
            self._office.mailer(*pause)
            self._command(moment, *resume)
        if self._office.count("SELECT count(*) FROM pauses"):
            self._office.mailer(*resume)

    def _credential(self, posted: Posted) -> dict[str, Any]:
        """Id and login of the one that this letter's person has."""
        (row,) = self._office.rows(
            "SELECT c.id, c.login FROM credentials c JOIN requests r ON r.id = c.request_id JOIN personal p ON p.id = c.person_id "
            f"WHERE p.value = '{posted.person}'"
        )
        return row
