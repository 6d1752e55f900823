"""`mailer pause` and `mailer resume`: what they change, what they refuse, and where a pause is seen."""

from __future__ import annotations

import pytest

from mailer.core import evidence
from mailer.store import audit
from tests.cli.offices import Shell, desk_in


def records(shell: Shell) -> int:
    """How many tell of anything but a command that was refused or failed."""
    with desk_in(shell.home) as desk, desk.trial.database.reading() as tx:
        return len(
            [
                one
                for one in audit.last(tx, 10_000)
                if evidence.read_header(one)["event"] not in {"command.refused", "command.failed"}
            ]
        )


def test_a_pause_is_made_shown_and_ended(shell: Shell) -> None:
    said = shell("pause", "deliver", "--reason", "сервер\x1b чинят")
    assert (said.code, said.out) == (0, "paused: deliver; what is in hand is finished. To go on: mailer resume deliver\n")
    status = shell("status")
    assert status.code == 1, "somebody must have it go on"
    (line,) = [line for line in status.out.splitlines() if line.startswith("paused: ")]
    assert line.startswith("paused: deliver, since ")
    assert line.endswith(": сервер\\x1b чинят")
    assert "the step deliver was paused by a person; waiting for it: 0" in status.out
    found = shell("status", "--json").objects[0]
    assert [(one["step"], one["mailbox"], one["reason"]) for one in found["status"]["pauses"]] == [
        ("deliver", None, "сервер\x1b чинят")
    ]
    assert [(need["kind"], need["place"]) for need in found["needs_a_person"]] == [("step-paused", "deliver")]
    assert shell("resume", "deliver", "--reason", "починили").out == "resumed: deliver\n"
    assert shell("status").code == 0
    events = shell("audit", "list", "--limit", "2", "--json").objects
    assert [(one["event"], one["details"]["reason"]) for one in events] == [
        ("step.paused", "сервер\x1b чинят"),
        ("step.resumed", "починили"),
    ]
    assert all(one["actor"].startswith("operator:") for one in events)


def test_one_mailbox_is_paused(shell: Shell) -> None:
    assert shell("pause", "intake", "--mailbox", "uc", "--reason", "да", "--json").objects == [
        {"step": "intake", "mailbox": "uc", "changed": True}
    ]
    assert "mailbox uc was paused by a person: new letters stay in it unread" in shell("status").out
    assert shell("resume", "intake", "--reason", "да").code == 3
    assert shell("resume", "intake", "--mailbox", "uc", "--reason", "да").code == 0


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        pytest.param(["resume", "issue", "--reason", "x"], 3, "issue is not paused: nothing was changed", id="not-paused"),
        pytest.param(["pause", "issue"], 2, "'--reason' is missing", id="no-reason"),
        pytest.param(["pause", "issue", "--reason", " "], 2, "a reason must be given", id="empty-reason"),
        pytest.param(["pause", "answer", "--reason", "x"], 2, "'answer' is not one of", id="another-step"),
        pytest.param(
            ["pause", "issue", "--mailbox", "uc", "--reason", "x"], 2, "--mailbox goes with intake alone", id="mailbox-of-issue"
        ),
        pytest.param(
            ["pause", "intake", "--mailbox", "ib", "--reason", "x"], 2, "there is no mailbox ib; known: uc", id="no-such-mailbox"
        ),
    ],
)
def test_what_is_refused_changes_nothing(shell: Shell, words: list[str], code: int, why: str) -> None:
    before = records(shell)
    said = shell(*words)
    assert (said.code, said.out) == (code, "")
    assert why in said.err
    assert records(shell) == before


def test_a_dry_run_refuses_the_same_and_changes_nothing(shell: Shell) -> None:
    before = records(shell)
    assert shell("pause", "issue", "--reason", "x", "--dry-run").out == "would be paused: issue; nothing was changed\n"
    assert shell("resume", "issue", "--reason", "x", "--dry-run").code == 3
    assert records(shell) == before
    shell("pause", "issue", "--reason", "x")
    assert shell("pause", "issue", "--reason", "x", "--dry-run").code == 3
    said = shell("resume", "issue", "--reason", "x", "--dry-run", "--json")
    assert said.objects == [{"step": "issue", "mailbox": None, "changed": False}]
    assert shell("status").code == 1
