"""How much memory, and how long until the first answer, when far more comes than usual? `make campaign`.

    python -m tests.load.campaign [--waiting 100000] [--large 20] [--flood 20000] [--seconds 60]

Three trials, each with the real service, a real Dovecot and SQLite: `waiting` kept letters in the tables when it starts; `large`
requests of 25 MB in the mailbox; a `flood` of requests of unknown senders, one in three unreadable. It says what it measured and
ends with 1 when a process took 150 MB or more, a cap did not hold, or no answer came.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mailer.config.load import load
from mailer.core import kinds, mime, rules
from mailer.core.keeping import DAILY, Group
from mailer.edge import office as texts
from mailer.model import Own, RawLetter
from mailer.service.office import clock, open_office
from mailer.store import letters
from tests.e2e.bureau import Bureau, request
from tests.e2e.test_e2e_processes import parts
from tests.servers.dovecot import Dovecot

SENDERS = [f"ib@clinic{n}.example" for n in range(200)]
MEMORY_MAX = 150 * 1024 * 1024
PATIENCE_SECONDS = 120
LETTERS = "АБВГДЕЖЗИКЛМНОПРСТ"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """`memory`: the most that each process held (VmHWM), in bytes; `first_answer`: seconds from the start, None when none came."""

    trial: str
    memory: dict[str, int]
    first_answer: float | None
    answers: int
    letters: dict[str, int]
    database_bytes: int

    @property
    def good(self) -> bool:
        return self.first_answer is not None and all(size < MEMORY_MAX for size in self.memory.values())

    def __str__(self) -> str:
        memory = ", ".join(f"{part} {size / 1e6:.0f} MB" for part, size in self.memory.items())
        first = "no answer" if self.first_answer is None else f"first answer after {self.first_answer:.1f} s"
        return (
            f"{self.trial}: {memory}; {first}, {self.answers} answers; letters {self.letters}; "
            f"database {self.database_bytes / 1e6:.1f} MB{'' if self.good else '  <-- NOT GOOD'}"
        )


def waiting(count: int, seconds: float) -> Measured:
    """So many letters were kept before, as after a long stop of the answer step."""
    with bureau() as office:
        _keep(office, count)
        return _watch(f"{count} waiting letters", office, seconds)


def large(count: int, seconds: float) -> Measured:
    """Requests of 25 MB from known senders: their headers are kept and the rest stays in the mailbox."""
    with bureau() as office:
        body = b"A" * (25 * 1024 * 1024)
        for n in range(count):
            office.dovecot.drop([request(person(n), SENDERS[n % len(SENDERS)], n) + body])
        measured = _watch(f"{count} letters of 25 MB", office, seconds)
        assert measured.database_bytes < 10 * 1024 * 1024, "their bodies were kept"
        return measured


def flood(count: int, seconds: float) -> Measured:
    """Requests of strangers and unreadable letters, and behind them one of a known sender."""
    with bureau() as office:
        for start in range(0, count, 1000):
            office.dovecot.drop(
                [
                    b"\x00\xff" * 200 if n % 3 == 0 else request(person(n), f"stranger{n}@elsewhere.example", n)
                    for n in range(start, min(start + 1000, count))
                ]
            )
        office.dovecot.drop([request("Ли К.", SENDERS[0], count)])
        measured = _watch(f"a flood of {count}", office, seconds)
        held = len(office.json("requests", "list", "--state", "held", "--limit", "100000"))
        assert held <= DAILY[Group.STRANGER].letters + DAILY[Group.UNREADABLE].letters, f"{held} letters stand before a person"
        return measured


@contextmanager
def bureau() -> Iterator[Bureau]:
    with tempfile.TemporaryDirectory(prefix="mailer-load-") as name, Dovecot() as dovecot:
        more = "sender_daily = 100000\nsender_active = 100000\naddress_replies_daily = 100000"
        with Bureau(Path(name), f"sqlite:///{name}/mailer.db", dovecot, more=more) as office:
            office.register(SENDERS)
            yield office


def _keep(bureau: Bureau, count: int) -> None:
    """Keep letters as intake does, with their records."""
    office = open_office(load(bureau.config, {}), {})
    form = rules.load(texts.rule_texts(None)).form
    worker = office.worker("mailer-desk")
    for start in range(0, count, 500):
        with worker.writing() as unit:
            for n in range(start, min(start + 500, count)):
                content = request(person(n), SENDERS[n % len(SENDERS)], n)
                raw = RawLetter(
                    mailbox="uc", epoch=1, item=n + 1, received_at=clock(), size_bytes=len(content), content=content, whole=True
                )
                letter = mime.read(content)
                kind = kinds.judge(letter, form, Own(message_id_domain="fond.example", reply_subjects=())).kind
                digest = hashlib.sha256(content).hexdigest()
                kept = letters.keep(unit.tx, raw, letter, kind=kind, proven=True, sender_code=None, digest=digest, at=unit.at)
                unit.tell("letter.kept", letter=kept, digest=digest, proven=True, kind=kind.value)
    office.close()


def _watch(trial: str, bureau: Bureau, seconds: float) -> Measured:
    """Run the service for some time after its first answer; for that it has ten times as long, or two minutes."""
    started = time.monotonic()
    service = bureau.start()
    first: float | None = None
    memory: dict[str, int] = {}
    while first is None or time.monotonic() - started < first + seconds:
        if first is None and bureau.received():
            first = time.monotonic() - started
        if first is None and time.monotonic() - started > max(10 * seconds, PATIENCE_SECONDS):
            break
        for part, pid in {"supervisor": service.pid, **parts(service.pid)}.items():
            memory[part] = max(memory.get(part, 0), _most(pid))
        time.sleep(0.2)
    service.terminate()
    service.wait(30)
    (found,) = bureau.json("status")
    return Measured(
        trial=trial,
        memory=memory,
        first_answer=first,
        answers=len(bureau.received()),
        letters=found["status"]["letters"],
        database_bytes=(bureau.home / "mailer.db").stat().st_size,
    )


def _most(pid: int) -> int:
    """VmHWM of a process: the most memory it ever held, in bytes; 0 when it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def person(n: int) -> str:
    """Some 100,000 different ones."""
    n, first = divmod(n, 18)
    n, second = divmod(n, 18)
    third, fourth = divmod(n, 18)
    return f"Ива{LETTERS[third].lower()}{LETTERS[fourth].lower()}ов {LETTERS[first]}.{LETTERS[second]}."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("waiting", 100_000), ("large", 20), ("flood", 20_000), ("seconds", 60)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    wanted = parser.parse_args()
    good = True
    for trial, count in ((large, wanted.large), (flood, wanted.flood), (waiting, wanted.waiting)):
        measured = trial(count, wanted.seconds)
        print(measured, flush=True)
        good = good and measured.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
