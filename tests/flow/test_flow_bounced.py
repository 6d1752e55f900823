"""What a bounce changes, and what it does not: letters as mail programs write them, and as somebody makes them up."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.core import evidence
from mailer.core.accounts import Standing
from mailer.core.lifecycle import RequestEvent
from mailer.core.secret import Secret
from mailer.flow.override import credentials as override
from mailer.flow.report import requests as report
from mailer.model import Delivery, Sender
from mailer.states import CredentialState, LetterState, ReplyState, RequestState
from mailer.store import accounts_local, audit, credentials, letters, outbox, personal, requests, worklist
from mailer.store.work import Unit
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import header, request
from tests.flow.desks import Desk, password_in, until_done
from tests.store.offices import START, Trial

BOUNCES = Path(__file__).parents[1] / "bounces"
ID = "5f1c0de94b7a4e21a0c3d6f8e9b71234"  # of our reply in the letters of `tests/bounces`
CLINIC = Sender(code="290009", organisation="Поликлиника", answer_to="ib@clinic.example", addresses=("ib@clinic.example",))
ADDRESS = CLINIC.answer_to
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{76}\n)+[A-Za-z0-9+/=]{0,76}\n")
FAILED = "01-postfix-failed"


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    trial.register(CLINIC)
    return Desk(trial=trial, home=tmp_path, bounce_address="mailer+{id}@fond.example")


def issued(desk: Desk, person: str = "Пришва А.А.", number: int = 1) -> None:
    """A request is answered, up to the reply that is ready to leave."""
    desk.take(request(person, ADDRESS, number))
    until_done(desk.answer())
    until_done(desk.issue())


def answered(desk: Desk, person: str = "Пришва А.А.", number: int = 1) -> str:
    """The id of the reply that has left."""
    issued(desk, person, number)
    desk.send()
    return newest_reply(desk)


def newest_reply(desk: Desk) -> str:
    with desk.trial.database.reading() as tx:
        (newest,) = worklist.page(tx, Wanted(), Page(limit=1)).requests
        return outbox.of_request(tx, newest.id)[-1].id


def bounce(reply_id: str, name: str = FAILED) -> bytes:
    """A letter of `tests/bounces`, as if it were about this reply; also where the id stands inside base64."""
    content = (BOUNCES / f"{name}.eml").read_bytes()
    for encoded in BASE64.findall(content):
        inside = base64.b64decode(encoded)
        if ID.encode() in inside:
            content = content.replace(encoded, base64.encodebytes(inside.replace(ID.encode(), reply_id.encode())))
    return content.replace(b"\n", b"\r\n").replace(ID.encode(), reply_id.encode())


def returned(desk: Desk, *contents: bytes) -> None:
    desk.take(*contents)
    until_done(desk.bounced())


def reply_state(desk: Desk, reply_id: str) -> ReplyState:
    with desk.trial.database.reading() as tx:
        return outbox.get(tx, reply_id).state


def credential_states(desk: Desk) -> list[CredentialState]:
    """By the request that they were issued for."""
    with desk.trial.database.reading() as tx:
        return [found.state for found in sorted(credentials.newest(tx, 100), key=lambda one: one.request_id)]


def reissues(desk: Desk) -> list[tuple[int | None, str, str | None]]:
    with desk.trial.database.reading() as tx:
        found = report.listed(tx, Wanted(), Page(limit=100)).lines
    return [(line.reissue_of, line.state, line.reason) for line in found if line.rule_id == "reissue"]


def reasons(desk: Desk) -> list[str | None]:
    """Of bounces, oldest first; None: put off."""
    with desk.trial.database.reading() as tx:
        return [kept.reason for kept in reversed(letters.newest(tx, 100)) if kept.kind.value == "bounce"]


def told(desk: Desk, event: str) -> list[dict[str, Any]]:
    with desk.trial.database.reading() as tx:
        sealed = [one for one in audit.page(tx, after=0) if evidence.read_header(one)["event"] == event]
    return [evidence.read_header(one) | evidence.read_details(one) for one in sealed]


def world(desk: Desk) -> list[Any]:
    """Everything that a bounce could change, besides its own letter."""
    tables = ("requests", "credentials", "replies", "accounts_local", "pool_pairs", "senders", "personal")
    with desk.trial.database.reading() as tx:
        return [sorted(map(str, tx.execute(text(f"SELECT * FROM {table}")))) for table in tables]


def write(desk: Desk, statement: str) -> None:
    """Somebody who can only write the database."""
    with desk.trial.database.writing() as tx:
        tx.execute(text(statement))


MATCHED = {
    "01-postfix-failed": "bounced",
    "02-postfix-delayed": "not-failed",
    "03-postfix-expired": "bounced",
    "04-postfix-delivered": "not-failed",
    "05-sendmail-several": "bounced",
    "06-exim-failed": "bounced",
    "07-exim-old-failed": "bounced",
    "08-exim-old-delayed": "not-failed",
    "09-exchange-failed": "bounced",
    "10-exchange-2003-failed": "bounced",
    "11-exchange-55-text": "bounced",
    "12-exchange-russian-text": "bounced",
    "13-qmail": "bounced",
    "14-qmail-copy-cut": "bounced",
    "15-gateway-base64-status": "bounced",
    "16-quoted-printable-status": "bounced",
    "17-wrapped-by-gateway": "bounced",
    "18-copy-cut": "bounced",
    "19-global": "another-recipient",
    "20-forged-recipient": "another-recipient",
    "22-postmasters-own-words": "nothing-said",
    "23-gmail-delayed": "not-failed",
    "24-status-without-final-recipient": "bounced",
}


def test_each_letter_of_the_collection_is_expected_here() -> None:
    assert sorted(path.stem for path in BOUNCES.glob("*.eml")) == sorted([*MATCHED, "21-read-receipt"])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "finding"), MATCHED.items(), ids=MATCHED)
def test_what_mail_programs_write_is_matched_to_our_reply(desk: Desk, name: str, finding: str) -> None:
    reply_id = answered(desk)
    before = world(desk)
    returned(desk, bounce(reply_id, name))
    assert reasons(desk) == [finding]
    if finding == "bounced":
        assert reply_state(desk, reply_id) is ReplyState.BOUNCED
        assert credential_states(desk) == [CredentialState.SUSPENDED]
        assert reissues(desk) == [(1, "held", "answer-bounced")]
        assert desk.events()[-3:] == ["reply.bounced", "credential.suspended", "request.held"]
    else:
        assert world(desk) == before
        assert desk.events()[-1] == "letter.ignored"
    desk.run()
    assert len(desk.postman.sent) == 1, "nothing is ever answered to a bounce"


def test_a_read_receipt_is_no_bounce_and_not_even_kept(desk: Desk) -> None:
    reply_id = answered(desk)
    before = world(desk)
    returned(desk, bounce(reply_id, "21-read-receipt"))
    assert (reasons(desk), world(desk)) == ([], before)


def test_the_login_of_a_bounced_answer_is_no_longer_valid(desk: Desk) -> None:
    reply_id = answered(desk)
    login, password = password_in(desk.postman.sent[0][1])
    with desk.trial.database.reading() as tx:
        assert desk.local.check(tx, login, Secret(password), desk.trial.clock()) is Standing.VALID
    returned(desk, bounce(reply_id))
    with desk.trial.database.reading() as tx:
        assert desk.local.check(tx, login, Secret(password), desk.trial.clock()) is Standing.ENDED


def only_report(reply_id: str) -> bytes:
    """No id anywhere but in the report's words."""
    return b"".join(
        line for line in bounce(reply_id).splitlines(keepends=True) if reply_id.encode() not in line or line.startswith(b"Subject")
    )


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        pytest.param(lambda _: bounce(ID), "no-such-reply", id="an id nobody was given"),
        pytest.param(only_report, "no-such-reply", id="the right address, no id"),
        pytest.param(lambda one: bounce(one[:-1] + ("0" if one[-1] != "0" else "1")), "no-such-reply", id="an id off by one"),
        pytest.param(
            lambda one: bounce(one).replace(b"ib@clinic", b"gb1@clinic"), "another-recipient", id="the address of another sender"
        ),
        pytest.param(
            lambda one: bounce(one).replace(b"ib@clinic.example", b"ib@clinic.example.evil.example"),
            "another-recipient",
            id="an address that begins like ours",
        ),
        pytest.param(lambda one: bounce(one).replace(b"Action: failed", b"Action: relayed"), "not-failed", id="it was relayed"),
        pytest.param(
            lambda one: bounce(one, "22-postmasters-own-words") + one.encode(), "nothing-said", id="a postmaster who tells a story"
        ),
    ],
)
def test_a_forged_bounce_changes_nothing(desk: Desk, letter: Callable[[str], bytes], reason: str) -> None:
    reply_id = answered(desk)
    before = world(desk)
    returned(desk, letter(reply_id))
    assert (reasons(desk), world(desk)) == ([reason], before)
    assert desk.events()[-1] == "letter.ignored"


