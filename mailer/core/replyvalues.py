"""What may a letter of ours say? The values that each template is filled with, and made-up ones to try it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Final

from mailer.core.letterhead import refuse_controls
from mailer.core.secret import UNMISTAKABLE, Secret
from mailer.model import Mistake, PersonName, Reading, Reason

_STRANGERS_WROTE: Final = frozenset({"written", "surname_hint"})
_NAMES: Final[dict[type, tuple[str, ...]]] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterValues:
    """What every letter of ours may say. Times are texts, see `reply.local_moment`.

    Raises ValueError for a line break or another control character in anything but what strangers wrote, which is cleaned when
    it is rendered.
    """

    fund_name: str
    contact: str
    portal_url: str

    def __post_init__(self) -> None:
        for name in names(self):
            value = getattr(self, name)
            if isinstance(value, str) and name not in _STRANGERS_WROTE:
                refuse_controls(name, value)


def names(values: LetterValues) -> tuple[str, ...]:
    """What these values are called; found once for each kind of letter."""
    kind: type = type(values)
    if kind not in _NAMES:
        _NAMES[kind] = tuple(field.name for field in fields(values))
    return _NAMES[kind]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyValues(LetterValues):
    """What every reply may say besides; enough for `refused-subject`, `refused-sender` and `received`.

    `checkpoint_code`: of the last checkpoint signed before it, "" before the first.
    """

    organisation: str
    request_number: int
    received_at: str
    checkpoint_code: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedValues(ReplyValues):
    """What `issued` may say besides. `by_authority`: the authority made login and password and set their term, not we."""

    person: PersonName
    login: str
    password: Secret
    valid_until: str
    by_authority: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TermValues(LetterValues):
    """What a letter about the end of a login may say besides: never its password. `by_authority`: its term is not ours to set."""

    organisation: str
    person: PersonName
    login: str
    valid_until: str
    by_authority: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedValues(ReplyValues):
    """What `refused` may say besides. `reason` is None when a rule refused, not the reading of the name."""

    reason: Reason | None
    written: str = ""
    surname_hint: str = ""
    mistake: Mistake | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmLine:
    """One alarm as sentences: `title` for the subject, what it is, since when, and what to do."""

    title: str
    what: str
    since: str
    to_do: str

    def __post_init__(self) -> None:
        for field in fields(self):
            refuse_controls(field.name, getattr(self, field.name))


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmValues(LetterValues):
    """What a letter to the officer may say besides."""

    alarms: tuple[AlarmLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerAddressValues(LetterValues):
    """What the letter to a left answer address may say besides. No names: somebody else may read there by now."""

    changed_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DigestLine:
    """A request of the digest: its number, the sender's code ("" when he is not in the register), and a time or a day."""

    request: int
    code: str
    at: str

    def __post_init__(self) -> None:
        refuse_controls("code", self.code)


@dataclass(frozen=True, kw_only=True, slots=True)
class DigestValues(LetterValues):
    """What the daily digest may say besides. Counts are of `since` to `until`, or of what waits now; no names anywhere.

    `checkpoint`: the lines of the newest signed one, to be kept with the letter; none before the first.
    """

    day: str
    since: str
    until: str
    letters: int
    approved: int
    approved_by_hand: int
    refused: int
    refused_by_hand: int
    left_to_people: int
    ignored: int
    sent: int
    undelivered: int
    held: tuple[DigestLine, ...]
    held_count: int
    ending: tuple[DigestLine, ...]
    ending_count: int
    ending_days: int
    quarantined: int
    to_issue: int
    to_send: int
    pauses: tuple[AlarmLine, ...]
    alarms: tuple[AlarmLine, ...]
    checkpoint: tuple[str, ...]


TEMPLATES: Final[Mapping[str, type[LetterValues]]] = MappingProxyType(
    {
        "issued": IssuedValues,
        "refused": RefusedValues,
        "refused-subject": ReplyValues,
        "refused-sender": ReplyValues,
        "expiring": TermValues,
        "extended": TermValues,
        "received": ReplyValues,
        "alarm": AlarmValues,
        "answer-address": AnswerAddressValues,
        "digest": DigestValues,
    }
)
"""The letters there are, and what each is filled with."""

REFUSALS: Final = tuple(name for name in TEMPLATES if name.startswith("refused"))
"""What a rule may name as its reply to a refused request."""


def refusal(name: str, values: ReplyValues, reading: Reading) -> ReplyValues:
    """What the refusal `name` is filled with, for a letter that was read so."""
    if TEMPLATES[name] is not RefusedValues:
        return values
    return RefusedValues(
        **asdict(values),
        reason=reading.reason,
        written=reading.written,
        surname_hint=reading.surname_hint,
        mistake=reading.mistake,
    )


