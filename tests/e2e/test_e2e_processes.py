"""Supervisor, desk and courier: who dies is replaced, who is left alone stops, and nothing is answered twice or never."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bureau import Bureau, header, request
from tests.servers.dovecot import Dovecot
from tests.servers.processes import parts, runs

pytestmark = pytest.mark.slow

SURNAMES = ("Иванов", "Петров", "Сидоров", "Ли", "Ким", "Кузнецов")
INITIALS = "АБВГДЕЖЗИКЛМНОПРСТ"
ADDRESSES = [f"ib@clinic{n}.example" for n in range(60)]
PEOPLE = [f"{surname} {first}.{second}." for surname in SURNAMES for first in INITIALS for second in INITIALS]


@pytest.fixture
def bureau(tmp_path: Path, dovecot: Dovecot) -> Iterator[Bureau]:
    with Bureau(tmp_path, f"sqlite:///{tmp_path / 'mailer.db'}", dovecot) as office:
        office.register(ADDRESSES)
        yield office


def test_children_of_a_killed_supervisor_stop_by_themselves(bureau: Bureau) -> None:
    service = bureau.start()
    bureau.wait_for(lambda: len(parts(service.pid)) == 2, "both parts to start")
    children = parts(service.pid)
    service.kill()
    service.wait()
    bureau.wait_for(lambda: not any(runs(pid) for pid in children.values()), "the children to stop", 15)
    assert parts(service.pid) == {}


@pytest.mark.parametrize("part", ["desk", "courier"])
def test_a_part_that_dies_is_started_again(bureau: Bureau, part: str) -> None:
    service = bureau.start()
    bureau.wait_for(lambda: len(parts(service.pid)) == 2, "both parts to start")
    first = parts(service.pid)[part]
    os.kill(first, signal.SIGKILL)
    bureau.wait_for(lambda: parts(service.pid).get(part, first) != first, f"a new {part}")
    bureau.dovecot.drop([request("Пришва А.А.", "ib@clinic1.example", 1)])
    bureau.wait_for(lambda: len(bureau.received()) == 1, "the answer")
    assert "ended unasked" in bureau.log()


def test_a_stopped_part_is_noticed_and_replaced(bureau: Bureau) -> None:
    service = bureau.start()
    bureau.wait_for(lambda: "intake:uc" in bureau.mailer("status"), "the service to start")
    desk = parts(service.pid)["desk"]
    os.kill(desk, signal.SIGSTOP)
    bureau.wait_for(lambda: parts(service.pid).get("desk", desk) != desk, "a new desk", 60)
    assert "shows no life" in bureau.log()


def test_a_second_service_stands_by_and_says_so(bureau: Bureau) -> None:
    service = bureau.start()
    bureau.wait_for(lambda: "intake:uc" in bureau.mailer("status"), "the service to start")
    second = bureau.start()
    bureau.wait_for(lambda: "standing by" in bureau.log(), "the second to stand by")
    bureau.dovecot.drop([request("Пришва А.А.", "ib@clinic1.example", 1)])
    bureau.wait_for(lambda: len(bureau.received()) == 1, "the answer")
    service.send_signal(signal.SIGTERM)
    assert service.wait(10) == 0
    bureau.dovecot.drop([request("Ли К.", "ib@clinic1.example", 2)])
    bureau.wait_for(lambda: len(bureau.received()) == 2, "the second to take over")
    second.send_signal(signal.SIGTERM)
    assert second.wait(10) == 0


def test_killed_at_random_nothing_is_lost_and_nobody_gets_two_credentials(bureau: Bureau) -> None:
    """Three kills, one of each process, during sixty letters; then one quiet run to the end."""
    chance = random.Random(20261123)
    people = PEOPLE[:60]
    bureau.dovecot.drop([request(person, ADDRESSES[n % len(ADDRESSES)], n) for n, person in enumerate(people)])
    for victim in ("desk", "courier", "supervisor"):
        service = bureau.start()
        bureau.wait_for(lambda pid=service.pid: len(parts(pid)) == 2, "both parts to start")
        time.sleep(chance.uniform(0.8, 2.0))
        children = parts(service.pid)
        pid = service.pid if victim == "supervisor" else children.get(victim)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        time.sleep(chance.uniform(0.1, 0.5))
        service.kill()
        service.wait()
        bureau.wait_for(lambda children=children: not any(runs(pid) for pid in children.values()), "the children to stop", 15)
    bureau.mailer("run", "--until-idle", exit_code=0)
    issued = Counter(line["person"] for line in bureau.json("credentials", "list", "--limit", "1000"))
    assert issued == Counter(people)
    by_subject: dict[str, set[bytes]] = {}
    for letter in bureau.received():
        by_subject.setdefault(header(letter.content, "Subject"), set()).add(letter.content)
    assert set(by_subject) == {f"Логин и пароль: {person}" for person in people}
    assert {len(contents) for contents in by_subject.values()} == {1}, "byte for byte the same when it went out twice"
    assert {line["state"] for line in bureau.json("requests", "list", "--limit", "1000")} == {"answered"}
    bureau.mailer("audit", "verify", exit_code=0)
