"""How does a command write a file? For its owner alone, never over one that is there, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mailer.errors import RefusedError, SetupError


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file for its owner alone, that was not there; gone again unless all of it was written."""
    try:
        target = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: SIM115  closed below
    except FileExistsError as error:
        raise RefusedError("{path} exists already and is not overwritten", path=path) from error
    except OSError as error:
        raise SetupError("{path} cannot be written: {why}", path=path, why=error.strerror) from error
    try:
        with target:
            yield target
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        path.unlink()
        raise SetupError("{path} cannot be written: {why}", path=path, why=error.strerror) from error
    except BaseException:
        path.unlink()
        raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder for its owner alone, that was not there; gone again unless all of it was written."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError as error:
        raise RefusedError("{path} exists already and is not overwritten", path=path) from error
    except OSError as error:
        raise SetupError("{path} cannot be written: {why}", path=path, why=error.strerror) from error
    try:
        yield path
    except OSError as error:
        shutil.rmtree(path)
        raise SetupError("{path} cannot be written: {why}", path=path, why=error.strerror) from error
    except BaseException:
        shutil.rmtree(path)
        raise
