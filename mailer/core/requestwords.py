"""Why does a request wait, or why was it refused, and what can a person do? English here, the catalogue holds the Russian.

The reasons are those of reading (`model.Reason`), of the packaged rules by their ids, of the gate, and of the steps after the
decision. An office's own rules have other ids: of these `words` says nothing, and their own `why` stands for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mailer.errors import N_
from mailer.model import SenderStanding

UNPROVEN: Final = "unproven-sender"  # by the rule `unknown-sender`, but something else is to be done
_APPROVE: Final = N_("if it is right: `mailer requests approve {id} --reason …`; if not: `mailer requests refuse {id} --reason …`")
_LATER: Final = N_(
    "when there is room again: `mailer requests approve {id} --reason …`, or `mailer requests refuse {id} --reason …`"
)
_NEVER: Final = N_(
    "such a letter is never answered; if the organisation does need the login: `mailer issue NAME --to CODE --reason …`; then "
    "`mailer requests withdraw {id} --reason …`"
)
_AGAIN: Final = N_(
    "ask the organisation for an address that works, correct it in the register, then `mailer requests approve {id} --reason …`"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """`what` fits a column of a table; `to_do` names commands with the request's number as `{id}`, and is of use while it waits."""

    what: str
    to_do: str = _APPROVE


WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "unknown-sender": Words(
            what=N_("the sender is not in the register"),
            to_do=N_(
                "if you know the organisation: `mailer senders add CODE --organisation … --from-request {id} --reason …` "
                "registers it and decides; if not: `mailer requests withdraw {id} --reason …` (nothing is answered to strangers)"
            ),
        ),
        UNPROVEN: Words(
            what=N_("the sender's address is not proven"),
            to_do=N_(
                "ask the organisation by telephone whether it wrote: if so `mailer requests approve {id} --reason …`, "
                "if not `mailer requests withdraw {id} --reason …`"
            ),
        ),
        "unreadable": Words(
            what=N_("the letter's headers cannot be read"),
            to_do=N_(
                "`mailer requests show {id}` names its letter; look at that: `mailer letters export № FILE`; then "
                "`mailer requests withdraw {id} --reason …`"
            ),
        ),
        "machine-mail": Words(what=N_("written by a program (an automatic reply or a mailing)"), to_do=_NEVER),
        "too-old": Words(what=N_("the letter is older than answers are given automatically")),
        "latin-initials": Words(
            what=N_("the initials are Latin letters and may be read in two ways"),
            to_do=N_(
                "ask the organisation for the name; if it was read right: `mailer requests approve {id} --reason …`, "
                'if not: `mailer requests correct {id} --name "…"`'
            ),
        ),
        "display-name": Words(
            what=N_("the sender's name belongs to another subscriber point"),
            to_do=N_(
                "ask by telephone who wrote: `mailer requests approve {id} --reason …` answers the registered address of the "
                "sender shown, `mailer requests refuse {id} --reason …` refuses"
            ),
        ),
        "person-unknown": Words(what=N_("the person is not in the organisation's list")),
        "address-changed": Words(
            what=N_("the answer address changed since the last issue"),
            to_do=N_(
                "ask the organisation whether the new address is its own; then `mailer requests approve {id} --reason …` or "
                "`mailer requests refuse {id} --reason …`"
            ),
        ),
        "reply-with-active": Words(what=N_("came as a reply, and the person has a valid login")),
        "reissued-often": Words(what=N_("issued to this person more than three times in 30 days")),
        "sender-limit": Words(what=N_("the organisation has too many logins"), to_do=_LATER),
        "cap": Words(what=N_("the number of answers for the day is used up"), to_do=_LATER),
        "answers-itself": Words(
            what=N_("the registered answer address is our own"),
            to_do=N_("correct the sender in the register, then `mailer requests approve {id} --reason …`"),
        ),
        "never-answered": Words(what=N_("a letter of this kind is never answered"), to_do=_NEVER),
        "no-pair": Words(
            what=N_("no login is left in the pool"),
            to_do=N_("`mailer accounts import` brings new pairs, then `mailer requests approve {id} --reason …`"),
        ),
        "approval-unproven": Words(
            what=N_("the approval is not proven by the record"),
            to_do=N_(
                "somebody may have changed the database: `mailer audit verify`; then `mailer requests approve {id} --reason …` "
                "or `mailer requests refuse {id} --reason …`"
            ),
        ),
        "issuing-failed": Words(
            what=N_("the login could not be issued"),
            to_do=N_("see why in the log and in `mailer status`; then `mailer requests approve {id} --reason …`"),
        ),
        "answer-bounced": Words(what=N_("the answer came back undelivered"), to_do=_AGAIN),
        "answer-failed": Words(what=N_("the answer could not be delivered"), to_do=_AGAIN),
        "person": Words(what=N_("held by an officer")),
        "name-corrected": Words(what=N_("an officer set the name right")),
        "by-officer": Words(what=N_("an officer had it issued anew")),
        "sender-blocked": Words(
            what=N_("approved, then the sender was blocked"),
            to_do=N_(
                "once the sender is unblocked: `mailer requests approve {id} --reason …`; else "
                "`mailer requests refuse {id} --reason …`"
            ),
        ),
        "none": Words(what=N_("no rule fitted")),
        "blocked-sender": Words(what=N_("the sender is blocked")),
        "near-subject": Words(what=N_("the subject is like a request, but not in its form")),
        "name-missing": Words(what=N_("there is no name")),
        "name-placeholder": Words(what=N_("the form's own example instead of a name")),
        "initials-missing": Words(what=N_("the initials are missing")),
        "surname-missing": Words(what=N_("the surname is missing")),
        "name-ambiguous": Words(what=N_("surname and given name cannot be told apart")),
        "name-not-cyrillic": Words(what=N_("the name is not in Russian letters")),
        "several-names": Words(what=N_("several names in one letter")),
        "text-after-name": Words(what=N_("other text after the name")),
        "name-malformed": Words(what=N_("the name is not written in the form")),
        "undecodable": Words(what=N_("the subject's characters cannot be read")),
        "ambiguous-subject": Words(what=N_("the letter has two different subjects")),
    }
)


def words(reason: str | None, standing: SenderStanding | None) -> Words | None:
    """How a reason is said; None for one that is not ours, or where there is none. `standing`: of the sender, when decided."""
    if reason == "unknown-sender" and standing is SenderStanding.UNPROVEN:
        return WORDS[UNPROVEN]
    return WORDS.get(reason or "")
