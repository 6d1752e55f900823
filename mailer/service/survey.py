"""What does only the running service see of an office? Room on its disks, its keys, and a stopwatch beside the clock."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from mailer.core.alarms import OutsideSigns
from mailer.edge.keys import Keyring


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """`folders`: name of a place -> the folder it lies in. One that is gone is left out: what it held is missed elsewhere."""

    folders: dict[str, Path]
    keyring: Keyring

    def look(self, epochs: Sequence[str]) -> OutsideSigns:
        return OutsideSigns(
            free_bytes={place: shutil.disk_usage(folder).free for place, folder in self.folders.items() if folder.exists()},
            missing_keys=self.keyring.missing(epochs),
            uptime_seconds=monotonic(),
        )
