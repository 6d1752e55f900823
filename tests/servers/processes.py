"""Which processes run below a supervisor, and does one still live? Read from /proc, past the program."""

from __future__ import annotations

from pathlib import Path


def parts(supervisor: int) -> dict[str, int]:
    """The children of a supervisor: desk and courier by their process numbers."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue  # it ended while we looked
        if parent == supervisor and b"--only" in words:
            found["courier" if words[words.index(b"--only") + 1] == b"deliver" else "desk"] = int(entry.name)
    return found


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False
