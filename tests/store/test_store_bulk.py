"""Rows put in at once are the rows that SQLAlchemy would have put in one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select

from mailer.store.bulk import Bulk
from mailer.store.schema import records, replies
from tests.store.offices import Trial

ROW = {
    **{"header": b"\x00h", "nonce": b"n" * 16, "details": "ё".encode(), "leaf": b"l" * 32, "mac": b"m" * 32},
    **{"at": datetime(2026, 11, 23, 7, 15, 2, 999, tzinfo=UTC), "event": "letter.kept", "importance": "info", "actor": "%s :x ?"},
    **{"sender_code": None, "request_id": None, "outcome": "done", "letter_id": 7},
}


def test_they_are_the_same_rows(trial: Trial) -> None:
    whole = Bulk(records, records.c.keys())
    with trial.database.writing() as tx:
        tx.execute(insert(records), [ROW | {"seq": 1001}])
        whole.put(tx, [])
        whole.put(tx, [ROW | {"seq": 1002}, ROW | {"seq": 1003}])
        Bulk(records, ["seq", *(name for name in ROW if ROW[name] is not None)]).put(
            tx, [{name: value for name, value in ROW.items() if value is not None} | {"seq": 1004}]
        )
    with trial.database.reading() as tx:
        rows = [row._asdict() for row in tx.execute(select(records).where(records.c.seq > 1000).order_by(records.c.seq))]
    assert rows == [ROW | {"seq": seq} for seq in range(1001, 1005)]


def test_a_default_is_never_left_out_in_silence(trial: Trial) -> None:
    with trial.database.writing() as tx, pytest.raises(ValueError, match="attempts"):
        Bulk(replies, ["id"]).put(tx, [{"id": "1"}])
