"""The register by commands: shown before it is done, done only when agreed, refused with a sentence, each told to the record."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from io import BytesIO
from typing import Any

import openpyxl
import pytest

from tests.cli.offices import HOSTILE, Said, Shell

HEADER = "code,organisation,subscriber,address,answer_to\n"
CLINIC_ROW = "290001,ГБУЗ «Больница»,,gb1@clinic.example,{answer_to}\n"
BLOCK = ("senders", "block", "290001", "--reason", "проверка", "--credentials")


SAY_YES = "nothing was changed: look at the changes with --dry-run, then run the command again with --yes\n"


def file(shell: Shell, content: str | bytes, name: str = "list.csv") -> str:
    path = shell.home / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def sender(shell: Shell, code: str = "290001") -> dict[str, Any]:
    return next(one for one in shell("senders", "list", "--json").objects if one["code"] == code)


def events(shell: Shell) -> list[str]:
    return [one["event"] for one in shell("audit", "list", "--json").objects]


def test_a_change_is_shown_and_done_only_when_agreed(shell: Shell) -> None:
    listed = file(shell, HEADER + CLINIC_ROW.format(answer_to="new@clinic.example"))
    before = events(shell)
    shown = shell("senders", "import", listed, "--dry-run")
    assert (shown.code, events(shell)) == (0, before)
    assert shown.out.splitlines() == [
        "~ 290001",
        "    answer_to: gb1@clinic.example -> new@clinic.example",
        "1 senders read: 0 new, 1 changed",
        "nothing was changed",
    ]
    refused = shell("senders", "import", listed)
    assert (refused.code, refused.err) == (3, SAY_YES)
    assert sender(shell)["answer_to"] == "gb1@clinic.example"
    assert events(shell) == [*before, "command.refused"]
    assert shell("senders", "import", listed, "--yes").code == 0
    assert sender(shell)["answer_to"] == "new@clinic.example"
    assert events(shell)[-3:] == ["sender.registered", "notice.queued", "senders.imported"]


def test_a_workbook_is_imported_like_a_csv_file(shell: Shell) -> None:
    book = openpyxl.Workbook()
    for line in (
        ["Код", "Организация", "Абонентский пункт", "Адрес", "Адрес для ответа"],
        [290005, "Клиника", None, "k@x.example"],
    ):
        book.active.append(line)
    content = BytesIO()
    book.save(content)
    said = shell("senders", "import", file(shell, content.getvalue(), "office.xlsx"))
    assert (said.code, said.out.splitlines()[-1]) == (0, "1 senders read: 1 new, 0 changed")
    book.active["B2"] = "=1"
    book.save(content := BytesIO())
    refused = shell("senders", "import", file(shell, content.getvalue(), "office.xlsx"))
    assert refused.code == 2
    assert "the cell B2 holds a formula" in refused.err


def test_whoever_is_not_in_a_whole_file_is_blocked_never_forgotten(shell: Shell) -> None:
    listed = file(shell, HEADER + CLINIC_ROW.format(answer_to=""))
    assert shell("senders", "import", listed, "--replace", "--yes").code == 2
    words = ("senders", "import", listed, "--replace", "--credentials", "keep", "--reason", "сверка")
    planned = shell(*words, "--dry-run", "--json").objects[0]
    assert planned["removed"] == ["290002", HOSTILE.code]
    assert shell(*words, "--yes").code == 0
    assert (sender(shell, "290002")["blocked"], sender(shell, "290002")["block_reason"]) == (True, "сверка")
    assert sender(shell)["blocked"] is False


def test_a_merge_says_who_is_blocked_and_none_leads_to_a_blocked_code(shell: Shell) -> None:
    words = ("senders", "merge", "290001", "290002", "--credentials", "keep", "--reason", "одна клиника")
    said = shell(*words, "--dry-run")
    assert said.code == 0
    assert "290001 is blocked; its addresses and subscriber points lead to 290002" in said.out
    assert shell("senders", "block", "290002", "--credentials", "keep", "--reason", "закрыта").code == 0
    for end in ("--dry-run", "--yes"):
        refused = shell(*words, end)
        assert refused.code == 3
        assert "290002 is blocked itself" in refused.err
    assert sender(shell)["blocked"] is False
    assert shell("senders", "unblock", "290002", "--reason", "открыта").code == 0
    assert shell(*words, "--yes").code == 0
    assert sender(shell)["blocked"] is True


@pytest.mark.parametrize("content", [HEADER, f"{HEADER}\n ; \n\n", b""], ids=["header", "empty rows", "nothing"])
def test_a_file_without_any_sender_blocks_nobody(shell: Shell, content: str | bytes) -> None:
    listed = file(shell, content)
    for words in (("--replace", "--credentials", "revoke", "--reason", "сверка"), ()):
        assert shell("senders", "import", listed, *words, "--yes").code == 2
    assert sender(shell)["blocked"] is False


@pytest.mark.parametrize(("effect", "state"), [("keep", "active"), ("suspend", "suspended"), ("revoke", "revoked")])
def test_a_block_says_what_becomes_of_logins_and_a_dry_run_leaves_nothing(shell: Shell, effect: str, state: str) -> None:
    assert shell(*BLOCK[:-1]).code == 2, "the effect on logins has no default"
    before = events(shell)
    planned = shell(*BLOCK, effect, "--dry-run", "--json").objects[0]
    assert (planned["reached"]["logins"], planned["changed"], events(shell)) == (0 if effect == "keep" else 1, False, before)
    assert shell(*BLOCK, effect, "--until", "31.12.2099").code == 0
    assert sender(shell)["blocked_until"] == "2099-12-31T20:59:59.000000+00:00", "to the end of that day in the fund's zone"
    issued = [one["credential"] for one in shell("credentials", "list", "--json").objects if one["credential"]["issued_at"]]
    assert [one["state"] for one in issued] == [state]
    assert shell("senders", "unblock", "290001", "--reason", "снято").code == 0
    assert sender(shell)["blocked"] is False


def test_a_block_says_how_many_logins_stay_valid(shell: Shell) -> None:
    (planned,) = shell(*BLOCK, "keep", "--dry-run", "--json").objects
    assert (planned["reached"]["kept"], planned["reached"]["logins"]) == (1, 0)
    for dry_run in (["--dry-run"], []):
        said = shell(*BLOCK, "keep", *dry_run)
        assert "logins that stay valid: 1; `mailer credentials revoke --sender CODE --reason …` ends them\n" in said.out


def test_what_was_suspended_stays_so_and_can_be_issued_anew(shell: Shell) -> None:
    (login,) = [one["credential"]["login"] for one in shell("credentials", "list", "--state", "active", "--json").objects]
    assert shell(*BLOCK, "suspend").code == 0
    assert shell("senders", "unblock", "290001", "--reason", "снято", "--dry-run", "--json").objects[0]["suspended"] == 1
    for dry_run in (["--dry-run"], []):
        said = shell("senders", "unblock", "290001", "--reason", "снято", *dry_run)
        assert said.out.splitlines()[:2] == [
            "290001: no longer blocked",
            "logins that stay suspended: 1; `mailer credentials list --state suspended` shows them, `mailer",
        ]
    assert [one["credential"]["login"] for one in shell("credentials", "list", "--state", "suspended", "--json").objects] == [login]
    assert shell("credentials", "reissue", login, "--reason", "снова в работе").code == 0


def test_a_block_that_is_over_already_is_refused(shell: Shell) -> None:
    said = shell(*BLOCK, "keep", "--until", "2020-01-01")
    assert (said.code, said.err) == (3, "the last day of the block is over already\n")


def test_a_sender_is_registered_from_the_request_that_waits(shell: Shell) -> None:
    words = ("senders", "add", "290007", "--organisation", "Новая", "--reason", "звонок", "--from-request")
    assert "is not held for want of" in shell(*words, "1").err
    planned = shell(*words, "4", "--dry-run", "--json").objects[0]
    assert planned["sender"]["addresses"] == ["stranger@elsewhere.example"]
    assert (planned["request_id"], planned["request_state"], planned["changed"]) == (4, None, False)
    said = shell(*words, "4")
    assert said.code == 0
    assert sender(shell, "290007")["answer_to"] == "stranger@elsewhere.example"
    assert "request 4 by the rules in force: approved\n" in said.out
    assert said.out.endswith("goes to stranger@elsewhere.example; until then: mailer requests hold 4\n")
    assert shell("requests", "show", "4", "--json").objects[0]["request"]["state"] == "approved"
    shown = shell("requests", "show", "4").out
    assert "sender: 290007, Новая\n" in shown
    assert "not in the register" not in shown
    assert "under other senders" not in shown
    assert "is not held for want of" in shell(*words, "4").err


def test_a_program_is_told_what_became_of_the_request(shell: Shell) -> None:
    words = ("senders", "add", "290007", "--organisation", "Новая", "--reason", "звонок", "--json")
    (done,) = shell(*words, "--from-request", "4").objects
    assert (done["request_id"], done["request_state"], done["changed"]) == (4, "approved", True)


def refused(shell: Shell, *words: str) -> Said:
    before = len(events(shell))
    said = shell(*words)
    assert said.code != 0
    assert len(events(shell)) <= before + 1
    return said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(("edit", "290001", "--add-address", "dent@clinic.example"), "stands under 290002", id="another's-address"),
        pytest.param(("edit", "290001", "--organisation", "ГБУЗ «Больница»"), "nothing would change", id="no-change"),
        pytest.param(("edit", "290001", "--answer-to", "не адрес"), "is not a mail address", id="no-address"),
        pytest.param(("edit", "290099", "--answer-to", "a@x.example"), "there is no sender 290099", id="no-such-sender"),
        pytest.param(("add", "290001", "--organisation", "x", "--address", "q@x.example"), "already", id="known-code"),
        pytest.param(("add", "290010", "--organisation", "=1", "--address", "q@x.example"), "begins with =", id="formula"),
        pytest.param(("edit", "290001", "--organisation", HOSTILE.organisation), "what cannot be seen", id="control-character"),
        pytest.param(("add", "290010", "--organisation", "x"), "one address at least", id="without-address"),
        pytest.param(("merge", "290001", "290001", "--credentials", "keep", "--yes"), "with itself", id="merged-with-itself"),
        pytest.param(("merge", "290001", "290002", "--credentials", "keep"), "again with --yes", id="nobody-to-ask"),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(shell: Shell, words: tuple[str, ...], sentence: str) -> None:
    before = shell("senders", "list", "--json").out
    assert sentence in refused(shell, "senders", *words, "--reason", "проверка").err
    assert shell("senders", "list", "--json").out == before


def test_looking_and_exporting_is_recorded_once(shell: Shell) -> None:
    before = len(events(shell))
    shown, exported = shell("senders", "show", HOSTILE.code), shell("senders", "export")
    assert events(shell)[before:] == ["sender.shown", "senders.exported"]
    assert not {"\x1b", "\x07", "\u202e"} & set(shown.out)
    assert exported.out.splitlines()[0] == "code,organisation,subscriber,address,answer_to"
    again = shell("senders", "import", file(shell, "\n".join(exported.out.splitlines()[:2])), "--dry-run")
    assert again.out == "1 senders read: 0 new, 0 changed\nnothing was changed\n"


def test_lists_of_persons(shell: Shell) -> None:
    assert shell("persons", "list").out == "there are no lists: any sender may ask for anybody\n"
    listed = file(shell, "code,person\n290001,Ли К.\n290001,Пришва Александр Андреевич\n")
    assert shell("persons", "import", listed).code == 3, "a first list changes what every other letter meets"
    assert shell("persons", "import", listed, "--yes").out.splitlines()[-1] == "1 lists: 2 persons new, 0 taken off, 0 as before"
    assert [(one["sender_code"], one["listed_persons"]) for one in shell("persons", "list", "--json").objects] == [("290001", 2)]
    assert shell("persons", "show", "290001").out == "Ли К.\nПришва А.А.\n"
    assert events(shell)[-1] == "persons.shown"
    record = json.dumps(shell("audit", "list", "--json").objects, ensure_ascii=False)
    assert "Пришва" not in record


def test_a_list_of_persons_that_somebody_changed_is_named_until_it_is_taken_in_whole(shell: Shell) -> None:
    whole = file(shell, "code,person\n290001,Ли К.\n290001,Пришва А.А.\n")
    shell("persons", "import", whole, "--yes")
    with closing(sqlite3.connect(shell.home / "mailer.db")) as database, database:
        database.execute("DELETE FROM listed_persons WHERE person_id = (SELECT id FROM personal WHERE value = 'Пришва А.А.')")
    why = "the list of persons is not as it was last written"
    assert f"290001: {why}: nobody counts as listed" in shell("persons", "list").out
    assert shell("persons", "list", "--json").objects[0]["fault"] == why
    shown = shell("persons", "show", "290001")
    assert (shown.code, shown.out) == (3, "Ли К.\n")
    assert why in shown.err
    checked = shell("check")
    assert checked.code != 0
    assert f"290001: {why}: nobody counts as listed" in checked.out + checked.err
    added = shell("persons", "import", whole, "--yes")
    assert added.code == 3
    assert "import the whole list of this sender, with --replace" in added.err
    assert shell("persons", "import", whole, "--yes", "--replace").code == 0
    assert shell("persons", "show", "290001").out == "Ли К.\nПришва А.А.\n"
