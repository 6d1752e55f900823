"""The command line: one module per noun. Text for people passes through gettext; exit codes tell scripts what happened.

0 done · 1 a negative answer · 2 usage or configuration · 3 refused by policy · 4 waits for a second person · 5 the record cannot
be written. Heavy imports are made inside the commands, so that `mailer --help` starts fast.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from io import TextIOWrapper


def main() -> None:
    """The program's entry. A short command makes much and frees nothing: collecting garbage would be a third of its time."""
    gc.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold keys and passwords
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # none are ours; looking for some reads every installed package
    from mailer.cli.app import run

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal of another charset shows what it can
    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)
