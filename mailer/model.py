"""The nouns of the trade: frozen, keyword-only, valid once built. No I/O, no clock, no behaviour beyond describing themselves.

Times are timezone-aware datetimes in UTC; sizes are bytes; digests are lower-case hexadecimal SHA-256.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a letter is, judged by its headers alone (letters.md, section 2; the order there is the order of judging)."""

    UNREADABLE = "unreadable"
    OWN_LETTER = "own-letter"
    BOUNCE = "bounce"
    ANSWER_TO_US = "answer-to-us"
    MACHINE_MAIL = "machine-mail"
    REQUEST = "request"
    NEAR_SUBJECT = "near-subject"
    OTHER_SUBJECT = "other-subject"


class Verdict(StrEnum):
    """What becomes of a letter."""

    ISSUE = "issue"
    HOLD = "hold"
    REFUSE = "refuse"
    IGNORE = "ignore"


class Repair(StrEnum):
    """A tolerance that was used while reading; each stands in the record of the request."""

    CHARSET = "charset"
    INVISIBLE = "invisible"
    SPACING = "spacing"
    PREFIX = "prefix"
    QUOTES = "quotes"
    LOOKALIKE = "lookalike"
    PHRASE_TYPO = "phrase-typo"
    SEPARATOR = "separator"
    PUNCTUATION = "punctuation"
    INITIALS = "initials"
    CASE = "case"
    INITIALS_FIRST = "initials-first"
    FULL_NAME = "full-name"
    DASH = "dash"
    LATIN_INITIALS = "latin-initials"


