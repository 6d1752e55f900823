"""Do the commands say what is there, change only what they are asked to, and end with the exit code that scripts rely on?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.cli.app import COMMANDS
from mailer.model import Delivery
from mailer.store import leases
from tests.cli.offices import HOSTILE, Shell, desk_in, found
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC

ESCAPED = "\\x1b]0;x\\x07[link=https://x.example]Клиника[/link]\\u202e"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An office that nothing changes, and the letter with the first login."""
    home = tmp_path_factory.mktemp("office")
    return home, found(home)


@pytest.fixture
def shell(founded: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(home=founded[0], capsys=capsys)


@pytest.fixture
def own_shell(founded: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """In a copy of the office, to be changed."""
    return Shell(home=shutil.copytree(founded[0], tmp_path / "office"), capsys=capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--config", "{config}", "status"], id="before"),
        pytest.param(["status", "--config", "{config}"], id="after"),
        pytest.param(["--config={config}", "status"], id="equals-before"),
        pytest.param(["status", "--json", "--config={config}"], id="equals-after"),
        pytest.param(["requests", "list", "--config", "{config}", "--limit", "9"], id="in-the-middle"),
    ],
)
def test_the_configuration_is_named_anywhere(shell: Shell, arguments: list[str]) -> None:
    said = shell.bare(*(argument.format(config=shell.config) for argument in arguments))
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["nosuch"], "there is no command 'nosuch'", id="command"),
        pytest.param(["requests", "nosuch"], "there is no command 'nosuch'", id="verb"),
        pytest.param(["status", "--nosuch"], "--nosuch", id="option"),
        pytest.param(["\x1b[31mred"], "there is no command '\\x1b[31mred'", id="hostile-command"),
        pytest.param(["requests", "show", "one"], "№", id="no-number"),
        pytest.param(["requests", "list", "--limit", "0"], "'--limit'", id="limit"),
        pytest.param(["requests", "list", "--state", "lost"], "lost", id="state"),
        pytest.param(["credentials", "revoke", "tmp-29-x"], "'--reason' is missing", id="no-reason"),
        pytest.param(["credentials", "revoke", "tmp-29-x", "--reason", " "], "a reason must be given", id="empty-reason"),
        pytest.param(["status", "--config"], "wrong usage", id="config-without-file"),
    ],
)
def test_wrong_usage_is_one_sentence(shell: Shell, arguments: list[str], complaint: str) -> None:
    said = shell.bare(*arguments)
    assert (said.code, said.out) == (2, "")
    assert complaint in said.err
    assert said.err.startswith("wrong usage: ")
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["credentials"], ["audit"]], ids=["nothing", "noun", "other-noun"])
def test_a_command_cut_short_gets_its_help(shell: Shell, arguments: list[str]) -> None:
    said = shell.bare(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "\n  -h, --help" in said.err
    assert "wrong usage" not in said.err


def test_help_names_every_command(shell: Shell) -> None:
    said = shell.bare("--help")
    assert (said.code, said.err) == (0, "")
    assert [command for command in COMMANDS if f"\n  {command} " not in said.out] == []


def test_init_can_eject_rules_and_templates(shell: Shell) -> None:
    assert {path.name for path in shell.home.iterdir()} >= {"mailer.toml", "mailer.db", "keys", "rules", "templates"}
    assert 'directory = "rules"' in (shell.home / "mailer.toml").read_text(encoding="utf-8")
    assert (shell("rules", "check").code, shell("init", "--eject").code, shell("init").code) == (0, 2, 2)


def test_edited_rules_run_only_once_activated(own_shell: Shell) -> None:
    file = own_shell.home / "rules" / "30-requests.toml"
    edited = file.read_text(encoding="utf-8").replace("under = 15", "under = 30").replace("minutes = 15", "minutes = 30")
    file.write_text(edited, encoding="utf-8")
    assert (own_shell("rules", "check").code, own_shell("check").code) == (1, 2)
    activated = own_shell("rules", "activate")
    assert activated.code == 0
    checked = own_shell("rules", "check")
    assert (checked.code, checked.out.splitlines()[1]) == (0, "they are active")
    (last,) = own_shell("audit", "list", "--limit", "1", "--json").objects
    assert (last["event"], last["details"]["ruleset"][:12] in activated.out) == ("rules.activated", True)
    assert own_shell("audit", "verify").code == 0


def test_the_register_is_listed_and_hostile_names_are_harmless(shell: Shell) -> None:
    listed = {sender["code"]: sender for sender in shell("senders", "list", "--json").objects}
    assert set(listed) == {"290001", "290002", "290666"}
    assert listed["290666"]["organisation"] == HOSTILE.organisation
    for words in (
        ["senders", "list"],
        ["requests", "show", "3"],
        ["requests", "show", "3", "--json"],
        ["senders", "list", "--json"],
    ):
        said = shell(*words)
        assert "Клиника" in said.out
        assert not {"\x1b", "\x07", "\u202e"} & set(said.out)
    assert ESCAPED in shell("senders", "list").out
    assert ESCAPED in shell("requests", "show", "3").out


def test_the_example_can_be_imported_and_a_bad_file_changes_nothing(own_shell: Shell) -> None:
    file = own_shell.home / "senders.csv"
    example = own_shell.bare("senders", "template").out.replace("29000", "39000").replace("@clinic", "@hospital")
    file.write_text(example + "390003,Клиника,,нет,\n", encoding="utf-8")
    assert own_shell("senders", "import", str(file)).err == (
        f"line 4: address is not a mail address: нет\n{file}: nothing was imported\n"
    )
    file.write_text(example, encoding="windows-1251")
    assert own_shell("senders", "import", str(file)).out.splitlines()[-1] == "2 senders read: 2 new, 0 changed"
    assert own_shell("senders", "import", str(file)).out == "2 senders read: 0 new, 0 changed\n"
    assert len(own_shell("senders", "list", "--json").objects) == 5


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param([], {4: "held", 3: "held", 2: "refused", 1: "answered"}, id="all"),
        pytest.param(["--limit", "1"], {4: "held"}, id="newest"),
        pytest.param(["--state", "held", "--state", "refused"], {4: "held", 3: "held", 2: "refused"}, id="states"),
        pytest.param(["--undelivered"], {}, id="undelivered"),
    ],
)
def test_requests_are_listed_newest_first(shell: Shell, options: list[str], expected: dict[int, str]) -> None:
    listed = shell("requests", "list", "--json", *options).objects
    assert {line["id"]: line["state"] for line in listed} == expected
    assert [line["id"] for line in listed] == list(expected)
    drawn = shell("requests", "list", *options)
    assert drawn.code == 0
    assert all(state in drawn.out for state in expected.values())


