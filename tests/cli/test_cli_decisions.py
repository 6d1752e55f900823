"""`mailer requests approve|refuse|hold|withdraw|undo`: what they say, what they record, and what a refused one leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.offices import HOSTILE, Shell, desk_in, found
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, until_done

REGISTER_FIRST = "mailer senders add CODE --organisation … --from-request 4 --reason …"


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Request 1 answered, 2 refused, 3 of a hostile register row and 4 of a stranger held, 5 and 6 held because they came late."""
    found(tmp_path)
    with desk_in(tmp_path) as desk:
        desk.mailbox.epoch = 2
        desk.mailbox.received_at -= timedelta(days=15)
        desk.take(request("Орлова О.О.", CLINIC.answer_to, 7), request("Ли Б.", CLINIC.answer_to, 8))
        until_done(desk.answer())
    capsys.readouterr()
    return Shell(home=tmp_path, capsys=capsys)


def last_record(shell: Shell) -> dict[str, Any]:
    (last,) = shell("audit", "list", "--limit", "1", "--json").objects
    assert isinstance(last, dict)
    return last


def state_of(shell: Shell, number: int) -> str:
    state = shell("requests", "show", str(number), "--json").objects[0]["request"]["state"]
    assert isinstance(state, str)
    return state


def test_an_approval_says_where_the_answer_goes_and_until_when_it_can_be_undone(shell: Shell) -> None:
    said = shell("requests", "approve", "5", "6", "--reason", " проверено ")
    assert said.code == 0, said.err
    first, term, _second, other = said.out.splitlines()
    last = last_record(shell)
    assert first == f"request 5: approved, record {last['seq'] - 1}; the answer goes to gb1@clinic.example"
    assert term.startswith("    issued from ")
    assert other.endswith(" on; until then: mailer requests undo 6")
    assert (last["event"], last["request_id"], last["importance"]) == ("request.approved", 6, "notice")
    assert last["actor"].startswith("operator:")
    assert (last["details"]["rule"], last["details"]["reason"]) == ("person", "проверено")
    (undone,) = shell("requests", "undo", "6", "--reason", "не тот", "--json").objects
    assert undone == {
        "request_id": 6,
        "state": "held",
        "changed": True,
        "record_seq": last["seq"] + 1,
        "issue_after": None,
        "answer_to": None,
    }
    assert shell("requests", "hold", "5", "--reason", "позвонить").out == f"request 5: held, record {last['seq'] + 2}\n"
    assert shell("audit", "verify").code == 0


