"""Do keys lie where and as they should, is none ever overwritten, and does a reply open only under its own binding?"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mailer.edge.keys import SUITE_NAME, Binding, Keyring, SecretName
from mailer.errors import SetupError

TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)
EPOCH = TODAY.isoformat()
BINDING = Binding(instance="0" * 32, reply_id="1" * 32, credential_id="2" * 32, epoch=EPOCH, recipient="gb1@clinic.example")
RANDBYTES = random.Random(1).randbytes


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder for keys that is not there yet; new files are made under the usual mask."""
    mask = os.umask(0o022)
    yield tmp_path / "office" / "keys"
    os.umask(mask)


@pytest.fixture
def keyring(home: Path) -> Keyring:
    found = Keyring(home)
    found.found(TODAY, RANDBYTES)
    return found


def files(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_each_key_has_its_place_and_mode(keyring: Keyring, home: Path) -> None:
    modes = {path.relative_to(home).as_posix(): path.stat().st_mode & 0o777 for path in [home, *home.rglob("*")]}
    assert modes == {
        ".": 0o700,
        "record.key": 0o600,
        "pepper.key": 0o600,
        "epochs": 0o700,
        f"epochs/{EPOCH}.pub": 0o644,
        "courier": 0o700,
        f"courier/{EPOCH}.key": 0o600,
        "pools": 0o700,
        "pools/1.pub": 0o644,
        "issuing": 0o700,
        "issuing/1.key": 0o600,
    }
    assert keyring.epochs() == [EPOCH]


def test_every_key_is_another_one(keyring: Keyring, home: Path) -> None:
    contents = list(files(home).values())
    assert len(set(contents)) == len(contents) == 6
    assert {len(keyring.secret("record")), len(keyring.secret("pepper"))} == {32}


def test_no_key_is_overwritten(keyring: Keyring, home: Path) -> None:
    before = files(home)
    assert keyring.taken() == home / "record.key"
    with pytest.raises(FileExistsError):
        keyring.found(TODAY, RANDBYTES)
    assert files(home) == before


def test_where_there_is_no_key_none_is_taken(home: Path) -> None:
    assert Keyring(home).taken() is None
    assert Keyring(home).epochs() == []


def test_a_new_day_has_a_new_pair_and_the_old_one_stays(keyring: Keyring, home: Path) -> None:
    before = files(home)
    keyring.open_epoch(TODAY, RANDBYTES)
    assert files(home) == before
    keyring.open_epoch(TOMORROW, RANDBYTES)
    assert keyring.epochs() == [EPOCH, TOMORROW.isoformat()]
    assert {name: files(home)[name] for name in before} == before


def test_a_pair_of_which_only_the_private_half_was_written_is_completed(keyring: Keyring, home: Path) -> None:
    sealed = keyring.seal(b"content", BINDING)
    (home / "epochs" / f"{EPOCH}.pub").unlink()
    keyring.open_epoch(TODAY, RANDBYTES)
    assert keyring.open(sealed, BINDING) == keyring.open(keyring.seal(b"content", BINDING), BINDING) == b"content"


@pytest.mark.parametrize("content", [b"", "Пароль".encode(), bytes(100_000)], ids=["nothing", "text", "large"])
def test_what_is_sealed_opens_again(keyring: Keyring, content: bytes) -> None:
    first, second = keyring.seal(content, BINDING), keyring.seal(content, BINDING)
    assert first != second
    assert keyring.open(first, BINDING) == keyring.open(second, BINDING) == content
    assert not content or content not in first


CHANGED: dict[str, Any] = {
    "instance": "f" * 32,
    "reply_id": "f" * 32,
    "credential_id": None,
    "epoch": TOMORROW.isoformat(),
    "recipient": "thief@clinic.example",
}


@pytest.mark.parametrize("part", [field.name for field in fields(Binding)])
def test_under_another_binding_it_does_not_open(keyring: Keyring, home: Path, part: str) -> None:
    sealed = keyring.seal(b"content", BINDING)
    for folder, end in (("courier", "key"), ("epochs", "pub")):  # even where the other epoch had the same keys
        (home / folder / f"{TOMORROW}.{end}").write_bytes((home / folder / f"{EPOCH}.{end}").read_bytes())
    assert keyring.open(sealed, replace(BINDING, **{part: CHANGED[part]})) is None
    assert keyring.open(sealed, BINDING) == b"content"


@pytest.mark.parametrize(
    "meddle",
    [
        pytest.param(lambda sealed: b"", id="nothing"),
        pytest.param(lambda sealed: SUITE_NAME, id="suite-alone"),
        pytest.param(lambda sealed: SUITE_NAME + b"\0", id="empty-box"),
        pytest.param(lambda sealed: sealed[:60], id="cut-in-the-key"),
        pytest.param(lambda sealed: sealed[:-1], id="cut-at-the-end"),
        pytest.param(lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]), id="one-bit"),
        pytest.param(lambda sealed: sealed + b"x", id="longer"),
        pytest.param(lambda sealed: sealed.replace(b"X25519", b"X448"), id="another-suite"),
        pytest.param(lambda sealed: SUITE_NAME + b"\0" + bytes(80), id="zeros"),
    ],
)
def test_changed_bytes_do_not_open(keyring: Keyring, meddle: Callable[[bytes], bytes]) -> None:
    assert keyring.open(meddle(keyring.seal(b"content", BINDING)), BINDING) is None