class Reason(StrEnum):
    """Why a request's name could not be read (letters.md, section 3)."""

    NAME_MISSING = "name-missing"
    NAME_PLACEHOLDER = "name-placeholder"
    INITIALS_MISSING = "initials-missing"
    SURNAME_MISSING = "surname-missing"
    NAME_AMBIGUOUS = "name-ambiguous"
    NAME_NOT_CYRILLIC = "name-not-cyrillic"
    SEVERAL_NAMES = "several-names"
    TEXT_AFTER_NAME = "text-after-name"
    NAME_MALFORMED = "name-malformed"
    UNDECODABLE = "undecodable"
    AMBIGUOUS_SUBJECT = "ambiguous-subject"


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonName:
    """A person as the letter names them: «Мамин-Сибиряк Д.Н.», «фон Визин Д.И.», «Алиев И.Г. оглы».

    `surname` holds particles; `initials` is one or two dotted capitals («Р.-М.И.» counts as two); `suffix` is оглы, кызы and so on.
    """

    surname: str
    initials: str
    suffix: str = ""

    @property
    def canonical(self) -> str:
        """The one display form."""
        return f"{self.surname} {self.initials} {self.suffix}".rstrip()

    @property
    def key(self) -> str:
        """What is compared: ё as е, one apostrophe, case folded. The key of a person is (sender code, this)."""
        return self.canonical.casefold().translate({ord("ё"): "е", ord("’"): "'", ord("ʼ"): "'"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """The character a refusal points at: «латинская буква I, 8-й знак»."""

    character: str
    place: int  # counted from 1, in the name as it was written


@dataclass(frozen=True, kw_only=True, slots=True)
class Answerable:
    """What an answer must know of a letter. `message_ids` (one, as a rule) and `answers` (In-Reply-To and References) hold only ids
    of the strict form `<...@...>`.
    """

    message_ids: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()

    @property
    def message_id(self) -> str | None:
        """The letter's own id, by which it is answered."""
        return next(iter(self.message_ids), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter(Answerable):
    """What the headers of a letter say, decoded; nothing here is believed yet.

    `sender` is the bare address when there is exactly one From header with exactly one valid address (domain in IDNA form, all
    lower-cased), else None.
    """

    subject: str
    subject_repairs: tuple[Repair, ...] = ()
    subject_undecodable: bool = False  # some part of the subject has no readable characters (U+FFFD stands there)
    subject_count: int = 1  # different Subject headers
    subject_cut: bool = False  # longer than 4,000 characters: what is cut is refused, never read
    sender: str | None = None
    display_name: str = ""
    null_return_path: bool = False
    machine_mark: str | None = None  # the header that says a machine wrote it, as "Auto-Submitted: auto-replied"
    delivery_report: bool = False  # multipart/report; report-type=delivery-status
    daemon: bool = False  # From is mailer-daemon or postmaster, with or without a domain
    loop_mark: bool = False  # our own X-Mailer-Loop header stands in it
    authentication: tuple[tuple[str, str], ...] = ()  # the topmost received and authentication-results, in order: (name, value)
    size_bytes: int = 0
    digest: str = ""  # SHA-256 of the bytes that were read
    fingerprint: str = ""  # SHA-256 of the header block without trace headers: survives a move between servers


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """The fixed strings of a request's subject; from `rules/`, with the published procedure's as defaults."""

    phrase: str = "Запрос атрибутов временного доступа"
    separator: str = "="
    placeholder: str = "Фамилия И.О."


@dataclass(frozen=True, kw_only=True, slots=True)
class Own:
    """By what we know our own letters."""

    message_id_domain: str
    reply_subjects: tuple[str, ...] = ()  # how the subjects of our replies begin


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What reading a letter gave: always one kind; for a request either a person or the reason why there is none."""

    kind: Kind
    person: PersonName | None = None
    reason: Reason | None = None
    mistake: Mistake | None = None
    written: str = ""  # the name as it stood in the subject, tidied
    surname_hint: str = ""  # a readable surname in a refused name, for the right form in the refusal
    repairs: tuple[Repair, ...] = ()
    phrase_first: bool = False  # a machine's letter that begins with the phrase

    def __post_init__(self) -> None:
        if self.person is not None and self.reason is not None:
            raise ValueError("a reading holds a person or a reason, not both")
        if self.kind is Kind.REQUEST and self.person is None and self.reason is None:
            raise ValueError("a request holds a person or a reason")


class Trust(StrEnum):
    """How far a mailbox proves who sent a letter; each mailbox declares one (letters.md, section 4)."""

    NETWORK = "network"
    AUTHENTICATION_RESULTS = "authentication-results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """A row of the office's register: who may ask, and where the answer goes. `code` is the only name of it in logs and records.

    `blocked_until` is the last instant of a block (UTC), None for one without an end; `answer_changed_at` tells when `answer_to`
    was last changed, None for one that stands as it was first registered.
    """

    code: str
    organisation: str
    answer_to: str
    addresses: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    blocked: bool = False
    blocked_until: datetime | None = None
    block_reason: str = ""
    answer_changed_at: datetime | None = None

    def is_blocked(self, now: datetime) -> bool:
        """A block with an end lifts by itself."""
        return self.blocked and (self.blocked_until is None or now <= self.blocked_until)


class SenderStanding(StrEnum):
    """What the register and the channel say of who sent a letter."""

    KNOWN = "known"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"  # no such address in the register
    UNPROVEN = "unproven"  # the channel does not prove the address


class NameStanding(StrEnum):
    """Whether a name was read from the subject."""

    READ = "read"
    UNREADABLE = "unreadable"
    NONE = "none"  # not a request


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything a decision may look at; no personal data, so it is stored beside the decision as it is.

    One field, one fact; the comment is its meaning in the table of `docs/rules.md`. Counts are of this sender or this person,
    the limits behind the `..._reached` facts stand in `[limits]`.
    """

    kind: Kind  # what the letter is
    name: NameStanding  # whether a name was read
    sender: SenderStanding  # what register and channel say of the sender
    reason: Reason | None = None  # why the name could not be read
    repairs: tuple[Repair, ...] = ()  # tolerances used while reading
    phrase_first: bool = False  # the subject begins with the phrase (asked of machine mail)
    duplicate: bool = False  # the same letter came within 24 hours
    too_old: bool = False  # older than [letters] max_age_days by the server's date
    display_name_of_another: bool = False  # the display name is another sender's subscriber point
    person_unlisted: bool = False  # a list of persons is loaded for the sender and the name is not on it
    address_changed: bool = False  # the sender's answer address changed, and nothing was issued to the new one
    active_credential: bool = False  # this person has an active credential
    active_minutes: int | None = None  # minutes since the newest active credential was issued
    issued_30d: int = 0  # credentials issued or promised to this person within 30 days
    sender_active: int = 0  # other persons of the sender with an active or promised credential
    sender_today: int = 0  # credentials issued or approved for the sender today
    sender_limit_reached: bool = False  # sender_active or sender_today is at its limit
    cap_reached: bool = False  # the daily cap of replies (to this address, or in all) is reached
    answers_itself: bool = False  # the registered answer address is our own


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A verdict, the rule that gave it, and how it was reached.

    `reason` is the reading's reason, else the rule's id; None for `issue`. `reply` names the template of the answer, if any.
    """

    verdict: Verdict
    rule_id: str
    reason: str | None
    reply: str | None
    why: str
    trace: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A letter on the server, as far as its headers: the first look, before deciding what to fetch."""

    item: int  # UID
    received_at: datetime  # the server's own date (INTERNALDATE)
    size_bytes: int  # of the whole letter
    header: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class RawLetter:
    """A letter as it will be kept: whole, or its headers only."""

    mailbox: str
    epoch: int  # UIDVALIDITY
    item: int  # UID
    received_at: datetime
    size_bytes: int
    content: bytes
    whole: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """How long a credential is valid: `until` is the last instant (UTC), `last_day` its day in the zone, `rule` how found."""

    until: datetime
    last_day: date
    rule: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """Bare, validated addr-specs: nothing is ever parsed out of a header to find where a reply goes."""

    sender: str
    recipient: str


class Delivery(StrEnum):
    """What became of one attempt to hand a reply to the mail server."""

    SENT = "sent"
    LATER = "later"
    NEVER = "never"
    UNKNOWN = "unknown"  # the line broke after the final dot: the server may have it


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryOutcome:
    """`detail` is the server's answer, cut to 500 characters: strangers wrote it, so it is shown only through `safe_text`.

    `server_wide`: it failed before the server knew which letter it was about, so any other would fare the same now.
    """

    delivery: Delivery
    detail: str
    server_wide: bool = False


LOOP_HEADER: Final = "X-Mailer-Loop"