def test_the_record_of_a_bounce_holds_no_words_and_no_addresses(desk: Desk) -> None:
    reply_id = answered(desk)
    returned(desk, bounce(reply_id, "02-postfix-delayed"), bounce(reply_id, "13-qmail"))
    (late,), (back,) = told(desk, "letter.ignored"), told(desk, "reply.bounced")
    assert (late["reason"], late["said"][:8], late["request"]) == ("not-failed", "delayed ", 1)
    assert back["said"] == "failed 5.1.1, failed 5.1.1"
    with desk.trial.database.reading() as tx:
        stored = b"".join(one.header + one.details for one in audit.page(tx, after=0))
    assert b"clinic.example" not in stored
    assert b"does not like" not in stored


@pytest.mark.parametrize(
    "meddling",
    [
        pytest.param("UPDATE replies SET message_id = '<x@fond.example>' WHERE id = '{id}'", id="message-id"),
        pytest.param("UPDATE replies SET credential_id = NULL WHERE id = '{id}'", id="credential"),
        pytest.param("UPDATE personal SET value = 'gb1@clinic.example' WHERE value = 'ib@clinic.example'", id="recipient"),
        pytest.param("UPDATE replies SET recipient_id = request_id WHERE id = '{id}'", id="row of the recipient"),
    ],
)
def test_a_reply_that_is_not_as_it_was_written_is_not_matched(desk: Desk, meddling: str) -> None:
    reply_id = answered(desk)
    write(desk, meddling.format(id=reply_id))
    before = world(desk)
    returned(desk, bounce(reply_id))
    assert world(desk) == before
    assert reasons(desk)[0] in {"no-such-reply", "another-recipient"}


