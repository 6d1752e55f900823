"""Does what the mailbox proves reach every place where letters are judged: intake, preview and explain alike?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.config.sections import PUBLIC_MAIL
from mailer.core.caution import Caution
from mailer.flow.explain import Channel, explain
from mailer.flow.intake import Intake
from mailer.flow.keeping import IntakeSettings
from mailer.flow.preview import Preview, preview
from mailer.model import Kind, Sender, SenderStanding, Trust, Verdict
from mailer.store.facts import Limits
from mailer.store.schema import letters
from tests.e2e.bureau import request
from tests.flow.desks import ZONE, Desk, until_done, unwatched
from tests.store.offices import set_up

MX = "mx.fond.example"
SHARED = frozenset(PUBLIC_MAIL)
PUBLIC = Sender(code="290003", organisation="Стоматолог", answer_to="dent@mail.ru", addresses=("dent@mail.ru",))
LIMITS = Limits(
    zone=ZONE,
    max_age=timedelta(days=14),
    sender_daily=30,
    sender_active=50,
    address_replies_daily=60,
    replies_daily=5000,
    own_address="uc@fond.example",
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    office = set_up(f"sqlite:///{tmp_path / 'mailer.db'}")
    office.register(PUBLIC)
    yield Desk(trial=office, home=tmp_path)
    office.database.close()


@pytest.mark.parametrize(
    ("address", "said", "proven"),
    [
        pytest.param("gb1@clinic.example", "dmarc=pass header.from=clinic.example", True, id="own domain by dmarc"),
        pytest.param("gb1@clinic.example", "spf=pass smtp.mailfrom=clinic.example", False, id="own domain by spf"),
        pytest.param("dent@mail.ru", "dmarc=pass header.from=mail.ru; dkim=pass header.d=mail.ru", False, id="public by dmarc"),
        pytest.param("dent@mail.ru", "auth=pass smtp.auth=dent@mail.ru", True, id="public by login"),
    ],
)
def test_the_same_is_proven_everywhere(desk: Desk, address: str, said: str, proven: bool) -> None:
    content = f"Authentication-Results: {MX}; {said}\r\n".encode() + request("Пришва А.А.", sender=address)
    desk.mailbox.drop(content)
    with desk.trial.database.reading() as tx:
        channel = Channel(trust=Trust.AUTHENTICATION_RESULTS, authserv_id=MX, shared_domains=SHARED)
        found = explain(
            tx,
            content,
            channel=channel,
            ruleset=desk.ruleset,
            own=desk.own,
            limits=LIMITS,
            now=desk.trial.clock(),
            key=desk.trial.pen.key,
        )
    assert found.reading.kind is Kind.REQUEST
    assert found.facts.sender is (SenderStanding.KNOWN if proven else SenderStanding.UNPROVEN)
    assert found.decision.verdict is (Verdict.ISSUE if proven else Verdict.HOLD)

    desk.mailbox.open()
    previewed = preview(
        desk.trial.database,
        desk.mailbox,
        "uc",
        1,
        trust=Trust.AUTHENTICATION_RESULTS,
        authserv_id=MX,
        shared_domains=SHARED,
        ruleset=desk.ruleset,
        own=desk.own,
        limits=LIMITS,
        now=desk.trial.clock(),
        key=desk.trial.pen.key,
    )
    assert previewed == Preview(waiting=1, issue=int(proven), refuse=0, hold=int(not proven))

    settings = IntakeSettings(
        mailbox="uc",
        trust=Trust.AUTHENTICATION_RESULTS,
        authserv_id=MX,
        shared_domains=SHARED,
        form=desk.ruleset.form,
        own=desk.own,
        max_bytes=desk.max_bytes,
        batch=100,
        wait_seconds=60,
        observe=False,
    )
    until_done(
        Intake(desk.trial.worker("intake:uc"), desk.mailbox, settings, Caution(), on_trouble=desk.trouble, watched=unwatched)
    )
    with desk.trial.database.reading() as tx:
        assert tx.execute(select(letters.c.proven)).scalars().all() == [proven]
    assert desk.mailbox.fetched == ([1] if proven else [])
