"""The daily digest from the real service: it leaves by the mail server, one for each day that is noted."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.bureau import Bureau, body, header, request
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.slow

GOOD = "gb1@clinic.example"


def test_a_digest_leaves_once_a_day(tmp_path: Path, dovecot: Dovecot) -> None:
    with Bureau(tmp_path, f"sqlite:///{tmp_path / 'mailer.db'}", dovecot) as bureau:
        bureau.register([GOOD])
        text = bureau.config.read_text(encoding="utf-8")
        bureau.config.write_text(text.replace('digest_at = ""', 'digest_at = "00:00"'), encoding="utf-8")
        with closing(sqlite3.connect(bureau.home / "mailer.db")) as database:
            database.execute("UPDATE instance SET created_at = '2026-01-01T00:00:00.000000+00:00'")
            database.commit()
        dovecot.drop([request("Пришва А.А.", GOOD, 1)])

        def digests() -> list[bytes]:
            return [one.content for one in bureau.received() if "Сводка" in header(one.content, "Subject")]

        service = bureau.start()
        bureau.wait_for(digests, "the digest", 90)
        (letter,) = digests()
        assert "одобрено запросов: 1" in body(letter)
        assert "Пришва" not in body(letter)
        service.send_signal(signal.SIGTERM)
        service.wait(20)
        listed = bureau.mailer("audit", "list", "--limit", "1000")
        with closing(sqlite3.connect(bureau.home / "mailer.db")) as database:
            days = database.execute("SELECT count(*) FROM digests").fetchall()
        assert days == [(listed.count("notice.queued"),)]
