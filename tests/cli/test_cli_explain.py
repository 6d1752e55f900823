"""`mailer explain` on bounces: what they say of each recipient, and which reply of ours they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.cli.app import run
from tests.cli.offices import Shell

BOUNCES = Path(__file__).parents[1] / "bounces"
ID = "5f1c0de94b7a4e21a0c3d6f8e9b71234"
MESSAGE_ID = f"<{ID}@fond.example>"
RED = b"\x1b[31m"


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """In an office just founded, where English is read."""
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("MAILER_FUND__BOUNCE_ADDRESS", "mailer+{id}@fond.example")
    shell = Shell(home=tmp_path, capsys=capsys)
    assert run(["init", "--config", shell.config]) == 0
    capsys.readouterr()
    return shell


def test_a_bounce_is_shown_with_a_line_for_each_recipient(shell: Shell) -> None:
    file = str(BOUNCES / "05-sendmail-several.eml")
    said = shell("explain", file)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == f"{file}: bounce → ignore (bounce)"
    assert said.out.splitlines()[-4:] == [
        "  ib@clinic.example: failed 5.7.1 — SMTP; 550 5.7.1 Access denied",
        "  list@clinic.example: expanded 2.0.0",
        "  second@clinic.example: delayed 4.4.2",
        f"  reply: {ID}, {MESSAGE_ID}",
    ]


def test_what_strangers_wrote_in_a_bounce_does_nothing_to_a_terminal(shell: Shell, tmp_path: Path) -> None:
    letter = tmp_path / "wild.eml"
    letter.write_bytes((BOUNCES / "13-qmail.eml").read_bytes().replace(b"does not", RED + "\u202e".encode()))
    assert RED.decode() not in shell("explain", str(letter)).out


def test_a_bounce_without_ids_and_one_that_reports_nothing(shell: Shell, tmp_path: Path) -> None:
    nameless = tmp_path / "nameless.eml"
    nameless.write_bytes((BOUNCES / "11-exchange-55-text.eml").read_bytes().replace(b"In-Reply-To", b"X-Was"))
    silent = BOUNCES / "22-postmasters-own-words.eml"
    said = shell("explain", str(nameless), str(silent)).out.splitlines()
    assert "  reply: cannot be made out" in said
    assert said[-1] == "  nothing could be read in this delivery report (nothing-said)"


def test_a_program_is_told_what_a_bounce_says(shell: Shell, tmp_path: Path) -> None:
    files = [BOUNCES / f"{name}.eml" for name in ("02-postfix-delayed", "22-postmasters-own-words", "21-read-receipt")]
    delayed, silent, receipt, missing = shell("explain", "--json", *map(str, files), str(tmp_path / "no.eml")).objects
    assert delayed["bounce"] == {
        "recipients": [
            {
                "outcome": "delayed",
                "status": "4.4.1",
                "final_recipient": "ib@clinic.example",
                "original_recipient": "ib@clinic.example",
                "diagnostic": "smtp; connect to mail.clinic.example[192.0.2.7]:25: Connection timed out",
            }
        ],
        "reply_ids": [ID],
        "message_ids": [MESSAGE_ID],
        "reason": None,
    }
    assert silent["bounce"] == {"recipients": [], "reply_ids": [], "message_ids": [], "reason": "nothing-said"}
    assert [(receipt["kind"], receipt["bounce"]), (missing["kind"], missing["bounce"])] == [("answer-to-us", None), (None, None)]
