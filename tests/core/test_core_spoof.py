"""Is every trial letter judged by what is known of it, and the mailbox by the worst of them?"""

from __future__ import annotations

import pytest

from mailer.core.spoof import CONNECT, Answer, Fate, Handing, Outcome, Verdict, Way, judge, made_up, verdict, ways
from mailer.model import Letter, Trust

SPOOFED = "mailer-doctor-1@clinic.example"
OURS = "mail.fond.example"
FAIL = f"{OURS}; dmarc=fail header.from=clinic.example"
PASS = f"{OURS}; dmarc=pass header.from=clinic.example"
TAKEN = Handing(answer=Answer.TAKEN, command="DATA", detail="250 taken")


def arrived(sender: str | None = SPOOFED, results: str | None = None) -> Letter:
    marks = (("received", f"from x by {OURS}"),) if results is None else (("authentication-results", results),)
    return Letter(subject="", sender=sender, authentication=marks)


@pytest.mark.parametrize(
    ("letter", "trust", "authserv_id", "fate"),
    [
        pytest.param(arrived(), Trust.NETWORK, None, Fate.BELIEVED, id="network-unmarked"),
        pytest.param(arrived(results=FAIL), Trust.NETWORK, OURS, Fate.BELIEVED, id="network-looks-at-no-results"),
        pytest.param(arrived("uc@fond.example"), Trust.NETWORK, None, Fate.REWRITTEN, id="network-rewritten"),
        pytest.param(arrived(None), Trust.NETWORK, None, Fate.REWRITTEN, id="network-no-sender"),
        pytest.param(arrived(), Trust.AUTHENTICATION_RESULTS, OURS, Fate.UNPROVEN, id="results-none"),
        pytest.param(arrived(results=FAIL), Trust.AUTHENTICATION_RESULTS, OURS, Fate.UNPROVEN, id="results-fail"),
        pytest.param(arrived(results=PASS), Trust.AUTHENTICATION_RESULTS, OURS, Fate.BELIEVED, id="results-pass"),
        pytest.param(arrived(results=PASS), Trust.AUTHENTICATION_RESULTS, "other.example", Fate.UNPROVEN, id="results-of-another"),
        pytest.param(arrived("uc@fond.example", PASS), Trust.AUTHENTICATION_RESULTS, OURS, Fate.REWRITTEN, id="results-rewritten"),
    ],
)
def test_a_letter_that_arrived_is_judged_as_intake_would(letter: Letter, trust: Trust, authserv_id: str | None, fate: Fate) -> None:
    outcome = judge(Way.HEADER, TAKEN, letter, spoofed=SPOOFED, trust=trust, authserv_id=authserv_id)
    assert (outcome.fate, outcome.arrived, outcome.from_address) == (fate, True, letter.sender)


def test_the_results_of_the_server_are_shown_cut() -> None:
    long = f"{OURS}; dmarc=fail reason={'x' * 1000}"
    outcome = judge(Way.HEADER, TAKEN, arrived(results=long), spoofed=SPOOFED, trust=Trust.NETWORK)
    assert outcome.results == long[:300]
    assert judge(Way.HEADER, TAKEN, arrived(), spoofed=SPOOFED, trust=Trust.NETWORK).results is None


@pytest.mark.parametrize("answer", Answer)
def test_a_letter_that_arrived_outweighs_the_answer(answer: Answer) -> None:
    handing = Handing(answer=answer, command="MAIL", detail="what")
    assert judge(Way.PORT_25, handing, arrived(), spoofed=SPOOFED, trust=Trust.NETWORK).fate is Fate.BELIEVED


