"""The fuzzer's process: `python -m tests.fuzz.target (raw | pieces) [option or corpus of libFuzzer]...`; see `make fuzz`.

    raw       the bytes are the letter
    pieces    the bytes choose the pieces that a letter is built of (`pieces.py`)

What breaks a promise is kept in `found/`, the shortest letter of each, and the search goes on; a hang or a burst of memory ends it
(libFuzzer writes those inputs where `-artifact_prefix` says).
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mailer.core", "authres"], enable_loader_override=False):
    from tests.fuzz.invariants import Known, check
    from tests.fuzz.pieces import Built, build

FOUND = Path(__file__).parent / "found"
SLOW_SECONDS = 0.3  # of the processor, under a fuzzer that makes everything some three times slower; inputs have 4 KiB
BUILDERS: dict[str, Callable[[bytes], Built]] = {
    "raw": lambda data: Built(content=data, known=Known()),
    "pieces": build,
}


class Search:
    """Tries every input, and keeps the shortest letter for each promise that is broken."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._kept: dict[str, Path] = {}

    def __call__(self, data: bytes) -> None:
        built = BUILDERS[self._mode](data)
        started = time.process_time()
        try:
            check(built.content, built.known)
        except Exception as error:
            self._keep(built, _named(error), "".join(traceback.format_exception(error)))
        if time.process_time() - started > SLOW_SECONDS:
            self._keep(built, "slow", f"It took more than {SLOW_SECONDS} s.\n")

    def _keep(self, built: Built, what: str, why: str) -> None:
        before = self._kept.get(what)
        if before is not None and before.stat().st_size <= len(built.content):
            return
        letter = FOUND / f"{self._mode}-{what}-{hashlib.sha256(built.content).hexdigest()[:8]}.eml"
        letter.write_bytes(built.content)
        letter.with_suffix(".json").write_text(json.dumps(asdict(built.known), ensure_ascii=False) + "\n", encoding="utf-8")
        if before is not None:
            before.unlink()
            before.with_suffix(".json").unlink()
        self._kept[what] = letter
        print(f"\nFOUND: {letter.name}, {len(built.content)} bytes\n{why}", flush=True)


def _named(error: Exception) -> str:
    """One name for one defect: the promise, or the error and where it came from."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    said = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__} {Path(last.filename).stem} {last.name}"
    return re.sub(r"\W+", "-", said.partition("\n")[0]).strip("-")[:100]


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], Search(sys.argv[1]))
    atheris.Fuzz()
