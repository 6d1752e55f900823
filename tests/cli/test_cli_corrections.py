"""`mailer requests correct`, `mailer requests reprocess` and `mailer issue`: what they say, ask, record and refuse."""

from __future__ import annotations

import io

import pytest

from tests.cli.offices import Shell
from tests.cli.test_cli_decisions import last_record, shell, state_of

__all__ = ["shell"]


def test_a_name_is_set_right_and_waits_for_its_approval(shell: Shell) -> None:
    before = last_record(shell)["seq"]
    assert shell("requests", "correct", "5", "--name", "Орлов О.О.", "--reason", "описка").out == (
        f"request 5: held, record {before + 1}\nit waits for an approval: mailer requests approve 5\n"
    )
    last = last_record(shell)
    assert (last["event"], last["details"]["reason"]) == ("request.corrected", "описка")
    assert last["details"]["read"]["digest"] != last["details"]["person"]["digest"]
    assert shell("requests", "show", "5", "--json").objects[0]["person"] == "Орлов О.О."
    assert shell("requests", "approve", "5", "--reason", "да").code == 0
    assert shell("audit", "verify").code == 0


def test_judging_anew_shows_old_and_new_and_asks(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setenv("MAILER_LETTERS__MAX_AGE_DAYS", "30")
    before = last_record(shell)["seq"]
    said = shell("requests", "reprocess", "4", "5", "6", "--reason", "x", "--dry-run", "--json")
    assert [(one["request_id"], one["old"]["rule_id"], one["new"]["rule_id"], one["differs"]) for one in said.objects] == [
        (4, "unknown-sender", "unknown-sender", False),
        (5, "too-old", "issue", True),
        (6, "too-old", "issue", True),
    ]
    tried = shell("requests", "reprocess", "--since", "01.11.2026", "--reason", "x", "--dry-run")
    assert "issue" in tried.out
    assert tried.out.endswith("\nnothing was changed\n")
    assert shell("requests", "reprocess", "5", "--reason", "x").code == 1, "nobody is there to say yes"
    assert last_record(shell)["seq"] == before
    said = shell("requests", "reprocess", "4", "5", "--reason", "новый срок", "--yes", "--json")
    assert [(one["request_id"], one["state"], one["record_seq"]) for one in said.objects] == [(5, "approved", before + 1)]
    assert last_record(shell)["details"]["reprocessed"] == "новый срок"
    assert state_of(shell, 6) == "held"
    assert shell("requests", "reprocess", "4", "--reason", "x", "--yes").out.endswith("nothing changes\n")


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        pytest.param(["requests", "reprocess", "1", "--yes"], 3, "request 1 is answered: only what is held", id="answered"),
        pytest.param(["requests", "reprocess"], 2, "either numbers of requests or --since", id="nothing"),
        pytest.param(["requests", "reprocess", "5", "--since", "01.11.2026"], 2, "either numbers", id="both"),
        pytest.param(["requests", "reprocess", "--since", "01.11.2026", "--yes"], 2, "--yes goes with numbers", id="blind"),
        pytest.param(["requests", "correct", "5", "--name", "Орлов"], 3, "write it as Фамилия И.О.", id="unread"),
        pytest.param(["issue", "Орлов", "--to", "290001"], 3, "write it as Фамилия И.О.", id="unread-order"),
        pytest.param(["issue", "Орлов О.О.", "--to", "nobody"], 1, "there is no sender nobody", id="nobody"),
        pytest.param(["issue", "Орлов О.О."], 2, "--to", id="no-sender"),
    ],
)
def test_what_is_refused_leaves_only_its_record(shell: Shell, words: list[str], code: int, complaint: str) -> None:
    before = last_record(shell)
    said = shell(*words, "--reason", "x")
    assert (said.code, said.out) == (code, "")
    assert complaint in said.err
    last = last_record(shell)
    assert last["event"] == "command.refused" if code != 2 else last == before
    assert "Орлов" not in str(last)


def test_a_login_is_issued_without_a_letter(shell: Shell) -> None:
    (said,) = shell("issue", "Соколова С.С.", "--to", "290001", "--reason", "звонок", "--json").objects
    assert (said["request_id"], said["state"], said["answer_to"]) == (7, "approved", "gb1@clinic.example")
    last = last_record(shell)
    assert (last["event"], last["seq"], last["details"]["asked"]) == ("request.approved", said["record_seq"], "звонок")
    assert shell("requests", "show", "7").code == 0
    assert shell("issue", "Соколова С.С.", "--to", "290001", "--reason", "ещё раз").code == 3
    assert shell("issue", "Белов Б.Б.", "--to", "290001", "--reason", "x", "--dry-run").out == (
        "request 8 would be approved, the answer goes to gb1@clinic.example; nothing was changed\n"
    )
    assert shell("requests", "undo", "7", "--reason", "не нужно").code == 0