_SAMPLE: Final = ReplyValues(
    fund_name="ТФОМС Архангельской области",
    contact="отдел информационной безопасности, тел. (8182) 00-00-00",
    portal_url="https://portal.example",
    organisation="ГБУЗ «Образцовая городская больница»",
    request_number=1,
    received_at="23.11.2026, 10:15:02 (МСК, UTC+3)",
    checkpoint_code="3KQ7-9D2M-XT5V-B8HC",
)


def sample_values(name: str) -> tuple[LetterValues, ...]:
    """Made-up values for previews and checks, the most usual first; together they take every branch of the packaged template."""
    match name:
        case "issued":
            usual_login = IssuedValues(
                **asdict(_SAMPLE),
                person=PersonName(surname="Образцов", initials="О.О."),
                login=f"tmp-29-{UNMISTAKABLE[:8]}",
                password=Secret(UNMISTAKABLE[:18]),
                valid_until="23.02.2027, 23:59:59 (МСК, UTC+3)",
            )
            return (usual_login, replace(usual_login, by_authority=True))
        case "expiring" | "extended":
            ours = TermValues(
                fund_name=_SAMPLE.fund_name,
                contact=_SAMPLE.contact,
                portal_url=_SAMPLE.portal_url,
                organisation=_SAMPLE.organisation,
                person=PersonName(surname="Образцов", initials="О.О."),
                login=f"tmp-29-{UNMISTAKABLE[:8]}",
                valid_until="23.02.2027, 23:59:59 (МСК, UTC+3)",
            )
            return (ours, replace(ours, by_authority=True))
        case "refused":
            usual = RefusedValues(**asdict(_SAMPLE), reason=Reason.INITIALS_MISSING, written="Образцов", surname_hint="Образцов")
            by_reason = (
                replace(usual, reason=reason, surname_hint=hint) for reason in [*Reason, None] for hint in ("", "Образцов")
            )
            mistakes = (Mistake(character=character, place=8) for character in "IПωі一0_ \u0301")
            by_mistake = (replace(usual, reason=Reason.NAME_NOT_CYRILLIC, mistake=mistake) for mistake in mistakes)
            return (usual, *by_reason, *by_mistake)
        case "alarm" | "answer-address" | "digest":
            return _sample_notices(name)
        case _:
            return (_SAMPLE,)


def _sample_notices(name: str) -> tuple[LetterValues, ...]:
    """Letters that answer nobody."""
    left = AnswerAddressValues(
        fund_name=_SAMPLE.fund_name, contact=_SAMPLE.contact, portal_url=_SAMPLE.portal_url, changed_at=_SAMPLE.received_at
    )
    return {
        "alarm": (_sample_alarms(1), _sample_alarms(3)),
        "answer-address": (left,),
        "digest": (_sample_digest(1), _sample_digest(0)),
    }[name]


def _sample_alarms(count: int) -> AlarmValues:
    line = AlarmLine(
        title="письма в карантине",
        what="писем в карантине: 2",
        since=_SAMPLE.received_at,
        to_do="посмотрите их: `mailer letters list --quarantined`",
    )
    alarms = tuple(replace(line, title=f"{line.title} ({number})") for number in range(1, count + 1))
    return AlarmValues(fund_name=_SAMPLE.fund_name, contact=_SAMPLE.contact, portal_url=_SAMPLE.portal_url, alarms=alarms)


def _sample_digest(count: int) -> DigestValues:
    """A morning with so many of everything."""
    lines = tuple(DigestLine(request=number, code=code, at="01.12.2026") for number, code in ((1, "290001"), (2, "")))
    alarms = _sample_alarms(count).alarms
    return DigestValues(
        fund_name=_SAMPLE.fund_name,
        contact=_SAMPLE.contact,
        portal_url=_SAMPLE.portal_url,
        day="23.11.2026",
        since=_SAMPLE.received_at,
        until=_SAMPLE.received_at,
        letters=count,
        approved=count,
        approved_by_hand=count,
        refused=count,
        refused_by_hand=count,
        left_to_people=count,
        ignored=count,
        sent=count,
        undelivered=count,
        held=lines[: 2 * count],
        held_count=3 * count,
        ending=lines[: 2 * count],
        ending_count=3 * count,
        ending_days=14,
        quarantined=count,
        to_issue=count,
        to_send=count,
        pauses=alarms,
        alarms=alarms,
        checkpoint=("mailer/0123456789abcdef0123456789abcdef", "1200", "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")[: 3 * count],
    )
