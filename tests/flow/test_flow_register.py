"""What a person changes in the register: what stands in tables, record and letters afterwards, and what the next letter meets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.core import registerplan
from mailer.core.registerplan import Edit
from mailer.errors import RefusedError
from mailer.flow.override import register as override
from mailer.flow.override import requests as decisions
from mailer.flow.override.closing import Reach
from mailer.flow.override.register import Hands
from mailer.model import Sender
from mailer.states import CredentialState, LoginEffect
from mailer.store import credentials, places, senders, worklist
from mailer.store.requests import Request
from mailer.store.schema import accounts_local
from mailer.store.schema import senders as sender_rows
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import body, header, request
from tests.flow.desks import CLINIC, DENTIST, Desk, until_done
from tests.store.offices import START, Trial

NEW_ADDRESS = "new@clinic.example"
STRANGER = "office@new-clinic.example"
WHY = "по письму организации"


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def hands(desk: Desk) -> Hands:
    return Hands(stationery=desk.stationery, accounts=places)


def ask(desk: Desk, person: str, number: int, sender: Sender = CLINIC) -> Request:
    """What was decided of a letter, issued and sent where it was approved."""
    desk.take(request(person, sender.addresses[0], number))
    desk.run()
    return newest(desk)


def newest(desk: Desk) -> Request:
    with desk.trial.database.reading() as tx:
        return worklist.page(tx, Wanted(), Page(limit=1)).requests[0]


def row(desk: Desk, code: str = CLINIC.code) -> Sender:
    with desk.trial.database.reading() as tx:
        return senders.get(tx, code)


def logins(desk: Desk, code: str = CLINIC.code) -> list[tuple[CredentialState, bool]]:
    """States of the sender's credentials, and whether their accounts are enabled."""
    with desk.trial.database.reading() as tx:
        enabled = {one.credential_id: one.enabled for one in tx.execute(select(accounts_local))}
        return [(one.state, enabled[one.id]) for one in credentials.of_sender(tx, code, list(CredentialState))]


def edit(desk: Desk, wanted: Edit) -> None:
    override.edit(desk.trial.worker(), hands(desk), CLINIC.code, wanted, reason=WHY)


def test_a_left_answer_address_is_told_and_the_first_issue_to_the_new_one_waits(desk: Desk) -> None:
    assert ask(desk, "Пришва А.А.", 1).verdict == "issue"
    edit(desk, Edit(answer_to=NEW_ADDRESS))
    desk.send()
    envelope, content = desk.postman.sent[-1]
    assert envelope.recipient == CLINIC.answer_to
    assert header(content, "Subject") == "Изменён адрес для ответов фонда"
    assert not [name for name in ("Больница", "Пришва", NEW_ADDRESS, CLINIC.code) if name in body(content)]
    first, second = ask(desk, "Ли К.", 2), ask(desk, "Юрьева Я.Я.", 3)
    assert [(one.verdict, one.reason) for one in (first, second)] == [("hold", "address-changed")] * 2
    assert desk.events().count("notice.queued") == 1


def test_it_waits_though_nothing_was_ever_issued_to_the_old_address(desk: Desk) -> None:
    edit(desk, Edit(answer_to=NEW_ADDRESS))
    assert ask(desk, "Ли К.", 1).reason == "address-changed"


def test_other_edits_hold_nothing_and_write_to_nobody(desk: Desk) -> None:
    edit(desk, Edit(organisation="Клиника", add_addresses=("second@clinic.example",)))
    other = replace(CLINIC, addresses=("second@clinic.example",))
    assert ask(desk, "Пришва А.А.", 1, other).verdict == "issue"
    assert [envelope.recipient for envelope, _content in desk.postman.sent] == [CLINIC.answer_to]


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (LoginEffect.KEEP, (CredentialState.ACTIVE, True)),
        (LoginEffect.SUSPEND, (CredentialState.SUSPENDED, False)),
        (LoginEffect.REVOKE, (CredentialState.REVOKED, False)),
    ],
)
def test_blocking_does_to_living_logins_what_was_chosen(
    desk: Desk, effect: LoginEffect, expected: tuple[CredentialState, bool]
) -> None:
    ask(desk, "Пришва А.А.", 1)
    with desk.trial.database.reading() as tx:
        wanted = override.closing.reach(tx, CLINIC.code, effect)
    _change, reached = override.block(desk.trial.worker(), hands(desk), CLINIC.code, until=None, effect=effect, reason=WHY)
    assert reached == wanted == (Reach(kept=1) if effect is LoginEffect.KEEP else Reach(logins=1))
    assert logins(desk) == [expected]
    assert ask(desk, "Ли К.", 2).reason == "blocked-sender"


