"""`mailer credentials revoke|extend|reissue|resend`, as an officer types them; what they do is tried in `test_flow_again.py`."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.offices import NOW, Shell, found
from tests.cli.test_cli_accounts import desk_today
from tests.e2e.bureau import header, request
from tests.flow.desks import CLINIC
from tests.flow.test_flow_steps import password_in


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An office with two logins of today; the first of them."""
    home = tmp_path_factory.mktemp("office")
    found(home)
    with desk_today(home, epoch=2) as desk:
        desk.take(request("Фомин Ф.Ф.", CLINIC.answer_to, 50), request("Юн Я.", CLINIC.answer_to, 51))
        desk.run()
        first = next(content for _, content in desk.postman.sent if "Фомин Ф.Ф." in header(content, "Subject"))
        return home, password_in(first)[0]


@pytest.fixture
def shell(founded: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(home=shutil.copytree(founded[0], tmp_path / "office"), capsys=capsys)


def events(shell: Shell, count: int) -> list[str]:
    return [one["event"] for one in shell("audit", "list", "--limit", str(count), "--json").objects]


def test_what_a_login_would_become_is_shown_and_nothing_changed(shell: Shell, founded: tuple[Path, str]) -> None:
    login = founded[1]
    before = events(shell, 3)
    heard = shell("credentials", "revoke", login, "--reason", "x", "--dry-run")
    assert (heard.code, heard.out) == (0, f"{login} would be revoked; nothing was changed\n")
    heard = shell("credentials", "reissue", login, "--reason", "x", "--dry-run")
    assert heard.out == f"a new login would be issued in place of {login}; nothing was changed\n"
    assert shell("credentials", "resend", login, "--reason", "x", "--dry-run").code == 3
    assert events(shell, 3) == before


def test_a_login_is_extended_to_a_day(shell: Shell, founded: tuple[Path, str]) -> None:
    """On the day of its issue it has the longest term there is."""
    day = NOW + timedelta(days=400)
    heard = shell("credentials", "extend", founded[1], "--until", f"{day:%d.%m.%Y}", "--reason", "x")
    assert (heard.code, "no login lives longer than a new one would" in heard.err) == (3, True)
    assert events(shell, 1) == ["command.refused"]
    assert "give either --until or --months" in shell("credentials", "extend", founded[1], "--reason", "x").err


def test_a_login_is_issued_anew(shell: Shell, founded: tuple[Path, str]) -> None:
    (said,) = shell("credentials", "reissue", founded[1], "--reason", "потерян", "--json").objects
    assert said["changed"]
    heard = shell("requests", "show", str(said["request_id"]), "--json").objects[0]
    assert (heard["request"]["state"], heard["person"]) == ("approved", "Фомин Ф.Ф.")
    assert shell("requests", "undo", str(said["request_id"]), "--reason", "нашёлся").code == 0


def test_an_answer_that_left_is_not_sent_again(shell: Shell, founded: tuple[Path, str]) -> None:
    heard = shell("credentials", "resend", founded[1], "--reason", "x")
    assert (heard.code, "mailer credentials reissue" in heard.err) == (3, True)
    assert events(shell, 1) == ["command.refused"]


def test_many_are_ended_with_the_code_of_their_list(shell: Shell) -> None:
    today = f"{NOW:%d.%m.%Y}"
    which = ["credentials", "revoke", "--sender", CLINIC.code, "--issued-since", today, "--reason", "взлом"]
    refused = shell(*which)
    assert (refused.code, "--confirm" in refused.err) == (3, True)
    seen = shell(*which, "--dry-run", "--json").objects
    assert len(seen) == 2
    (code,) = {one["code"] for one in seen}
    assert shell(*which, "--dry-run").out.endswith(f"for --confirm: {code}\nnothing was changed\n")
    assert shell(*which, "--confirm", "000000").code == 3
    done = shell(*which, "--confirm", code, "--json").objects
    assert [(one["changed"], one["credential"]["state"]) for one in done] == [(True, "revoked")] * 2
    assert events(shell, 2) == ["credential.revoked"] * 2


@pytest.mark.parametrize("words", [[], ["tmp-29-x", "--sender", "290001"]], ids=["nothing", "both"])
def test_who_is_meant_must_be_said_in_one_way(shell: Shell, words: list[str]) -> None:
    heard = shell("credentials", "revoke", *words, "--reason", "x")
    assert (heard.code, "name logins" in heard.err) == (2, True)


def test_whether_a_login_was_used_is_not_known(shell: Shell, founded: tuple[Path, str]) -> None:
    assert "first use: unknown" in shell("credentials", "show", founded[1]).out
