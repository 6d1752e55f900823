"""Is a register file read as offices write it, and is every bad row named by its line? (letters.md, section 6)"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import addresses, register
from mailer.core.register import Row
from mailer.model import Sender

HEADER = "code,organisation,subscriber,address,answer_to\n"
GOOD = "1,Больница,29(Б) Иванова,a@x.example,b@x.example\n"
ROW = Row(line=2, code="1", organisation="Больница", subscriber="29(Б) Иванова", address="a@x.example", answer_to="b@x.example")
REGISTERED = Sender(
    code="1", organisation="Больница", answer_to="old@x.example", addresses=("a@x.example",), points=("29(Б) Иванова",)
)


def rows(content: str | bytes) -> list[Row]:
    found, problems = register.read(content.encode() if isinstance(content, str) else content)
    assert [str(problem) for problem in problems] == []
    return found


def problems(content: str | bytes) -> list[str]:
    return [str(problem) for problem in register.read(content.encode() if isinstance(content, str) else content)[1]]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param((HEADER + GOOD).encode(), id="utf-8"),
        pytest.param((HEADER + GOOD).encode("utf-8-sig"), id="byte-order-mark"),
        pytest.param((HEADER + GOOD).encode("windows-1251"), id="windows-1251"),
        pytest.param((HEADER + GOOD).replace(",", ";").encode("windows-1251"), id="semicolons"),
        pytest.param((HEADER + GOOD).replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param((HEADER + GOOD).rstrip("\n").encode(), id="no-end-of-line"),
        pytest.param((HEADER + GOOD + "\n , ,,,\n,,,,\n").encode(), id="empty-lines"),
        pytest.param(b"Code , ORGANISATION,subscriber,Address,answer_to\n" + GOOD.encode(), id="header-in-any-case"),
        pytest.param((HEADER + ' 1 ," Больница ",29(Б) Иванова , A@X.example,b@X.EXAMPLE\n').encode(), id="spaces-and-capitals"),
        pytest.param((HEADER + '"1","Больница","29(Б) Иванова","a@x.example","b@x.example"\n').encode(), id="quotes"),
        pytest.param((HEADER + GOOD).replace("\n", "\r").encode(), id="cr"),
        pytest.param((HEADER + GOOD).replace("\n", ",,\n").encode(), id="empty-columns-at-the-edge"),
        pytest.param((HEADER + GOOD).replace(",", ";").replace("\n", ";;;\r\n").encode("cp1251"), id="excel-with-empty-columns"),
        pytest.param((HEADER.strip() + ",,\n" + GOOD + ",,,,,,\n").encode(), id="empty-columns-in-the-header-only"),
        pytest.param((HEADER + '1,"Больница\n","29(Б)\r\n Иванова",\u00a0a@x.example,b@x.example\n').encode(), id="lines-in-cells"),
        pytest.param((HEADER.upper() + GOOD).encode(), id="header-in-capitals"),
        pytest.param(('"code","organisation","subscriber","address","answer_to"\n' + GOOD).encode("utf-8-sig"), id="quoted-header"),
        pytest.param(
            "answer_to;address;subscriber;organisation;code\nb@x.example;a@x.example;29(Б) Иванова;Больница;1\n".encode(),
            id="columns-in-another-order",
        ),
    ],
)
def test_one_row_however_it_is_written(content: bytes) -> None:
    assert rows(content) == [ROW]


def test_quotes_keep_separators_and_quotes() -> None:
    (found,) = rows(HEADER + '1,"ГБУЗ ""Больница"", № 1; детская",,a@x.example,\n')
    assert (found.organisation, found.subscriber, found.answer_to) == ('ГБУЗ "Больница", № 1; детская', "", "")


def test_semicolons_in_a_name_do_not_change_the_separator() -> None:
    assert rows(HEADER + "1,Б; В; Г; Д; Е; Ё,,a@x.example,\n")[0].organisation == "Б; В; Г; Д; Е; Ё"


def test_letters_that_were_taken_apart_are_put_together() -> None:
    taken = rows(HEADER + "1,Краевой,,a@x.example,\n1,Краево\u0438\u0306,,b@x.example,\n")
    assert register.conflicts(taken, []) == []


@pytest.mark.parametrize("text", ["ООО «ЛЕС»", "СП «Русь» №1", "ПАО «РЖД»", "Рёбра Рёва", "РСФСР"])
def test_windows_1251_is_told_from_damaged_utf8(text: str) -> None:
    (found,) = rows((HEADER + f"1,{text},,a@x.example,\n").encode("cp1251"))
    assert found.organisation == text
    damaged = (HEADER + f"1,Больница {text},,a@x.example,\n").encode() + b"\xd0\n"
    assert problems(damaged) == ["the file is neither UTF-8 nor windows-1251 text"]


def test_a_file_of_nothing_but_its_header_has_no_rows() -> None:
    assert rows(HEADER) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("", "line 1: the column code is missing", id="empty-file"),
        pytest.param("code,organisation,subscriber,address\n", "line 1: the column answer_to is missing", id="column-missing"),
        pytest.param(
            "шифр,organisation,subscriber,address,answer_to\n", "line 1: unknown column шифр; known are code,", id="unknown"
        ),
        pytest.param(HEADER.strip() + ",code\n", "line 1: the column code stands twice", id="column-twice"),
        pytest.param(HEADER + ",Больница,,a@x.example,\n", "line 2: code is empty", id="no-code"),
        pytest.param(HEADER + "1, ,,a@x.example,\n", "line 2: organisation is empty", id="no-organisation"),
        pytest.param(HEADER + "1,Больница,,,\n", "line 2: address is empty", id="no-address"),
        pytest.param(HEADER + "1,Больница,,a@x.example\n", "line 2: 4 cells instead of 5", id="too-few"),
        pytest.param(HEADER + GOOD + "1,ООО, клиника,,a@x.example,\n", "line 3: 6 cells instead of 5", id="too-many"),
        pytest.param(HEADER + "1,Больница,,a b@x.example,\n", "line 2: address is not a mail address: a b@x.example", id="address"),
        pytest.param(HEADER + "1,Больница,,a@x.example,b@\n", "line 2: answer_to is not a mail address: b@", id="answer_to"),
        pytest.param(HEADER + '1,Больница,,"a@x.example, b@x.example",\n', "line 2: address is not a mail address", id="two"),
        pytest.param(HEADER + "1,Больница,,Касса <a@x.example>,\n", "line 2: address is not a mail address", id="named-address"),
        pytest.param(
            HEADER + "1,Боль\x1b[31mница,,a@x.example,\n", "line 2: organisation holds a character that cannot be seen", id="escape"
        ),
        pytest.param(HEADER + "1,Боль\x07ница,,a@x.example,\n", "organisation holds a character that cannot be seen", id="bell"),
        pytest.param(HEADER + f"{'1' * 41},Больница,,a@x.example,\n", "line 2: code is longer than 40 characters", id="long"),
        pytest.param(
            HEADER + GOOD + '2,"Больница,,a@x.example,\n\n\n',
            "line 3: a cell begins with a quote that is never closed",
            id="open-quote",
        ),
        pytest.param(
            HEADER + GOOD + '2,"Б"ольница,,a@x.example,\n', "line 3: text stands behind a closing quote", id="text-behind-a-quote"
        ),
        pytest.param(HEADER + "1;Больница;;a@x.example;\n", "line 2: 1 cells instead of 5", id="another-separator"),
        pytest.param(HEADER.replace(",", "\t"), "line 1: the column code is missing", id="tabs"),
        pytest.param("\n" + HEADER + GOOD, "line 1: the column code is missing", id="header-not-first"),
        pytest.param(HEADER + "1,Больница,,a@x.example,,\n", "line 2: 6 cells instead of 5", id="an-empty-cell-too-many"),
        pytest.param(HEADER.strip() + ",,\n1,Б,,a@x.example,,x,\n", "line 2: 7 cells instead of 5", id="under-no-name"),
        pytest.param(HEADER.strip() + ",,x\n" + GOOD, "line 1: unknown column x", id="a-name-behind-empty-ones"),
        pytest.param(HEADER.strip() + ",Code\n", "line 1: the column code stands twice", id="column-twice-in-another-case"),
        pytest.param(HEADER + '"=""001""",Больница,,a@x.example,\n', "line 2: code is a formula, not text", id="formula-code"),
        pytest.param(HEADER + "1,=HYPERLINK(A1),,a@x.example,\n", "line 2: organisation is a formula", id="formula"),
        pytest.param(HEADER + "1,Б,=1+1,a@x.example,\n", "line 2: subscriber is a formula, not text", id="formula-point"),
        pytest.param(HEADER + "1,Б,,=A1,\n", "line 2: address is not a mail address: =A1", id="formula-address"),
        pytest.param(
            HEADER + "1,Боль\u202eница,,a@x.example,\n", "line 2: organisation holds a character that cannot be seen", id="bidi"
        ),
        pytest.param(
            HEADER + "1\u200b,Больница,,a@x.example,\n", "line 2: code holds a character that cannot be seen", id="zero-width"
        ),
        pytest.param(HEADER + "1,Боль\0ница,,a@x.example,\n", "the file is neither UTF-8 nor windows-1251 text", id="nul"),
        pytest.param(
            HEADER + f"1,{'Б' * 401},,a@x.example,\n", "line 2: organisation is longer than 400 characters", id="long-name"
        ),
        pytest.param(
            HEADER + f"1,Б,{'П' * 401},a@x.example,\n", "line 2: subscriber is longer than 400 characters", id="long-point"
        ),
        pytest.param(
            HEADER + f"1,{'Б' * 1_000_000},,a@x.example,\n", "line 2: a cell is longer than 131072 characters", id="megabyte"
        ),
        pytest.param(HEADER + f"1,Б,,{'a' * 100_000},\n", f"not a mail address: {'a' * register.SHOWN}", id="long-address"),
        pytest.param(b"\x98" + HEADER.encode(), "the file is neither UTF-8 nor windows-1251 text", id="no-text"),
        pytest.param(HEADER.encode("utf-16"), "the file is neither UTF-8 nor windows-1251 text", id="utf-16"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(content: str | bytes, complaint: str) -> None:
    assert any(complaint in problem for problem in problems(content)), problems(content)


def test_all_bad_rows_are_named_at_once() -> None:
    found = problems(HEADER + GOOD + ",Больница,,не адрес,\n\n1,Больница\n2,Больница,,c@x.example,нет\n")
    assert found == [
        "line 3: code is empty",
        "line 3: address is not a mail address: не адрес",
        "line 5: 2 cells instead of 5",
        "line 6: answer_to is not a mail address: нет",
    ]


def test_a_broken_row_hides_no_other_and_lines_are_those_on_which_rows_begin() -> None:
    broken = '1,"Больница\nна двух\nстроках",,нет,\n'  # lines 2 to 4
    found = problems(HEADER + broken + '2,"Б"ольница,,a@x.example,\n' + f"3,{'Б' * 200_000},,a@x.example,\n,Б,,a@x.example,\n4,Б\n")
    assert [problem.partition(":")[0] for problem in found] == ["line 2", "line 5", "line 6", "line 7", "line 8"]
    assert rows(HEADER + broken.replace("нет", "a@x.example") + "2,В,,b@x.example,\n")[1].line == 5


def test_the_same_row_twice_is_one() -> None:
    taken = rows(HEADER + GOOD + GOOD + GOOD.replace("a@x", "A@X"))
    assert register.conflicts(taken, []) == []
    (sender,) = register.senders(taken, [])
    assert (sender.addresses, sender.points) == (("a@x.example",), ("29(Б) Иванова",))


CLASH = [
    pytest.param(
        "1,Б,,a@x.example,\n2,В,,A@X.example,\n", "line 3: the address a@x.example stands under two codes, 2 and 1", id="address"
    ),
    pytest.param(
        "1,Б,П 1,a@x.example,\n2,В,п  1,b@x.example,\n", "line 3: this subscriber point stands under two codes, 2 and 1", id="point"
    ),
    pytest.param(
        "1,Б,,a@x.example,\n1,В,,b@x.example,\n", "line 3: the code 1 has two organisations, the other is Б", id="organisation"
    ),
    pytest.param(
        "1,Б,,a@x.example,c@x.example\n1,Б,,b@x.example,d@x.example\n",
        "line 3: the code 1 has two answer addresses, the other is c@x.example",
        id="answer_to",
    ),
]


@pytest.mark.parametrize(("content", "complaint"), CLASH)
def test_rows_that_contradict_each_other(content: str, complaint: str) -> None:
    assert [str(problem) for problem in register.conflicts(rows(HEADER + content), [])] == [complaint]


def test_rows_that_contradict_the_register() -> None:
    taken = rows(HEADER + "2,Клиника,29(б)  ИВАНОВА,A@x.example,\n")
    assert [str(problem) for problem in register.conflicts(taken, [REGISTERED])] == [
        "line 2: the address a@x.example stands under two codes, 2 and 1",
        "line 2: this subscriber point stands under two codes, 2 and 1",
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("1,Больница,29(Б) Иванова,a@x.example,\n", id="as-it-is"),
        pytest.param("1,Больница имени Иванова,,a@x.example,\n", id="renamed"),
        pytest.param("1,Больница,,c@x.example,new@x.example\n", id="another-address"),
        pytest.param("1,Больница,,c@x.example,\n1,Больница,П 2,c@x.example,\n2,Клиника,,d@x.example,\n", id="several-rows"),
    ],
)
def test_a_file_may_be_imported_again_and_add(content: str) -> None:
    assert register.conflicts(rows(HEADER + content), [REGISTERED]) == []


