"""A bundle whose key was changed, or lost: an outsider who has an older key follows it with the shipped verifier alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailer.core import note
from mailer.edge.signing import SigningKey
from tests.cli.offices import Shell, publish
from tests.cli.test_cli_export import bundle, verify

Step = dict[str, Any]


def public_key(shell: Shell) -> str:
    return (shell.home / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()


def change(shell: Shell) -> str:
    publish(shell.home)
    assert shell("audit", "change-key", "--reason", "раз в год").code == 0
    return public_key(shell)


def lose(shell: Shell) -> str:
    publish(shell.home)
    (shell.home / "keys" / "checkpoint.key").unlink()
    assert shell("audit", "declare-lost-key", "--reason", "диск", "--yes").code == 0
    return public_key(shell)


def verdict(folder: Path, *key: str) -> tuple[int, str]:
    said = verify(folder, *(f"--key={one}" for one in key))
    return said.returncode, said.stdout.split(":")[0]


OK, LOST, TAMPERED = (0, "OK"), (3, "KEY LOST ON RECORD"), (1, "TAMPERED")


def test_a_key_that_never_changed_needs_no_explanation(shell: Shell) -> None:
    assert not (bundle(shell) / "keys.json").exists()


def test_an_older_key_is_followed_by_those_that_it_named(shell: Shell) -> None:
    keys = [public_key(shell), change(shell), change(shell)]
    folder = bundle(shell)
    assert [verdict(folder, key) for key in keys] == [OK, OK, OK]
    (folder / "keys.json").unlink()
    assert [verdict(folder, key) for key in keys] == [TAMPERED, TAMPERED, OK]


def test_a_lost_key_is_said_until_one_that_came_after_it_is_given(shell: Shell) -> None:
    keys = [public_key(shell), change(shell), lose(shell), change(shell)]
    folder = bundle(shell)
    assert verdict(folder) == LOST
    assert [verdict(folder, key) for key in keys] == [LOST, LOST, OK, OK]
    said = verify(folder, "--key", keys[0]).stdout
    assert f"declares a key lost: {keys[1]}" in said
    assert said.strip().endswith(f"--key: {keys[2]}")
    assert "declares a key lost" in verify(folder, "--key", keys[3]).stdout, "it is said also to who knows it"


def test_a_bundle_of_some_records_shows_the_loss_too(shell: Shell) -> None:
    old = public_key(shell)
    lose(shell)
    assert verdict(bundle(shell, "--from", "2031-01-01"), old) == LOST


def edited(**values: Any) -> Callable[[list[Step]], object]:
    return lambda steps: steps[-1].update(values)


def edit_the_record(old: str, new: str) -> Callable[[list[Step]], object]:
    def change_it(steps: list[Step]) -> None:
        record = steps[-1]["record"]
        assert old in record["header"] + record["details"]
        record.update({name: record[name].replace(old, new) for name in ("header", "details")})

    return change_it


ATTACKS: dict[str, tuple[Callable[[list[Step]], object], str]] = {
    "no step over the loss": (lambda steps: steps.pop(), "do not come one after the other"),
    "another reason": (edit_the_record("диск", "пожар"), "is none of this record"),
    "another event": (edit_the_record("audit.key-lost", "audit.key-last"), "is none of this record"),
    "another place": (lambda steps: steps[-1]["record"].update(seq=3), "in its place"),
    "a record less beside it": (lambda steps: steps[-1]["record_left"].pop(), "do not fit the number of records"),
    "no last checkpoint": (edited(last=None), "keys.json cannot be read"),
    "a last checkpoint of the new key": (lambda steps: steps[-1].update(last=steps[-1]["note"]), "is not signed by"),
    "another past of it": (lambda steps: steps[-1].update(last_left=["00" * 32] * len(steps[-1]["last_left"])), "of this record"),
    "a loss that calls itself a change": (
        lambda steps: steps[-1].update(note=steps[-1]["note"].replace("lost-key", "key")),
        "does not hold",
    ),
    "no list": (lambda steps: steps.insert(0, {}), "keys.json cannot be read"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_loss_that_nothing_proves_is_found_out(shell: Shell, attack: str) -> None:
    old = change(shell)
    lose(shell)
    folder = bundle(shell)
    steps = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
    do, why = ATTACKS[attack]
    do(steps)
    (folder / "keys.json").write_text(json.dumps(steps), encoding="utf-8")
    said = verify(folder, "--key", old)
    assert (said.returncode, said.stdout.split(":")[0]) == TAMPERED
    assert why in said.stdout


def test_what_stands_below_a_checkpoint_is_not_signed(shell: Shell) -> None:
    """The new key signs a checkpoint of the old one too, and a change of key is written below: the old one never named it."""
    old, new = public_key(shell), lose(shell)
    folder = bundle(shell)
    steps = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
    last = steps[0]["last"]
    pair = SigningKey(directory=shell.home / "keys", origin=new.partition("+")[0]).signer()
    signature = note.sign(note.read(last.encode()).text, [pair]).splitlines()[-1]
    forged = [{"note": f"{last.rstrip()}\n{signature}\nkey {old}\nnext-key {new}\n"}]
    (folder / "keys.json").write_text(json.dumps(forged), encoding="utf-8")
    assert verdict(folder, old) == TAMPERED


def test_what_a_bundle_says_is_shown_without_its_controls(shell: Shell) -> None:
    folder = bundle(shell)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["public_key"] = "\x1b[2Jmailer\u202e"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert verify(folder).stdout == "CANNOT VERIFY: this is no public key: ?[2Jmailer?\n"
