"""Where do the keys lie, and who may read which? In a directory outside the database and its backups; secret files have mode 0600.

    record.key              MAC of the record                     desk, courier, commands
    checkpoint.key          signs the record (`edge/signing.py`)  desk, commands that sign
    pepper.key              verifiers of local accounts           desk, commands
    pepper-2.key            the next one; older ones still check  desk, commands
    epochs/2026-11-23.pub   seals replies                         desk
    courier/2026-11-23.key  opens replies                         courier alone
    pools/1.pub             seals ready pairs (`keys_pool.py`)    desk, commands
    issuing/1.key           opens ready pairs                     desk alone: what issues

An epoch is one day's key pair; a pool's pair lives until a person makes the next. What is sealed names its suite, so that another
one can replace it later. The desk can seal replies and cannot open them: installed as two services, `courier/` belongs to the
courier's user and `issuing/` to the desk's.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from mailer.core.custody import KeyKind, loss
from mailer.edge import keys_file
from mailer.edge.keys_file import KEY_BYTES, key_in
from mailer.errors import SetupError

SUITE_NAME: Final = b"X25519-HKDF-SHA256-AES-256-GCM"
NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d|\d+)\.(pub|key)")
LATER_PEPPER: Final = re.compile(r"pepper-([2-9]|[1-9]\d+)\.key")
SecretName = Literal["record", "pepper"]
FOLDERS: Final = {KeyKind.EPOCH: ("epochs", "courier"), KeyKind.POOL: ("pools", "issuing")}  # of the public and the private halves


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """What a sealed reply is bound to: opened under any other binding, it does not open (HPKE `info`, RFC 9180)."""

    instance: str
    reply_id: str
    credential_id: str | None
    epoch: str
    recipient: str

    @property
    def key(self) -> tuple[KeyKind, str]:
        return KeyKind.EPOCH, self.epoch

    def info(self) -> bytes:
        recipient = hashlib.sha256(self.recipient.encode()).hexdigest()
        parts = ("mailer-reply-1", self.instance, self.reply_id, self.credential_id or "-", self.epoch, recipient)
        return "\n".join(parts).encode()


class Bound(Protocol):
    """What is sealed belongs to one key, and opens under no other `info`."""

    @property
    def key(self) -> tuple[KeyKind, str]: ...

    def info(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key that is there, or of which another half or a row says that it should be. `readable`: for this user."""

    kind: KeyKind
    name: str  # the day of an epoch, else a number
    path: Path
    there: bool
    readable: bool
    made: date | None = None  # by the file's own time


