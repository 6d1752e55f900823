"""`mailer personal`, as an officer types it: found, handed over, destroyed with its papers, shown by `check` after a restore."""

from __future__ import annotations

import base64
import json
import shutil

from tests.cli.offices import Shell

REASON = ("--reason", "отзыв согласия")
WHO = "Пришва А.А."


def events(shell: Shell, count: int) -> list[str]:
    return [str(one["event"]) for one in shell("audit", "list", "--limit", str(count), "--json").objects]


def test_what_stands_of_a_person_is_counted_once_told(shell: Shell) -> None:
    said = shell("personal", "find", WHO, "--json")
    (one,) = said.objects
    assert (one["counts"]["names"], one["counts"]["letters"], one["counts"]["filed"]) == (1, 1, 1)
    assert (one["request_ids"], one["mentions"]) == ([1], [{"letter_id": 1, "mention": "asked"}])
    assert events(shell, 1) == ["personal.found"]
    plain = shell("personal", "find", WHO)
    assert "requests: 1" in plain.out
    assert shell("personal", "find", "Никто Н.Н.", "--json").objects[0]["counts"]["names"] == 0


def test_what_is_no_name_is_refused_without_being_kept(shell: Shell) -> None:
    said = shell("personal", "find", "Пришва")
    assert said.code == 3
    assert "cannot be read" in said.err
    assert "Пришва" not in shell("audit", "list", "--limit", "1", "--json").out
    assert events(shell, 1) == ["command.refused"]


def test_the_person_gets_all_of_it_in_a_new_file(shell: Shell) -> None:
    target = shell.home / "person.json"
    assert shell("personal", "export", WHO, str(target)).code == 0
    held = json.loads(target.read_text())
    assert held["names"] == [{"value": WHO, "organisation_code": "290001"}]
    assert WHO in base64.b64decode(held["letters"][0]["content_base64"]).decode()
    assert target.stat().st_mode & 0o777 == 0o600
    assert events(shell, 1) == ["personal.exported"]
    again = shell("personal", "export", WHO, str(target))
    assert (again.code, "not overwritten" in again.err) == (3, True)


def test_a_login_that_lives_is_ended_only_when_asked(shell: Shell) -> None:
    said = shell("personal", "erase", WHO, *REASON)
    assert (said.code, "--revoke ends this first" in said.err) == (3, True)
    assert events(shell, 1) == ["command.refused"]
    assert not (shell.home / "acts").exists() or not list((shell.home / "acts").iterdir())


def test_a_trial_changes_nothing(shell: Shell) -> None:
    said = shell("personal", "erase", WHO, *REASON, "--dry-run")
    assert said.code == 0
    assert "! still in use: login tmp-29-" in said.out
    assert said.out.endswith("\nnothing was changed\n")
    assert shell("personal", "find", WHO, "--json").objects[0]["counts"]["names"] == 1


def test_the_papers_lie_where_they_are_wanted(shell: Shell) -> None:
    said = shell("personal", "erase", WHO, *REASON, "--revoke", "--acts", str(shell.home / "shelf"))
    assert said.code == 0, said.err
    assert sorted(path.name.partition("-")[0] for path in (shell.home / "shelf").iterdir()) == ["act", "extract"]
    assert WHO in next((shell.home / "shelf").glob("act-*")).read_text()
    assert events(shell, 2) == ["personal.erased", "personal.compacted"]
    assert shell("audit", "verify").code == 0
    assert shell("letters", "show", "1").code == 0
    assert "were destroyed" in shell("letters", "export", "1", str(shell.home / "letter.eml")).err
    assert WHO not in "".join(shell(*words).out for words in (("requests", "list"), ("credentials", "list"), ("letters", "list")))


def test_check_shows_a_database_that_is_older_than_a_destruction(shell: Shell) -> None:
    shutil.copy(shell.home / "mailer.db", shell.home / "backup")
    assert shell("personal", "erase", WHO, *REASON, "--revoke").code == 0
    assert "✓ erased data" in shell("check").out
    for path in shell.home.glob("mailer.db*"):
        path.unlink()
    shutil.move(shell.home / "backup", shell.home / "mailer.db")
    assert "✗ erased data: this database is older" in shell("check").out
    wanting = shell("status", "--json").objects[0]["needs_a_person"]
    assert [one["kind"] for one in wanting if one["kind"].startswith("erasure")] == ["erasure-unfinished"]
    assert shell("personal", "reapply", "--reason", "восстановление", "--acts", str(shell.home / "again")).code == 0
    assert "✓ erased data" in shell("check").out
    assert shell("personal", "find", WHO, "--json").objects[0]["counts"]["names"] == 0
    assert "erasure" not in shell("status", "--json").out
    assert "nothing that was destroyed" in shell("personal", "reapply", "--reason", "ещё раз").out


def test_terms_are_configured_before_anything_ends_by_them(shell: Shell) -> None:
    said = shell("personal", "erase", "--expired", *REASON)
    assert (said.code, "keep_days" in said.err) == (2, True)
    assert shell("personal", "erase", *REASON).code == 2
    assert shell("personal", "erase", WHO, "--expired", *REASON).code == 2


def test_nothing_old_enough_writes_no_act(shell: Shell) -> None:
    config = shell.home / "mailer.toml"
    config.write_text(config.read_text() + "\n[retention]\nnames_days = 1000\n")
    nothing = shell("personal", "erase", "--expired", *REASON)
    assert (nothing.code, nothing.out) == (0, "there is nothing to destroy\n")
    assert shell("personal", "erase", "--expired", *REASON, "--json").objects[0]["changed"] is False
    assert not (shell.home / "acts").exists()
