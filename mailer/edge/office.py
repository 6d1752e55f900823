"""Where do the office's own texts lie? Rules and reply templates as files: the packaged ones, or the office's edited copies."""

from __future__ import annotations

import shutil
from pathlib import Path

from mailer.errors import SetupError

PACKAGE = Path(__file__).parent.parent


def packaged(name: str) -> Path:
    """`rules` or `templates` as shipped: inside an installed package, or at the top of a checkout."""
    inside = PACKAGE / "packaged" / name
    return inside if inside.exists() else PACKAGE.parent / name


def rule_texts(directory: Path | None) -> dict[str, str]:
    """File name -> text of every `NN-topic.toml`."""
    folder = directory or packaged("rules")
    return {path.name: _text(path) for path in _listed(folder, "[0-9][0-9]-*.toml", "rules")}


def template_texts(directory: Path | None) -> dict[str, str]:
    """`issued/subject.txt` and the like -> text, for every file under `reply/`."""
    folder = (directory or packaged("templates")) / "reply"
    return {path.relative_to(folder).as_posix(): _text(path) for path in _listed(folder, "**/*.txt", "templates")}


def act_text(directory: Path | None) -> str:
    """The template of the act about destroyed personal data: the office's own, if its folder holds one."""
    place = Path("personal") / "act.txt"
    own = directory / place if directory else None
    return _text(own if own is not None and own.exists() else packaged("templates") / place)


def eject(name: str, target: Path) -> None:
    """Copy the packaged rules or templates out for editing; FileExistsError when something is there."""
    shutil.copytree(packaged(name), target)


def _listed(folder: Path, pattern: str, what: str) -> list[Path]:
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise SetupError(
            "[{what}] directory: there are no {pattern} files in {folder}; `mailer init --eject` copies the packaged ones out",
            what=what,
            pattern=pattern,
            folder=folder,
        )
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError("the file {path} cannot be read: {why}", path=path, why=error) from error