def test_a_refusal_is_written_at_once(shell: Shell) -> None:
    said = shell("requests", "refuse", "5", "--why", "several-names", "--reason", "двое")
    assert said.code == 0, said.err
    assert said.out.endswith("a letter goes to gb1@clinic.example\n")
    (reply,) = shell("requests", "show", "5", "--json").objects[0]["replies"]
    assert (reply["name"], reply["state"]) == ("refused", "queued")
    assert shell("requests", "withdraw", "6", "--reason", "ошибка").code == 0
    assert (state_of(shell, 5), state_of(shell, 6)) == ("refused", "withdrawn")


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        pytest.param(["approve", "5", "4"], 3, REGISTER_FIRST, id="a-stranger"),
        pytest.param(["approve", "5", "1"], 3, "request 1 is answered, its login tmp-29-", id="answered"),
        pytest.param(["approve", "5", "2"], 3, "request 2 is refused, not held", id="refused"),
        pytest.param(["approve", "99"], 1, "there is no request 99", id="no-such"),
        pytest.param(["refuse", "4"], 3, REGISTER_FIRST, id="refuse-a-stranger"),
        pytest.param(["refuse", "5", "--template", "refused-sender", "--why", "undecodable"], 3, "leave --why out", id="no-why"),
        pytest.param(["hold", "5"], 3, "request 5 is held, not approved", id="hold-held"),
        pytest.param(["withdraw", "2"], 3, "only what is held or approved", id="withdraw-refused"),
        pytest.param(["undo", "1"], 3, "mailer credentials revoke", id="undo-answered"),
    ],
)
def test_what_is_refused_leaves_only_its_record(shell: Shell, words: list[str], code: int, complaint: str) -> None:
    before = last_record(shell)
    said = shell("requests", *words, "--reason", "x")
    assert (said.code, said.out) == (code, "")
    assert complaint in said.err
    last = last_record(shell)
    assert (last["event"], last["seq"], last["details"]["command"]) == (
        "command.refused",
        before["seq"] + 1,
        f"requests {words[0]}",
    )
    assert (state_of(shell, 5), state_of(shell, 4)) == ("held", "held")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["approve", "5"], "--reason", id="no-reason"),
        pytest.param(["approve", "5", "--reason", " "], "a reason must be given", id="empty-reason"),
        pytest.param(["approve", "--reason", "x"], "wrong usage", id="no-number"),
        pytest.param(["refuse", "5", "--reason", "x", "--template", "issued"], "there is no refusal issued", id="no-refusal"),
        pytest.param(["refuse", "5", "--reason", "x", "--why", "bad"], "wrong usage", id="no-such-reason"),
    ],
)
def test_wrong_usage_leaves_nothing(shell: Shell, words: list[str], complaint: str) -> None:
    before = last_record(shell)
    said = shell("requests", *words)
    assert said.code == 2
    assert complaint in said.err
    assert last_record(shell) == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param("requests approve 5", "290001", id="approve"),
        pytest.param("requests refuse 5", "290001", id="refuse"),
        pytest.param("requests reprocess 4 --yes", "290007", id="reprocess"),
        pytest.param("issue Новая~Н.Н. --to 290001", "290001", id="issue"),
        pytest.param("credentials reissue {login}", "290001", id="reissue"),
        pytest.param("credentials extend {login} --months 3", "290001", id="extend"),
    ],
)
def test_a_name_that_no_letter_may_bear_is_to_be_set_right_first(shell: Shell, words: str, code: str) -> None:
    stranger = "stranger@elsewhere.example"
    blocked = replace(HOSTILE, code="290007", answer_to=stranger, addresses=(stranger,), blocked=True)
    with desk_in(shell.home) as desk:
        desk.trial.register(replace(CLINIC, organisation=HOSTILE.organisation))
        desk.trial.register(blocked)
    (login,) = [one["credential"]["login"] for one in shell("credentials", "list", "--state", "active", "--json").objects]
    typed = [word.replace("~", " ").format(login=login) for word in words.split()]
    before = last_record(shell)["seq"]
    for dry_run in (["--dry-run"], []):
        said = shell(*typed, "--reason", "x", *dry_run)
        assert (said.code, said.out) == (3, "")
        assert f"`mailer senders edit {code} --organisation … --reason …` sets it right" in said.err
    last = last_record(shell)
    assert (last["event"], last["seq"]) == ("command.refused", before + 1)
    assert shell("senders", "edit", code, "--organisation", "Клиника", "--reason", "x").code == 0
    assert shell(*typed, "--reason", "x").code == 0


def test_a_dry_run_leaves_nothing(shell: Shell) -> None:
    before = last_record(shell)
    said = shell("requests", "approve", "5", "--reason", "x", "--dry-run")
    assert said.out == "request 5 would be approved, the answer goes to gb1@clinic.example; nothing was changed\n"
    assert shell("requests", "withdraw", "5", "--reason", "x", "--dry-run").out == (
        "request 5 would be withdrawn; nothing was changed\n"
    )
    assert shell("requests", "approve", "4", "--reason", "x", "--dry-run").code == 3
    assert shell("requests", "refuse", "5", "--reason", "x", "--dry-run", "--json").objects[0]["changed"] is False
    assert last_record(shell) == before
