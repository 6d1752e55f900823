"""The real service, its steps paused by a person one after the other: nothing leaves while it lasts, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bureau import Bureau, request
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.slow

GOOD = "gb1@clinic.example"


@pytest.fixture
def bureau(tmp_path: Path, dovecot: Dovecot) -> Iterator[Bureau]:
    with Bureau(tmp_path, f"sqlite:///{tmp_path / 'mailer.db'}", dovecot) as office:
        office.register([GOOD])
        yield office


def test_a_letter_stops_before_each_paused_step_and_goes_on_from_there(bureau: Bureau) -> None:
    bureau.dovecot.drop([request("Пришва А.А.", GOOD, 1)])
    for step in ("intake", "issue", "deliver"):
        bureau.mailer("pause", step, "--reason", "проверка", exit_code=0)
    for step, waits in (("intake", "0 letters kept"), ("issue", "1 approved"), ("deliver", "0 replies sent")):
        said = bureau.mailer("run", "--until-idle", exit_code=1)
        assert waits in said
        assert f"paused: {step}, since " in said
        assert list(bureau.received()) == []
        bureau.mailer("resume", step, "--reason", "проверено", exit_code=0)
    assert "1 replies sent" in bureau.mailer("run", "--until-idle", exit_code=0)
    assert len(bureau.received()) == 1


def test_a_running_service_heeds_a_pause_and_its_end(bureau: Bureau) -> None:
    bureau.start()
    bureau.dovecot.drop([request("Пришва А.А.", GOOD, 1)])
    bureau.wait_for(lambda: len(bureau.received()) == 1, "the first answer", 60)
    bureau.mailer("pause", "deliver", "--reason", "проверка", exit_code=0)
    bureau.wait_for(lambda: "paused by a person" in bureau.log(), "the courier to stand still", 60)
    bureau.dovecot.drop([request("Ли К.", GOOD, 2)])
    bureau.wait_for(lambda: "waiting for it: 1" in bureau.mailer("status"), "an answer that waits", 60)
    assert len(bureau.received()) == 1
    bureau.mailer("resume", "deliver", "--reason", "проверено", exit_code=0)
    bureau.wait_for(lambda: len(bureau.received()) == 2, "the second answer", 60)
