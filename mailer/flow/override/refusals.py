"""What did a person ask for in vain? A command that is refused, or that fails, changes nothing but this: the record tells of it."""

from __future__ import annotations

from collections.abc import Sequence

from mailer.errors import MailerError, NotFoundError, RefusedError, SetupErrors
from mailer.store.work import Worker


def tell(worker: Worker, command: str, about: Sequence[object], error: MailerError) -> None:
    """`command`: as it is typed; `about`: the numbers, codes or logins it names. The values in the error's sentence are left out:
    some are names."""
    problems = error.problems if isinstance(error, SetupErrors) else (error,)
    told = {
        "command": command,
        "about": [str(one) for one in about],
        "why": "; ".join(dict.fromkeys(one.message for one in problems)),
    }
    with worker.writing() as unit:
        if isinstance(error, RefusedError | NotFoundError):
            unit.tell("command.refused", importance="notice", outcome="refused", decided=told)
        else:
            unit.tell("command.failed", importance="notice", outcome="failed", decided=told)