def test_a_reply_that_only_the_database_calls_sent_does_not_bounce(desk: Desk) -> None:
    issued(desk)
    reply_id = newest_reply(desk)
    write(desk, "UPDATE replies SET state = 'sent'")
    returned(desk, bounce(reply_id))
    assert reasons(desk) == ["not-sent"]


def test_a_bounce_that_only_the_database_holds_is_quarantined_and_stops_no_other(desk: Desk) -> None:
    reply_id = answered(desk)
    desk.mailbox.drop(bounce(ID), bounce(reply_id))
    until_done(desk.intake())
    write(desk, "UPDATE letters SET content = (SELECT content FROM letters WHERE id = 3) WHERE id = 2")
    until_done(desk.bounced())
    assert reply_state(desk, reply_id) is ReplyState.BOUNCED
    with desk.trial.database.reading() as tx:
        assert letters.get(tx, 2).state is LetterState.QUARANTINED
    assert desk.events()[-1] == "letter.quarantined"
    assert len(desk.troubles) == 4, "once in company, three times alone"


def test_a_request_that_is_called_a_bounce_is_read_by_nobody(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    write(desk, "UPDATE letters SET kind = 'bounce'")
    desk.run()
    assert desk.events() == ["letter.kept", "letter.quarantined"]


def test_a_bounced_answer_in_the_midst_of_sending_waits_until_it_is_noted(desk: Desk) -> None:
    issued(desk)
    reply_id = newest_reply(desk)
    deliver = desk.deliver()
    deliver._lease()
    returned(desk, bounce(reply_id))
    assert (reasons(desk), reply_state(desk, reply_id)) == ([None], ReplyState.SENDING)
    assert not desk.bounced().step(), "it is put off"
    until_done(deliver)
    desk.send()
    assert reply_state(desk, reply_id) is ReplyState.SENT
    desk.trial.clock.move(seconds=1)
    until_done(desk.bounced())
    assert (reasons(desk), reply_state(desk, reply_id)) == (["bounced"], ReplyState.BOUNCED)
    deliver.close()


def test_a_bounce_of_bytes_that_got_through_although_the_line_broke_waits_for_the_next_sending(desk: Desk) -> None:
    desk.postman.answers = [Delivery.UNKNOWN, Delivery.LATER, Delivery.SENT]
    issued(desk)
    reply_id = newest_reply(desk)
    desk.send()
    returned(desk, bounce(reply_id))
    assert (reasons(desk), reply_state(desk, reply_id)) == ([None], ReplyState.QUEUED)
    for _ in range(7):
        desk.trial.clock.move(seconds=20)
        until_done(desk.bounced())
    assert reasons(desk) == [None]
    desk.send()
    desk.trial.clock.move(minutes=10)
    until_done(desk.bounced())
    assert reasons(desk) == ["bounced"]
    with desk.trial.database.reading() as tx:
        kept = letters.newest(tx, 1)[0]
    assert (kept.batches, kept.attempts) == (1, 0), "what was put off counts as no try"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        pytest.param([Delivery.LATER], "not-sent", id="never out"),
        pytest.param([Delivery.NEVER], "not-sent", id="refused at once"),
        pytest.param([Delivery.UNKNOWN] * 3, "not-sent", id="a person looks"),
    ],
)
def test_a_bounce_of_what_was_not_sent_changes_nothing(desk: Desk, answers: list[Delivery], reason: str) -> None:
    desk.postman.answers = list(answers)
    issued(desk)
    reply_id = newest_reply(desk)
    desk.send()
    before = world(desk)
    returned(desk, bounce(reply_id))
    assert (reasons(desk), world(desk)) == ([reason], before)
    assert told(desk, "letter.ignored")[0]["request"] == 1, "the person who looks finds it in the timeline"


