"""The bytes of a record are final: this test holds them, and may only grow."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailer.core import evidence
from mailer.core.evidence import Record

KEY = bytes(range(32))
NONCE = b"\x01" * 16
AT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone(timedelta(hours=3)))
RECORD = Record(
    event="request.approved",
    actor="mailer-desk",
    sender="290001",
    request=7,
    details={"letter": 3, "facts": {"name": "read"}, "b": "й"},
)


def test_version_1_bytes() -> None:
    sealed = evidence.seal(RECORD, seq=2, at=AT, nonce=NONCE, key=KEY)
    assert sealed.header.decode() == (
        '{"version":1,"seq":2,"at":"2026-11-23T09:00:00.000000+00:00","event":"request.approved","importance":"info",'
        '"actor":"mailer-desk","sender":"290001","request":7,"outcome":"done"}'
    )
    assert sealed.details.decode() == '{"b":"й","facts":{"name":"read"},"letter":3}'
    leaf = hashlib.sha256(b"\0" + sealed.header + hashlib.sha256(NONCE + sealed.details).digest()).digest()
    assert sealed.leaf == leaf
    assert sealed.mac == hmac.new(KEY, (2).to_bytes(8, "big") + leaf, "sha256").digest()
    assert sealed.mac.hex() == "e6b3f1a345607c7ba326117c51a850274efccfe78ed768de19c674db97d3c1b4"


def test_a_sealed_record_has_no_fault() -> None:
    assert evidence.fault(evidence.seal(RECORD, seq=2, at=AT, nonce=NONCE, key=KEY), KEY) is None


@pytest.mark.parametrize("part", ["header", "nonce", "details", "leaf", "mac"])
def test_any_changed_part_is_a_fault(part: str) -> None:
    sealed = evidence.seal(RECORD, seq=2, at=AT, nonce=NONCE, key=KEY)
    changed = replace(sealed, **{part: getattr(sealed, part)[:-1] + b"?"})
    assert evidence.fault(changed, KEY) is not None


def test_a_record_moved_to_another_seq_is_a_fault() -> None:
    sealed = evidence.seal(RECORD, seq=2, at=AT, nonce=NONCE, key=KEY)
    assert evidence.fault(replace(sealed, seq=3), KEY) is not None


def test_a_name_is_told_by_its_salted_digest_in_nfc() -> None:
    digest = evidence.personal_digest(b"s" * 16, "Чайковский П.И.")
    assert digest == evidence.personal_digest(b"s" * 16, "Чаи\u0306ковскии\u0306 П.И.")
    assert digest != evidence.personal_digest(b"t" * 16, "Чайковский П.И.")


def test_a_time_is_written_in_utc_with_microseconds() -> None:
    assert evidence.instant(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "2026-01-02T03:04:05.000006+00:00"
