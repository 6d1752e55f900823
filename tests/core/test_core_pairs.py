import re
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import pairs
from mailer.core.pairs import Pair
from mailer.errors import SetupError

MOSCOW = ZoneInfo("Europe/Moscow")
SOON = datetime(2026, 12, 7, 9, tzinfo=UTC)


def read(content: bytes | str, *, expires_column: str = "expires") -> tuple[list[Pair], list[SetupError]]:
    written = content.encode() if isinstance(content, str) else content
    return pairs.read(written, expires_column=expires_column, zone=MOSCOW, not_before=SOON)


def texts(problems: Sequence[SetupError]) -> list[str]:
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"login,password\nuc1,Secret-1\n", id="commas"),
        pytest.param(b"login;password\r\nuc1;Secret-1\r\n", id="semicolons, CRLF"),
        pytest.param(b"\xef\xbb\xbfpassword;login\r\nSecret-1;uc1\r\n", id="BOM, other order"),
        pytest.param(b"Login , PASSWORD\nuc1,Secret-1\n\n,\n", id="header as people write it, empty rows at the end"),
        pytest.param(b'login,password\n"uc1","Secret-1"', id="quoted, no newline at the end"),
    ],
)
def test_pairs_are_read(content: bytes) -> None:
    found, problems = read(content)
    assert texts(problems) == []
    assert [(one.login, one.password.reveal(), one.expires_at) for one in found] == [("uc1", "Secret-1", None)]


@pytest.mark.parametrize(
    "password",
    ["=SUM(A1)", "a b", "пароль Ё", "a\u0301e\u0308", "«»—№", "a,b;c", 'say "no"', "'", "0123", "1E5", "x" * 128, "{{ login }}"],
    ids=ascii,
)
def test_a_password_stays_as_the_authority_made_it(password: str) -> None:
    quoted = password.replace('"', '""')
    found, problems = read(f'login,password\nuc1,"{quoted}"\n')
    assert texts(problems) == []
    assert found[0].password.reveal() == password


def test_windows_1251_is_read() -> None:
    found, problems = read("login;password\r\nпользователь1;Пароль№1\r\n".encode("cp1251"))
    assert texts(problems) == []
    assert (found[0].login, found[0].password.reveal()) == ("пользователь1", "Пароль№1")


@pytest.mark.parametrize(
    ("written", "until"),
    [
        pytest.param("31.12.2026", datetime(2026, 12, 31, 20, 59, 59, tzinfo=UTC), id="a day means its end in the fund's zone"),
        pytest.param("2026-12-31", datetime(2026, 12, 31, 20, 59, 59, tzinfo=UTC), id="as machines write it"),
        pytest.param("31.12.9999", datetime(9000, 12, 31, 20, 59, 59, tzinfo=UTC), id="without end"),
        pytest.param("31.12.9999 23:59:59", datetime(9000, 12, 30, 21, tzinfo=UTC), id="without end, with seconds"),
        pytest.param("31.12.2026 18:00", datetime(2026, 12, 31, 15, tzinfo=UTC), id="with minutes"),
        pytest.param("2026-12-31T18:00:30", datetime(2026, 12, 31, 15, 0, 30, tzinfo=UTC), id="with seconds"),
        pytest.param("", None, id="not told"),
    ],
)
def test_the_end_of_a_pair(written: str, until: datetime | None) -> None:
    found, problems = read(f"login,password,действует до\nuc1,s,{written}\n", expires_column="Действует до")
    assert texts(problems) == []
    assert found[0].expires_at == until


BAD = """login,password,expires
uc1,good,31.12.2026
,s3cret-a,
uc3,,
uc4,s3cret-b\u200b,
uc5,s3cret-c\u202e,
uc6, s3cret-d,
uc7,{long},
uc8,s3cret-e
uc9,s3cret-f,,x
uc10,s3cret-g,завтра
uc11,s3cret-h,01.12.2026
uc12,s3cret\tj,
""".replace("{long}", "s" * 129)


def test_every_bad_row_is_named_and_no_cell_is_quoted() -> None:
    _found, problems = read(BAD)
    assert sorted(texts(problems), key=lambda text: int(re.findall(r"\d+", text)[0])) == [
        "line 3: login is empty",
        "line 4: password is empty",
        "line 5: password holds a character that cannot be seen",
        "line 6: password holds a character that cannot be seen",
        "line 7: password begins or ends with a space",
        "line 8: password is longer than 128 characters",
        "line 9: 2 cells instead of 3",
        "line 10: 4 cells instead of 3",
        "line 11: expires is no date such as 31.12.2026",
        "line 12: the pair ends too soon to be handed out",
        "line 13: password holds a character that cannot be seen",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("uc1,s3cret\nuc2,s3cret\n", "line 1: the column login is missing", id="no header row"),
        pytest.param(
            "login,password,s3cret\nuc1,x,y\n", "line 1: unknown column № 3; known are login, password, expires", id="odd"
        ),
        pytest.param("login,password,password\n", "line 1: the column password stands twice", id="twice"),
        pytest.param("", "line 1: the column login is missing", id="empty"),
        pytest.param('login,password\nuc1,s\nuc2,"s3cret\n', "line 3: a cell begins with a quote that is never closed", id="quote"),
        pytest.param(b"\xff\xfes3cret\0", "the file is neither UTF-8 nor windows-1251 text", id="UTF-16"),
    ],
)
def test_a_file_that_is_none_of_pairs(content: str | bytes, complaint: str) -> None:
    _found, problems = read(content)
    assert complaint in texts(problems)
    assert "s3cret" not in " ".join(texts(problems))


def test_a_named_column_that_is_not_there() -> None:
    assert texts(read("login,password\nuc1,s\n", expires_column="до")[1]) == ["line 1: the column до is missing"]


def test_logins_used_before_are_refused_by_line() -> None:
    found, problems = read("login,password\na,1\nb,2\nA,3\nc,4\n")
    assert texts(problems) == []
    mark = str.casefold
    conflicts = pairs.conflicts(found, mark, lambda marks: {"c"} & set(marks))
    assert texts(conflicts) == [
        "line 4: the login stands in line 2 already",
        "line 5: the login was imported or used before",
    ]


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_break_the_reading(content: bytes) -> None:
    found, problems = read(b"login,password\n" + content)
    assert all(0 < len(one.login) <= 128 and one.login.isprintable() for one in found)
    assert all(isinstance(problem, SetupError) for problem in problems)
