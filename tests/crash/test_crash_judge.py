"""Does the judge of a campaign find what must not be? A sound outcome passes; each thing broken in it is named."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.crash.evidence import Came, Evidence, Told, read_reply
from tests.crash.hands import Kill
from tests.crash.judge import judge
from tests.crash.lines import Copy
from tests.crash.moments import Part
from tests.crash.post import OFFICER, Posted, Sort

NOON = datetime(2026, 11, 23, 9, tzinfo=UTC)
PEPPER = b"p" * 32
ASKED, REFUSED, OTHER = (
    Posted(number=number, sort=sort, person=f"П{number} А.Б.", sender="ib@clinic1.example")
    for number, sort in ((1, Sort.PLAIN), (2, Sort.PLACEHOLDER), (3, Sort.OTHER))
)
ISSUED = """In-Reply-To: <crash-1@letters.example>
Message-ID: <aa@fond.example>
Subject: reply
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: 8bit

Логин:
tmp-1

Пароль (строка для копирования):
secret
""".encode()
REFUSAL = b"In-Reply-To: <crash-2@letters.example>\nMessage-ID: <bb@fond.example>\nSubject: no\n\nno\n"


def came(content: bytes, *, at: float, line_broke: bool = False, recipient: str = "ib@clinic1.example") -> Came:
    wall = NOON + timedelta(seconds=at)
    return read_reply(Copy(at=at, wall=wall, recipients=(recipient,), content=content, line_broke=line_broke))


def told(event: str, seconds: float = 0, **details: object) -> Told:
    return Told(seq=1, event=event, at=NOON + timedelta(seconds=seconds), request=None, details=details)


def verifier(credential: str, password: str) -> bytes:
    return hmac.new(PEPPER, (credential + password).encode(), hashlib.sha256).digest()


def sound() -> Evidence:
    """Three letters; the answer to the first came twice, because the courier died between sending and knowing."""
    return Evidence(
        posted=[ASKED, REFUSED, OTHER],
        kills=[Kill(at=11, part=Part.COURIER, where="at random")],
        inbox={3: 1},
        done={1: 1, 2: 1},
        letters=[
            {"id": 1, "number": 1, "state": "read", "verdict": "issue"},
            {"id": 2, "number": 2, "state": "read", "verdict": "refuse"},
        ],
        requests=[{"id": 1, "letter_id": 1, "state": "answered"}, {"id": 2, "letter_id": 2, "state": "refused"}],
        credentials=[{"id": "c1", "request_id": 1, "login": "tmp-1", "state": "active"}],
        accounts=[{"credential_id": "c1", "login": "tmp-1", "verifier": verifier("c1", "secret"), "enabled": True}],
        replies=[
            {"id": "aa", "request_id": 1, "message_id": "<aa@fond.example>", "state": "sent", "sends": 2},
            {"id": "bb", "request_id": 2, "message_id": "<bb@fond.example>", "state": "sent", "sends": 1},
        ],
        told=[
            told("request.approved", letter=1),
            told("request.refused", letter=2),
            told("reply.returned", reply="aa"),
            told("reply.sent", 20, reply="aa"),
            told("reply.sent", 20, reply="bb"),
        ],
        came=[came(ISSUED, at=10), came(ISSUED, at=12), came(REFUSAL, at=13)],
        pepper=PEPPER,
    )


def rows_with(name: str, place: int, **values: object) -> Callable[[Evidence], Evidence]:
    def change(evidence: Evidence) -> Evidence:
        rows = [dict(row) for row in getattr(evidence, name)]
        rows[place] |= values
        return replace(evidence, **{name: rows})

    return change


def more(name: str, *added: object) -> Callable[[Evidence], Evidence]:
    return lambda evidence: replace(evidence, **{name: [*getattr(evidence, name), *added]})


def instead(**fields: Any) -> Callable[[Evidence], Evidence]:
    return lambda evidence: replace(evidence, **fields)


REPEATED = {"id": 9, "letter_id": None, "reissue_of": 1, "state": "held"}
NOTICE = b"Message-ID: <nn@fond.example>\nSubject: alarm\n\nalarm\n"


def came_back(*, state: str = "suspended") -> Callable[[Evidence], Evidence]:
    """The first answer came back after it was sent."""

    def change(evidence: Evidence) -> Evidence:
        evidence = rows_with("accounts", 0, enabled=False)(rows_with("credentials", 0, state=state)(evidence))
        posted = [replace(ASKED, sort=Sort.RETURNED, login="suspended"), *evidence.posted[1:]]
        return replace(more("requests", REPEATED)(rows_with("replies", 0, state="bounced")(evidence)), posted=posted)

    return change


def notice(recipient: str) -> Callable[[Evidence], Evidence]:
    """A letter about an alarm went to an address."""
    row = {"id": "nn", "request_id": None, "message_id": "<nn@fond.example>", "state": "sent", "sends": 1}
    return lambda evidence: more("came", came(NOTICE, at=15, recipient=recipient))(more("replies", row)(evidence))


def put_aside() -> Callable[[Evidence], Evidence]:
    """The second letter took several desks with it while it was taken in: it stays in the inbox, and nobody answered it."""

    def change(evidence: Evidence) -> Evidence:
        return replace(
            rows_with("letters", 1, state="quarantined", verdict=None)(evidence),
            inbox={2: 1, 3: 1},
            done={1: 1},
            requests=evidence.requests[:1],
            replies=evidence.replies[:1],
            told=[*evidence.told[:1], told("letter.quarantined", letter=2), *evidence.told[2:4]],
            came=evidence.came[:2],
        )

    return change


def over() -> Evidence:
    """The same office when all terms are over."""
    return rows_with("accounts", 0, enabled=False)(rows_with("credentials", 0, state="expired")(sound()))


def test_a_sound_outcome_has_no_fault() -> None:
    verdict = judge(sound(), over())
    assert verdict.faults == []
    assert (verdict.lost, verdict.double_credentials, verdict.differing, verdict.unexplained) == (0, 0, 0, 0)
    assert verdict.copies == {1: 1, 2: 1}
    assert (verdict.doubted, verdict.quarantined) == (0, 0)


@pytest.mark.parametrize(
    "change",
    [
        came_back(),
        notice(OFFICER),
        more("told", told("letter.quarantined", letter=1), told("letter.retried", letter=1)),
        put_aside(),
    ],
    ids=["an answer came back", "an alarm was told", "a letter was read once more", "a letter was put aside at intake"],
)
def test_what_may_be_is_no_fault(change: Callable[[Evidence], Evidence]) -> None:
    assert judge(change(sound()), over()).faults == []


SECOND_LETTER = ISSUED.replace(b"secret", b"other")
BROKEN = {
    "lost": (instead(inbox={}), "letter 3 is lost"),
    "moved before it was kept": (instead(letters=sound().letters[:1], requests=sound().requests[:1]), "letter 2 is lost"),
    "twice in the mailbox": (instead(done={1: 2, 2: 1}), "letter 1 (request): files"),
    "not moved": (instead(inbox={3: 1, 2: 1}, done={1: 1}), "letter 2 (request without a name): files"),
    "not kept": (
        instead(letters=sound().letters[:1], requests=sound().requests[:1]),
        "letter 2 (request without a name) ended as []",
    ),
    "kept twice": (more("letters", sound().letters[0] | {"id": 9}), "letter 1 (request) ended as"),
    "another end": (rows_with("requests", 1, state="held"), "letter 2 (request without a name) ended as"),
    "decided twice": (more("told", told("request.held", letter=1)), "letter 1 was decided 2 times"),
    "never decided": (instead(told=sound().told[1:]), "letter 1 was decided 0 times"),
    "two credentials": (
        more("credentials", {"id": "c2", "request_id": 1, "login": "tmp-2", "state": "active"}),
        "letter 1 has two credentials",
    ),
    "two passwords": (more("came", came(SECOND_LETTER, at=14)), "letter 1 has two credentials"),
    "copies differ": (
        instead(came=[came(ISSUED, at=10), came(ISSUED + b"\n", at=12), came(REFUSAL, at=13)]),
        "the copies of <aa@fond.example> differ",
    ),
    "nothing had died": (instead(kills=[]), "came twice although nothing had broken"),
    "only the desk had died": (
        instead(kills=[Kill(at=11, part=Part.DESK, where="at random")]),
        "came twice although nothing had broken",
    ),
    "died before both": (
        instead(kills=[Kill(at=9, part=Part.COURIER, where="at random")]),
        "came twice although nothing had broken",
    ),
    "after it was known": (
        instead(came=[came(ISSUED, at=10), came(ISSUED, at=21), came(REFUSAL, at=13)]),
        "came once more after it was known to be sent",
    ),
    "not given back": (
        instead(told=[one for one in sound().told if one.event != "reply.returned"]),
        "came 2 times, but was given back 0 times",
    ),
    "never came": (instead(came=sound().came[:2]), "<bb@fond.example> is called sent and never came"),
    "to another": (
        instead(came=[*sound().came[:2], came(REFUSAL, at=13, recipient="evil@x.example")]),
        "went to ('evil@x.example',)",
    ),
    "unasked": (more("came", came(REFUSAL.replace(b"<bb@", b"<cc@"), at=14)), "<cc@fond.example> came, and no letter asked for it"),
    "wrong password": (rows_with("accounts", 0, verifier=verifier("c1", "other")), "the password beside tmp-1 is wrong"),
    "login shut": (rows_with("accounts", 0, enabled=False), "the login tmp-1 is active, expected active"),
    "login unknown": (instead(accounts=[]), "the login tmp-1 is in a letter and opens nothing"),
    "letter waits": (rows_with("letters", 1, state="kept"), "letters: 2 still kept"),
    "request waits": (rows_with("requests", 0, state="approved"), "requests: 1 still approved"),
    "credential waits": (rows_with("credentials", 0, state="reserved"), "credentials: c1 still reserved"),
    "reply waits": (rows_with("replies", 0, state="sending"), "replies: aa still sending"),
    "issued and unanswered": (rows_with("requests", 0, state="issued"), "requests: 1 is issued and its answer is"),
    "doubted too soon": (rows_with("replies", 0, state="unknown", sends=2), "stands before a person after 2 sends"),
    "came back, not blocked": (came_back(state="active"), "the login tmp-1 is active although its answer did not arrive"),
    "came back, not shut": (
        lambda evidence: rows_with("accounts", 0, enabled=True)(came_back()(evidence)),
        "the login tmp-1 is suspended although its answer did not arrive",
    ),
    "came back, not repeated": (
        lambda evidence: replace(came_back()(evidence), requests=evidence.requests),
        "requests: 1 is repeated 0 times, expected 1",
    ),
    "repeated for nothing": (more("requests", REPEATED), "requests: 1 is repeated 1 times, expected 0"),
    "an alarm to another": (notice("ib@clinic1.example"), "<nn@fond.example> is for the officer and went to"),
    "read once more and not decided": (
        more("told", told("letter.quarantined", letter=1), told("letter.retried", letter=1), told("letter.quarantined", letter=1)),
        "letter 1 was decided 2 times",
    ),
    "seen while gathering": (instead(faults=["the record has gaps"]), "the record has gaps"),
}


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_what_must_not_be_is_named(change: Callable[[Evidence], Evidence], said: str) -> None:
    faults = judge(change(sound()), over()).faults
    assert [fault for fault in faults if said in fault], faults


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rows_with("credentials", 0, state="active"), "after the terms: the login tmp-1 is still active"),
        (rows_with("accounts", 0, enabled=True), "after the terms: the login tmp-1 still opens the portal"),
    ],
    ids=["state", "account"],
)
def test_a_login_that_outlives_its_term_is_named(change: Callable[[Evidence], Evidence], said: str) -> None:
    assert said in judge(sound(), change(over())).faults


def test_a_line_that_the_server_dropped_explains_a_second_copy() -> None:
    dropped = instead(kills=[], came=[came(ISSUED, at=10, line_broke=True), came(ISSUED, at=12), came(REFUSAL, at=13)])
    assert judge(dropped(sound()), over()).faults == []


def test_a_reply_before_a_person_after_three_sends_is_counted_and_no_fault() -> None:
    doubted = rows_with("replies", 0, state="unknown", sends=3)(rows_with("requests", 0, state="issued")(sound()))
    verdict = judge(doubted, over())
    assert verdict.faults == []
    assert verdict.doubted == 1
