"""Did the promise hold? Evidence in, counts and a list of everything that must not be out; nothing is read or asked here."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.crash.case import Case
from tests.crash.evidence import Came, Evidence, Row
from tests.crash.moments import Part
from tests.crash.office import password_of
from tests.crash.post import ENDS, OFFICER, End, Posted, Sort

DECISIONS: Final = {"letter.ignored", "letter.observed", "request.held", "request.refused", "request.approved", "reply.bounced"}
BY_ITSELF: Final = {
    "letters": {"kept"},
    "requests": {"approved"},
    "credentials": {"reserved", "in-doubt"},
    "replies": {"queued", "sending"},
}
MAX_SENDS: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """`faults` is empty when the promise held; the numbers are those that it speaks of."""

    lost: int
    double_credentials: int
    differing: int
    unexplained: int
    copies: Mapping[int, int]  # copies of a reply -> replies that came so often
    doubted: int  # replies before a person that an undisturbed service would have sent
    quarantined: int  # letters before a person that nobody meant to poison
    faults: Sequence[str]


def judge(evidence: Evidence, after: Evidence) -> Verdict:
    """`after` was gathered once more when all terms were over."""
    case = Case(evidence)
    lost = [one.number for one in evidence.posted if _files(one, evidence) and not _is_safe(one, case)]
    double = sorted(_double(case))
    differing = [message_id for message_id, came in _by_message_id(evidence).items() if len({_sent(one) for one in came}) > 1]
    unexplained = list(_unexplained(case))
    doubted, quarantined = _before_a_person(case)
    faults = [
        *(f"letter {number} is lost" for number in lost),
        *(f"letter {number} has two credentials" for number in double),
        *(f"the copies of {message_id} differ" for message_id in differing),
        *unexplained,
        *_place_faults(case),
        *_end_faults(case),
        *_decision_faults(case),
        *_reply_faults(case),
        *_login_faults(case),
        *_undelivered_faults(case),
        *_waiting_faults(case),
        *evidence.faults,
        *(f"after the terms: {fault}" for fault in _term_faults(after)),
    ]
    copies = Counter(len(came) for came in _by_message_id(evidence).values())
    return Verdict(
        lost=len(lost),
        double_credentials=len(double),
        differing=len(differing),
        unexplained=len(unexplained),
        copies=dict(sorted(copies.items())),
        doubted=doubted,
        quarantined=quarantined,
        faults=faults,
    )


def _files(posted: Posted, evidence: Evidence) -> int:
    """How many files with this number were put into the mailbox: the same letter twice has the first one's number."""
    if posted.sort is Sort.SAME_LETTER:
        return 0
    twin = next((one for one in evidence.posted if one.number == posted.twin), None)
    return 2 if twin is not None and twin.sort is Sort.SAME_LETTER else 1


def _is_safe(posted: Posted, case: Case) -> bool:
    """Kept, or still in the inbox. In the done folder alone nobody looks for it any more."""
    return bool(case.letters[posted.number] or case.evidence.inbox.get(posted.number))


def _place_faults(case: Case) -> Iterator[str]:
    """Each letter lies once in the mailbox: requests that were taken in the done folder, all others where they were.

    One that was put aside while it was taken in stays where it was.
    """
    for posted in case.evidence.posted:
        files = _files(posted, case.evidence)
        moved = ENDS[posted.sort].moved
        aside = any(row["state"] == "quarantined" for row in case.letters[posted.number])
        allowed = ([] if moved and not aside else [(files, 0)]) + ([(0, files)] if moved else [])
        found = (case.evidence.inbox.get(posted.number, 0), case.evidence.done.get(posted.number, 0))
        if found not in allowed:
            yield f"letter {posted.number} ({posted.sort}): files in inbox and done folder {found}, expected {allowed}"


def _end_faults(case: Case) -> Iterator[str]:
    """Each letter came to the end it must; of twins either may have been read first."""
    for posted in case.evidence.posted:
        if posted.twin is not None and posted.twin < posted.number:
            continue  # judged with its twin
        if ENDS[posted.sort].kept is None and not case.letters[posted.number]:
            continue
        group = [posted, *(one for one in case.evidence.posted if one.number == posted.twin)]
        rows = [row for one in group for row in case.letters[one.number]]
        expected = [_expected(ENDS[one.sort]) for one in group if ENDS[one.sort].kept is not False]
        found = [case.end(row) for row in rows if posted.sort is Sort.POISON or row["state"] != "quarantined"]
        left = Counter(map(_forgiving, found)) - Counter(map(_forgiving, expected))
        if left or len(rows) != len(expected):
            yield f"letter {posted.number} ({posted.sort}) ended as {[case.end(row) for row in rows]}, expected {expected}"


