"""What issuing a credential costs: the whole step in batches on SQLite, and what its stages take of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mailer.core import evidence, mime, reply, secret
from mailer.core.letterhead import Letterhead
from mailer.core.reply import IssuedValues
from mailer.core.secret import PROFILES
from mailer.edge.keys import Binding
from mailer.flow.reserving import BATCH
from mailer.flow.stationery import pack
from mailer.model import Envelope, PersonName, Sender
from mailer.store import requests
from tests.bench.figures import Figure, timed
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, Desk, until_done
from tests.flow.test_flow_places import fill
from tests.store.offices import INSTANCE, set_up

ISSUE_GOAL = 0.6e-3
SEAL_GOAL = 0.1e-3
ROUNDS = 12
SENDERS = 100
SURNAME = "Иванов"
WANTED = (ROUNDS + 2) * BATCH


def figures() -> list[Figure]:
    with _office("local") as desk:
        found = [*_stages(desk), _step(desk)]
    with _office("pool") as desk:
        fill(desk, {f"uc-{number}": f"p{number}" for number in range(WANTED)})
        found.append(_step(desk))
    return found


@contextmanager
def _office(kind: str) -> Iterator[Desk]:
    with TemporaryDirectory() as home:
        trial = set_up(f"sqlite:///{Path(home) / 'mailer.db'}")
        yield Desk(trial=trial, home=Path(home), kind=kind, breaker=1_000_000, replies_daily=1_000_000, low_stock=0)
        trial.database.close()


def _step(desk: Desk) -> Figure:
    """Reserve and carry out; the figure is for one credential."""
    clinics = [_clinic(number) for number in range(SENDERS)]
    desk.trial.register(*clinics)
    people = [f"{SURNAME} {first}.{second}." for first in "АБВГДЕЖЗИКЛМНОПРСТ" for second in "АБВГДЕЖЗИКЛМНОПРСТ"]
    wanted = [(person, clinic.answer_to) for clinic in clinics for person in people[: WANTED // SENDERS]]
    desk.take(*(request(person, address, number) for number, (person, address) in enumerate(wanted)))
    until_done(desk.answer())
    issue = desk.issue()

    def batch() -> None:
        assert issue.step(), "a batch was waiting"

    each = timed(f"the step, {desk.kind}, in batches of {BATCH}", batch, times=ROUNDS, goal=ISSUE_GOAL * BATCH)
    with desk.trial.database.reading() as tx:
        left = requests.count_due_for_issue(tx, desk.trial.clock())
    assert left == len(wanted) - (ROUNDS + 1) * BATCH, "every batch was a full one"
    return Figure(what="one credential: " + each.what, median=each.median / BATCH, high=each.high / BATCH, goal=ISSUE_GOAL)


def _stages(desk: Desk) -> list[Figure]:
    chance = random.Random(1)
    envelope = Envelope(sender="uc@fond.example", recipient=CLINIC.answer_to)
    values = IssuedValues(
        fund_name="ТФОМС АО",
        contact="отдел",
        portal_url="https://portal.example/",
        organisation=CLINIC.organisation,
        request_number=1,
        received_at=desk.trial.clock(),
        person=PersonName(surname=SURNAME, initials="И.И."),
        login="tmp-29-bdfghjkm",
        password=secret.password(PROFILES["default"], chance.randrange),
        valid_until=desk.trial.clock(),
    )
    head = Letterhead(
        envelope=envelope,
        from_name="ТФОМС АО",
        from_address="uc@fond.example",
        message_id="<1@fond.example>",
        at=desk.trial.clock(),
        loop_mark="1",
        in_reply_to="<2@clinic.example>",
        references=(),
    )
    packed = pack(envelope, reply.compose(desk.stationery.templates, "issued", values, head))
    epoch = desk.keyring.epochs()[-1]
    binding = Binding(instance=INSTANCE, reply_id="1" * 32, credential_id="2" * 32, epoch=epoch, recipient=CLINIC.answer_to)
    record = evidence.Record(event="credential.issued", actor="desk", sender="290001", request=1, details={"credential": "2" * 32})
    letter = request(f"{SURNAME} И.И.", CLINIC.answer_to, 1)
    stages: dict[str, Callable[[], object]] = {
        "a password": lambda: secret.password(PROFILES["default"], chance.randrange),
        "the request's letter read for its answer": lambda: mime.answerable(letter),
        "the answer rendered": lambda: reply.compose(desk.stationery.templates, "issued", values, head),
        "a record sealed": lambda: evidence.seal(record, seq=1, at=desk.trial.clock(), nonce=b"n" * 16, key=b"r" * 32),
    }
    return [
        *(timed(what, stage, times=1_000) for what, stage in stages.items()),
        timed("the answer sealed", lambda: desk.keyring.seal(packed, binding), times=1_000, goal=SEAL_GOAL),
    ]


def _clinic(number: int) -> Sender:
    address = f"ib@issuing{number}.example"
    return replace(CLINIC, code=f"29{number:04}", answer_to=address, addresses=(address,), organisation=f"Больница № {number}")
