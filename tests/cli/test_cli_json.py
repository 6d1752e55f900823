"""`--json`: what docs/json.md promises is what commands print, and nothing that a program must not get stands among it.

Every line that a test of the command line sees with `--json` is held against the document (`tests/cli/offices.py`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import update
from typer.core import TyperGroup
from typer.main import get_command

from mailer.cli.app import build
from mailer.config.sections import Accounts
from mailer.core import alarms, bounce, custody, deliverystatus, mentions, spoof
from mailer.flow.report.oldletters import Found
from mailer.model import Delivery, Kind, Reason, Repair, SenderStanding, Trust, Verdict
from mailer.states import CredentialState, LetterState, Pausable, ReplyState, RequestState
from mailer.store import verification
from mailer.store.schema import senders
from tests import promised
from tests.cli.offices import HOSTILE, Shell, desk_in
from tests.cli.test_cli_accounts import desk_today
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC
from tests.servers.dovecot import Dovecot

LISTS: dict[str, type[StrEnum]] = {
    "alarm-kind": alarms.AlarmKind,
    "backup": custody.Backup,
    "credential-state": CredentialState,
    "delivery-outcome": deliverystatus.Outcome,
    "key-kind": custody.KeyKind,
    "letter-kind": Kind,
    "letter-state": LetterState,
    "mention": mentions.Mention,
    "name-reason": Reason,
    "no-report": bounce.NoReport,
    "proof": Found,
    "record-verdict": verification.Outcome,
    "repair": Repair,
    "reply-state": ReplyState,
    "request-state": RequestState,
    "standing": SenderStanding,
    "step": Pausable,
    "trial-fate": spoof.Fate,
    "trial-verdict": spoof.Verdict,
    "trial-way": spoof.Way,
    "trust": Trust,
    "verdict": Verdict,
}
NO_ENUM = {"account-kind", "importance", "living-kind", "outcome"}
SINGLE = {"int", "bool", "text", "instant", "day", "any"}
DECISION = {"request_id": 5, "state": "held", "issue_after": None, "answer_to": None, "record_seq": 9, "changed": True}
SENDERS = "code,organisation,subscriber,address,answer_to\n290001,Другое имя,,gb1@clinic.example,\n"
PERSONS = "code,person\n290001,Ли К.\n"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody sits there who could be asked."""
    theirs, ours = os.openpty()
    with os.fdopen(theirs, "wb"), os.fdopen(ours) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield


