"""What became of a letter? Seen from outside: the database is only read, mailboxes are looked into as their owners would.

Nothing here hurries the service or tells it anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from enum import StrEnum
from time import monotonic, sleep
from typing import Final

from imapclient import IMAPClient

from mailer.core import kinds
from mailer.core.accounts import Standing
from mailer.core.rules import Ruleset
from mailer.core.secret import Secret
from mailer.demo.letters import Ending, Posted
from mailer.demo.place import FUND_ADDRESS, MAILBOX
from mailer.demo.reader import HOST, TIMEOUT, letters_of
from mailer.demo.servers import PASSWORD, Ports
from mailer.flow.explain import Channel, Explanation, explain
from mailer.flow.report import letters as seen_letters
from mailer.flow.report import records as seen_records
from mailer.flow.report import requests as seen_requests
from mailer.flow.report.records import Entry
from mailer.flow.report.requests import RequestView
from mailer.model import Own, Reading, Verdict
from mailer.states import LetterState, ReplyState, RequestState
from mailer.store import leases, ledger, letters, requests
from mailer.store.accounts_local import LocalAccounts
from mailer.store.db import Database, Tx
from mailer.store.facts import Limits
from mailer.store.letters import Kept

STEPS: Final = {f"intake:{MAILBOX}", "answer", "bounce", "issue", "deliver"}
LETTER_SECONDS: Final = 30.0
LOOK_EVERY_SECONDS: Final = 0.05
NEWEST: Final = 50  # letters among which a letter just sent is looked for
ON_THE_WAY: Final = {ReplyState.QUEUED.value, ReplyState.SENDING.value}
UNFINISHED: Final = {RequestState.APPROVED, RequestState.ISSUED}
ENDS: Final = {
    Ending.ANSWERED: (Verdict.ISSUE, RequestState.ANSWERED),
    Ending.REFUSED: (Verdict.REFUSE, RequestState.REFUSED),
    Ending.HELD: (Verdict.HOLD, RequestState.HELD),
}


class Flaw(StrEnum):
    """What keeps a letter from having ended as it must."""

    UNFINISHED = "unfinished"
    OTHER_END = "other-end"
    NO_REPLY = "no-reply"
    PASSWORD = "password"  # noqa: S105  the login or password in the reply is not valid
    UNASKED_REPLY = "unasked-reply"


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """A reply as its reader sees it."""

    recipient: str
    subject: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """A letter's way as far as it came. `request` is None where none was opened, `verdict` where nothing was decided yet."""

    posted: Posted
    reading: Reading
    kept: bool = False
    verdict: Verdict | None = None
    rule_id: str = ""
    reason: str | None = None
    why: str = ""
    request: RequestView | None = None
    timeline: Sequence[Entry] = ()
    reply: Arrived | None = None
    at_rest: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """Somebody who may read the opened office and the mailboxes of the trial office."""

    database: Database
    ruleset: Ruleset
    own: Own
    limits: Limits
    key: bytes
    accounts: LocalAccounts
    ports: Ports

    def service_works(self) -> bool:
        """Whether every step of the service has gone through once."""
        with self.database.reading() as tx:
            return {holding.name for holding in leases.every(tx) if holding.worked_at is not None} >= STEPS

    def foresee(self, posted: Posted) -> Explanation:
        """What `mailer explain` would say of the letter."""
        with self.database.reading() as tx:
            return explain(
                tx,
                posted.content,
                channel=Channel(),
                ruleset=self.ruleset,
                own=self.own,
                limits=self.limits,
                now=datetime.now(UTC),
                key=self.key,
            )

    def follow(self, posted: Posted, foreseen: Explanation) -> Story:
        """Watch a letter until it comes to rest, or as far as it came in time."""
        started = monotonic()
        while True:
            seconds = monotonic() - started
            story = self._look(posted, foreseen, seconds)
            if story.at_rest or seconds > LETTER_SECONDS:
                return story
            sleep(LOOK_EVERY_SECONDS)

    def inbox(self, address: str) -> list[bytes]:
        return letters_of(self.ports.imap, address, PASSWORD)

    def flaw(self, story: Story, ending: Ending) -> Flaw | None:
        """Whether a letter ended as it must, in the database and in the mailbox of who wrote it."""
        if not story.at_rest:
            return Flaw.UNFINISHED
        if story.request is None or (story.verdict, story.request.request.state) != ENDS[ending]:
            return Flaw.OTHER_END
        if ending is Ending.HELD:
            return Flaw.UNASKED_REPLY if self.inbox(story.posted.sender) else None
        if story.reply is None or story.reply.recipient != story.posted.sender:
            return Flaw.NO_REPLY
        return Flaw.PASSWORD if ending is Ending.ANSWERED and not self._password_is_valid(story) else None

    def _password_is_valid(self, story: Story) -> bool:
        """Whether the reply holds, each on a line of its own, the login and a password that the place of validity accepts."""
        if story.reply is None or story.request is None or story.request.credential is None:
            return False
        login = story.request.credential.login
        lines = story.reply.text.splitlines()
        now = datetime.now(UTC)
        with self.database.reading() as tx:
            return login in lines and any(
                self.accounts.check(tx, login, Secret(line), now) is Standing.VALID for line in lines if line
            )

    def _look(self, posted: Posted, foreseen: Explanation, seconds: float) -> Story:
        ignored = foreseen.decision.verdict is Verdict.IGNORE
        epoch, items = self._numbers(posted) if ignored else (0, [])
        with self.database.reading() as tx:
            kept = _find(tx, posted)
            if kept is not None:
                return self._story(tx, posted, kept, seconds)
            noted = bool(items) and not ledger.unseen(tx, MAILBOX, epoch, items)
        if noted:
            return _left_alone(posted, foreseen, seconds)
        return Story(posted=posted, reading=foreseen.reading, seconds=seconds)

    def _story(self, tx: Tx, posted: Posted, kept: Kept, seconds: float) -> Story:
        opened = requests.of_letter(tx, kept.id)
        request = seen_requests.show_request(tx, opened.id) if opened else None
        verdict = Verdict(kept.verdict) if kept.verdict else None
        return Story(
            posted=posted,
            reading=kinds.judge(seen_letters.read_kept(kept), self.ruleset.form, self.own),
            kept=True,
            verdict=verdict,
            rule_id=kept.rule_id or "",
            reason=kept.reason,
            why=next((rule.why for rule in self.ruleset.rules if (rule.id, rule.verdict) == (kept.rule_id, verdict)), ""),
            request=request,
            timeline=seen_records.timeline(tx, kept.id),
            reply=self._arrived(request) if request else None,
            at_rest=_is_at_rest(kept, request),
            seconds=seconds,
        )

    def _arrived(self, request: RequestView) -> Arrived | None:
        """The reply in the mailbox it was sent to."""
        sent = {reply.message_id for reply in request.replies if reply.state == ReplyState.SENT.value}
        if not sent or request.answer_to is None:
            return None
        for content in self.inbox(request.answer_to):
            letter = message_from_bytes(content, policy=policy.default)
            if letter["Message-ID"] in sent:
                body = letter.get_body(("plain",))
                text = body.get_content() if body else ""
                return Arrived(recipient=request.answer_to, subject=str(letter["Subject"]), text=text)
        return None

    def _numbers(self, posted: Posted) -> tuple[int, list[int]]:
        """UIDVALIDITY of the fund's mailbox, and the letter's number as long as it lies there."""
        with IMAPClient(HOST, self.ports.imap, ssl=False, timeout=TIMEOUT) as mailbox:
            mailbox.login(FUND_ADDRESS, PASSWORD)
            epoch = mailbox.select_folder("INBOX", readonly=True)[b"UIDVALIDITY"]
            return epoch, mailbox.search(["HEADER", "Message-ID", posted.message_id])


def _left_alone(posted: Posted, foreseen: Explanation, seconds: float) -> Story:
    """Of a letter that is none of ours nothing is kept, so only what was foreseen can be told of it."""
    decision = foreseen.decision
    return Story(
        posted=posted,
        reading=foreseen.reading,
        verdict=decision.verdict,
        rule_id=decision.rule_id,
        reason=decision.reason,
        why=decision.why,
        at_rest=True,
        seconds=seconds,
    )


def _find(tx: Tx, posted: Posted) -> Kept | None:
    for kept in letters.newest(tx, NEWEST):
        letter = seen_letters.read_kept(kept)
        if letter is not None and letter.message_id == posted.message_id:
            return kept
    return None


def _is_at_rest(kept: Kept, request: RequestView | None) -> bool:
    if request is None:
        return kept.state is not LetterState.KEPT
    on_the_way = any(reply.state in ON_THE_WAY for reply in request.replies)
    return request.request.state not in UNFINISHED and not on_the_way
