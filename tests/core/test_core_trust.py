"""Whom the channel proves. Every way to be believed without being proven that we could think of stands here and fails."""

from __future__ import annotations

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


def in_the_network(of: Letter) -> bool:
    return trust.standing(of, trust=Trust.NETWORK, authserv_id=None, shared_domains=frozenset())


def results(said: str, authserv_id: str = OURS) -> str:
    return f"Authentication-Results: {authserv_id}; {said}"


def test_a_network_mailbox_proves_the_one_address_of_from() -> None:
    assert in_the_network(letter())
    assert not in_the_network(letter(sender="From: ib@clinic.example, b@y.example"))


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
        "dkim=pass header.d=clinic.example.",
        "dkim=pass header.d=*.example",
        "dkim=pass header.d=@clinic.example",
        "dmarc=pass header.from=clinic.example.",
        "dmarc=pass header.from=sub.clinic.example",
        "dmarc=pass header.from=ib@clinic.example",
        "dmarc=bestguesspass header.from=clinic.example",
        "arc=pass; spf=pass smtp.mailfrom=clinic.example smtp.helo=clinic.example",
        "x-auth=pass smtp.auth=ib@clinic.example",
        "auth=pass smtp.auth=ib@clinic.example.evil.example",
        "auth=pass smtp.auth=zib@clinic.example",
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
        "dmarc=none header.from=clinic.example; dmarc=pass header.from=clinic.example",
        "dmarc=pass; dmarc=permerror",
        "auth=pass smtp.auth=ib@clinic.example; auth=fail smtp.auth=ib@clinic.example",
        "auth=pass smtp.auth=ib@clinic.example; auth=pass smtp.auth=z@evil.example",
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
        pytest.param([f"ARC-{PASSED.replace(': ', ': i=1; ')}", BY_US], id="results sealed by ARC"),
        pytest.param(["ARC-Seal: i=1; cv=pass; d=fund.example", f"X-Original-{PASSED}", BY_US], id="an ARC seal of ours"),
        pytest.param([results("spf=pass; arc=pass (dmarc=pass)"), f"ARC-{PASSED}", BY_US], id="arc=pass"),
        pytest.param([PASSED.replace(OURS, f"x{OURS}"), BY_US], id="an id that ends like ours"),
        pytest.param([PASSED.replace(OURS, f"{OURS}.evil.example"), BY_US], id="an id that begins like ours"),
        pytest.param([PASSED.replace(OURS, f"store.{OURS}"), BY_US], id="an id below ours"),
        pytest.param([PASSED.replace(OURS, "fund.example"), BY_US], id="an id above ours"),
        pytest.param([PASSED.replace(OURS, f"{OURS}/1"), BY_US], id="ours and a slash"),
        pytest.param([PASSED.replace(OURS, f"{OURS}."), BY_US], id="ours and a dot"),
        pytest.param([PASSED.replace(OURS, OURS.replace("u", "\u0443")), BY_US], id="a look-alike of ours"),
        pytest.param([PASSED.replace(OURS, f'"{OURS} "'), BY_US], id="ours in quotes, with a blank"),
        pytest.param([PASSED.replace(OURS, f"{OURS} evil"), BY_US], id="two ids"),
        pytest.param([PASSED.replace(OURS, f"evil ({OURS}; dmarc=pass)"), BY_US], id="our name and proof in a comment"),
        pytest.param([PASSED.replace(OURS, f"evil\\; {OURS}"), BY_US], id="a quoted semicolon"),
        pytest.param([PASSED.replace(";", "\0;"), BY_US], id="a NUL behind ours"),
        pytest.param([PASSED.replace("dmarc", "dmarc\r\nX: y"), BY_US], id="broken in the middle"),
        pytest.param([BY_THEM, BY_US, PASSED], id="below a forged Received of ours, theirs above"),
        pytest.param([f"Received: from x by {OURS}.evil.example", PASSED], id="a host whose name begins like ours"),
        pytest.param([BY_US, "Received: garbage", PASSED], id="below a Received of nobody"),
        pytest.param([BY_US, "Received:", PASSED], id="below an empty Received"),
        pytest.param([BY_US, "Received: from x (open by " + OURS, PASSED], id="below an open comment"),
        pytest.param([BY_US, f"Received: from x by {OURS} (" + "x" * 3_000 + ")", PASSED], id="below a Received that was cut"),
        pytest.param([*[BY_US] * mime.TRACE_MAX, PASSED], id="below more of ours than are looked at"),
        pytest.param([PASSED, *["X: y"] * mime.HEADERS_MAX], id="above more headers than are looked at"),
        pytest.param([PASSED, "X: " + "y" * mime.BLOCK_MAX], id="above more bytes than are looked at"),
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


