"""What is there to see at the end of a campaign? Gathered past the program: mailbox, mail server, tables, key files.

The program itself is asked one thing only: whether `mailer audit verify` finds its record whole.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, Final

from tests.crash.deeds import Deeds
from tests.crash.hands import Kill
from tests.crash.lines import Copy
from tests.crash.moments import Part
from tests.crash.office import DONE_FOLDER, Office, numbers
from tests.crash.post import Post, Posted
from tests.crash.signed import Signed
from tests.crash.signed import faults as signature_faults

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A record as it was told: header and details in one."""

    seq: int
    event: str
    at: datetime
    request: int | None
    details: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Came:
    """A reply as it came to the mail server, read with the standard library. `number`: of the letter that it answers."""

    copy: Copy
    number: int | None
    message_id: str
    login: str | None
    password: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    posted: Sequence[Posted]
    kills: Sequence[Kill]
    inbox: Mapping[int, int]  # number of a letter -> files of it in the folder
    done: Mapping[int, int]
    letters: Sequence[Row]  # with "number"
    requests: Sequence[Row]
    credentials: Sequence[Row]
    accounts: Sequence[Row]
    replies: Sequence[Row]
    told: Sequence[Told]
    came: Sequence[Came]
    pepper: bytes
    faults: Sequence[str] = field(default_factory=list)  # what was found wrong while gathering


# A pair of the pool has no verifier: its password is known.
ACCOUNTS: Final = """
SELECT credential_id, login, verifier, enabled FROM accounts_local
UNION ALL SELECT p.credential_id, c.login, NULL, p.enabled FROM pool_pairs p JOIN credentials c ON c.id = p.credential_id
"""


def gather(office: Office, post: Post, deeds: Deeds) -> Evidence:
    letters = office.rows("SELECT id, state, verdict, rule_id, content FROM letters ORDER BY id")
    record_key = _key(office.home / "keys" / "record.key")
    records = office.rows("SELECT seq, header, nonce, details, leaf, mac FROM records ORDER BY seq")
    faults = [*_record_faults(records, record_key), *_key_faults(office.home / "keys"), *_other_faults(office, deeds)]
    faults += signature_faults(_signed(office, deeds, records))
    if office.finish(office.command("audit", "verify")):
        faults.append("mailer audit verify does not find the record whole")
    return Evidence(
        posted=post.posted,
        kills=deeds.kills,
        inbox=office.letters_in("INBOX"),
        done=office.letters_in(DONE_FOLDER),
        letters=[row | {"number": next(iter(numbers([row["content"]])), 0)} for row in letters],
        requests=office.rows("SELECT id, letter_id, reissue_of, state FROM requests"),
        credentials=office.rows("SELECT id, request_id, login, state FROM credentials"),
        accounts=office.rows(ACCOUNTS),
        replies=office.rows("SELECT id, request_id, message_id, state, sends FROM replies"),
        told=[_told(row) for row in records],
        came=[read_reply(copy) for copy in office.sink.copies],
        pepper=_key(office.home / "keys" / "pepper.key"),
        faults=faults,
    )


def read_reply(copy: Copy) -> Came:
    message = message_from_bytes(copy.content, policy=default)
    answered = re.fullmatch(r"<crash-(\d+)@letters\.example>", str(message["In-Reply-To"] or "").strip())
    text = message.get_content()
    login = re.search(r"^Логин:\r?\n\s*(\S+)", text, re.M)
    password = re.search(r"^Пароль \(строка для копирования\):\r?\n\s*(\S+)", text, re.M)
    return Came(
        copy=copy,
        number=int(answered[1]) if answered else None,
        message_id=str(message["Message-ID"]).strip(),
        login=login[1] if login else None,
        password=password[1] if password else None,
    )


def _told(row: Row) -> Told:
    header, details = json.loads(bytes(row["header"])), json.loads(bytes(row["details"]))
    return Told(
        seq=row["seq"],
        event=header["event"],
        at=datetime.fromisoformat(header["at"]),
        request=header["request"],
        details=details,
    )


def _record_faults(records: Sequence[Row], key: bytes) -> list[str]:
    """Gapless, each leaf over its bytes, each MAC over its leaf: reckoned here once more, by the words of the design."""
    faults = []
    if [row["seq"] for row in records] != list(range(1, len(records) + 1)):
        faults.append("the record has gaps")
    for row in records:
        header, nonce, details = bytes(row["header"]), bytes(row["nonce"]), bytes(row["details"])
        leaf = hashlib.sha256(b"\0" + header + hashlib.sha256(nonce + details).digest()).digest()
        mac = hmac.new(key, row["seq"].to_bytes(8, "big") + leaf, hashlib.sha256).digest()
        if (leaf, mac) != (bytes(row["leaf"]), bytes(row["mac"])):
            faults.append(f"record {row['seq']} does not hold")
    return faults


def _signed(office: Office, deeds: Deeds, records: Sequence[Row]) -> Signed:
    return Signed(
        published=(office.home / "keys" / "checkpoints.txt").read_text(encoding="utf-8"),
        noted=[row["note"] for row in office.rows("SELECT note FROM checkpoints ORDER BY number")],
        leaves=[bytes(row["leaf"]) for row in records],
        public_key=(office.home / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip(),
        deaths=sum(kill.part in {Part.DESK, Part.SUPERVISOR} for kill in deeds.kills),
    )


def _key_faults(keys: Path) -> list[str]:
    private = {file.stem for file in (keys / "courier").glob("*.key")}
    public = {file.stem for file in (keys / "epochs").glob("*.pub")}
    # A private half alone is what a death while making or destroying leaves: nothing waits for it, and it is destroyed in time.
    faults = [f"what is sealed to the key of {day} can be opened by nobody" for day in sorted(public - private)]
    return faults + [f"a half-written key was left: {file.name}" for file in keys.rglob("*.new")]


def _other_faults(office: Office, deeds: Deeds) -> list[str]:
    newest = "SELECT count(*) FROM ledger WHERE filing = 'due' AND epoch = (SELECT max(epoch) FROM ledger)"
    faults = []
    if due := office.count(newest):
        faults.append(f"{due} letters are kept and still wait to be moved")
    if office.count("SELECT count(*) FROM senders") != deeds.senders:
        faults.append("the register of senders is not the one that was imported last")
    if office.count("SELECT count(*) FROM records WHERE event = 'checkpoint.refused'"):
        faults.append("the record was found to be not as it was, and it was")
    head = office.count("SELECT seq FROM audit_head")
    if head != office.count("SELECT count(*) FROM records"):
        faults.append("the head of the record names another length")
    return faults


def _key(path: Path) -> bytes:
    return bytes.fromhex(path.read_text().strip())