def test_rows_of_one_code_are_one_sender() -> None:
    content = "1,Б,П 1,a@x.example,\n2,В,,z@x.example,\n1,Б,п  1,b@x.example,c@x.example\n1,Б,П 2,a@x.example,\n"
    first, second = register.senders(rows(HEADER + content), [])
    assert (first.code, first.organisation, first.answer_to) == ("1", "Б", "c@x.example")
    assert first.addresses == ("a@x.example", "b@x.example")
    assert len(first.points) == 2
    assert (second.code, second.addresses, second.points) == ("2", ("z@x.example",), ())


@pytest.mark.parametrize(
    ("answer_to", "registered", "expected"),
    [
        pytest.param("", [], "b@x.example", id="first-address"),
        pytest.param("", [REGISTERED], "old@x.example", id="where-it-went-before"),
        pytest.param("new@x.example", [REGISTERED], "new@x.example", id="said-anew"),
    ],
)
def test_where_answers_go(answer_to: str, registered: list[Sender], expected: str) -> None:
    (sender,) = register.senders(rows(HEADER + f"1,Больница,,b@x.example,{answer_to}\n"), registered)
    assert sender.answer_to == expected


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        pytest.param("Gb1@Clinic.EXAMPLE", "gb1@clinic.example", id="case"),
        pytest.param("почта@клиника.рф", None, id="cyrillic-mailbox"),
        pytest.param("gb1@клиника.рф", "gb1@xn--80apagcdp.xn--p1ai", id="cyrillic-domain"),
        pytest.param("gb1@КЛИНИКА.РФ", "gb1@xn--80apagcdp.xn--p1ai", id="cyrillic-domain-upper"),
        pytest.param("gb1@XN--80APAGCDP.XN--P1AI", "gb1@xn--80apagcdp.xn--p1ai", id="punycode"),
        pytest.param("gb1@straße.example", "gb1@xn--strae-oqa.example", id="idna-2008"),
        pytest.param("gb1@vipnet", "gb1@vipnet", id="one-label"),
        pytest.param("gb1@10.0.0.1", "gb1@10.0.0.1", id="bare-number"),
        pytest.param("gb1+reg@x.example", "gb1+reg@x.example", id="plus"),
        pytest.param("o'neil@x.example", "o'neil@x.example", id="apostrophe"),
        pytest.param("gb1.@x.example", None, id="dot-at-the-end"),
        pytest.param("g..b@x.example", None, id="two-dots"),
        pytest.param('"g b"@x.example', None, id="quoted"),
        pytest.param("gb1@[10.0.0.1]", None, id="domain-literal"),
        pytest.param("gb1@x.example.", None, id="dot-after-the-domain"),
        pytest.param("gb1@-x.example", None, id="hyphen-first"),
        pytest.param("gb1", None, id="no-at"),
        pytest.param("a@b@x.example", None, id="two-at"),
    ],
)
def test_register_and_letters_compare_addresses_alike(written: str, compared: str | None) -> None:
    sender = addresses.only(written.encode())
    assert (register.bare_address(written), sender and sender.address) == (compared, compared)


LABELS = st.text(st.sampled_from("abzABZ09-клЁйё"), min_size=1, max_size=8)
WRITTEN = st.builds(
    "{}@{}".format,
    st.text(st.sampled_from("abzABZ09._+-'"), min_size=1, max_size=8),
    st.lists(LABELS, min_size=1, max_size=3).map(".".join),
)


@given(WRITTEN)
def test_a_registered_address_is_the_one_a_letter_names(written: str) -> None:
    registered, sender = register.bare_address(written), addresses.only(written.encode())
    if registered is not None and sender is not None:
        assert registered == sender.address
        assert register.bare_address(registered) == registered


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_rows_or_problems(content: bytes) -> None:
    found, complaints = register.read(HEADER.encode() + content)
    assert all(row.line >= 2 and row.code and row.address for row in found)
    assert all(str(problem) for problem in complaints)
