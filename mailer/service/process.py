"""Who is this process, and may another be taken for dead? Names of lease owners.

An owner is host, pid and start time of a process, and a word for its part. Only on the same host can it be told that an owner no
longer runs; from elsewhere its lease has to run out.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def owner(part: str) -> str:
    """The name under which this process holds leases: `host:pid:start:part`."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid)}:{part}"


def is_gone(owner_name: str) -> bool:
    """Whether this owner certainly runs no more: same host, and no process of that number and start."""
    host, _, rest = owner_name.partition(":")
    pid, _, rest = rest.partition(":")
    started = rest.partition(":")[0]
    return host == socket.gethostname() and pid.isdigit() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """Start time in clock ticks since boot (proc(5), field 22; the name in field 2 may hold anything but is in brackets)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