def test_a_request_is_shown_with_its_whole_timeline(shell: Shell) -> None:
    (view,) = shell("requests", "show", "1", "--json").objects
    assert (view["person"], view["request"]["state"], view["answer_to"]) == ("Пришва А.А.", "answered", CLINIC.answer_to)
    events = [entry["event"] for entry in view["timeline"] if entry["event"] != "request.shown"]
    assert (events[0], events[-1]) == ("letter.kept", "request.answered")
    drawn = shell("requests", "show", "1").out
    assert [event for event in events if event not in drawn] == []
    assert shell("requests", "show", "2").out.count("initials-missing") >= 1


def test_letters_are_listed_and_shown(shell: Shell) -> None:
    assert [(letter["id"], letter["verdict"]) for letter in shell("letters", "list", "--json").objects] == [
        (4, "hold"),
        (3, "issue"),
        (2, "refuse"),
        (1, "issue"),
    ]
    assert shell("letters", "list", "--quarantined").out == "there are no letters\n"
    (view,) = shell("letters", "show", "2", "--json").objects
    assert (view["reading"]["reason"], view["letter"]["from_address"]) == ("initials-missing", CLINIC.answer_to)
    assert "person: Пришва А.А." in shell("letters", "show", "1").out


@pytest.mark.parametrize("words", [["letters", "show", "99"], ["requests", "show", "99"], ["credentials", "show", "tmp-29-none"]])
def test_what_is_not_there_is_a_negative_answer(shell: Shell, words: list[str]) -> None:
    said = shell(*words)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("there is no ")