def _expected(end: End) -> tuple[str, str | None, str | None, int, tuple[str, ...]]:
    verdict = None if end.letter == "quarantined" else end.verdict
    return end.letter, verdict, end.request, int(end.credential), (end.reply,) if end.reply else ()


def _forgiving(end: tuple[str, str | None, str | None, int, tuple[str, ...]]) -> tuple[str, str | None, str | None, int, str]:
    """A reply that stands before a person after three sends counts as sent: it may have been."""
    letter, verdict, request, credentials, replies = end
    if replies == ("unknown",):
        return letter, verdict, "answered" if request == "issued" else request, credentials, "sent"
    return letter, verdict, request, credentials, " ".join(replies)


def _before_a_person(case: Case) -> tuple[int, int]:
    sorts = {posted.number: posted.sort for posted in case.evidence.posted}
    letters = {row["id"]: row for row in case.evidence.letters}
    of_request = {request["id"]: sorts[letters[letter]["number"]] for letter, request in case.requests.items()}
    doubted = [
        row for row in case.evidence.replies if row["state"] == "unknown" and of_request.get(row["request_id"]) is not Sort.MUTE
    ]
    quarantined = [row for row in letters.values() if row["state"] == "quarantined" and sorts[row["number"]] is not Sort.POISON]
    return len(doubted), len(quarantined)


def _decision_faults(case: Case) -> Iterator[str]:
    told: dict[int, list[str]] = defaultdict(list)
    for one in case.evidence.told:
        if one.event in DECISIONS or one.event == "letter.quarantined":
            told[one.details["letter"]].append(one.event)
        if one.event == "letter.retried":
            told[one.details["letter"]].remove("letter.quarantined")
    for row in case.evidence.letters:
        if len(told[row["id"]]) != 1:
            yield f"letter {row['number']} was decided {len(told[row['id']])} times: {told[row['id']]}"


def _double(case: Case) -> set[int]:
    """Letters with two credentials: in the tables, or in what left the house."""
    double = {row["number"] for row in case.evidence.letters for _ in case.credentials[_request_id(case, row)][1:]}
    for number, came in case.came.items():
        if number is not None and len({(one.login, one.password) for one in came if one.login}) > 1:
            double.add(number)
    return double


def _request_id(case: Case, letter: Row) -> int:
    request = case.requests.get(letter["id"])
    return 0 if request is None else request["id"]


def _by_message_id(evidence: Evidence) -> dict[str, list[Came]]:
    found: dict[str, list[Came]] = defaultdict(list)
    for one in evidence.came:
        found[one.message_id].append(one)
    return found


def _sent(one: Came) -> tuple[tuple[str, ...], bytes]:
    return one.copy.recipients, one.copy.content


def _unexplained(case: Case) -> Iterator[str]:
    """A second copy may come only if, after the first, the line broke or a process died, and before the program knew it sent."""
    deaths = [one.at for one in case.evidence.kills if one.part in {Part.COURIER, Part.SUPERVISOR}]
    ids = {row["message_id"]: row["id"] for row in case.evidence.replies}
    returned = Counter(one.details["reply"] for one in case.evidence.told if one.event == "reply.returned")
    sent = {one.details["reply"]: one.at for one in case.evidence.told if one.event == "reply.sent"}
    for message_id, came in _by_message_id(case.evidence).items():
        reply = ids.get(message_id, "")
        for first, second in pairwise(came):
            if not first.copy.line_broke and not any(first.copy.at < at < second.copy.at for at in deaths):
                yield f"{message_id} came twice although nothing had broken"
            if reply in sent and second.copy.wall > sent[reply]:
                yield f"{message_id} came once more after it was known to be sent"
        if len(came) - 1 > returned[reply]:
            yield f"{message_id} came {len(came)} times, but was given back {returned[reply]} times"


