"""Who signs the checkpoints of the record? An Ed25519 key beside the other keys, outside the database and its backups.

    checkpoint.key   private half, hexadecimal, mode 0600    the desk signs; the commands that publish a checkpoint too
    checkpoint.pub   `name+id+base64` (C2SP signed-note)     anyone who verifies; keep copies elsewhere

The desk holds it because the desk runs without pause and the courier should know nothing of the record's making; what a desk that
was taken over could sign is said in docs/audit.md. A new key never replaces one before the old key's last checkpoint has named it,
or, when nobody has the old one any more, before the record and the new key's first checkpoint say so. What is there of the old pair
is kept beside it.

    checkpoint.key.next   private half of the key that follows, until it is in place
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mailer.core.note import KEY_BYTES, NoteError, PublicKey, Signer, read_key
from mailer.errors import SetupError


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """The pair in `directory`, for the checkpoints of one `origin`."""

    directory: Path
    origin: str

    @property
    def private_path(self) -> Path:
        return self.directory / "checkpoint.key"

    @property
    def public_path(self) -> Path:
        return self.directory / "checkpoint.pub"

    @property
    def _next_path(self) -> Path:
        return self.directory / "checkpoint.key.next"

    def make(self, randbytes: Callable[[int], bytes]) -> None:
        """The first pair, unless it is there; the private half first. SetupError as `wanting`."""
        wanting = self.wanting()
        if self.private_path in wanting:
            _write(self.private_path, randbytes(KEY_BYTES).hex() + "\n", mode=0o600)
        if self.public_path in wanting:
            _write(self.public_path, f"{self._read_private(self.private_path)[0]}\n", mode=0o644)

    def wanting(self) -> list[Path]:
        """What `make` would write; SetupError when only the public half is left of a pair."""
        if not self.private_path.exists() and self.public_path.exists():
            raise self._missing()
        return [path for path in (self.private_path, self.public_path) if not path.exists()]

    def public(self) -> PublicKey:
        """SetupError when it is not there, or is no key for these checkpoints."""
        try:
            key = read_key(self.public_path.read_text(encoding="utf-8").strip())
        except FileNotFoundError as error:
            raise SetupError(
                "the key {path} is missing: bring it back from a copy; whoever verifies has one, and so has each exported bundle "
                "(public_key in manifest.json)",
                path=self.public_path,
            ) from error
        except OSError as error:
            raise SetupError("the key {path} cannot be read: {why}", path=self.public_path, why=error.strerror) from error
        except (NoteError, UnicodeDecodeError) as error:
            raise SetupError("the key {path} is damaged: bring it back from its backup", path=self.public_path) from error
        if key.name != self.origin:
            raise SetupError("the key {path} belongs to another office: {name}", path=self.public_path, name=key.name)
        return key

    def public_if_there(self) -> PublicKey | None:
        """As `public`, for whom nothing stops without it: who signs says what is wrong."""
        try:
            return self.public()
        except SetupError:
            return None

    def is_lost(self) -> bool:
        """Whether the private half is not there."""
        return not self.private_path.exists()

    def signer(self) -> Signer:
        """SetupError when the private half is missing or is not that of the public one."""
        if self.is_half_succeeded():
            raise SetupError(
                'a change of the key {path} was cut off: finish it with `mailer audit change-key --reason "…"`',
                path=self.private_path,
            )
        public, sign = self._read_private(self.private_path)
        if public != self.public():
            raise SetupError(
                "the key {path} is not the other half of checkpoint.pub: bring the two back from one backup",
                path=self.private_path,
            )
        return public, sign

    def successor(self, randbytes: Callable[[int], bytes], *, like: Path) -> Signer:
        """The pair that follows: the same one again, until `succeed`. It belongs to whom the private half does or, where that is
        lost, the file `like`: the desk must be able to read it, whoever made it. SetupError when it cannot be written."""
        if not self.has_successor():
            like = like if self.is_lost() else self.private_path
            with _told_of(self._next_path):
                _put(self._next_path, randbytes(KEY_BYTES).hex(), mode=0o600, like=like)
        return self._read_private(self._next_path)

    def has_successor(self) -> bool:
        """Whether a change or a loss was begun and is not finished."""
        return self._next_path.exists()

    def is_half_succeeded(self) -> bool:
        """Whether `succeed` was cut off: the successor's public half is in place, its private one is not."""
        return self.has_successor() and self._read_private(self._next_path)[0] == self.public()

    def succeed(self) -> None:
        """Put the successor in the old one's place, the public half first: with it, what was signed can be verified. Called once a
        checkpoint names it. What there is of the old pair is kept under its id. SetupError when it cannot be written."""
        public = self._read_private(self._next_path)[0]
        with _told_of(self.private_path):
            if public != self.public():
                for half in (self.private_path, self.public_path):
                    self._keep(half)
                _put(self.public_path, str(public), mode=0o644, like=self.public_path)
            self._next_path.replace(self.private_path)

    def _keep(self, path: Path) -> None:
        """This half of the pair that is about to go, under its id; a private one may be lost."""
        kept = path.with_name(f"checkpoint-{self.public().id.hex()}{path.suffix}")
        if path.exists() and not kept.exists():
            os.link(path, kept)

    def _read_private(self, path: Path) -> Signer:
        try:
            seed = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except FileNotFoundError as error:
            raise self._missing() from error
        except OSError as error:
            raise SetupError("the key {path} cannot be read: {why}", path=path, why=error.strerror) from error
        except ValueError:  # not hexadecimal, not even ASCII
            seed = b""
        if len(seed) != KEY_BYTES:
            raise SetupError(
                "the key {path} is damaged: bring it back from its backup; if there is none, put it aside and run "
                '`mailer audit declare-lost-key --reason "…"`',
                path=path,
            )
        return self._pair(seed)

    def _pair(self, seed: bytes) -> Signer:
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return PublicKey(name=self.origin, key=private.public_key().public_bytes_raw()), private.sign

    def _missing(self) -> SetupError:
        if not self.public_path.exists():
            return SetupError(
                "the key {path} is missing: bring it back from its backup; where there never was one, "
                "`mailer init --upgrade` makes it",
                path=self.private_path,
            )
        return SetupError(
            "the key {path} is missing: bring it back from its backup; if there is none, declare it lost: "
            '`mailer audit declare-lost-key --reason "…"`',
            path=self.private_path,
        )


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """What the system says against writing here, as a SetupError."""
    try:
        yield
    except OSError as error:
        raise SetupError("the key {path} cannot be written: {why}", path=path, why=error.strerror) from error


def _put(path: Path, text: str, *, mode: int, like: Path) -> None:
    """A line in the place of what is there, whole or not at all; it belongs to whom the file `like` does."""
    new, owner = path.with_suffix(f"{path.suffix}.new"), like.stat()
    new.unlink(missing_ok=True)
    _write(new, text + "\n", mode=mode)
    os.chown(new, owner.st_uid, owner.st_gid)
    new.replace(path)


def _write(path: Path, text: str, *, mode: int) -> None:
    """A new file, whole on the disk; FileExistsError rather than overwrite one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