def test_a_block_with_an_end_lifts_by_itself(desk: Desk) -> None:
    until = START.replace(day=25)
    override.block(desk.trial.worker(), hands(desk), CLINIC.code, until=until, effect=LoginEffect.KEEP, reason=WHY)
    assert ask(desk, "Ли К.", 1).verdict == "refuse"
    desk.trial.clock.now = until
    assert ask(desk, "Ли К.", 2).verdict == "refuse"
    desk.trial.clock.move(seconds=1)
    assert ask(desk, "Ли К.", 3).verdict == "issue"


def test_what_is_approved_and_not_begun_waits_for_a_person_when_its_sender_is_blocked(desk: Desk) -> None:
    desk.take(request("Ли К.", CLINIC.answer_to, 1))
    until_done(desk.answer())
    assert newest(desk).state.value == "approved"
    _change, reached = override.block(
        desk.trial.worker(), hands(desk), CLINIC.code, until=None, effect=LoginEffect.KEEP, reason=WHY
    )
    desk.run()
    assert reached == Reach(requests=1)
    assert (newest(desk).state.value, newest(desk).reason) == ("held", "sender-blocked")
    assert logins(desk) == []


def test_what_was_approved_again_after_it_could_not_be_issued_waits_for_a_person_too(desk: Desk) -> None:
    desk.fail_to_issue(request("Ли К.", CLINIC.answer_to, 1))
    assert newest(desk).reason == "issuing-failed"
    decisions.approve(desk.trial.worker(), desk.policy(), [newest(desk).id], reason=WHY)
    _change, reached = override.block(
        desk.trial.worker(), hands(desk), CLINIC.code, until=None, effect=LoginEffect.KEEP, reason=WHY
    )
    desk.trial.clock.move(minutes=5)
    desk.run()
    assert reached == Reach(requests=1)
    assert (newest(desk).state.value, newest(desk).reason) == ("held", "sender-blocked")
    assert desk.postman.sent == []


def test_unblocking_takes_letters_again_once(desk: Desk) -> None:
    worker = desk.trial.worker()
    override.block(worker, hands(desk), CLINIC.code, until=None, effect=LoginEffect.KEEP, reason=WHY)
    override.unblock(worker, hands(desk), CLINIC.code, reason=WHY)
    assert row(desk) == CLINIC
    with pytest.raises(RefusedError, match="290001 is not blocked"):
        override.unblock(worker, hands(desk), CLINIC.code, reason=WHY)
    assert ask(desk, "Ли К.", 1).verdict == "issue"


@pytest.mark.parametrize(
    "meddled",
    [
        pytest.param({"blocked": False}, id="unblocked"),
        pytest.param({"blocked_until": START.replace(year=2020)}, id="ended"),
        pytest.param({"block_reason": "x"}, id="another-reason"),
        pytest.param({"answer_changed_at": START}, id="another-change"),
    ],
)
def test_who_only_writes_the_database_lifts_no_block(desk: Desk, meddled: dict[str, object]) -> None:
    override.block(desk.trial.worker(), hands(desk), CLINIC.code, until=None, effect=LoginEffect.KEEP, reason=WHY)
    with desk.trial.database.writing() as tx:
        tx.execute(update(sender_rows).where(sender_rows.c.code == CLINIC.code).values(**meddled))
    assert ask(desk, "Ли К.", 1).reason == "unknown-sender"
    with pytest.raises(RefusedError, match="not as it was last written"):
        override.unblock(desk.trial.worker(), hands(desk), CLINIC.code, reason=WHY)


