"""Do `letters retry`, `drop` and `export` do what they say, tell it to the record, and refuse what the state forbids?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.cli.app import run
from tests.cli.offices import Shell, desk_in, found
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office with four letters, of which 3 and 4 are quarantined."""
    home = tmp_path_factory.mktemp("office")
    found(home)
    with desk_in(home) as desk, desk.trial.database.writing() as tx:
        tx.execute(text("UPDATE letters SET state = 'quarantined', attempts = 3 WHERE id > 2"))
    return home


@pytest.fixture
def shell(founded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """In a copy of the office."""
    return Shell(home=shutil.copytree(founded, tmp_path / "office"), capsys=capsys)


def last_record(shell: Shell) -> dict[str, object]:
    (last,) = shell("audit", "list", "--limit", "1", "--json").objects
    assert isinstance(last, dict)
    return last


@pytest.mark.parametrize(
    ("command", "state", "event"),
    [("retry", "kept", "letter.retried"), ("drop", "dropped", "letter.dropped")],
    ids=["retry", "drop"],
)
def test_several_letters_change_with_one_command_and_its_reason(shell: Shell, command: str, state: str, event: str) -> None:
    said = shell("letters", command, "3", "4", "--reason", " исправлено ")
    assert (said.code, said.out) == (0, f"letter 3: {state}\nletter 4: {state}\n")
    last = last_record(shell)
    assert isinstance(last["details"], dict)
    assert (last["event"], last["importance"], last["details"]["letter"]) == (event, "notice", 4)
    assert last["details"]["reason"] == "исправлено"
    assert str(last["actor"]).startswith("operator:")
    assert shell("letters", "list", "--quarantined").out == "there are no letters\n"
    assert shell("letters", "show", "3").code == 0
    assert shell("audit", "verify").code == 0


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_the_change_can_be_read_by_machines(shell: Shell, command: str) -> None:
    objects = shell("letters", command, "4", "--reason", "x", "--json").objects
    assert objects == [{"letter_id": 4, "state": "kept" if command == "retry" else "dropped", "changed": True}]


@pytest.mark.parametrize("command", ["retry", "drop"])
@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        pytest.param(["1", "--reason", "x"], 3, "letter 1 is read, not quarantined: nothing was changed", id="state"),
        pytest.param(["3", "1", "--reason", "x"], 3, "letter 1 is read", id="one-of-two"),
        pytest.param(["99", "--reason", "x"], 1, "there is no letter 99", id="number"),
        pytest.param(["3", "--reason", " "], 2, "a reason must be given", id="empty-reason"),
        pytest.param(["3"], 2, "--reason", id="no-reason"),
        pytest.param(["--reason", "x"], 2, "wrong usage", id="no-number"),
    ],
)
def test_what_cannot_be_done_changes_nothing(shell: Shell, command: str, arguments: list[str], code: int, complaint: str) -> None:
    before = last_record(shell)
    said = shell("letters", command, *arguments)
    assert (said.code, said.out) == (code, "")
    assert complaint in said.err
    last = last_record(shell)
    if code == 2:
        assert last == before, "wrong usage is no command yet"
    else:
        assert isinstance(last["details"], dict)
        assert (last["event"], last["outcome"], last["seq"]) == ("command.refused", "refused", int(str(before["seq"])) + 1)
        assert last["details"]["command"] == f"letters {command}"
        assert last["details"]["about"] == [word for word in arguments if word.isdigit()]
    assert [letter["id"] for letter in shell("letters", "list", "--quarantined", "--json").objects] == [4, 3]


def test_an_exported_letter_is_the_kept_bytes_for_its_owner_alone(shell: Shell) -> None:
    file = shell.home / "letter.eml"
    said = shell("letters", "export", "1", str(file), "--reason", "жалоба")
    assert (said.code, said.out) == (0, f"{file}: the whole letter\n")
    with desk_in(shell.home) as desk, desk.trial.database.reading() as tx:
        kept = tx.execute(text("SELECT content FROM letters WHERE id = 1")).scalar_one()
    assert file.read_bytes() == kept
    assert file.stat().st_mode & 0o777 == 0o600
    last = last_record(shell)
    assert isinstance(last["details"], dict)
    assert (last["event"], last["details"]["letter"], last["details"]["reason"]) == ("letter.exported", 1, "жалоба")
    said = shell("letters", "export", "4", str(shell.home / "head.eml"))
    assert said.out.endswith("head.eml: what was kept of the letter; it lies whole on the mail server\n")