@pytest.mark.parametrize(
    ("way", "answer", "command", "fate"),
    [
        pytest.param(Way.HEADER, Answer.TAKEN, "DATA", Fate.UNSEEN, id="taken"),
        pytest.param(Way.HEADER, Answer.REFUSED, "DATA", Fate.REFUSED, id="refused-at-data"),
        pytest.param(Way.ENVELOPE, Answer.REFUSED, "MAIL", Fate.REFUSED, id="refused-at-mail"),
        pytest.param(Way.HEADER, Answer.REFUSED, CONNECT, Fate.UNTRIED, id="our-own-server-sends-us-away"),
        pytest.param(Way.ENVELOPE, Answer.REFUSED, CONNECT, Fate.UNTRIED, id="our-own-server-sends-us-away-again"),
        pytest.param(Way.WITHOUT_LOGIN, Answer.REFUSED, CONNECT, Fate.REFUSED, id="strangers-are-sent-away"),
        pytest.param(Way.PORT_25, Answer.REFUSED, CONNECT, Fate.REFUSED, id="strangers-are-sent-away-at-25"),
        pytest.param(Way.PORT_25, Answer.PUT_OFF, "RCPT", Fate.PUT_OFF, id="greylisted"),
        pytest.param(Way.PORT_25, Answer.NOBODY, CONNECT, Fate.CLOSED, id="nobody-at-25"),
        pytest.param(Way.WITHOUT_LOGIN, Answer.NOBODY, CONNECT, Fate.UNTRIED, id="our-own-server-is-away"),
        pytest.param(Way.PORT_25, Answer.NOT_ASKED, CONNECT, Fate.UNTRIED, id="no-tls-at-25"),
        pytest.param(Way.HEADER, Answer.NOT_ASKED, CONNECT, Fate.UNTRIED, id="no-login"),
    ],
)
def test_a_letter_that_did_not_arrive_is_judged_by_the_answer(way: Way, answer: Answer, command: str, fate: Fate) -> None:
    handing = Handing(answer=answer, command=command, detail="what")
    outcome = judge(way, handing, None, spoofed=SPOOFED, trust=Trust.NETWORK)
    assert (outcome.fate, outcome.command, outcome.detail, outcome.arrived) == (fate, command, "what", False)


@pytest.mark.parametrize(
    ("fates", "expected"),
    [
        pytest.param([Fate.REFUSED, Fate.REWRITTEN, Fate.UNPROVEN, Fate.CLOSED], Verdict.STOOD, id="all-good"),
        pytest.param([Fate.REFUSED, Fate.BELIEVED, Fate.UNSEEN], Verdict.BELIEVED, id="one-believed"),
        pytest.param([Fate.REFUSED, Fate.UNSEEN], Verdict.UNSURE, id="one-unseen"),
        pytest.param([Fate.REFUSED, Fate.PUT_OFF], Verdict.UNSURE, id="one-put-off"),
        pytest.param([Fate.REFUSED, Fate.UNTRIED], Verdict.UNSURE, id="one-untried"),
        pytest.param([Fate.UNSEEN], Verdict.UNSURE, id="only-unseen"),
        pytest.param([Fate.UNTRIED, Fate.CLOSED], Verdict.UNTRIED, id="nothing-tried"),
        pytest.param([Fate.CLOSED], Verdict.UNTRIED, id="only-closed"),
        pytest.param([], Verdict.UNTRIED, id="nothing"),
    ],
)
def test_the_worst_counts(fates: list[Fate], expected: Verdict) -> None:
    assert verdict([Outcome(way=Way.HEADER, fate=fate, command="", detail="") for fate in fates]) is expected


@pytest.mark.parametrize("fate", Fate)
def test_only_what_is_known_to_be_good_is_good(fate: Fate) -> None:
    alone = verdict([Outcome(way=Way.HEADER, fate=fate, command="", detail="")])
    assert (alone is Verdict.STOOD) == (fate in {Fate.REFUSED, Fate.REWRITTEN, Fate.UNPROVEN})


@pytest.mark.parametrize(
    ("answers_leave", "with_login", "same_server", "expected"),
    [
        (True, True, False, (Way.HEADER, Way.ENVELOPE, Way.WITHOUT_LOGIN, Way.PORT_25)),
        (True, False, False, (Way.HEADER, Way.ENVELOPE, Way.PORT_25)),
        (True, True, True, (Way.HEADER, Way.ENVELOPE, Way.WITHOUT_LOGIN)),
        (True, False, True, (Way.HEADER, Way.ENVELOPE)),
        (False, False, False, (Way.PORT_25,)),
    ],
)
def test_no_way_is_tried_twice(answers_leave: bool, with_login: bool, same_server: bool, expected: tuple[Way, ...]) -> None:
    assert ways(answers_leave=answers_leave, with_login=with_login, same_server=same_server) == expected


def test_a_made_up_address_is_at_the_commonest_domain() -> None:
    assert made_up(["a@one.example", "b@two.example", "c@two.example"], "17") == "mailer-doctor-17@two.example"
    assert made_up([], "17") is None