def test_a_meddled_row_is_written_anew_by_adding_it_and_its_first_issue_waits(desk: Desk) -> None:
    with desk.trial.database.writing() as tx:
        tx.execute(update(sender_rows).where(sender_rows.c.code == CLINIC.code).values(answer_to="thief@evil.example"))
    override.add(desk.trial.worker(), CLINIC, reason=WHY)
    assert ask(desk, "Ли К.", 1).reason == "address-changed"
    assert [envelope.recipient for envelope, _content in desk.postman.sent] == [], (
        "nobody writes to an address that a stranger put there"
    )


def test_merging_leads_letters_of_one_code_to_the_other(desk: Desk) -> None:
    ask(desk, "Ли К.", 1, DENTIST)
    reached = override.merge(desk.trial.worker(), hands(desk), DENTIST.code, CLINIC.code, effect=LoginEffect.REVOKE, reason=WHY)
    assert reached == Reach(logins=1)
    assert logins(desk, DENTIST.code) == [(CredentialState.REVOKED, False)]
    assert ask(desk, "Юрьева Я.Я.", 2, DENTIST).sender_code == CLINIC.code
    assert registerplan.is_closed(row(desk, DENTIST.code))
    assert row(desk).points == DENTIST.points


def test_a_sender_is_registered_from_the_letter_that_waits_for_it(desk: Desk) -> None:
    stranger = Sender(code="290003", organisation="Новая клиника", answer_to=STRANGER, addresses=(STRANGER,))
    held = ask(desk, "Ли К.", 1, stranger)
    assert (held.state.value, held.sender_code) == ("held", None)
    with desk.trial.database.reading() as tx:
        assert override.asking(tx, held.id) == STRANGER
    override.add(desk.trial.worker(), stranger, reason=WHY, request=held.id)
    assert ask(desk, "Юрьева Я.Я.", 2, stranger).verdict == "issue"
    with pytest.raises(RefusedError, match="already"):
        override.add(desk.trial.worker(), stranger, reason=WHY)


def test_a_request_of_a_registered_sender_registers_nobody(desk: Desk) -> None:
    answered = ask(desk, "Ли К.", 1)
    with desk.trial.database.reading() as tx, pytest.raises(RefusedError, match="is not held for want of"):
        override.asking(tx, answered.id)


def test_a_file_that_replaces_the_register_may_hand_an_address_on_and_closes_who_is_not_in_it(desk: Desk) -> None:
    ask(desk, "Ли К.", 1, DENTIST)
    extra = Sender(code="290009", organisation="Третья", answer_to="c@x.example", addresses=("c@x.example",))
    desk.trial.register(extra)
    rows = [replace(CLINIC, addresses=extra.addresses), replace(extra, addresses=CLINIC.addresses)]
    worker = desk.trial.worker()
    with desk.trial.database.reading() as tx:
        plan = override.planned(tx, rows, worker.pen.key, replaces=True)
    override.import_file(
        worker, hands(desk), rows, plan, replaces=True, effect=LoginEffect.SUSPEND, reason=WHY, file_digest="0" * 64
    )
    assert (row(desk).addresses, row(desk, "290009").addresses) == (extra.addresses, CLINIC.addresses)
    assert (row(desk, DENTIST.code).blocked, row(desk, DENTIST.code).block_reason) == (True, WHY)
    assert logins(desk, DENTIST.code) == [(CredentialState.SUSPENDED, False)]
    with desk.trial.database.reading() as tx:
        assert senders.faults(tx, worker.pen.key) == {}


def test_an_import_that_is_no_longer_what_was_seen_changes_nothing(desk: Desk) -> None:
    rows = [replace(CLINIC, organisation="Другая")]
    worker = desk.trial.worker()
    with desk.trial.database.reading() as tx:
        seen = override.planned(tx, rows, worker.pen.key, replaces=False)
    edit(desk, Edit(organisation="Третья"))
    told = desk.events()
    with pytest.raises(RefusedError, match="changed meanwhile"):
        override.import_file(
            worker, hands(desk), rows, seen, replaces=False, effect=LoginEffect.KEEP, reason="", file_digest="0" * 64
        )
    assert row(desk).organisation == "Третья"
    assert desk.events() == told
