"""Does `mailer rules` show what is in force, prove the files by their examples, and let nothing unproven take force?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cli.offices import Shell, init
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC

OURS = """
[[rule]]
id = "ours"
when = { name = "read", issued_30d = { over = 1, under = 4 } }
verdict = "hold"
why = "Доступ уже выдавался."

[[rule.example]]
subject = "Запрос атрибутов временного доступа = Пришва А.А.\\u202e"
facts = { issued_30d = 1 }
verdict = "hold"
"""


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """At the prompt of a new office."""
    init(tmp_path)
    capsys.readouterr()
    return Shell(home=tmp_path, capsys=capsys)


def edit(shell: Shell, text: str) -> None:
    (shell.home / "rules" / "25-ours.toml").write_text(text, encoding="utf-8")


def test_rules_that_nobody_activated_decide_nothing_until_the_files_are_activated(shell: Shell) -> None:
    letter = shell.home / "letter.eml"
    letter.write_bytes(request("Пришва А.А.", CLINIC.answer_to, 1))
    with sqlite3.connect(shell.home / "mailer.db") as connection:
        connection.execute("UPDATE rulesets SET content = replace(content, 'hold', 'issue')")
    connection.close()
    for command in (
        ["issue", "Пришва А.А.", "--to", "290001", "--reason", "x"],
        ["requests", "reprocess", "1", "--reason", "x", "--yes"],
        ["requests", "approve", "1", "--reason", "x"],
        ["explain", str(letter)],
        ["rules", "show"],
    ):
        said = shell(*command)
        assert (said.code, said.out) == (2, "")
        assert "not those that a person activated" in said.err
        assert "mailer rules activate" in said.err
    checked = shell("rules", "check")
    assert (checked.code, checked.out.splitlines()[-1]) == (1, "they are not active: mailer rules activate")
    assert "not those that a person activated" in shell("check").out
    assert shell("rules", "activate").code == 0
    assert (shell("rules", "check").code, shell("rules", "show").code) == (0, 0)


def test_the_packaged_rules_are_shown_in_their_order(shell: Shell) -> None:
    said = shell("rules", "show")
    assert (said.code, said.err) == (0, "")
    lines = [line.rstrip() for line in said.out.splitlines()]
    assert [line.split()[0] for line in lines if "kind = near-subject" in line] == ["near-subject"] * 3
    assert any("near-subject (2)" in line and "kind = near-subject; duplicate = yes or too_old = yes" in line for line in lines)
    assert any("just-issued" in line and "active_credential = yes; active_minutes < 15" in line for line in lines)
    assert any(line.split() == ["issue", "issue:", "issued", "every", "letter"] for line in lines)
    assert "differ" not in said.out


def test_one_rule_is_shown_with_its_lines_and_examples(shell: Shell) -> None:
    said = shell("rules", "show", "machine-mail")
    assert (said.code, said.err) == (0, "")
    assert [line for line in said.out.splitlines() if not line.startswith(" ")] == [
        "machine-mail (1) → hold",
        "machine-mail (2) → ignore",
    ]
    assert "  condition: phrase_first = yes" in said.out
    assert "  example 1: «Автоответ: я в отпуске до 12 января», sender = known, kind = machine-mail → ignore" in said.out


def test_a_rule_that_is_not_there_is_a_negative_answer(shell: Shell) -> None:
    said = shell("rules", "show", "nosuch\x1b[31m")
    assert (said.code, said.out) == (1, "")
    assert said.err == "there is no rule nosuch\\x1b[31m in force: `mailer rules show` shows those there are\n"


def test_machines_get_the_rules_one_object_a_line(shell: Shell) -> None:
    objects = shell("rules", "show", "--json").objects
    assert [one["place"] for one in objects] == list(range(1, len(objects) + 1))
    (often,) = shell("rules", "show", "reissued-often", "--json").objects
    assert (often["when"], often["any"], often["verdict"], often["reply"]) == ({"issued_30d": {"over": 3}}, [], "hold", None)
    assert often["file"] == "30-requests.toml"
    assert often["examples"][0]["facts"] == {"issued_30d": 4}


def test_what_is_shown_is_what_is_in_force(shell: Shell) -> None:
    edit(shell, OURS)
    said = shell("rules", "show")
    assert "ours" not in said.out.split()
    assert said.out.splitlines()[-1].startswith("the rule files differ from these rules")
    assert shell("rules", "show", "ours").code == 1


def test_the_packaged_examples_pass(shell: Shell) -> None:
    said = shell("rules", "test")
    assert (said.code, said.err, said.out) == (0, "", "34 examples, 0 came out otherwise\n")


def test_an_example_that_fails_is_told_with_its_way(shell: Shell) -> None:
    edit(shell, OURS)
    said = shell("rules", "test")
    assert (said.code, said.err) == (1, "")
    lines = said.out.splitlines()
    assert lines[:3] == [
        "25-ours.toml: ours #1: «Запрос атрибутов временного доступа = Пришва А.А.\\u202e», sender = known, issued_30d = 1",
        "  expected: hold by ours",
        "  came out: issue by issue",
    ]
    assert lines[3] == "    unreadable: no (kind)"
    assert "    ours: no (issued_30d)" in lines
    assert [line.split(":")[1].strip() for line in lines if line.startswith(("25-", "30-"))] == ["ours #1", "issue #4"]
    assert lines[-1] == "35 examples, 2 came out otherwise"


def test_machines_get_each_example_and_each_rule_without_one(shell: Shell) -> None:
    edit(shell, OURS.partition("[[rule.example]]")[0])
    said = shell("rules", "test", "--json")
    assert said.code == 1
    failed = [one for one in said.objects if one["example"] and not one["passed"]]
    assert [(one["rule_id"], one["example"]["expected"]["verdict"], one["came_out"]["rule_id"]) for one in failed] == [
        ("issue", "issue", "ours")
    ]
    assert failed[0]["trace"][-1] == "ours: hold"
    assert [one["rule_id"] for one in said.objects if one["example"] is None] == ["ours"]
    assert "without an example: ours\n" in shell("rules", "test").out


def test_rules_that_contradict_their_examples_do_not_take_force(shell: Shell) -> None:
    edit(shell, OURS)
    refused = shell("rules", "activate")
    assert (refused.code, refused.out) == (3, "")
    assert "examples come out otherwise: ours #1, issue #4;" in refused.err
    assert shell("rules", "check").code == 1
    edit(shell, OURS.replace("issued_30d = 1 ", "issued_30d = 2 ").replace("under = 4", "under = 3"))
    assert (shell("rules", "test").code, shell("rules", "activate").code, shell("rules", "check").code) == (0, 0, 0)
    assert shell("rules", "show", "ours").code == 0


def test_answers_that_never_leave_are_warned_of(shell: Shell) -> None:
    edit(shell, '[[rule]]\nid = "ours"\nwhen = { cap_reached = true }\nverdict = "refuse"\nreply = "refused"\nwhy = "Всем."\n')
    path = shell.home / "rules" / "30-requests.toml"
    text = path.read_text(encoding="utf-8")
    head, _, tail = text.partition('[[rule]]\nid = "cap"')
    path.write_text(head + "[[rule]]\nid = " + tail.partition("\n[[rule]]\nid = ")[2], encoding="utf-8")
    said = shell("rules", "check")
    assert (said.code, said.err) == (1, "")
    assert "warning: rule ours answers in vain" in said.out
