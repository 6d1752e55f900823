"""What does a very full, or a migrated, mailbox cost the service? `make faults`; too slow for the suite, which has short forms.

A real Dovecot, the real service; prints one line a figure and ends with 1 when something did not hold:

    python -m tests.faults.measure [--letters 100000] [--old 500]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from mailer.edge.imap import ImapMailbox
from tests.e2e.bureau import Bureau, request
from tests.e2e.test_e2e_processes import parts
from tests.servers.dovecot import Dovecot
from tests.servers.imap_account import account

ADDRESSES = [f"ib@clinic{n}.example" for n in range(20)]
INITIALS = "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭ"
BREAKER = 200
PATIENCE_SECONDS = 3600
MEMORY_LIMIT_KIB = 512 * 1024


def full_mailbox(home: Path, letters: int) -> list[str]:
    """Letters that are not ours fill the inbox; one request lies at their end, another comes when all have been looked through."""
    faults = []
    with Dovecot() as dovecot, Bureau(home, f"sqlite:///{home / 'mailer.db'}", dovecot) as bureau:
        bureau.register(ADDRESSES)
        dovecot.drop([request("", f"a{n}@elsewhere.example", n, subject=f"Отчёт {n}") for n in range(letters)])
        dovecot.drop([request("Пришва А.А.", ADDRESSES[0], letters)])
        began = time.monotonic()
        box = ImapMailbox(account(dovecot))
        box.open()
        say(f"Dovecot indexes {letters} letters and opens the folder", f"{time.monotonic() - began:.1f} s")
        for what, full in (("full search", True), ("search above the mark", False)):
            began = time.monotonic()
            for _ in range(5):
                box.items(full=full)
            say(what, f"{(time.monotonic() - began) / 5 * 1000:.1f} ms")
        box.close()

        began = time.monotonic()
        service = bureau.start()
        bureau.wait_for(lambda: len(bureau.received()) == 1, "the first answer", PATIENCE_SECONDS)
        say("start to the first answer, behind all of them", f"{time.monotonic() - began:.1f} s")
        desk = parts(service.pid)["desk"]
        began = time.monotonic()
        dovecot.drop([request("Ли К.", ADDRESSES[1], letters + 1)])
        bureau.wait_for(lambda: len(bureau.received()) == 2, "the second answer", PATIENCE_SECONDS)
        say("answer to a letter that comes then", f"{time.monotonic() - began:.2f} s")
        peak = memory_peak_kib(desk)
        say("memory of the desk, at most", f"{peak // 1024} MiB")
        if "ended unasked" in bureau.log() or "hangs" in bureau.log():
            faults.append("a part of the service died")
        if peak > MEMORY_LIMIT_KIB:
            faults.append("the desk outgrew its limit")
    return faults


def migrated_mailbox(home: Path, old: int) -> list[str]:
    """Old letters, headers and server dates rewritten: only the breaker stands between them and as many credentials."""
    faults = []
    with Dovecot() as dovecot, Bureau(home, f"sqlite:///{home / 'mailer.db'}", dovecot) as bureau:
        wide = "issues_per_10_minutes = 100000"
        text = bureau.config.read_text(encoding="utf-8")
        bureau.config.write_text(text.replace(wide, f"issues_per_10_minutes = {BREAKER}"), encoding="utf-8")
        bureau.register(ADDRESSES)
        people = [(f"Иванов {first}.И.", address) for first in INITIALS for address in ADDRESSES][:old]
        dovecot.drop([request(person, address, n) for n, (person, address) in enumerate(people)])
        began = time.monotonic()
        bureau.mailer("run", "--until-idle", timeout=PATIENCE_SECONDS, exit_code=1)
        say(f"{old} migrated letters taken in", f"{time.monotonic() - began:.1f} s")
        states = Counter(line["state"] for line in bureau.json("requests", "list", "--limit", "1000"))
        say("their requests", ", ".join(f"{state} {count}" for state, count in sorted(states.items())))
        if len(bureau.received()) != min(old, BREAKER):
            faults.append(f"{len(bureau.received())} answers left, the breaker says {BREAKER}")
        if old > BREAKER and "issuing.paused" not in bureau.mailer("audit", "list", "--limit", "5000"):
            faults.append("no alarm was told")
    return faults


def memory_peak_kib(pid: int) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])


def say(what: str, figure: str) -> None:
    sys.stdout.write(f"{what}: {figure}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=100_000)
    parser.add_argument("--old", type=int, default=500)
    wanted = parser.parse_args()
    faults = []
    for part, size in ((full_mailbox, wanted.letters), (migrated_mailbox, wanted.old)):
        with tempfile.TemporaryDirectory() as home:
            faults += part(Path(home), size)
    for fault in faults:
        say("FAILED", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
