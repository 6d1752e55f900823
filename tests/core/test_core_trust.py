"""Whom the channel proves. Every way to be believed without being proven that we could think of stands here and fails."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import mime, trust
from mailer.model import Letter, Trust

OURS = "mx.fund.example"
PASSED = f"Authentication-Results: {OURS}; dmarc=pass (p=reject) header.from=clinic.example"
BY_US = (
    f"Received: from gate.clinic.example (gate [192.0.2.1]) by {OURS} (Postfix) with ESMTPS id 1; Mon, 23 Nov 2026 10:00:00 +0300"
)
BY_THEM = "Received: from pc by gate.clinic.example; Mon, 23 Nov 2026 09:59:00 +0300"
FROM = "From: Ivan <ib@clinic.example>"


def letter(*headers: str, sender: str = FROM) -> Letter:
    read = mime.read("\r\n".join([*headers, sender, "Subject: x", "", ""]).encode("utf-8", "surrogateescape"))
    assert read is not None
    return read


def proven(*headers: str, sender: str = FROM, shared: frozenset[str] = frozenset()) -> bool:
    return trust.standing(
        letter(*headers, sender=sender), trust=Trust.AUTHENTICATION_RESULTS, authserv_id=OURS, shared_domains=shared
    )


def results(said: str, authserv_id: str = OURS) -> str:
    return f"Authentication-Results: {authserv_id}; {said}"


def test_a_network_mailbox_proves_the_one_address_of_from() -> None:
    assert trust.standing(letter(), trust=Trust.NETWORK, authserv_id=None)
    nobody = letter(sender="From: ib@clinic.example, b@y.example")
    assert not trust.standing(nobody, trust=Trust.NETWORK, authserv_id=None)


@pytest.mark.parametrize(
    "said",
    [
        "dmarc=pass header.from=clinic.example",
        "dmarc=pass",
        "DMARC=Pass (p=none dis=none) header.from=Clinic.Example",
        "dkim=pass header.d=clinic.example",
        'dkim=pass reason="1024-bit key; (unprotected)" header.d=clinic.example header.i=@clinic.example',
        'dkim=pass header.d="clinic.example"',
        "dkim/1=pass header.d=clinic.example",
        "spf=fail smtp.mailfrom=a@y.example; dkim=pass header.d=clinic.example",
        "dkim=fail header.d=list.example; dkim=pass header.d=clinic.example",
        "dmarc=none header.from=clinic.example; dkim=pass header.d=clinic.example",
        "auth=pass smtp.auth=ib@clinic.example",
        "auth=pass (plain) smtp.auth=IB@Clinic.Example smtp.mailfrom=ib@clinic.example",
    ],
)
def test_our_own_server_proves_a_sender(said: str) -> None:
    assert proven(results(said), BY_US, BY_THEM)


@pytest.mark.parametrize(
    "said",
    [
        "none",
        "spf=pass smtp.mailfrom=ib@clinic.example",
        "iprev=pass; spf=pass smtp.mailfrom=clinic.example; x-dmarc=pass",
        "dmarc=fail header.from=clinic.example",
        "dmarc=temperror header.from=clinic.example",
        "dmarc=passed",
        "dmarc=pass header.from=evil.example",
        "dmarc=pass header.from=clinic.example header.from=evil.example",
        "dkim=pass",
        "dkim=pass header.i=@clinic.example",
        "dkim=pass header.d=evil.example header.i=@clinic.example",
        "dkim=pass header.d=evil.example header.d=clinic.example",
        "dkim=pass header.d=sub.clinic.example",
        "dkim=pass header.d=example",
        "dkim=pass header.d=badclinic.example",
        "dkim=pass header.d=clinic.example.evil.example",
        "dkim=pass header.s=clinic.example",
        "dkim=pass smtp.d=clinic.example",
        "dkim/2=pass header.d=clinic.example",
        "dkim=neutral header.d=clinic.example",
        "domainkeys=pass header.d=clinic.example",
        "auth=pass smtp.auth=ib",
        "auth=pass smtp.auth=other@clinic.example",
        "auth=pass smtp.mailfrom=ib@clinic.example",
        "auth=fail smtp.auth=ib@clinic.example",
    ],
)
def test_what_is_no_proof_proves_nothing(said: str) -> None:
    assert not proven(results(said), BY_US, BY_THEM)


@pytest.mark.parametrize(
    "said",
    [
        "dmarc=pass header.from=clinic.example; dmarc=fail header.from=clinic.example",
        "dkim=pass header.d=clinic.example; dmarc=fail header.from=clinic.example",
        "dkim=pass header.d=clinic.example; dkim=fail header.d=clinic.example",
        "dkim=pass header.d=clinic.example; dmarc=pass header.from=evil.example",
        "dmarc=pass header.from=clinic.example; auth=pass smtp.auth=other@clinic.example",
    ],
)
def test_two_results_that_contradict_prove_nothing(said: str) -> None:
    assert not proven(results(said), BY_US, BY_THEM)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("spf=fail (dmarc=pass header.from=clinic.example)", id="in a comment"),
        pytest.param("spf=fail (x; dmarc=pass header.from=clinic.example ;y)", id="a clause in a comment"),
        pytest.param("spf=fail (x\\); dmarc=pass header.from=clinic.example)", id="behind a quoted bracket"),
        pytest.param("spf=fail ((x); dmarc=pass header.from=clinic.example", id="an open comment"),
        pytest.param("spf=fail (x(y(z))); dmarc=pass header.from=clinic.example", id="comments in comments in comments"),
        pytest.param("spf=fail (x (y) ; dmarc=pass header.from=clinic.example)", id="a clause behind an inner comment"),
        pytest.param("spf=fail (x)) ; dmarc=pass header.from=clinic.example", id="a bracket too many"),
        pytest.param("spf=fail (я dmarc=pass); dmarc=pass header.from=clinic.example", id="Cyrillic in a comment"),
        pytest.param("dkim=pass (\x01 header.d=clinic.example) header.d=evil.example", id="a control in a comment"),
        pytest.param('spf=fail smtp.mailfrom="a; dmarc=pass header.from=clinic.example "@y.example', id="in a quoted string"),
        pytest.param('spf=fail smtp.mailfrom="a\\"; dmarc=pass "@y.example', id="behind a quoted quote"),
        pytest.param('spf=fail smtp.mailfrom="a; dmarc=pass header.from=clinic.example', id="an open quoted string"),
        pytest.param('auth=pass smtp.auth="ib@clinic.example "', id="a quoted address that is another"),
        pytest.param("auth=pass smtp.auth=(x)", id="an empty login"),
        pytest.param("dkim=pass reason=header.d=clinic.example", id="in a reason"),
        pytest.param("; dmarc=pass", id="an empty clause"),
        pytest.param("dmarc=pass header.from=clinic.example; =", id="broken behind the proof"),
        pytest.param("dmarc=pass header.from=clinic.example;" + " " * 5_000, id="cut"),
    ],
)
def test_what_strangers_wrote_into_our_header_proves_nothing(said: str) -> None:
    assert not proven(results(said), BY_US, BY_THEM)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([BY_US, BY_THEM], id="none"),
        pytest.param([BY_US, BY_THEM, PASSED], id="below their Received"),
        pytest.param([BY_THEM, PASSED, BY_US], id="between theirs and ours"),
        pytest.param([PASSED.replace(OURS, "mx.evil.example"), BY_US], id="of another server"),
        pytest.param([PASSED.replace(OURS, "mx.fund.example.evil.example"), BY_US], id="of a server whose name begins like ours"),
        pytest.param([PASSED.replace(OURS, f"evil; {OURS}"), BY_US], id="our name behind another"),
        pytest.param([PASSED.replace(OURS, f"({OURS}) evil"), BY_US], id="our name in a comment"),
        pytest.param([PASSED.replace(OURS, f"{OURS} 2"), BY_US], id="a later version"),
        pytest.param([results("dmarc=fail"), PASSED, BY_US], id="forged below ours that says fail"),
        pytest.param([results("none"), PASSED, BY_US], id="forged below ours that says nothing"),
        pytest.param([PASSED, results("dmarc=fail"), BY_US], id="two of ours contradict"),
        pytest.param([PASSED, PASSED, PASSED, PASSED, BY_US], id="a flood of ours"),
        pytest.param([results("dmarc=fail ("), PASSED, BY_US], id="forged below ours that cannot be read"),
        pytest.param(["Authentication-Results: (" + OURS, PASSED, BY_US], id="forged below one that nobody can attribute"),
        pytest.param(["Authentication-Results:", PASSED, BY_US], id="forged below an empty one"),
        pytest.param([f"Received: from x by mx.evil.example ({OURS})", PASSED], id="our host in a comment"),
        pytest.param([f"Received: from by by evil.example by {OURS}", PASSED], id="our host behind another"),
        pytest.param([f"Received: (by {OURS}) from x", PASSED], id="Received without a host"),
        pytest.param([f"Received: from x by evil{OURS}", PASSED], id="a host that ends like ours"),
        pytest.param(["X-Authentication-Results: " + PASSED, BY_US], id="a header of another name"),
        pytest.param([f"X: a\r{PASSED}", BY_US], id="behind a lone CR"),
    ],
)
def test_forged_headers_prove_nothing(headers: list[str]) -> None:
    assert not proven(*headers)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([PASSED], id="no Received at all"),
        pytest.param([BY_US, PASSED, BY_THEM], id="below our own Received"),
        pytest.param(
            [BY_US.replace("(Postfix)", "(Postfix) (using TLSv1.3 with cipher X (256/256 bits))"), PASSED, BY_THEM], id="over TLS"
        ),
        pytest.param(
            [
                BY_US.replace(" by", " (using TLSv1.3 with cipher X (256/256 bits))\r\n\t(No client certificate requested) by"),
                PASSED,
            ],
            id="over TLS, said before the host",
        ),
        pytest.param([BY_US.replace(OURS, f"store.{OURS}"), BY_US.upper(), PASSED, BY_THEM], id="behind two hosts of ours"),
        pytest.param([PASSED.replace("Results: ", "Results:\r\n\t(ours) "), BY_THEM], id="folded, with a comment first"),
        pytest.param([PASSED.replace(OURS, f"{OURS.upper()} 1"), BY_THEM], id="capitals and a version"),
        pytest.param([PASSED.replace(OURS, "mx.evil.example").replace("pass", "fail"), PASSED, BY_THEM], id="below a stranger's"),
        pytest.param(
            [PASSED, BY_US, "Authentication-Results: spf=none (x) smtp.helo=x; dkim=none", BY_THEM], id="above a nameless one"
        ),
        pytest.param([PASSED, BY_US, "Authentication-Results: (open", BY_THEM], id="above an unreadable one"),
    ],
)
def test_our_header_is_found_where_servers_put_it(headers: list[str]) -> None:
    assert proven(*headers)


def test_a_public_mail_service_is_proven_by_login_only() -> None:
    shared = frozenset({"clinic.example"})
    assert not proven(results("dmarc=pass header.from=clinic.example; dkim=pass header.d=clinic.example"), shared=shared)
    assert proven(results("auth=pass smtp.auth=ib@clinic.example"), shared=shared)


def test_without_one_sender_or_an_id_of_our_own_nothing_is_proven() -> None:
    assert not proven(PASSED, BY_US, sender="From: ib@clinic.example <z@z.example>")
    assert not proven(PASSED, BY_US, FROM)
    assert not trust.standing(letter(PASSED), trust=Trust.AUTHENTICATION_RESULTS, authserv_id=None)


@pytest.mark.parametrize("filler", ["(", '"', "\\", '"\\', "(\\", "()", "; a=b", " x.", ";", "a" * 9, "header.d=x "])
def test_hostile_results_cost_little(filler: str) -> None:
    said = "dmarc=pass; x=y " + (filler * 2_000)[:1_950]
    hostile = letter(*[results(said)] * 3)
    started = time.perf_counter()
    trust.standing(hostile, trust=Trust.AUTHENTICATION_RESULTS, authserv_id=OURS)
    assert time.perf_counter() - started < 0.5


@given(st.text(alphabet='dmarc=pass;()"\\ \theader.from@xя\x00', max_size=80))
def test_no_text_makes_it_raise_or_proves_another_domain(said: str) -> None:
    hostile = letter(results("dmarc=fail; " + said.replace("\r", "")))
    assert not trust.standing(hostile, trust=Trust.AUTHENTICATION_RESULTS, authserv_id=OURS)