def test_another_offices_key_does_not_open(keyring: Keyring, tmp_path: Path) -> None:
    other = Keyring(tmp_path / "other")
    other.found(TODAY, RANDBYTES)
    assert other.open(keyring.seal(b"content", BINDING), BINDING) is None


def test_the_desk_seals_without_the_couriers_key(keyring: Keyring, home: Path) -> None:
    (home / "courier" / f"{EPOCH}.key").unlink()
    sealed = keyring.seal(b"content", BINDING)
    with pytest.raises(SetupError, match=r"courier/2026-11-23\.key is missing: .* must be reissued; what was sent is untouched"):
        keyring.open(sealed, BINDING)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        pytest.param("record", "no record can be written or verified", id="record"),
        pytest.param("pepper", "passwords of local accounts made with it cannot be checked", id="pepper"),
    ],
)
def test_a_missing_key_is_named_with_what_is_lost(keyring: Keyring, home: Path, name: SecretName, loss: str) -> None:
    (home / f"{name}.key").unlink()
    with pytest.raises(SetupError, match=f"{name}.key is missing: bring it back from its backup; without it {loss}"):
        keyring.secret(name)


DAMAGED = {"empty": b"", "cut": b"00" * 31, "longer": b"00" * 33, "no-hexadecimal": b"zz" * 32, "no-ascii": "й".encode() * 64}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_key_is_named(keyring: Keyring, home: Path, content: bytes) -> None:
    sealed = keyring.seal(b"content", BINDING)
    for path in (home / "record.key", home / "epochs" / f"{EPOCH}.pub", home / "courier" / f"{EPOCH}.key"):
        path.write_bytes(content)
    with pytest.raises(SetupError, match=r"record\.key is damaged: it must hold 32 bytes in hexadecimal"):
        keyring.secret("record")
    with pytest.raises(SetupError, match=r"2026-11-23\.pub is damaged"):
        Keyring(home).seal(b"content", BINDING)  # one that has not read it yet
    with pytest.raises(SetupError, match=r"2026-11-23\.key is damaged"):
        keyring.open(sealed, BINDING)


def test_a_key_may_end_with_or_without_a_line(keyring: Keyring, home: Path) -> None:
    path = home / "record.key"
    key = keyring.secret("record")
    path.write_text(key.hex().upper() + "\r\n\n", encoding="ascii")
    assert keyring.secret("record") == key


@pytest.mark.parametrize("name", ["record.key", f"epochs/{EPOCH}.pub"])
def test_a_folder_is_no_key(keyring: Keyring, home: Path, name: str) -> None:
    (home / name).unlink()
    (home / name).mkdir()
    with pytest.raises(SetupError, match="cannot be read"):
        keyring.secret("record") if name == "record.key" else keyring.seal(b"content", BINDING)
