"""What an office does on a day: every step with a batch and without work, and what people change by hand, one thing each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import update

from mailer.core.registerplan import Edit
from mailer.flow import places as accounts
from mailer.flow.digest import DigestSettings, DigestStep
from mailer.flow.needs import needs
from mailer.flow.override import again, corrections, credentials, letters, register, requests
from mailer.flow.override.credentials import Caps
from mailer.flow.override.register import Hands
from mailer.flow.override.requests import Refusal
from mailer.flow.report import house
from mailer.model import Sender
from mailer.service.words import russian
from mailer.states import LoginEffect
from mailer.store import credentials as issued
from mailer.store import erasure, places
from mailer.store import letters as kept_letters
from mailer.store import requests as asked
from mailer.store.credentials import BREAKER_WINDOW
from mailer.store.schema import credentials as rows
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, OFFICER, ZONE, Desk, password_in, until_done
from tests.flow.test_flow_bounced import bounce, newest_reply
from tests.store.offices import Trial

Timed = Callable[[str], AbstractContextManager[None]]

INITIALS: Final = "АБВГДЕЖЗИКЛМНОПРСТ"
PATIENT: Final = replace(CLINIC, code="299999", answer_to="ib@clinic.example", addresses=("ib@clinic.example",))
CAPS: Final = Caps(months=6, max_days=None, extensions=9, daily=10_000, warn_days=(3,), zone=ZONE)
WHY: Final = "по телефону"


class Workday:
    """The steps of a service that goes on from one day to the next. Each of these `clinics` of the register asks for
    somebody each day."""

    def __init__(self, trial: Trial, home: Path, clinics: Sequence[Sender]) -> None:
        trial.register(PATIENT)
        self.clinics = clinics
        self.desk = desk = Desk(
            trial=trial,
            home=home,
            breaker=1_000_000,
            sender_daily=10_000,
            replies_daily=1_000_000,
            bounce_address="mailer+{id}@fond.example",
            warn_days=(3,),
        )
        with trial.database.reading() as tx:
            newest = max((kept.item for kept in kept_letters.newest(tx, 1)), default=0)
        desk.mailbox.filed[newest] = b""  # the next letter's number is one more
        self.intake, self.answer, self.issue, self.bounced = desk.intake(), desk.answer(), desk.issue(), desk.bounced()
        self.deliver, self.expire, self.alarm = desk.deliver(), desk.expire(), desk.alarm()
        limits = self.alarm._settings.limits
        self.digest = DigestStep(
            trial.worker("digest"),
            desk.stationery,
            DigestSettings(officer=OFFICER, at=time(8)),
            needs=lambda tx, now: needs(tx, limits, now),
            say=russian(),
            on_trouble=desk.trouble,
        )
        self.number = 0

    def work(self, timed: Timed) -> None:
        """One day. Whoever asks in it asks for the first time."""
        self.number += 1
        self.desk.trial.clock.move(days=1)
        self.desk.mailbox.received_at = self.desk.trial.clock()
        self._letters(timed)
        self._by_hand(timed)
        self._bounce(timed)
        self._end(timed)
        self._rest(timed)
        assert not self.desk.troubles, self.desk.troubles

    def _letters(self, timed: Timed) -> None:
        desk = self.desk
        desk.mailbox.drop(*(self._request(number, clinic.answer_to) for number, clinic in enumerate(self.clinics)))
        with timed("intake, a batch of letters"):
            assert self.intake.step()
        until_done(self.intake)
        with timed("answer, a batch of letters"):
            assert self.answer.step()
        until_done(self.answer)
        with timed("issue, a batch of requests"):
            assert self.issue.step()
        until_done(self.issue)
        desk.postman.sent.clear()
        with timed("deliver, 4 replies"):
            assert self.deliver.step()
        until_done(self.deliver)
        assert len(desk.postman.sent) == len(self.clinics)

    def _by_hand(self, timed: Timed) -> None:
        desk, worker, policy = self.desk, self.desk.trial.worker(), self.desk.policy()
        hands, both = Hands(stationery=desk.stationery, accounts=places), [desk.local, desk.pool]
        given = [password_in(content) for _, content in desk.postman.sent]
        with timed("credentials check"):
            accounts.check(worker, desk.local, *given[0])
        with timed("credentials revoke"):
            credentials.revoke(worker, places, given[1][0], reason=WHY)
        with timed("credentials extend"):
            credentials.extend(worker, both, desk.stationery, given[2][0], 4, reason=WHY, caps=CAPS)
        with timed("credentials reissue"):
            again.reissue(worker, given[3][0], reason=WHY, delay=timedelta(0), caps=CAPS)
        until_done(self.issue)
        until_done(self.deliver)  # the login before is superseded
        approved, refused, corrected, reprocessed = self._held()
        with timed("requests approve"):
            requests.approve(worker, policy, [approved], reason=WHY)
        with timed("requests refuse"):
            requests.refuse(worker, policy, desk.stationery, [refused], Refusal(), reason=WHY)
        with timed("requests correct"):
            corrections.correct(worker, policy, corrected, "Пришвина А.А.", reason=WHY)
        with timed("requests reprocess"):
            corrections.reprocess(worker, policy, desk.stationery, [reprocessed], reason=WHY, dry_run=False)
        with desk.trial.database.reading() as tx:
            letter, person = asked.get(tx, approved).letter_id, asked.get(tx, approved).person_id
            assert letter is not None
            assert person is not None
            with timed("personal erase: what there is of a person"):
                erasure.gather(tx, [person], [letter])
        desk.trial.clock.move(seconds=30)
        until_done(self.intake)  # the letter is moved, and may be put back
        with timed("letters forward"):
            letters.forward(worker, [letter], reason=WHY)
        until_done(self.intake)
        with timed("senders edit"):
            register.edit(worker, hands, self.clinics[-1].code, Edit(organisation=f"ГБУЗ {self.number}"), reason=WHY)
        with timed("senders block"):
            register.block(worker, hands, self.clinics[-2].code, until=None, effect=LoginEffect.SUSPEND, reason=WHY)
        register.unblock(worker, hands, self.clinics[-2].code, reason=WHY)

    def _held(self) -> list[int]:
        """Requests that came too late to be answered without a person."""
        desk = self.desk
        desk.mailbox.received_at -= timedelta(days=15)
        desk.mailbox.drop(*(self._request(90 + number, clinic.answer_to) for number, clinic in enumerate(self.clinics[:4])))
        until_done(self.intake)
        until_done(self.answer)
        desk.mailbox.received_at += timedelta(days=15)
        with desk.trial.database.reading() as tx:
            held = asked.held_since(tx, desk.trial.clock())
        assert len(held) == 4
        return held

    def _bounce(self, timed: Timed) -> None:
        desk = self.desk
        desk.mailbox.drop(self._request(0, PATIENT.answer_to))
        for step in (self.intake, self.answer, self.issue, self.deliver):
            until_done(step)
        desk.mailbox.drop(bounce(newest_reply(desk)))
        until_done(self.intake)
        with timed("bounce"):
            assert self.bounced.step()

    def _end(self, timed: Timed) -> None:
        trial = self.desk.trial
        with trial.database.writing() as tx:
            mine = rows.c.reserved_at >= trial.clock() - timedelta(hours=1)
            tx.execute(update(rows).where(mine).values(valid_until=trial.clock() - timedelta(minutes=1)))
        with timed("expire, a batch of logins"):
            assert self.expire.step()
        until_done(self.expire)

    def _rest(self, timed: Timed) -> None:
        """Nothing is left to do; and what is looked at now and then."""
        trial = self.desk.trial
        for step in (self.intake, self.answer, self.bounced, self.issue, self.deliver, self.expire):
            until_done(step)
            with timed(f"{type(step).__name__.lower()}, nothing to do"):
                assert not step.step()
        trial.clock.move(hours=2)
        with timed("expire, whom to warn"):
            self.expire.step()
        with timed("alarm"):
            self.alarm.step()
        with timed("digest"):
            assert self.digest.step()
        with trial.database.reading() as tx, timed("the look of --until-idle"):
            house.backlog(tx, trial.clock())
            issued.issued_since(tx, trial.clock() - BREAKER_WINDOW)
        with timed("a lease"):
            trial.worker("bench")
        until_done(self.deliver)

    def _request(self, number: int, address: str) -> bytes:
        one, two = divmod(self.number * 7 + number, len(INITIALS))
        person = f"Пришвин {INITIALS[one % len(INITIALS)]}.{INITIALS[two]}."
        return request(person, address, self.number, date=f"Mon, 23 Nov 2026 12:00:{self.number:02} +0300")