def test_a_credential_is_found_by_login_or_id_and_its_password_nowhere(founded: tuple[Path, str], shell: Shell) -> None:
    (credential,) = [
        line["credential"] for line in shell("credentials", "list", "--json").objects if line["person"] == "Пришва А.А."
    ]
    shown = [
        shell("credentials", "show", name, *more)
        for name in (credential["login"], credential["id"][:9])
        for more in ([], ["--json"])
    ]
    assert {said.code for said in shown} == {0}
    assert all(credential["login"] in said.out for said in shown)
    everything = "".join(
        shell(*words).out
        for words in (
            ["requests", "show", "1", "--json"],
            ["letters", "show", "1", "--json"],
            ["audit", "list", "--json"],
            ["status"],
        )
    ) + "".join(said.out for said in shown)
    assert [word for word in founded[1].split() if len(word) == 18 and word.isalnum() and word in everything] == []


def test_a_credential_is_revoked_once(own_shell: Shell) -> None:
    login = own_shell("credentials", "list", "--state", "active", "--json").objects[0]["credential"]["login"]
    first = own_shell("credentials", "revoke", login, "--reason", " уволен ")
    assert (first.code, first.out) == (0, f"{login}: revoked\n")
    second = own_shell("credentials", "revoke", login, "--reason", "ещё раз")
    assert (second.code, second.out) == (3, "")
    assert "is revoked and cannot be revoked" in second.err
    assert own_shell("credentials", "revoke", "tmp-29-none", "--reason", "x").code == 1
    last, *refused = own_shell("audit", "list", "--limit", "3", "--json").objects
    assert (last["event"], last["details"]["reason"]) == ("credential.revoked", "уволен")
    assert [one["event"] for one in refused] == ["command.refused"] * 2
    assert last["actor"].startswith("operator:")
    assert [line["credential"]["login"] for line in own_shell("credentials", "list", "--state", "revoked", "--json").objects] == [
        login
    ]


def test_an_untouched_record_is_verified(shell: Shell) -> None:
    records = shell("status", "--json").objects[0]["status"]["records"]
    said = shell("audit", "verify", "--json")
    whole = {
        "verdict": "OK",
        "records": records,
        "signed": None,
        "pruned": None,
        "restored": [],
        "lost_keys": [],
        "record_seq": None,
        "why": None,
    }
    assert said.objects == [whole]
    assert (said.code, shell("audit", "verify", "--since", "3").out.split(" records")[0]) == (0, f"OK: {records - 2}")
    assert len(shell("audit", "list", "--limit", "2").out.splitlines()) == 3


def test_a_changed_record_is_found(own_shell: Shell) -> None:
    with desk_in(own_shell.home) as desk, desk.trial.database.writing() as tx:
        tx.execute(text("DROP TRIGGER records_UPDATE"))
        tx.execute(text("UPDATE records SET details = nonce WHERE seq = 2"))
    said = own_shell("audit", "verify")
    assert (said.code, said.out) == (1, "TAMPERED: record 2: the leaf is not the hash of header and details\n")
    (verdict,) = own_shell("audit", "verify", "--json").objects
    assert (verdict["verdict"], verdict["record_seq"]) == ("TAMPERED", 2)


def test_without_its_key_nothing_is_verified_or_changed(own_shell: Shell) -> None:
    (own_shell.home / "keys" / "record.key").unlink()
    said = own_shell("audit", "verify")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("CANNOT VERIFY: the key ")
    login = own_shell("credentials", "list", "--json").objects[0]["credential"]["login"]
    assert own_shell("credentials", "revoke", login, "--reason", "x").code == 2
    assert own_shell("credentials", "list", "--state", "revoked", "--json").objects == []