class Keyring:
    """The keys of one office. Reading is lazy: a process touches only the keys that its work needs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pool_keys: dict[str, X25519PrivateKey] = {}
        self._publics: dict[tuple[KeyKind, str], X25519PublicKey] = {}  # read once: a name is never given to another pair

    def found(self, today: date, randbytes: Callable[[int], bytes]) -> None:
        """Make the directory and the first keys; FileExistsError rather than overwrite any."""
        for folder in ("", *(folder for pair in FOLDERS.values() for folder in pair)):
            (self._directory / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in get_args(SecretName):
            keys_file.write(self._directory / f"{name}.key", randbytes(KEY_BYTES))
        self.open_epoch(today, randbytes)
        self.open_pool(randbytes)

    def taken(self) -> Path | None:
        """A key that `found` would have to overwrite; None where there is none yet."""
        return next((path for name in get_args(SecretName) if (path := self._directory / f"{name}.key").exists()), None)

    def secret(self, name: SecretName) -> bytes:
        """A symmetric key; of peppers the first."""
        return self._secret(KeyKind(name), self._directory / f"{name}.key")

    def peppers(self) -> dict[int, bytes]:
        """Every pepper by its number. The newest makes verifiers, the older ones check theirs."""
        first = {1: self.secret("pepper")}
        return first | {number: self._secret(KeyKind.PEPPER, self._pepper(number)) for number in self._later_peppers()}

    def make_pepper(self, number: int, randbytes: Callable[[int], bytes]) -> None:
        """A later pepper: from the desk's next start on it makes verifiers."""
        keys_file.make(self._pepper(number), randbytes(KEY_BYTES))

    def _later_peppers(self) -> list[int]:
        return sorted(int(found[1]) for path in self._directory.glob("pepper-*") if (found := LATER_PEPPER.fullmatch(path.name)))

    def _pepper(self, number: int) -> Path:
        return self._directory / ("pepper.key" if number == 1 else f"pepper-{number}.key")

    @staticmethod
    def _secret(kind: KeyKind, path: Path) -> bytes:
        try:
            key = key_in(path.read_bytes())
        except FileNotFoundError as error:
            raise SetupError(
                "the key {path} is missing: bring it back from its backup; without it {loss}", path=path, loss=loss(kind)
            ) from error
        except OSError as error:
            raise SetupError("the key {path} cannot be read: {why}", path=path, why=error) from error
        if key is None:
            raise SetupError(
                "the key {path} is damaged: it must hold {bytes} bytes in hexadecimal; bring it back from its backup",
                path=path,
                bytes=KEY_BYTES,
            )
        return key

    def missing(self, epochs: Sequence[str]) -> list[str]:
        """The keys that are not there though they are needed; of private ones only if we may see whether they are."""
        needed = [f"{name}.key" for name in (*get_args(SecretName), "checkpoint")]
        courier = self._directory / "courier"
        if os.access(courier, os.R_OK | os.X_OK):
            needed += [f"{courier.name}/{epoch}.key" for epoch in epochs]
        return [name for name in needed if not (self._directory / name).exists()]

    def epochs(self) -> list[str]:
        """The days that have a public key, oldest first."""
        return sorted(path.stem for path in (self._directory / "epochs").glob("????-??-??.pub"))

    def is_lost(self, day: date) -> bool:
        """Whether the private half is gone, as far as this user can see: nobody opens what is sealed to this day."""
        return not _look(KeyKind.EPOCH, day.isoformat(), self._path(KeyKind.EPOCH, day.isoformat(), private=True)).there

    def prepare_epoch(self, day: date, randbytes: Callable[[int], bytes]) -> bool:
        """The private half, written first: nothing is sealed that nobody can open. False: the whole pair is there already."""
        if self._path(KeyKind.EPOCH, day.isoformat(), private=False).exists():
            return False
        private = self._path(KeyKind.EPOCH, day.isoformat(), private=True)
        if not private.exists():
            keys_file.make(private, randbytes(KEY_BYTES))
        return True

    def open_epoch(self, today: date, randbytes: Callable[[int], bytes]) -> None:
        """Make today's key pair unless it is there: from its public half on, replies are sealed to it."""
        if self.prepare_epoch(today, randbytes):
            self._publish(KeyKind.EPOCH, today.isoformat())

    def destroy_epoch(self, day: str) -> None:
        """First the public half, then the private one: overwritten, then removed. May be repeated after a crash."""
        self._path(KeyKind.EPOCH, day, private=False).unlink(missing_ok=True)
        keys_file.destroy(self._path(KeyKind.EPOCH, day, private=True))

    def pools(self) -> list[int]:
        """The numbers of the pool pairs that can seal, oldest first."""
        return sorted(int(path.stem) for path in (self._directory / "pools").glob("*.pub"))

    def open_pool(self, randbytes: Callable[[int], bytes]) -> int:
        """Make the next pool pair: from now on ready pairs are sealed to it. Its number."""
        number = max(self.pools(), default=0) + 1
        private = self._path(KeyKind.POOL, str(number), private=True)
        if not private.exists():
            keys_file.make(private, randbytes(KEY_BYTES))
        self._publish(KeyKind.POOL, str(number))
        return number

    def seal(self, content: bytes, binding: Bound) -> bytes:
        """Encrypt to the public key that the binding names: suite name, NUL, HPKE enc and ciphertext."""
        kind, name = binding.key
        public = self._publics.get(binding.key)
        if public is None:
            public = X25519PublicKey.from_public_bytes(keys_file.read(kind, self._path(kind, name, private=False)))
            self._publics[binding.key] = public
        return SUITE_NAME + b"\0" + _suite().encrypt(content, public, info=binding.info())

    def open(self, sealed: bytes, binding: Bound) -> bytes | None:
        """The content, or None when these bytes were not sealed for this binding. SetupError when the private key is missing."""
        suite, _, boxed = sealed.partition(b"\0")
        if suite != SUITE_NAME:
            return None
        private = self._private(*binding.key)
        try:
            return _suite().decrypt(boxed, private, info=binding.info())
        except InvalidTag:
            return None

    def check_pool(self) -> None:
        """SetupError when a pool's keys are missing or do not belong together: asked before pairs are handed out."""
        for number in map(str, self.pools() or [1]):
            private_path = self._path(KeyKind.POOL, number, private=True)
            private = X25519PrivateKey.from_private_bytes(keys_file.read(KeyKind.POOL, private_path))
            public = self._path(KeyKind.POOL, number, private=False)
            if private.public_key().public_bytes_raw() != keys_file.read(KeyKind.POOL, public):
                raise SetupError(
                    "the key {path} is not the other half of {public}: bring the two back from one backup",
                    path=private_path,
                    public=public,
                )

    def _private(self, kind: KeyKind, name: str) -> X25519PrivateKey:
        """Pool keys are read once, for all the pairs there are. A courier's key is never kept: it may be destroyed."""
        private = self._pool_keys.get(name) if kind is KeyKind.POOL else None
        if private is None:
            private = X25519PrivateKey.from_private_bytes(keys_file.read(kind, self._path(kind, name, private=True)))
        if kind is KeyKind.POOL:
            self._pool_keys[name] = private
        return private

    def inventory(self, waiting: Collection[str] = (), peppers: Collection[int] = ()) -> list[Key]:
        """Every secret key that is there or is missed: the first three always, private halves whose public ones are there.

        `waiting`: epochs to which replies that wait are sealed; `peppers`: those that verifiers name. A folder that this user
        cannot look into counts as there.
        """
        found = [
            _look(KeyKind.RECORD, "1", self._directory / "record.key"),
            _look(KeyKind.CHECKPOINT, "1", self._directory / "checkpoint.key"),
        ]
        numbers = sorted({1, *self._later_peppers(), *peppers})
        found += [_look(KeyKind.PEPPER, str(number), self._pepper(number)) for number in numbers]
        for kind, (publics, privates) in FOLDERS.items():
            names = {path.stem for folder in (publics, privates) for path in _listed(self._directory / folder)}
            wanted = names | set(waiting if kind is KeyKind.EPOCH else ())
            found += [_look(kind, name, self._path(kind, name, private=True)) for name in sorted(wanted)]
        return found

    def _path(self, kind: KeyKind, name: str, *, private: bool) -> Path:
        return self._directory / FOLDERS[kind][private] / f"{name}.{'key' if private else 'pub'}"

    def _publish(self, kind: KeyKind, name: str) -> None:
        private = X25519PrivateKey.from_private_bytes(keys_file.read(kind, self._path(kind, name, private=True)))
        public = self._path(kind, name, private=False)
        if not public.exists():
            keys_file.make(public, private.public_key().public_bytes_raw(), mode=0o644)  # the desk may be another user


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if NAME.fullmatch(path.name)]
    except (FileNotFoundError, PermissionError):
        return []


def _look(kind: KeyKind, name: str, path: Path) -> Key:
    try:
        made = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    except FileNotFoundError:
        return Key(kind=kind, name=name, path=path, there=False, readable=True)
    except PermissionError:
        return Key(kind=kind, name=name, path=path, there=True, readable=False)
    return Key(kind=kind, name=name, path=path, there=True, readable=os.access(path, os.R_OK), made=made)