def _reply_faults(case: Case) -> Iterator[str]:
    """What came belongs to a reply, went to who asked, and what is called sent has come."""
    posted = {one.number: one for one in case.evidence.posted}
    known = {row["message_id"]: row for row in case.evidence.replies}
    by_message_id = _by_message_id(case.evidence)
    for message_id, came in by_message_id.items():
        asked = posted.get(came[0].number or 0)
        if message_id in known and known[message_id]["request_id"] is None:
            if came[0].number is not None or came[0].copy.recipients != (OFFICER,):
                yield f"{message_id} is for the officer and went to {came[0].copy.recipients}"
        elif message_id not in known or asked is None:
            yield f"{message_id} came, and no letter asked for it"
        elif came[0].copy.recipients != (asked.sender,):
            yield f"{message_id} went to {came[0].copy.recipients}, not to {asked.sender}"
        if len(came) > MAX_SENDS:
            yield f"{message_id} was sent {len(came)} times"
    for message_id, row in known.items():
        if row["state"] in {"sent", "bounced"} and message_id not in by_message_id:
            yield f"{message_id} is called {row['state']} and never came"
        if row["state"] == "unknown" and row["sends"] != MAX_SENDS:
            yield f"{message_id} stands before a person after {row['sends']} sends"
    for number, replies in case.came.items():
        if number is not None and len({one.message_id for one in replies}) > 1:
            yield f"letter {number} was answered by different replies"


def _login_faults(case: Case) -> Iterator[str]:
    """Each login that left the house opens the portal with the password beside it, unless it was replaced or revoked."""
    fate = {one.number: one.login for one in case.evidence.posted}
    states = {row["login"]: row["state"] for row in case.evidence.credentials}
    accounts = {row["login"]: row for row in case.evidence.accounts}
    asked_by: dict[str, int | None] = {}
    for one in case.evidence.came:
        if one.login is None:
            continue
        account = accounts.get(one.login)
        if account is None or one.password is None:
            yield f"the login {one.login} is in a letter and opens nothing"
            continue
        if one.login in asked_by and asked_by[one.login] != one.number:
            yield f"the login {one.login} went out for two letters"
        asked_by[one.login] = one.number
        spoken = (account["credential_id"] + one.password).encode()
        mac = hmac.new(case.evidence.pepper, spoken, hashlib.sha256).digest()
        right = one.password == password_of(one.login) if account["verifier"] is None else mac == bytes(account["verifier"])
        if not right:
            yield f"the password beside {one.login} is wrong"
        expected = fate.get(one.number or 0, "active")
        if states.get(one.login) != expected or bool(account["enabled"]) != (expected == "active"):
            yield f"the login {one.login} is {states.get(one.login)}, expected {expected}"


def _undelivered_faults(case: Case) -> Iterator[str]:
    """A login whose answer did not arrive is blocked, and one request that repeats it stands before a person; no other is there."""
    enabled = {row["credential_id"]: bool(row["enabled"]) for row in case.evidence.accounts}
    reissues = Counter(row.get("reissue_of") for row in case.evidence.requests if row["state"] == "held")
    for request in case.evidence.requests:
        came_back = {reply["state"] for reply in case.replies[request["id"]]} & {"failed", "bounced"}
        logins = case.credentials[request["id"]] if came_back else []
        if reissues[request["id"]] != len(logins):
            yield f"requests: {request['id']} is repeated {reissues[request['id']]} times, expected {len(logins)}"
        for login in logins:
            if login["state"] != "suspended" or enabled.get(login["id"], False):
                yield f"the login {login['login']} is {login['state']} although its answer did not arrive"


def _waiting_faults(case: Case) -> Iterator[str]:
    """Nothing waits for something that cannot come."""
    evidence = case.evidence
    rows = {
        "letters": evidence.letters,
        "requests": evidence.requests,
        "credentials": evidence.credentials,
        "replies": evidence.replies,
    }
    for table, states in BY_ITSELF.items():
        for row in rows[table]:
            if row["state"] in states:
                yield f"{table}: {row['id']} still {row['state']}"
    for row in evidence.requests:
        replies = {reply["state"] for reply in case.replies[row["id"]]}
        if row["state"] == "issued" and not replies & {"failed", "unknown"}:
            yield f"requests: {row['id']} is issued and its answer is {replies or 'nowhere'}"


def _term_faults(after: Evidence) -> Iterator[str]:
    yield from after.faults
    for row in after.credentials:
        if row["state"] in {"active", "suspended", "reserved"}:
            yield f"the login {row['login']} is still {row['state']}"
    for row in after.accounts:
        if row["enabled"]:
            yield f"the login {row['login']} still opens the portal"
