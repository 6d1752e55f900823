from datetime import UTC, datetime, timedelta

import pytest

from mailer.core.accounts import Capabilities, Differences, Issued, Managed, compare

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
UNTIL = NOW + timedelta(days=90)
OURS = Capabilities(makes_secret=False, sets_expiry=True, disables=True, tells_first_use=False)
THEIRS = Capabilities(makes_secret=True, sets_expiry=False, disables=False, tells_first_use=False)


def issued(*, active: bool = True, pending: bool = False, until: datetime = UNTIL) -> Issued:
    return Issued(credential_id="c", login="a", active=active, pending=pending, valid_until=until)


def account(*, enabled: bool = True, until: datetime | None = UNTIL) -> Managed:
    return Managed(credential_id="c", login="a", enabled=enabled, expires_at=until)


def kinds(found: Differences) -> set[str]:
    names = ("without_credential", "without_account", "other_end", "by_hand")
    return {name for name in names if getattr(found, name)}


@pytest.mark.parametrize(
    ("credential", "there", "can", "expected"),
    [
        pytest.param(issued(), account(), OURS, set(), id="agree"),
        pytest.param(issued(), account(until=None), THEIRS, set(), id="agree, the end is not told"),
        pytest.param(issued(), account(until=UNTIL + timedelta(1)), THEIRS, set(), id="it may end later where the end is not ours"),
        pytest.param(issued(active=False), account(enabled=False), OURS, set(), id="both ended"),
        pytest.param(issued(active=False, pending=True), account(), THEIRS, set(), id="being made"),
        pytest.param(issued(active=False, pending=True), None, OURS, set(), id="not yet made"),
        pytest.param(None, account(), OURS, {"without_credential"}, id="nobody's account"),
        pytest.param(issued(active=False), account(), OURS, {"without_credential"}, id="the account outlived its credential"),
        pytest.param(issued(), None, OURS, {"without_account"}, id="no account"),
        pytest.param(issued(), account(enabled=False), OURS, {"without_account"}, id="a login that does not work"),
        pytest.param(issued(), account(until=UNTIL + timedelta(1)), OURS, {"other_end"}, id="ends later than told"),
        pytest.param(issued(), account(until=UNTIL - timedelta(1)), THEIRS, {"other_end"}, id="ends before it was told to"),
        pytest.param(issued(active=False), account(enabled=False), THEIRS, {"by_hand"}, id="ended with us alone"),
        pytest.param(
            issued(active=False, until=NOW - timedelta(1)), account(enabled=False, until=None), THEIRS, set(), id="over by itself"
        ),
        pytest.param(
            issued(active=False), account(enabled=False, until=NOW - timedelta(1)), THEIRS, set(), id="the account itself is over"
        ),
    ],
)
def test_accounts_against_credentials(
    credential: Issued | None, there: Managed | None, can: Capabilities, expected: set[str]
) -> None:
    found = compare({"c": credential} if credential else {}, [(there, can)] if there else [], now=NOW)
    assert kinds(found) == expected
    assert bool(found) == bool(expected)
