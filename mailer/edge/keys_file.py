"""How does a key lie in its file? One line of hexadecimal, written whole or not at all, and overwritten before it goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from mailer.core.custody import KeyKind, loss
from mailer.errors import SetupError

KEY_BYTES: Final = 32


def key_in(content: bytes) -> bytes | None:
    """The key that a file with this content holds, None when it is no key file."""
    try:
        key = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


def read(kind: KeyKind, path: Path) -> bytes:
    """SetupError says what is missing or damaged, and what that costs."""
    try:
        key = key_in(path.read_bytes())
    except FileNotFoundError as error:
        raise SetupError("the key {path} is missing: {loss}", path=path, loss=loss(kind)) from error
    except OSError as error:
        raise SetupError("the key {path} cannot be read: {why}", path=path, why=error) from error
    if key is None:
        raise SetupError("the key {path} is damaged: it must hold {bytes} bytes in hexadecimal", path=path, bytes=KEY_BYTES)
    return key


def destroy(path: Path) -> None:
    """Overwritten in place, flushed, then removed. What a file system or a disk keeps of older blocks is beyond our reach."""
    try:
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SetupError("the key {path} cannot be destroyed: {why}", path=path, why=error.strerror) from error


def make(path: Path, key: bytes, *, mode: int = 0o600) -> None:
    """As `write`, in a folder that may have to be made too; SetupError says why it cannot."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write(path, key, mode=mode)
    except OSError as error:
        raise SetupError("the key {path} cannot be made: {why}", path=path, why=error.strerror) from error


def write(path: Path, key: bytes, *, mode: int = 0o600) -> None:
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
