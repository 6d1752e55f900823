"""Several services on one PostgreSQL database share the work, and each letter is answered once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bureau import Bureau, header, request
from tests.e2e.test_e2e_processes import ADDRESSES, PEOPLE, parts
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.slow


@pytest.fixture
def bureau(tmp_path: Path, postgres_url: str, dovecot: Dovecot) -> Iterator[Bureau]:
    with Bureau(tmp_path, postgres_url, dovecot, delay_seconds=0.05) as office:
        office.register(ADDRESSES)
        yield office


def holders(bureau: Bureau, step: str) -> list[str]:
    """The owners of a step's leases."""
    (found,) = bureau.json("status")
    return [holding["owner"] for holding in found["status"]["leases"] if holding["name"].partition("#")[0] == step]


def test_two_services_share_the_work_and_one_goes_on_when_the_other_is_killed(bureau: Bureau) -> None:
    people = PEOPLE[:120]
    services = [bureau.start(), bureau.start()]
    for step in ("answer", "issue", "deliver"):
        bureau.wait_for(lambda step=step: len(holders(bureau, step)) == 2, f"two workers of {step}")
    assert len(holders(bureau, "intake:uc")) == 1, "one connection to one mailbox"
    bureau.dovecot.drop([request(person, ADDRESSES[n % len(ADDRESSES)], n) for n, person in enumerate(people)])
    bureau.wait_for(lambda: len(bureau.received()) > 20, "the first answers")
    for pid in [services[0].pid, *parts(services[0].pid).values()]:
        os.kill(pid, signal.SIGKILL)
    bureau.wait_for(lambda: len({header(one.content, "Subject") for one in bureau.received()}) == len(people), "all answers", 60)
    services[1].send_signal(signal.SIGTERM)
    assert services[1].wait(15) == 0

    bureau.mailer("run", "--until-idle", exit_code=0)
    assert Counter(line["person"] for line in bureau.json("credentials", "list", "--limit", "1000")) == Counter(people)
    assert {line["state"] for line in bureau.json("requests", "list", "--limit", "1000")} == {"answered"}
    assert len({one.content for one in bureau.received()}) == len(people), "byte for byte the same when it went out twice"
    bureau.mailer("audit", "verify", exit_code=0)
