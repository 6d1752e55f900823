"""Which rows and replies belong to which letter? The evidence of a campaign, sorted for its judge."""

from __future__ import annotations

from collections import defaultdict

from tests.crash.evidence import Came, Evidence, Row


class Case:
    """The evidence, sorted by letter."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.requests = {row["letter_id"]: row for row in evidence.requests if row["letter_id"] is not None}
        self.credentials: dict[int, list[Row]] = defaultdict(list)
        self.replies: dict[int, list[Row]] = defaultdict(list)
        self.letters: dict[int, list[Row]] = defaultdict(list)
        self.came: dict[int | None, list[Came]] = defaultdict(list)
        for row in evidence.credentials:
            self.credentials[row["request_id"]].append(row)
        for row in evidence.replies:
            self.replies[row["request_id"]].append(row)
        for row in evidence.letters:
            self.letters[row["number"]].append(row)
        for one in evidence.came:
            self.came[one.number].append(one)

    def end(self, letter: Row) -> tuple[str, str | None, str | None, int, tuple[str, ...]]:
        """What became of a kept letter: its state, verdict, request, number of credentials, states of replies."""
        request = self.requests.get(letter["id"])
        if request is None:
            return letter["state"], letter["verdict"], None, 0, ()
        replies = tuple(sorted(row["state"] for row in self.replies[request["id"]]))
        return letter["state"], letter["verdict"], request["state"], len(self.credentials[request["id"]]), replies
