"""What must hold for every letter there can be, whatever bytes it is made of? Broken promises are AssertionErrors.

The path is the whole of reading: headers, kind, name, standing of the sender, verdict of the packaged rules. It is asked of letters
that nobody has an expectation for, so it checks promises, not outcomes; what the builder of a letter knows of it is `Known`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cache

from mailer.core import bounce, bouncecut, kinds, leak, mime, names, rules, subject, trust
from mailer.core.decide import NEVER_ANSWERED, decide
from mailer.core.namewords import folded
from mailer.core.rules import Ruleset
from mailer.edge import office
from mailer.model import (
    Answerable,
    Facts,
    Form,
    Kind,
    Letter,
    NameStanding,
    Own,
    PersonName,
    Reading,
    Repair,
    SenderStanding,
    Trust,
    Verdict,
)

FORM = Form()
OWN = Own(message_id_domain="fond.example", reply_subjects=("Логин и пароль", "Отказ:"))
AUTHSERV_ID = "mx.fond.example"
SHARED = frozenset({"mail.example"})

_NAME = re.compile(r"[А-Яа-яЁё .'’ʼ-]+")
_INITIALS = re.compile(r"[А-ЯЁ]\.(?:-[А-ЯЁ]\.)?(?:[А-ЯЁ]\.(?:-[А-ЯЁ]\.)?)?")
_ADDRESS = re.compile(r"[!-~]+@[a-z0-9._-]+")
_END_OF_HEADERS = re.compile(rb"\n\r*\n")
_LONE_CR_FIRST = re.compile(rb"[^\r\n]*\r(?!\r*\n)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of a letter that was built: its subject as decoded, and whom alone it may name, as `PersonName.key`."""

    subject: str | None = None
    person: str | None = None


def check(content: bytes, known: Known = Known()) -> None:
    """Read and decide one letter in every way, and raise AssertionError for the first promise that does not hold."""
    letter = mime.read(content, phrase=FORM.phrase)
    reading = kinds.judge(letter, FORM, OWN)
    _check_letter(letter, content)
    _check_answerable(letter, content)
    _check_reading(letter, reading)
    _check_trust(letter)
    _check_headers_alone(content, letter, reading)
    _check_decisions(reading)
    _check_kept(content)
    if known.subject is not None:
        assert letter is not None, "a letter with a subject has headers"
        assert letter.subject == known.subject, "the subject is decoded as it was encoded"
    if known.person is not None and reading.person is not None:
        assert reading.person.key == known.person, (
            f"nobody else is read than the one who was written ({', '.join(reading.repairs)})"
        )


def _check_kept(content: bytes) -> None:
    leak.is_in_letter(content)
    cut = bouncecut.without_answer(content)
    assert not leak.is_in(cut.partition(b"\n\n")[2]), "no password shows below the headers of a bounce that is kept"
    again = bouncecut.without_answer(cut)
    assert bounce.read(again, bounce_address=None) == bounce.read(cut, bounce_address=None), "what is kept can be cut again"


def _check_letter(letter: Letter | None, content: bytes) -> None:
    if letter is None:
        return
    assert letter.digest == hashlib.sha256(content).hexdigest(), "the digest is that of the bytes"
    assert letter.size_bytes == len(content), "the size is that of the bytes"
    assert len(letter.subject) <= mime.SUBJECT_MAX, "a subject is at most so long"
    assert letter.display_name.isprintable(), "a display name can be shown"
    assert (letter.machine_mark or "").isprintable(), "the mark of a machine can be shown"
    assert letter.sender is None or _ADDRESS.fullmatch(letter.sender), "a sender is a bare address"
    assert len(set(letter.answers)) == len(letter.answers) <= mime.ANSWERS_MAX, "the ids answered are unique, and not too many"
    assert len(letter.subject_repairs) == len(set(letter.subject_repairs)), "the repairs of the subject are unique"


def _check_reading(letter: Letter | None, reading: Reading) -> None:
    assert (letter is None) is (reading.kind is Kind.UNREADABLE), "unreadable is what has no headers, and nothing else"
    if reading.kind is Kind.REQUEST:
        assert (reading.person is None) is not (reading.reason is None), "a request holds a person or a reason"
    else:
        assert reading.reason is None, "only a request has a reason"
        assert reading.person is None or reading.kind is Kind.MACHINE_MAIL, "of what is no request only machine mail names a person"
    assert len(reading.repairs) == len(set(reading.repairs)), "the repairs are unique"
    assert len(reading.written) <= names.LONGEST_NAME, "the name as written is at most so long"
    if reading.mistake is not None:
        assert reading.written[reading.mistake.place - 1] == reading.mistake.character, "a mistake stands where it is said to"
    if reading.surname_hint:
        assert _NAME.fullmatch(reading.surname_hint), "the surname of a refused name is Cyrillic"
        assert reading.person is None, "a hint is for refusals"
    if reading.person is not None:
        _check_person(reading.person)
    if reading.kind is Kind.REQUEST and reading.person is not None:
        _check_as_written(reading, reading.person)