def test_observing_tells_and_changes_nothing(desk: Desk) -> None:
    reply_id = answered(desk)
    desk.observe = True
    before = world(desk)
    returned(desk, bounce(reply_id))
    assert (reasons(desk), world(desk)) == (["bounced"], before)
    assert desk.events()[-1] == "letter.observed"


def test_the_second_bounce_of_a_reply_changes_nothing(desk: Desk) -> None:
    reply_id = answered(desk)
    returned(desk, bounce(reply_id), bounce(reply_id, "13-qmail"))
    assert reasons(desk) == ["bounced", "already-bounced"]
    assert reissues(desk) == [(1, "held", "answer-bounced")]


def test_a_refusal_that_bounces_is_noted_and_no_more(desk: Desk) -> None:
    desk.take(request("Иванов", ADDRESS, 1))
    desk.run()
    returned(desk, bounce(newest_reply(desk)))
    assert reasons(desk) == ["bounced"]
    assert desk.events()[-1] == "reply.bounced"
    assert told(desk, "reply.bounced")[0]["importance"] == "notice"
    assert (reissues(desk), credential_states(desk)) == ([], [])


@pytest.mark.parametrize("ended", [CredentialState.EXPIRED, CredentialState.REVOKED, CredentialState.SUPERSEDED])
def test_a_late_bounce_of_a_login_that_has_ended_is_noted_and_no_more(desk: Desk, ended: CredentialState) -> None:
    reply_id = answered(desk)
    match ended:
        case CredentialState.EXPIRED:
            desk.trial.clock.move(days=100)
            until_done(desk.expire())
        case CredentialState.REVOKED:
            with desk.trial.database.reading() as tx:
                login = credentials.newest(tx, 1)[0].login
            override.revoke(desk.trial.worker(), accounts_local, login, reason="x")
        case CredentialState.SUPERSEDED:
            desk.trial.clock.move(hours=1)
            answered(desk, number=2)
    returned(desk, bounce(reply_id))
    assert reply_state(desk, reply_id) is ReplyState.BOUNCED
    assert credential_states(desk)[0] is ended
    assert reissues(desk) == []


def test_where_a_newer_login_is_on_its_way_the_older_is_only_blocked(desk: Desk) -> None:
    reply_id = answered(desk)
    desk.trial.clock.move(hours=1)
    issued(desk, number=2)
    returned(desk, bounce(reply_id))
    assert credential_states(desk) == [CredentialState.SUSPENDED, CredentialState.ACTIVE]
    assert reissues(desk) == []
    desk.send()
    assert credential_states(desk) == [CredentialState.SUPERSEDED, CredentialState.ACTIVE]


@pytest.mark.parametrize(
    "when",
    [pytest.param("refused", id="refused for good"), pytest.param("given up", id="given up after 14 days")],
)
def test_an_answer_that_cannot_be_handed_over_is_treated_like_a_bounced_one(desk: Desk, when: str) -> None:
    issued(desk)
    if when == "refused":
        desk.postman.answers = [Delivery.NEVER]
    else:
        desk.postman.answers = [Delivery.LATER]
        desk.send()
        desk.trial.clock.move(days=14)
        desk.postman.answers = [Delivery.LATER]
    desk.send()
    assert desk.events()[-3:] == ["reply.failed", "credential.suspended", "request.held"]
    assert credential_states(desk) == [CredentialState.SUSPENDED]
    assert reissues(desk) == [(1, "held", "answer-failed")]


def test_a_refusal_that_cannot_be_handed_over_blocks_nothing(desk: Desk) -> None:
    desk.postman.answers = [Delivery.NEVER]
    desk.take(request("Иванов", ADDRESS, 1))
    desk.run()
    assert desk.events()[-1] == "reply.failed"