def with_json(group: TyperGroup, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The commands that take the option."""
    for name, command in group.commands.items():
        if any("--json" in parameter.opts for parameter in command.params):
            yield (*before, name)
        if isinstance(command, TyperGroup):
            yield from with_json(command, (*before, name))


def test_every_command_that_takes_the_option_is_told_of() -> None:
    group = get_command(build())
    assert isinstance(group, TyperGroup)
    told = {tuple(word for word in command if not word.startswith("-")) for command in promised.commands()}
    assert told == set(with_json(group))


def test_the_words_are_those_of_the_program() -> None:
    assert {name: list(words) for name, words in promised.words().items() if name not in NO_ENUM} == {
        name: [word.value for word in words] for name, words in LISTS.items()
    }
    assert list(promised.words()["account-kind"]) == list(get_args(Accounts.model_fields["kind"].annotation))


def test_every_object_and_list_is_used_and_every_type_is_known() -> None:
    used = {*promised.types(), *promised.commands().values()}
    assert used == {*promised.objects(), *promised.words(), *SINGLE}


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        pytest.param({}, None, id="as-promised"),
        pytest.param({"more": 1}, "requests hold.more is not promised", id="unknown-field"),
        pytest.param({"state": "asleep"}, "requests hold.state: 'asleep' is no request-state", id="unknown-word"),
        pytest.param({"request_id": "5"}, "requests hold.request_id: '5' is no int", id="text-for-int"),
        pytest.param({"record_seq": True}, "requests hold.record_seq: True is no int", id="bool-for-int"),
        pytest.param({"changed": None}, "requests hold.changed: None is no bool", id="null-where-never"),
        pytest.param(
            {"issue_after": "2026-11-23T09:00:00+00:00"},
            "requests hold.issue_after: '2026-11-23T09:00:00+00:00' is no instant",
            id="instant-without-microseconds",
        ),
    ],
)
def test_what_breaks_the_promise_is_found(other: dict[str, Any], fault: str | None) -> None:
    assert promised.broken(["requests", "hold", "5", "--json"], [DECISION | other]) == ([fault] if fault else [])


def test_a_missing_field_and_an_unknown_command_are_found() -> None:
    less = {name: value for name, value in DECISION.items() if name != "changed"}
    assert promised.broken(["--config", "status", "requests", "undo", "5"], [less]) == ["requests undo.changed is missing"]
    assert promised.broken(["letters", "export", "5"], [{}]) == ["json.md does not know what prints {}"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("senders", "import", "{senders}"), id="senders-import"),
        pytest.param(("persons", "import", "{persons}"), id="persons-import"),
        pytest.param(("senders", "merge", "290001", "290002", "--credentials", "keep", "--reason", "x"), id="senders-merge"),
        pytest.param(("credentials", "revoke", "--sender", "290001", "--reason", "x"), id="revoke"),
        pytest.param(("requests", "reprocess", "3", "--reason", "x"), id="reprocess"),
    ],
)
@pytest.mark.usefixtures("terminal")
def test_nobody_is_asked_and_nothing_is_said_to_have_changed(shell: Shell, words: tuple[str, ...]) -> None:
    for name, content in (("senders", SENDERS), ("persons", PERSONS)):
        (shell.home / name).write_text(content)
    words = tuple(word.format(senders=shell.home / "senders", persons=shell.home / "persons") for word in words)
    assert [one["changed"] for one in shell(*words, "--dry-run", "--json").objects] == [False]
    said = shell(*words, "--json")
    assert (said.code, said.out) == (3, "")
    assert "nothing was changed" in said.err


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words, id="-".join(words.split()[:2]))
        for words in (
            "senders export",
            "senders show 290001",
            "senders edit 290001 --organisation Другая --reason x",
            "senders unblock 290002 --reason x",
            "persons show 290001",
            "letters forward 1 --reason x",
            "requests approve 3 --reason x",
            "requests withdraw 4 --reason x",
            "requests correct 4 --name Ли~К. --reason x",
            "personal erase Пришва~А.А. --dry-run --reason x",
            "personal reapply --reason x",
        )
    ],
)
def test_what_no_other_test_reads_is_as_promised(shell: Shell, words: str) -> None:
    """The shell itself looks at each line."""
    if "unblock" in words:
        assert shell("senders", "block", "290002", "--credentials", "keep", "--reason", "x").code == 0
    if "approve" in words:
        assert shell("senders", "edit", HOSTILE.code, "--organisation", "Клиника", "--reason", "x").code == 0
    typed = [word.replace("~", " ") for word in words.split()]
    said = shell(*typed, "--json")
    assert (said.code, said.err) == (0, "")
    assert said.objects
    last = said.objects[-1]
    assert last.get("changed", False) is ("--reason" in typed and typed[1] != "reapply" and "--dry-run" not in typed)


def test_a_login_whose_answer_is_in_doubt_lives_longer_and_is_sent_again(shell: Shell) -> None:
    with desk_today(shell.home, epoch=2) as desk:
        desk.trial.clock.move(days=-1)  # extended today, it ends a day later
        desk.postman.answers = [Delivery.UNKNOWN] * 3
        desk.take(request("Фомин Ф.Ф.", CLINIC.answer_to, 50))
        desk.run()
    lines = shell("credentials", "list", "--state", "active", "--json").objects
    (login,) = [one["credential"]["login"] for one in lines if one["person"] == "Фомин Ф.Ф."]
    for words in (("extend", login, "--months", "3"), ("resend", login)):
        said = shell("credentials", *words, "--reason", "x", "--json")
        assert [one["changed"] for one in said.objects] == [True], said.err


def test_a_row_that_is_not_believed_is_shown_and_refused(shell: Shell) -> None:
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        tx.execute(update(senders).where(senders.c.code == "290001").values(organisation="Чужая"))
    plain, said = shell("senders", "show", "290001"), shell("senders", "show", "290001", "--json")
    assert (said.code, said.err) == (plain.code, plain.err) == (3, plain.err)
    (shown,) = said.objects
    assert (shown["sender"]["organisation"], shown["fault"] is None) == ("Чужая", False)


def test_a_folder_of_a_mailbox_is_cleared(shell: Shell, dovecot: Dovecot) -> None:
    written = Path(shell.config).read_text(encoding="utf-8")
    ours = {
        '"mail.fond.example"': '"127.0.0.1"',
        "= 993": f"= {dovecot.port}",
        '"implicit"': '"none"',
        'user = "uc"': 'user = "desk"',
    }
    for theirs, mine in ours.items():
        written = written.replace(theirs, mine)
    Path(shell.config).write_text(written, encoding="utf-8")
    (shell.home / "imap.password").write_text("desk-password")
    said = shell("personal", "clear", "--reason", "срок", "--json")
    assert (said.code, said.objects) == (0, [{"mailbox": "uc", "letter_ids": [], "papers": [], "changed": False}]), said.err