def _check_person(person: PersonName) -> None:
    assert _NAME.fullmatch(person.canonical), "a name is Cyrillic letters, spaces, dots, hyphens, apostrophes"
    assert _INITIALS.fullmatch(person.initials), "initials are one or two dotted capitals"
    assert person.surname.strip() == person.surname != "", "a surname is there, and trimmed"
    assert person.canonical != FORM.placeholder, "the form's example is nobody"
    again = names.read(person.canonical, FORM)
    assert again.person == person, "the display form reads to the same person"
    assert again.repairs == (), "the display form needs no repair"
    asked = subject.read(f"{FORM.phrase} {FORM.separator} {person.canonical}", FORM)
    assert (asked.person, asked.repairs) == (person, ()), "the right form of the subject reads to the same person"


def _check_as_written(reading: Reading, person: PersonName) -> None:
    """No letter is made up or lost, and what differs from what was written is recorded."""
    assert reading.repairs or reading.written == person.canonical, "what is read without a repair is what was written"
    if Repair.FULL_NAME not in reading.repairs:
        assert _letters(reading.written) == _letters(person.canonical), "a name has the letters that were written"


def _letters(text: str) -> list[str]:
    return sorted(filter(str.isalpha, folded(text)))


def _check_trust(letter: Letter | None) -> None:
    if letter is None:
        return
    network = trust.standing(letter, trust=Trust.NETWORK, authserv_id=None, shared_domains=frozenset())
    assert network is (letter.sender is not None), "a network proves every sender there is"
    by_results = [
        trust.standing(letter, trust=Trust.AUTHENTICATION_RESULTS, authserv_id=ours, shared_domains=shared)
        for ours, shared in ((None, SHARED), (AUTHSERV_ID, SHARED), (AUTHSERV_ID, frozenset[str]()))
    ]
    assert not by_results[0], "without a name of our server nothing is proven"
    assert by_results[2] or not by_results[1], "a shared domain proves less, never more"
    assert network or not any(by_results), "nobody's address is proven only if there is one"


def _check_answerable(letter: Letter | None, content: bytes) -> None:
    found = mime.answerable(content)
    ids = None if letter is None else Answerable(message_ids=letter.message_ids, answers=letter.answers)
    assert found == ids, "a letter is answered by the ids that reading it gave"


def _check_headers_alone(content: bytes, letter: Letter | None, reading: Reading) -> None:
    """What the first look, at the headers, finds is what the whole letter gives; no body makes a difference."""
    end = _END_OF_HEADERS.search(content)
    if end is None or end.end() > mime.BLOCK_MAX or _LONE_CR_FIRST.match(content.removeprefix(b"\xef\xbb\xbf")):
        return
    head = content[: end.end()]
    alone = mime.read(head, whole=False, size_bytes=len(content), phrase=FORM.phrase)
    assert kinds.judge(alone, FORM, OWN) == reading, "the headers alone are judged like the whole letter"
    assert (letter is None) is (alone is None), "headers are there with or without the body"
    if letter is not None and alone is not None:
        assert replace(alone, digest=letter.digest) == letter, "the headers alone say what the whole letter says"
    other = mime.read(head + b"Subject: x\r\n\r\n=?utf-8?B?0J8=?=\x00\xff", phrase=FORM.phrase)
    assert kinds.judge(other, FORM, OWN) == reading, "another body makes no difference"


@cache
def _packaged() -> Ruleset:
    return rules.load(office.rule_texts(None))


def _check_decisions(reading: Reading) -> None:
    unread = NameStanding.UNREADABLE if reading.kind is Kind.REQUEST else NameStanding.NONE
    facts = Facts(
        kind=reading.kind,
        name=unread if reading.person is None else NameStanding.READ,
        sender=SenderStanding.KNOWN,
        reason=reading.reason,
        repairs=reading.repairs,
        phrase_first=reading.phrase_first,
    )
    for standing in SenderStanding:
        decision = decide(replace(facts, sender=standing), _packaged())
        answered = decision.verdict in {Verdict.ISSUE, Verdict.REFUSE}
        assert answered is (decision.reply is not None), "what is answered has a reply, nothing else has"
        assert (decision.reason is None) is (decision.verdict is Verdict.ISSUE), "only what is issued needs no reason"
        if standing in {SenderStanding.UNKNOWN, SenderStanding.UNPROVEN} or reading.kind in NEVER_ANSWERED:
            assert not answered, "no stranger and no machine is answered"
        if decision.verdict is Verdict.ISSUE:
            assert standing is SenderStanding.KNOWN, "only a known sender is issued anything"
            assert reading.kind is Kind.REQUEST, "only a request is issued anything"
            assert reading.person is not None, "nothing is issued to nobody"