def test_status_ends_with_one_when_somebody_must_look(own_shell: Shell) -> None:
    quiet = own_shell("status")
    assert (quiet.code, quiet.err) == (0, "")
    assert "requests: held 2, refused 1, answered 1\n" in quiet.out
    assert quiet.out.endswith("\nnothing needs a person\n")
    with desk_in(own_shell.home) as desk:
        desk.postman.answers = [Delivery.NEVER]
        desk.mailbox.epoch = 2
        desk.take(request("Соколова М.И.", CLINIC.answer_to, 9))
        desk.run()
        with desk.trial.database.writing() as tx:
            tx.execute(text("UPDATE letters SET state = 'quarantined' WHERE id = 4"))
    said = own_shell("status")
    assert said.code == 1
    assert said.out.splitlines()[-5:] == [
        "needs a person:",
        "! since 23.11.2026 12:00:00 +0300: letters in quarantine: 1",
        "  look at them: `mailer letters list --quarantined`",
        "! since 23.11.2026 12:00:00 +0300: replies that did not arrive for certain: 1",
        "  look at them: `mailer requests list --undelivered`",
    ]
    assert [list(need.items())[:5] for need in own_shell("status", "--json").objects[0]["needs_a_person"]] == [
        [("kind", kind), ("place", ""), ("since", "2026-11-23T09:00:00.000000+00:00"), ("count", 1), ("numbers", {})]
        for kind in ("letters-quarantined", "replies-undelivered")
    ]
    assert [line["id"] for line in own_shell("requests", "list", "--undelivered", "--json").objects] == [5]
    assert [letter["id"] for letter in own_shell("letters", "list", "--quarantined", "--json").objects] == [4]


def test_a_reissue_is_shown_with_the_request_that_it_repeats(own_shell: Shell) -> None:
    with desk_in(own_shell.home) as desk:
        desk.postman.answers = [Delivery.NEVER]
        desk.mailbox.epoch = 2
        desk.take(request("Зорина З.З.", CLINIC.answer_to, 50))
        desk.run()
    (reissue,) = own_shell("requests", "list", "--state", "held", "--limit", "1", "--json").objects
    first = reissue["reissue_of"]
    assert (reissue["person"], reissue["reason"]) == ("Зорина З.З.", "answer-failed")
    assert f"repeats № {first}" in own_shell("requests", "list", "--limit", "1").out
    shown = own_shell("requests", "show", str(reissue["id"])).out
    assert f"repeats request {first}, whose answer did not arrive" in shown
    assert "Запрос атрибутов временного доступа = Зорина З.З." in shown
    assert f"repeated by request {reissue['id']}: held" in own_shell("requests", "show", str(first)).out


def test_status_shows_what_the_mail_server_said_harmlessly(own_shell: Shell) -> None:
    with desk_in(own_shell.home) as desk:
        desk.mailbox.epoch = 2
        desk.postman.answers = [Delivery.LATER]
        desk.take(request("Соколова М.И.", CLINIC.answer_to, 9))
        desk.run()
        with desk.trial.database.writing() as tx:
            tx.execute(text("UPDATE replies SET outcome = :said WHERE state = 'queued'"), {"said": "451 \x1b[2J\u202eтише"})
    said = own_shell("status")
    assert "waiting for another attempt: 1 replies, the next at 23.11.2026 12:01:00 +0300; the oldest since" in said.out
    assert "  what stopped it last: 451 \\x1b[2J\\u202eтише\n" in said.out
    assert not {"\x1b", "\u202e"} & set(said.out + own_shell("status", "--json").out)


def test_status_shows_what_only_the_service_sees_and_a_steps_trouble(own_shell: Shell) -> None:
    with desk_in(own_shell.home) as desk:
        desk.surroundings.free_bytes["database"] = 0
        step = desk.alarm()
        desk.trial.clock.move(minutes=1)
        step.step()
        worker = desk.trial.worker("answer")
        assert worker.lease is not None
        with desk.trial.database.writing() as tx:
            leases.met_trouble(tx, worker.lease, now=desk.trial.clock(), trouble="OSError: \x9bno")
    said = own_shell("status")
    assert said.code == 1
    assert "! since 23.11.2026 12:01:00 +0300: free on the disk of database: 0 MB\n" in said.out
    assert "  since then, at 23.11.2026 12:01:00 +0300: OSError: \\x9bno\n" in said.out
    assert ("disk-low", "database", {"free_mb": 0}) in [
        (need["kind"], need["place"], need["numbers"]) for need in own_shell("status", "--json").objects[0]["needs_a_person"]
    ]
