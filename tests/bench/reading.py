"""What reading and deciding a letter costs: stage by stage, on the slow ways, and for the worst bytes up to the limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from mailer.core import encodedwords, kinds, leak, mime, rules, subject, trust
from mailer.core.decide import decide
from mailer.edge import office
from mailer.flow.explain import Channel, Explanation, explain
from mailer.model import Facts, Kind, Letter, NameStanding, Own, Reading, Sender, SenderStanding, Trust, Verdict
from mailer.store import facts, personal
from mailer.store.db import Tx
from mailer.store.facts import Arrival, Limits
from mailer.store.work import Unit
from tests.bench import letters
from tests.bench.figures import Figure, peak_bytes, timed
from tests.store.offices import START, set_up

OWN = Own(message_id_domain="fond.example", reply_subjects=("Логин и пароль", "Отказ:"))
RULES = rules.load(office.rule_texts(None))
LIMITS = Limits(
    zone=ZoneInfo("Europe/Moscow"),
    max_age=timedelta(days=14),
    sender_daily=30,
    sender_active=50,
    address_replies_daily=40,
    replies_daily=5000,
    own_address="access@fond.example",
)
SENDERS = 300
RECORD_KEY = b"r" * 32

ORDINARY_GOAL = 0.25e-3
SLOW_GOAL = 2 * ORDINARY_GOAL
WORST_GOAL = 0.1
WORST_GOAL_BYTES = 100_000_000
SEARCHED_GOAL = 0.25  # a MiB


def figures() -> list[Figure]:
    return [*_stages(), *_slow_ways(), *_worst(), *_searched()]


def _stages() -> list[Figure]:
    content = letters.ordinary()
    letter = mime.read(content, phrase=RULES.form.phrase)
    assert letter is not None, "an ordinary letter has headers"
    reading = kinds.judge(letter, RULES.form, OWN)
    assert reading.person is not None, "an ordinary letter names a person"
    raw = next(line for line in content.replace(b"\r\n ", b" ").split(b"\r\n") if line.startswith(b"Subject: "))[9:]
    stages: dict[str, Callable[[], object]] = {
        "headers and encoded words": lambda: mime.read(content, phrase=RULES.form.phrase),
        "  of it the subject's encoded words": lambda: encodedwords.decode(raw, RULES.form.phrase),
        "kind, subject and name": lambda: kinds.judge(letter, RULES.form, OWN),
        "  of it subject and name": lambda: subject.read(letter.subject, RULES.form),
        "trust: network": lambda: trust.standing(letter, trust=Trust.NETWORK, authserv_id=None, shared_domains=frozenset()),
        "trust: authentication-results": lambda: _is_vouched_for(letter),
        "decision": lambda: decide(_facts(reading), RULES),
        "whether a password shows": lambda: leak.is_in_letter(content),
    }
    return [
        *(timed(what, stage, times=2_000) for what, stage in stages.items()),
        *_with_facts(content, letter, reading),
        timed(
            f"reading, searching and deciding, {len(content)} bytes",
            lambda: (leak.is_in_letter(content), _judged(content)),
            times=4_000,
            goal=ORDINARY_GOAL,
        ),
    ]


def _with_facts(content: bytes, letter: Letter, reading: Reading) -> list[Figure]:
    """On SQLite, where one of many senders asks again for a person it has asked for before."""
    assert reading.person is not None, "an ordinary letter names a person"
    first = _sender(1)
    with TemporaryDirectory() as home:
        trial = set_up(f"sqlite:///{Path(home) / 'mailer.db'}")
        trial.register(first, *(_sender(number) for number in range(2, SENDERS + 1)))
        with trial.database.writing() as tx:
            personal.person(Unit(tx=tx, at=START, actor="test"), first.code, reading.person, trial.randbytes)
            personal.address(Unit(tx=tx, at=START, actor="test"), first.code, first.answer_to, trial.randbytes)
        arrival = Arrival(id=1, received_at=START, proven=True, letter=letter, reading=reading)
        with trial.database.reading() as tx:
            known, _ = facts.gather(tx, arrival, LIMITS, START, key=RECORD_KEY)
            assert known.sender is SenderStanding.KNOWN, "the sender is registered"
            found = [
                timed("facts, from SQLite", lambda: facts.gather(tx, arrival, LIMITS, START, key=RECORD_KEY), times=500),
                timed("reading, facts and deciding", lambda: _explained(tx, content), times=500),
            ]
        trial.database.close()
    return found


def _explained(tx: Tx, content: bytes) -> Explanation:
    return explain(tx, content, channel=Channel(), ruleset=RULES, own=OWN, limits=LIMITS, now=START, key=RECORD_KEY)


def _slow_ways() -> list[Figure]:
    slow = {what: letters.ordinary(text) for what, text in letters.SLOW_WAYS.items()}
    by_subject = [
        timed(what, lambda content=content: _judged(content), times=1_000, goal=SLOW_GOAL) for what, content in slow.items()
    ]
    vouched = letters.ordinary()
    by_trust = timed(
        "proven by authentication-results",
        lambda: _judged(vouched, trusted=Trust.AUTHENTICATION_RESULTS),
        times=1_000,
        goal=SLOW_GOAL,
    )
    return [*by_subject, by_trust]


def _worst() -> list[Figure]:
    return [_with_memory(what, _in_every_way(content), times=5, goal=WORST_GOAL) for what, content in letters.worst().items()]


def _searched() -> list[Figure]:
    """Looking for a password in all of a letter."""
    return [
        _with_memory(what, _search(content), times=3, goal=SEARCHED_GOAL * max(1, len(content) // 2**20))
        for what, content in letters.searched().items()
    ]


def _with_memory(what: str, deed: Callable[[], object], *, times: int, goal: float) -> Figure:
    return replace(timed(what, deed, times=times, goal=goal), memory_bytes=peak_bytes(deed), memory_goal_bytes=WORST_GOAL_BYTES)


def _search(content: bytes) -> Callable[[], object]:
    return lambda: leak.is_in_letter(content)


def _in_every_way(content: bytes) -> Callable[[], object]:
    return lambda: _judged(content, trusted=Trust.AUTHENTICATION_RESULTS)


def _judged(content: bytes, trusted: Trust = Trust.NETWORK) -> Verdict:
    """From the bytes to the verdict, with facts that cost nothing: what the program does, but for the database."""
    letter = mime.read(content, phrase=RULES.form.phrase)
    reading = kinds.judge(letter, RULES.form, OWN)
    if letter is not None:
        trust.standing(letter, trust=trusted, authserv_id=letters.AUTHSERV_ID, shared_domains=frozenset())
    return decide(_facts(reading), RULES).verdict


def _is_vouched_for(letter: Letter) -> bool:
    return trust.standing(letter, trust=Trust.AUTHENTICATION_RESULTS, authserv_id=letters.AUTHSERV_ID, shared_domains=frozenset())


def _facts(reading: Reading) -> Facts:
    unread = NameStanding.UNREADABLE if reading.kind is Kind.REQUEST else NameStanding.NONE
    return Facts(
        kind=reading.kind,
        name=unread if reading.person is None else NameStanding.READ,
        sender=SenderStanding.KNOWN,
        reason=reading.reason,
        repairs=reading.repairs,
        phrase_first=reading.phrase_first,
    )


def _sender(number: int) -> Sender:
    address = letters.ADDRESS if number == 1 else f"gb{number}@clinic.example"
    return Sender(code=f"29{number:04}", organisation=f"Больница № {number}", answer_to=address, addresses=(address,))