def test_how_much_of_a_letter_is_kept_and_why_not_more_is_shown(shell: Shell) -> None:
    with desk_in(shell.home) as desk:
        ours = f"In-Reply-To: <{'0' * 32}@{desk.own.message_id_domain}>\r\n".encode()
        desk.mailbox.renumber(2)
        desk.max_bytes = 2000
        desk.take(
            ours + request("Ли К.", CLINIC.answer_to, 11),
            request("Ким А.", CLINIC.answer_to, 12) + "Пароль: zk7m3wdr8fhn4gtbsj".encode(),
            request("Цой В.", CLINIC.answer_to, 13) + b"x" * 2000,
            b"From: MAILER-DAEMON@x.example\r\nReturn-Path: <>\r\n\r\nsorry",
        )
    expected = {
        1: "kept: the whole letter from:",
        4: "kept: the headers; the letter lies on the mail server from:",
        5: "kept: the headers; the letter answers one of ours and may quote a password, it lies on the mail server from:",
        6: "kept: the headers; a password or a letter of ours stands in the letter, it lies on the mail server from:",
        7: "kept: the headers; the letter is too large, it lies on the mail server from:",
        8: "kept: what the server reports; what came back may hold a password, it lies on the mail server from:",
    }
    for number, said in expected.items():
        assert said in " ".join(shell("letters", "show", str(number)).out.split())
    (shown,) = shell("letters", "show", "6", "--json").objects
    assert shown["letter"]["whole"] is False


def test_an_export_overwrites_nothing(shell: Shell) -> None:
    file = shell.home / "letter.eml"
    file.write_text("mine")
    before = last_record(shell)
    said = shell("letters", "export", "1", str(file))
    assert (said.code, said.err) == (3, f"{file} exists already and is not overwritten\n")
    assert (file.read_text(), int(str(last_record(shell)["seq"]))) == ("mine", int(str(before["seq"])) + 1)
    assert last_record(shell)["event"] == "command.refused"
    assert shell("letters", "export", "1", str(shell.home / "nowhere" / "x.eml")).code == 2
    assert shell("letters", "export", "99", str(shell.home / "none.eml")).code == 1
    assert not (shell.home / "none.eml").exists()


def test_an_export_that_the_record_refuses_leaves_no_file(shell: Shell) -> None:
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        tx.execute(text("CREATE TRIGGER no_more BEFORE INSERT ON records BEGIN SELECT RAISE(ABORT, 'no'); END"))
    file = shell.home / "letter.eml"
    assert shell("letters", "export", "1", str(file)).code == 5
    assert not file.exists()


def test_standard_output_gets_the_bytes_and_nothing_else(founded: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["--config", str(founded / "mailer.toml"), "letters", "export", "1", "-"]) == 0
    with desk_in(founded) as desk, desk.trial.database.reading() as tx:
        kept = tx.execute(text("SELECT content FROM letters WHERE id = 1")).scalar_one()
    assert capfdbinary.readouterr() == (kept, b"")


def test_a_letter_that_is_put_back_leaves_its_request_open_and_this_is_said(shell: Shell) -> None:
    said = shell("letters", "forward", "3", "--reason", "отвечу сам")
    assert " ".join(said.out.split()) == (
        "letter 3: the service puts it back into uc request 3 is still held: if people answer it themselves, "
        "`mailer requests withdraw 3 --reason …` closes it"
    )
    assert shell("requests", "withdraw", "3", "--reason", "отвечено").code == 0


def test_letters_are_put_back_and_looked_at_again_by_the_service(shell: Shell) -> None:
    before = int(str(last_record(shell)["seq"]))
    assert shell("letters", "forward", "1", "--reason", "x", "--dry-run").out == (
        "letter 1 would be put back into uc; nothing was changed\n"
    )
    assert last_record(shell)["seq"] == before
    assert shell("letters", "forward", "1", "--reason", "прочту сам").out == "letter 1: the service puts it back into uc\n"
    assert last_record(shell)["event"] == "letter.forwarded"
    said = shell("letters", "forward", "1", "--reason", "x")
    assert (said.code, said.err) == (3, "letter 1 is being put back already; nothing was changed\n")
    assert last_record(shell)["event"] == "command.refused"
    assert shell("letters", "rescan", "--since", "01.11.2026", "--reason", "новая тема", "--json").objects == [
        {"mailbox": "uc", "since": "2026-11-01", "left": None, "changed": True}
    ]
    assert last_record(shell)["event"] == "rescan.asked"
    assert shell("letters", "rescan", "--since", "вчера", "--reason", "x").code == 2