EVIL = "z@evil.example"
ME = "ib@clinic.example"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([f"From: {EVIL}", f"From: {ME}"], id="a second From"),
        pytest.param([f"From: {ME}", f"From: {EVIL}"], id="a second From below"),
        pytest.param([f"From: {ME}", f"From: {ME}"], id="the same twice"),
        pytest.param([f"From: {ME}", "From:"], id="an empty second"),
        pytest.param([f"From: {ME}", f"FROM \t: {EVIL}"], id="a second before a space"),
        pytest.param([f"From: {ME}", "X: y\r\n z", f"from: {EVIL}"], id="a second in small letters"),
        pytest.param([f"From: {ME}, {EVIL}"], id="two addresses"),
        pytest.param([f"From: {ME},"], id="an empty one behind a comma"),
        pytest.param([f"From: clinic: {ME};"], id="a group"),
        pytest.param([f"From: clinic:; {ME}"], id="behind an empty group"),
        pytest.param([f"From: {ME} <{EVIL}>"], id="an address for a name"),
        pytest.param([f"From: {EVIL} <{ME}>"], id="a foreign address for a name"),
        pytest.param([f'From: "{ME}" <{EVIL}>'], id="a quoted address for a name"),
        pytest.param([f'From: "<{ME}>" <{EVIL}>'], id="a quoted bracket for a name"),
        pytest.param([f'From: "\\"<{ME}>" <{EVIL}>'], id="behind a quoted quote"),
        pytest.param([f'From: "a\\" <{ME}>'], id="an open quoted string"),
        pytest.param([f"From: <{EVIL}> <{ME}>"], id="two brackets"),
        pytest.param([f"From: <{ME}> {EVIL}"], id="behind the bracket"),
        pytest.param([f"From: ({EVIL}) {ME}"], id="a comment before it"),
        pytest.param([f"From: {EVIL} ({ME})"], id="in a comment"),
        pytest.param([f"From: {EVIL} (<{ME}>)"], id="in brackets in a comment"),
        pytest.param([f"From: <{EVIL}> ({ME})"], id="in a comment at the end"),
        pytest.param([f"From: =?utf-8?Q?ib=40clinic.example?= <{EVIL}>"], id="encoded, for a name"),
        pytest.param([f"From: =?utf-8?Q?ib=40clinic.example=3E=2C?= <{EVIL}>"], id="encoded, with a bracket and a comma"),
        pytest.param([f"From: =?utf-8?Q?<{ME}>,?= {EVIL}"], id="a bracket inside an encoded word"),
        pytest.param([f"From: =?utf-8?Q?<{EVIL}>?= <{ME}>"], id="another bracket inside an encoded word"),
        pytest.param(["From: =?utf-8?B?aWJAY2xpbmljLmV4YW1wbGU=?="], id="the whole address encoded"),
        pytest.param(["From: <=?utf-8?Q?ib?=@clinic.example>"], id="the local part encoded"),
        pytest.param(["From: ib@=?utf-8?Q?clinic?=.example"], id="the domain encoded"),
        pytest.param([f"From: {ME}\0"], id="a NUL behind"),
        pytest.param([f'From: "{EVIL}\0" <{ME}>'], id="a NUL in the name"),
        pytest.param([f"From: x\0 <{ME}>"], id="a NUL in the bare name"),
        pytest.param([f'From: "x\rFrom: {EVIL}" <{ME}>'], id="a CR in the name"),
        pytest.param([f"From: {ME}\r {EVIL}"], id="a CR behind"),
        pytest.param([f"From: {EVIL}\r\n <{ME}>"], id="folded"),
        pytest.param(["From: ib@\r\n clinic.example"], id="folded inside"),
        pytest.param([f"X: 1\rFrom: {ME}", f"From: {EVIL}"], id="behind a CR"),
        pytest.param([f"X: 1\rFrom: {EVIL}", f"From: {ME}"], id="another behind a CR"),
        pytest.param([f"X: 1\rY: 2\rFrom: {ME}"], id="only behind a CR"),
        pytest.param(["no header", f" From: {ME}"], id="after a bogus line, indented"),
        pytest.param(["X: 1", f"\ufeffFrom: {ME}"], id="behind a byte order mark that is not first"),
        pytest.param([f"\u0405: 1\r\n From: {ME}"], id="a fold of what is no header"),
        pytest.param([f"Fr\u043em: {ME}"], id="a look-alike header"),
        pytest.param([f">From: {ME}"], id="a quoted header"),
        pytest.param([f"Sender: {ME}", f"Reply-To: {ME}", f"From: {EVIL}"], id="Sender and Reply-To"),
        pytest.param([f"Resent-From: {ME}", f"X-From: {ME}", f"From*: {ME}", f"From: {EVIL}"], id="Resent-From"),
        pytest.param([f"From: {ME}%evil.example"], id="percent at the domain"),
        pytest.param(["From: ib%clinic.example@evil.example"], id="percent"),
        pytest.param(["From: clinic.example!ib@evil.example"], id="a bang path"),
        pytest.param([f"From: evil.example!{ME}"], id="a bang path to us"),
        pytest.param([f"From: <@evil.example:{ME}>"], id="a route"),
        pytest.param([f"From: <@evil.example,@b.example:{ME}>"], id="a long route"),
        pytest.param(["From: <ib@[192.0.2.1]>"], id="an address literal"),
        pytest.param(["From: <ib@clinic.example.>"], id="a dot behind the domain"),
        pytest.param(["From: <.ib@clinic.example>"], id="a dot before"),
        pytest.param(["From: <ib.@clinic.example>"], id="a dot behind the local part"),
        pytest.param(["From: <ib @clinic.example>"], id="a space inside"),
        pytest.param(["From: <ib(x)@clinic.example>"], id="a comment inside"),
        pytest.param(['From: <"ib"@clinic.example>'], id="a quoted local part"),
        pytest.param(["From: <ib@clinic.ex\u0430mple>"], id="a Cyrillic letter in the domain"),
        pytest.param(["From: <ib@\uff43linic.example>"], id="a full-width letter in the domain"),
        pytest.param(["From: <ib@clinic\u3002example>"], id="an ideographic full stop"),
        pytest.param(["From: <ib@cli\u00adnic.example>"], id="a soft hyphen in the domain"),
        pytest.param(["From: <\u0456b@clinic.example>"], id="a Cyrillic letter in the local part"),
        pytest.param(["From: <ib+x@clinic.example>"], id="a detail"),
        pytest.param(["From: <>", f"Sender: {ME}"], id="an empty From"),
        pytest.param([f"From: {ME}", "X: " + "y" * mime.BLOCK_MAX, f"From: {EVIL}"], id="a second behind what is looked at"),
        pytest.param([f"From: {ME}", *["X: y"] * mime.HEADERS_MAX, f"From: {EVIL}"], id="a second behind the thousandth header"),
        pytest.param([f"From: {'x' * 4_000} <{ME}>"], id="a From too long"),
    ],
)
@pytest.mark.parametrize("first", ["", "X-First: 1\r\n"], ids=["first", "later"])
@pytest.mark.parametrize("proof", ["dmarc=pass", "dkim=pass header.d=clinic.example", f"auth=pass smtp.auth={ME}"])
def test_nobody_is_taken_for_another_sender(headers: list[str], proof: str, first: str) -> None:
    """Not even where our server, by a reading of its own, vouched for that other."""
    read = mime.read("\r\n".join([f"{first}{headers[0]}", *headers[1:], results(proof), "Subject: x", "", ""]).encode())
    assert read is not None
    assert read.sender != ME
    assert read.sender is not None or not in_the_network(read)