def test_a_tampered_answer_is_not_repeated_to_where_it_was_bent(desk: Desk) -> None:
    reply_id = answered(desk)
    with desk.trial.database.writing() as tx:
        thief = personal.address(Unit(tx=tx, at=START, actor="test"), CLINIC.code, "thief@evil.example", desk.trial.randbytes)
        tx.execute(text(f"UPDATE requests SET answer_to_id = {thief.id}"))
    returned(desk, bounce(reply_id))
    assert credential_states(desk) == [CredentialState.SUSPENDED]
    assert reissues(desk) == []
    assert told(desk, "credential.suspended")[0]["importance"] == "alarm"


def approve(desk: Desk, request_id: int, **bent: Any) -> None:
    """As a person's approval does it: state and record in one transaction, over what the request holds."""
    with desk.trial.worker().writing() as unit:
        held = requests.get(unit.tx, request_id)
        assert held.person_id is not None
        assert held.answer_to_id is not None
        requests.move(unit.tx, held, RequestEvent.APPROVED)
        unit.tx.execute(text(f"UPDATE requests SET issue_after = created_at WHERE id = {request_id}"))
        approved = {
            "letter": held.letter_id,
            "reissue_of": held.reissue_of,
            "person": personal.get(unit.tx, held.person_id).told(),
            "answer_to": personal.get(unit.tx, held.answer_to_id).told(),
        }
        unit.tell("request.approved", sender=held.sender_code, request=held.id, decided=approved | bent)


def test_an_approved_reissue_is_issued_and_threads_to_the_first_letter(desk: Desk) -> None:
    reply_id = answered(desk)
    returned(desk, bounce(reply_id))
    approve(desk, 2)
    desk.run()
    first, second = (content for _, content in desk.postman.sent)
    assert header(second, "In-Reply-To") == header(first, "In-Reply-To") == f"<request-1-{ADDRESS}>"
    assert header(second, "Subject") == header(first, "Subject")
    assert password_in(first) != password_in(second)
    assert credential_states(desk) == [CredentialState.SUPERSEDED, CredentialState.ACTIVE]
    with desk.trial.database.reading() as tx:
        assert requests.get(tx, 2).state is RequestState.ANSWERED
        assert report.show_request(tx, 1).repeated_by[0].id == 2


def test_a_reissue_that_bounces_too_is_put_before_a_person_again(desk: Desk) -> None:
    returned(desk, bounce(answered(desk)))
    approve(desk, 2)
    desk.run()
    returned(desk, bounce(newest_reply(desk)))
    assert reissues(desk) == [(2, "held", "answer-bounced"), (1, "answered", "answer-bounced")]
    approve(desk, 3)
    desk.run()
    assert header(desk.postman.sent[-1][1], "In-Reply-To") == f"<request-1-{ADDRESS}>"


def test_an_approval_of_another_repetition_issues_nothing(desk: Desk) -> None:
    returned(desk, bounce(answered(desk)))
    approve(desk, 2, reissue_of=7)
    desk.run()
    assert reissues(desk) == [(1, "held", "approval-unproven")]


def test_requests_that_somebody_let_repeat_each_other_are_shown(desk: Desk) -> None:
    returned(desk, bounce(answered(desk)))
    returned(desk, bounce(answered(desk, "Ли К.", 2)))
    write(desk, "UPDATE requests SET reissue_of = 4 WHERE id = 2")
    write(desk, "UPDATE requests SET reissue_of = 2 WHERE id = 4")
    with desk.trial.database.reading() as tx:
        assert report.show_request(tx, 4).letter is None


def test_who_asks_again_after_a_bounce_is_not_told_that_the_answer_is_on_its_way(desk: Desk) -> None:
    returned(desk, bounce(answered(desk)))
    desk.trial.clock.move(minutes=5)
    desk.take(request("Пришва А.А.", ADDRESS, 2))
    desk.run()
    assert credential_states(desk) == [CredentialState.SUPERSEDED, CredentialState.ACTIVE]


def test_a_bounce_breaks_between_two_commits_and_is_carried_out_once(desk: Desk) -> None:
    """Claimed and not read: the process died. The next one reads it."""
    reply_id = answered(desk)
    desk.take(bounce(reply_id))
    desk.bounced()._tray.claim()
    until_done(desk.bounced())
    assert reasons(desk) == ["bounced"]
    assert desk.events().count("credential.suspended") == 1


def test_a_flood_of_bounces_holds_up_no_request(desk: Desk) -> None:
    desk.take(*(bounce(ID) for _ in range(150)), request("Пришва А.А.", ADDRESS, 1))
    assert desk.answer().step()
    with desk.trial.database.reading() as tx:
        assert sum(requests.counts(tx).values()) == 1
