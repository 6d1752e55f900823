"""Fakes of the edges. They remember what was asked of them and can be told to fail; nothing is patched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from mailer.core.alarms import OutsideSigns
from mailer.errors import EdgeError, EdgeSetupError
from mailer.model import Delivery, DeliveryOutcome, Envelope, Head


@dataclass
class FakeMailbox:
    """A folder in memory. Whoever asks for one of the `damaged` letters gets none.

    `fail_before` and `fail_after`: names of calls that break before, or after they were done, once.
    """

    name: str = "uc"
    epoch: int = 1
    letters: dict[int, bytes] = field(default_factory=dict)
    filed: dict[int, bytes] = field(default_factory=dict)
    received_at: datetime = datetime(2026, 11, 23, 8, 59, tzinfo=UTC)
    fail_before: set[str] = field(default_factory=set)
    fail_after: set[str] = field(default_factory=set)
    fetched: list[int] = field(default_factory=list)
    omitted: set[int] = field(default_factory=set)
    refuses_filing: bool = False
    damaged: set[int] = field(default_factory=set)
    is_open: bool = False
    _mark: int = 0

    def drop(self, *letters: bytes) -> None:
        for content in letters:
            self.letters[max([0, *self.letters, *self.filed]) + 1] = content

    def renumber(self, epoch: int) -> None:
        """UIDVALIDITY changes: the same letters under other numbers."""
        self.epoch = epoch
        self.letters = {number + 1000: content for number, content in self.letters.items()}

    def open(self) -> int:
        self._break("open")
        self.is_open, self._mark = True, 0
        return self.epoch

    def items(self, *, full: bool) -> list[int]:
        self._break("items")
        found = [item for item in sorted(self.letters) if full or item > self._mark]
        self._mark = max([self._mark, *found])
        return found

    def heads(self, items: Sequence[int]) -> list[Head]:
        self._break("heads")
        return [
            Head(
                item=item,
                received_at=self.received_at,
                size_bytes=len(self.letters[item]),
                header=self.letters[item].partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
            )
            for item in items
            if item not in self.omitted
        ]

    def whole(self, items: Sequence[int]) -> dict[int, bytes]:
        self._break("whole")
        if self.damaged.intersection(items):
            raise EdgeError("the server cannot read one of them, and hangs up")
        self.fetched += items
        return {item: self.letters[item] for item in items}

    def since(self, day: date) -> list[int]:
        self._break("since")
        return sorted(self.letters) if self.received_at.date() >= day else []

    def put_back(self, content: bytes, received_at: datetime) -> None:
        if "put_back" in self.fail_before:
            self._break("put_back")
        self.drop(content)
        self._break("put_back")

    def file(self, items: Sequence[int]) -> None:
        if self.refuses_filing:
            raise EdgeSetupError("there is no room in the done folder")
        if "file" in self.fail_before:
            self._break("file")
        for item in items:
            if item in self.letters:
                self.filed[item] = self.letters.pop(item)
        self._break("file")

    def wait(self, seconds: float, keep_going: Callable[[], bool]) -> bool:
        return keep_going()

    def close(self) -> None:
        self.is_open = False

    def _break(self, call: str) -> None:
        for broken in (self.fail_before, self.fail_after):
            if call in broken:
                broken.discard(call)
                raise EdgeError("the line broke in {call}", call=call)


@dataclass
class FakePostman:
    """A mail server in memory: answers what it is told to, in order, then SENT. `down`: it is not there, however often asked."""

    answers: list[Delivery] = field(default_factory=list)
    sent: list[tuple[Envelope, bytes]] = field(default_factory=list)
    down: bool = False
    asked: int = 0

    async def send(self, envelope: Envelope, content: bytes) -> DeliveryOutcome:
        self.asked += 1
        if self.down:
            return DeliveryOutcome(delivery=Delivery.LATER, detail="cannot be reached", server_wide=True)
        answer = self.answers.pop(0) if self.answers else Delivery.SENT
        if answer in {Delivery.SENT, Delivery.UNKNOWN}:
            self.sent.append((envelope, content))
        return DeliveryOutcome(delivery=answer, detail=f"250 {answer}")

    async def close(self) -> None:
        self.answers.clear()


@dataclass
class FakeSurroundings:
    """Disks, keys and a stopwatch, as the test says; asked for which keys it remembers."""

    free_bytes: dict[str, int] = field(default_factory=lambda: {"database": 10**12})
    missing_keys: list[str] = field(default_factory=list)
    uptime: Callable[[], float] = lambda: 0.0
    asked: list[list[str]] = field(default_factory=list)

    def look(self, epochs: Sequence[str]) -> OutsideSigns:
        self.asked.append(list(epochs))
        return OutsideSigns(free_bytes=self.free_bytes, missing_keys=self.missing_keys, uptime_seconds=self.uptime())


@dataclass
class FakeCommand:
    """A second channel in memory; `broken`: it takes nothing."""

    broken: bool = False
    told: list[bytes] = field(default_factory=list)

    def tell(self, content: bytes) -> None:
        if self.broken:
            raise EdgeError("the alarm command ended with code {code}", code=1)
        self.told.append(content)