@pytest.mark.parametrize(
    "written",
    ["IB@Clinic.EXAMPLE", '"z@evil.example" <ib@clinic.example>', "ib@clinic.example (Ivan)", "\r\n\tIvan\r\n <ib@clinic.example>"],
)
def test_the_one_address_is_read_beyond_doubt(written: str) -> None:
    assert proven(PASSED, BY_US, sender=f"From: {written}")


def test_results_that_look_at_another_from_prove_nothing() -> None:
    assert not proven(results("dmarc=pass header.from=clinic.example"), BY_US, sender=f'From: "{ME}" <{EVIL}>')


def test_a_public_mail_service_is_proven_by_login_only() -> None:
    shared = frozenset({"clinic.example"})
    assert not proven(results("dmarc=pass header.from=clinic.example; dkim=pass header.d=clinic.example"), shared=shared)
    assert proven(results("auth=pass smtp.auth=ib@clinic.example"), shared=shared)


def test_without_one_sender_or_an_id_of_our_own_nothing_is_proven() -> None:
    assert not proven(PASSED, BY_US, sender="From: ib@clinic.example <z@z.example>")
    assert not proven(PASSED, BY_US, FROM)
    nameless = letter(PASSED)
    assert not trust.standing(nameless, trust=Trust.AUTHENTICATION_RESULTS, authserv_id=None, shared_domains=frozenset())


@pytest.mark.parametrize("filler", ["(", '"', "\\", '"\\', "(\\", "()", "; a=b", " x.", ";", "a" * 9, "header.d=x "])
def test_long_hostile_results_prove_nothing(filler: str) -> None:
    said = "dmarc=fail; x=y " + (filler * 2_000)[:1_950]
    assert not proven(*[results(said)] * 3)


@given(st.text(alphabet='dmarc=pass;()"\\ \theader.from@xя\x00', max_size=80))
def test_no_text_makes_it_raise_or_proves_another_domain(said: str) -> None:
    assert not proven(results("dmarc=fail; " + said.replace("\r", "")))
