"""How many letters may be asked for at once after the line broke, and which is asked for no more?

A letter that the server cannot read itself (a damaged file, say) ends the whole command, often the connection, and nobody is told
which it was. So what was asked for together is asked for by halves; who breaks the line alone, three times, is left where it lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

SINGLE_ATTEMPTS: Final = 3


class Caution:
    """What is remembered of one folder from one connection to the next. Items are numbers within an epoch, ascending."""

    def __init__(self) -> None:
        self._most = 0
        self._until: tuple[int, int] | None = None  # the last item of those that broke the line; behind it nothing is suspected
        self._alone: Counter[tuple[int, int]] = Counter()

    def broke(self, epoch: int, items: Sequence[int]) -> bool:
        """The line broke while these were asked for; whether it is a single one that is now given up."""
        if len(items) > 1:
            self._most, self._until = len(items) // 2, (epoch, items[-1])
            return False
        self._alone[epoch, items[0]] += 1
        return self.is_given_up(epoch, items[0])

    def size(self, epoch: int, first: int, usual: int) -> int:
        """How many to ask for, beginning with `first`."""
        suspected = self._until is not None and self._until[0] == epoch and first <= self._until[1]
        return min(self._most, usual) if suspected else usual

    def is_given_up(self, epoch: int, item: int) -> bool:
        return self._alone[epoch, item] >= SINGLE_ATTEMPTS
