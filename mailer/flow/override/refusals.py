"""What did a person ask for in vain? A command that is refused changes nothing but this: the record tells of it."""

from __future__ import annotations

from collections.abc import Sequence

from mailer.errors import MailerError
from mailer.store.work import Worker


def tell(worker: Worker, command: str, about: Sequence[object], error: MailerError) -> None:
    """`command`: as it is typed; `about`: the numbers, codes or logins it names. The values in the error's sentence are left out:
    some are names."""
    with worker.writing() as unit:
        unit.tell(
            "command.refused",
            importance="notice",
            outcome="refused",
            command=command,
            about=[str(one) for one in about],
            why=error.message,
        )
