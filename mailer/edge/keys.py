"""Where do the keys lie, and who may read which? In a directory outside the database and its backups; secret files have mode 0600.

    record.key              MAC of the record               desk, courier, commands
    pepper.key              verifiers of local accounts     desk, commands
    epochs/2026-11-23.pub   seals replies                   desk
    courier/2026-11-23.key  opens replies                   courier alone
    pool.pub                seals ready pairs               desk, commands
    pool.key                opens ready pairs               desk alone: what issues

An epoch is one day's key pair. A sealed reply names its suite, so that another one can replace it later. The desk can seal and
cannot open: installed as two services, `courier/` belongs to the courier's user.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal, get_args

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from mailer.errors import SetupError

KEY_BYTES: Final = 32
SUITE_NAME: Final = b"X25519-HKDF-SHA256-AES-256-GCM"
SecretName = Literal["record", "pepper"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """What a sealed reply is bound to: opened under any other binding, it does not open (HPKE `info`, RFC 9180)."""

    instance: str
    reply_id: str
    credential_id: str | None
    epoch: str
    recipient: str

    def info(self) -> bytes:
        recipient = hashlib.sha256(self.recipient.encode()).hexdigest()
        parts = ("mailer-reply-1", self.instance, self.reply_id, self.credential_id or "-", self.epoch, recipient)
        return "\n".join(parts).encode()


class Keyring:
    """The keys of one office. Reading is lazy: a process touches only the keys that its work needs."""

    def __init__(self, directory: Path, *, instance: str = "") -> None:
        """`instance` is the database's name: ready pairs are bound to it."""
        self._directory = directory
        self._instance = instance

    def found(self, today: date, randbytes: Callable[[int], bytes]) -> None:
        """Make the directory and the first keys; FileExistsError rather than overwrite any."""
        for folder in (self._directory, self._directory / "epochs", self._directory / "courier"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in get_args(SecretName):
            _write(self._directory / f"{name}.key", randbytes(KEY_BYTES))
        self.open_pool(randbytes)
        self.open_epoch(today, randbytes)

    def taken(self) -> Path | None:
        """A key that `found` would have to overwrite; None where there is none yet."""
        return next((path for name in get_args(SecretName) if (path := self._directory / f"{name}.key").exists()), None)

    def secret(self, name: SecretName) -> bytes:
        """A symmetric key."""
        path = self._directory / f"{name}.key"
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except FileNotFoundError as error:
            raise SetupError(
                "the key {path} is missing: bring it back from its backup; without it {loss}", path=path, loss=_loss(name)
            ) from error
        except OSError as error:
            raise SetupError("the key {path} cannot be read: {why}", path=path, why=error) from error
        except ValueError:  # not hexadecimal, not even ASCII
            key = b""
        if len(key) != KEY_BYTES:
            raise SetupError(
                "the key {path} is damaged: it must hold {bytes} bytes in hexadecimal; bring it back from its backup",
                path=path,
                bytes=KEY_BYTES,
            )
        return key

    def missing(self, epochs: Sequence[str]) -> list[str]:
        """The keys that are not there though they are needed; of private ones only if we may see whether they are."""
        needed = [f"{name}.key" for name in get_args(SecretName)]
        courier = self._directory / "courier"
        if os.access(courier, os.R_OK | os.X_OK):
            needed += [f"{courier.name}/{epoch}.key" for epoch in epochs]
        return [name for name in needed if not (self._directory / name).exists()]

    def epochs(self) -> list[str]:
        """The days that have a public key, oldest first."""
        return sorted(path.stem for path in (self._directory / "epochs").glob("????-??-??.pub"))

    def open_epoch(self, today: date, randbytes: Callable[[int], bytes]) -> None:
        """Make today's key pair unless it is there. The private half is written first: nothing is sealed that nobody can open."""
        epoch = today.isoformat()
        public = self._directory / "epochs" / f"{epoch}.pub"
        if public.exists():
            return
        private_path = self._directory / "courier" / f"{epoch}.key"
        try:
            if not private_path.exists():
                _write(private_path, randbytes(KEY_BYTES))
        except OSError as error:
            raise SetupError("the key {path} cannot be made: {why}", path=private_path, why=error.strerror) from error
        private = X25519PrivateKey.from_private_bytes(_read(private_path))
        _write(public, private.public_key().public_bytes_raw(), mode=0o644)  # the desk may be another user

    def open_pool(self, randbytes: Callable[[int], bytes]) -> None:
        """Make the pool's key pair unless it is there; the private half first, as above."""
        private_path, public = self._directory / "pool.key", self._directory / "pool.pub"
        if not private_path.exists():
            _write(private_path, randbytes(KEY_BYTES))
        if not public.exists():
            private = X25519PrivateKey.from_private_bytes(_read(private_path))
            _write(public, private.public_key().public_bytes_raw(), mode=0o644)

    def check_pool(self) -> None:
        """SetupError when the pool's keys are missing or do not belong together: asked before pairs are handed out."""
        private_path = self._directory / "pool.key"
        private = X25519PrivateKey.from_private_bytes(_read(private_path))
        if private.public_key().public_bytes_raw() != _read(self._directory / "pool.pub"):
            raise SetupError(
                "the key {path} is not the other half of pool.pub: bring the two back from one backup", path=private_path
            )

    def seal_to_pool(self, content: bytes, pair_id: str) -> bytes:
        """Encrypt a ready pair to the pool's public key; its form is that of a sealed reply."""
        public = X25519PublicKey.from_public_bytes(_read(self._directory / "pool.pub"))
        return SUITE_NAME + b"\0" + _suite().encrypt(content, public, info=self._pool_info(pair_id))

    def open_from_pool(self, sealed: bytes, pair_id: str) -> bytes | None:
        """The pair, or None when these bytes were not sealed for it. SetupError when the private key is missing."""
        suite, _, boxed = sealed.partition(b"\0")
        if suite != SUITE_NAME:
            return None
        private = X25519PrivateKey.from_private_bytes(_read(self._directory / "pool.key"))
        try:
            return _suite().decrypt(boxed, private, info=self._pool_info(pair_id))
        except InvalidTag:
            return None

    def _pool_info(self, pair_id: str) -> bytes:
        if not self._instance:
            raise ValueError("ready pairs are bound to the database's name")
        return "\n".join(("mailer-pool-1", self._instance, pair_id)).encode()

    def seal(self, content: bytes, binding: Binding) -> bytes:
        """Encrypt to the epoch's public key: suite name, NUL, HPKE enc and ciphertext."""
        public = X25519PublicKey.from_public_bytes(_read(self._directory / "epochs" / f"{binding.epoch}.pub"))
        return SUITE_NAME + b"\0" + _suite().encrypt(content, public, info=binding.info())

    def open(self, sealed: bytes, binding: Binding) -> bytes | None:
        """The content, or None when these bytes were not sealed for this binding. SetupError when the private key is missing."""
        suite, _, boxed = sealed.partition(b"\0")
        if suite != SUITE_NAME:
            return None
        private = X25519PrivateKey.from_private_bytes(_read(self._directory / "courier" / f"{binding.epoch}.key"))
        try:
            return _suite().decrypt(boxed, private, info=binding.info())
        except InvalidTag:
            return None


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _loss(name: SecretName) -> SetupError:
    if name == "record":
        return SetupError("no record can be written or verified, so nothing can be done")
    return SetupError("passwords of local accounts cannot be checked; logins already sent stay valid at other places")


def _read(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError as error:
        raise SetupError(
            "the key {path} is missing: what was sealed to it cannot be sent, those answers must be reissued", path=path
        ) from error
    except (OSError, ValueError) as error:
        raise SetupError("the key {path} cannot be read: {why}", path=path, why=error) from error
    if len(key) != KEY_BYTES:
        raise SetupError("the key {path} cannot be read: {why}", path=path, why=f"{len(key)} bytes instead of {KEY_BYTES}")
    return key


def _write(path: Path, key: bytes, *, mode: int = 0o600) -> None:
    """A new file, whole or not at all; FileExistsError when it is there."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    finally:
        draft.unlink()
