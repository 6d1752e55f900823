"""What people read, try and fail at by commands is told to the record, once a command and without names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.offices import Shell


def newest(shell: Shell, count: int = 1) -> list[dict[str, object]]:
    return shell("audit", "list", "--json", "--limit", str(count)).objects


def test_looking_at_a_letter_is_told(shell: Shell) -> None:
    assert shell("letters", "show", "1").code == 0
    (told,) = newest(shell)
    assert (told["event"], told["details"]) == ("letter.shown", {"letter": 1})


def test_looking_at_a_login_is_told_without_its_name(shell: Shell) -> None:
    (issued,) = shell("credentials", "list", "--state", "active", "--json").objects
    assert shell("credentials", "show", issued["credential"]["login"]).code == 0
    (told,) = newest(shell)
    assert (told["event"], told["request_id"], told["details"]) == (
        "credential.shown",
        1,
        {"credential": issued["credential"]["id"]},
    )


@pytest.mark.parametrize("list_of", ["letters", "credentials", "requests", "senders"])
def test_a_list_tells_nothing(shell: Shell, list_of: str) -> None:
    before = newest(shell)
    assert shell(list_of, "list").code == 0
    assert newest(shell) == before


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("letters", "show", "99"), "there is no letter {id}"),
        (("credentials", "show", "Пришва"), "there is no credential {id}"),
        (("keys", "rotate", "record"), "the key of the record cannot be rotated"),
        (("audit", "declare-restore", "--reason", "диск"), "there is no published checkpoint"),
    ],
    ids=lambda one: " ".join(one[:2]) if isinstance(one, tuple) else "",
)
def test_every_command_that_is_refused_is_told(shell: Shell, command: tuple[str, ...], why: str) -> None:
    assert shell(*command).code not in {0, 2}
    (told,) = newest(shell)
    details = told["details"]
    assert isinstance(details, dict)
    assert (told["event"], details["command"]) == ("command.refused", " ".join(command[:2]))
    assert str(details["why"]).startswith(why)
    assert "Пришва" not in str(told)


def test_a_command_that_fails_is_told(shell: Shell, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("login,password\nprishva,\n", encoding="utf-8")
    pairs.chmod(0o600)
    before = newest(shell)
    assert shell("accounts", "import", str(pairs)).code == 2
    *_, told = newest(shell, 2)
    assert (told["event"], told["outcome"]) == ("command.failed", "failed")
    assert newest(shell, 2)[0] == before[0]
    assert "prishva" not in str(told)
