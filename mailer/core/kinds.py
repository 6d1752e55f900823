"""What is this letter to us? Exactly one kind, by its headers alone; the first that fits (letters.md, section 2).

Whether it is answered, and how, is not asked here: that is for rules.
"""

from __future__ import annotations

import re
from typing import Final

from mailer.core import subject
from mailer.core.subject import SubjectReading
from mailer.model import Form, Kind, Letter, Own, PersonName, Reading, Reason, Repair

_OWN_ID: Final = re.compile(r"<[0-9a-f]{32}@([^<>@]+)>", re.IGNORECASE)


def judge(letter: Letter | None, form: Form, own: Own) -> Reading:
    """The kind of a letter, and for a request the person it names or the reason why it names none."""
    if letter is None:
        return Reading(kind=Kind.UNREADABLE)
    if letter.loop_mark or any(is_own_id(message_id, own) for message_id in letter.message_ids):
        return Reading(kind=Kind.OWN_LETTER)
    if _is_bounce(letter):
        return Reading(kind=Kind.BOUNCE)
    return _by_subject(letter, subject.read(letter.subject, form), own)


def is_own_id(message_id: str, own: Own) -> bool:
    """Whether we made this message id: `<32 hexadecimal digits@our domain>`."""
    found = _OWN_ID.fullmatch(message_id)
    return found is not None and found[1].casefold() == own.message_id_domain.casefold()


def answers_ours(letter: Letter, own: Own) -> bool:
    """Whether a letter says that it answers one of ours: its mailer keeps the thread."""
    return any(is_own_id(answered, own) for answered in letter.answers)


def _is_bounce(letter: Letter) -> bool:
    """RFC 3464; or the older custom of a null return path (RFC 5321, 4.5.5) and a daemon that writes."""
    return letter.delivery_report or (letter.null_return_path and letter.daemon)


def _by_subject(letter: Letter, said: SubjectReading, own: Own) -> Reading:
    person, reason = _named(letter, said)
    answers_us = answers_ours(letter, own)
    if not answers_us and said.fit != "request":
        answers_us = _is_reply_subject(letter.subject, own)
    if answers_us and person is None:
        return Reading(kind=Kind.ANSWER_TO_US)
    if letter.machine_mark is not None or letter.null_return_path:
        # The name is for the person who decides it; why it is held is its kind, never how its name reads.
        repairs = tuple(dict.fromkeys((*letter.subject_repairs, *said.repairs))) if said.fit == "request" else ()
        return Reading(kind=Kind.MACHINE_MAIL, person=person, repairs=repairs, phrase_first=said.fit == "request")
    if said.fit != "request":
        return Reading(kind=Kind.NEAR_SUBJECT if said.fit == "near" else Kind.OTHER_SUBJECT)
    plain = reason is said.reason
    marked = (Repair.PREFIX,) if answers_us else ()
    return Reading(
        kind=Kind.REQUEST,
        person=person,
        reason=reason,
        mistake=said.mistake if plain else None,
        written=said.written,
        surname_hint=said.surname_hint if plain else "",
        repairs=tuple(dict.fromkeys((*letter.subject_repairs, *said.repairs, *marked))),
    )


def _is_reply_subject(text: str, own: Own) -> bool:
    """Whether one of our replies was answered or sent on by a mailer that keeps no thread."""
    plain = subject.tidy(text, []).casefold()
    return any(plain.startswith(ours.casefold()) for ours in own.reply_subjects if ours)


def _named(letter: Letter, said: SubjectReading) -> tuple[PersonName | None, Reason | None]:
    """What is ambiguous, cut or partly unreadable is refused, however well the rest of it reads."""
    if said.fit != "request":
        return None, None
    if letter.subject_count > 1:
        return None, Reason.AMBIGUOUS_SUBJECT
    if letter.subject_undecodable:
        return None, Reason.UNDECODABLE
    if letter.subject_cut:
        return None, Reason.NAME_MALFORMED
    return said.person, said.reason
