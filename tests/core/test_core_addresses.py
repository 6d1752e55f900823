"""Which From headers name one address beyond doubt, and which do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import addresses


@pytest.mark.parametrize(
    ("header", "address", "name"),
    [
        ("a@x.ru", "a@x.ru", ""),
        ("<a@x.ru>", "a@x.ru", ""),
        (" <a@x.ru> ", "a@x.ru", ""),
        ("A.B@X.RU", "a.b@x.ru", ""),
        ("a@x.ru (Иванов И.И.)", "a@x.ru", "Иванов И.И."),
        ("Иванов И.И. <a@x.ru>", "a@x.ru", "Иванов И.И."),
        ('"Иванов, Иван" <a@x.ru>', "a@x.ru", "Иванов, Иван"),
        ('"Больница \\"Заря\\"" <a@x.ru>', "a@x.ru", 'Больница "Заря"'),
        ('"b@y.ru" <a@x.ru>', "a@x.ru", "b@y.ru"),
        ('"<b@y.ru>" <a@x.ru>', "a@x.ru", "<b@y.ru>"),
        ("Ivan (clinic) <a@x.ru>", "a@x.ru", "Ivan (clinic)"),
        ("Ivan <a@x.ru> (clinic)", "a@x.ru", "Ivan"),
        ("=?utf-8?B?0JTQsA==?= <a@x.ru>", "a@x.ru", "=?utf-8?B?0JTQsA==?="),
        ("=?utf-8?Q?a,b:c?= <a@x.ru>", "a@x.ru", "=?utf-8?Q?a,b:c?="),
        ("почта <a@больница.рф>", "a@xn--80abvlke3d3b.xn--p1ai", "почта"),
        ("a@БОЛЬНИЦА.РФ", "a@xn--80abvlke3d3b.xn--p1ai", ""),
        ("a@XN--80ABVLKE3D3B.XN--P1AI", "a@xn--80abvlke3d3b.xn--p1ai", ""),
        ("ib@vipnet", "ib@vipnet", ""),
        ("o'neil+tag=1@x.ru", "o'neil+tag=1@x.ru", ""),
        ("MAILER-DAEMON@x.ru (Mail Delivery System)", "mailer-daemon@x.ru", "Mail Delivery System"),
    ],
)
def test_one_address_is_read(header: str, address: str, name: str) -> None:
    found = addresses.only(header.encode())
    assert found is not None
    assert (found.address, found.name.decode()) == (address, name)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "<>",
        "Ivan <>",
        "Ivan",
        "a@x.ru <z@z>",
        "a@x.ru, b@y.ru",
        "<a@x.ru>, <b@y.ru>",
        "<a@x.ru> <b@y.ru>",
        "<a@x.ru> b@y.ru",
        "a@x.ru,",
        "Иванов, Иван <a@x.ru>",
        "clinic: a@x.ru;",
        "undisclosed-recipients:;",
        "<@relay.ru:a@x.ru>",
        "(<a@x.ru>) z@z.ru",
        "(a@x.ru) <z@z.ru>",
        "a@x.ru (z@z.ru)",
        "((deep)) a@x.ru",
        "Ivan (a (b)) <a@x.ru>",
        "Ivan (open <a@x.ru>",
        "a(x)@x.ru",
        "<a(x)@x.ru>",
        "<a@x.ru(x)>",
        '"a b"@x.ru',
        '"a@x.ru <z@z.ru>',
        '"open <a@x.ru>',
        "a@@x.ru",
        "a@b@x.ru",
        "a..b@x.ru",
        ".a@x.ru",
        "a@x..ru",
        "a@-x.ru",
        "a@x.ru.",
        "a@[127.0.0.1]",
        "a@x.ru\\",
        "<<a@x.ru>>",
        "<a@x.ru",
        "a@x.ru>",
        "a @x.ru",
        "a@x.ru b",
        "a\0@x.ru",
        "\u200ba@x.ru",
        "а@x.ru",  # the local part is Cyrillic
        "a@ｘ.ru",
        "a@\u212aazan.ru",
        "a@x。ru",
        "a@x\u200d.ru",
        f"{'a' * 65}@x.ru",
        f"a@{'x' * 64}.ru",
        f"a@{'x.' * 130}ru",
        f"{'я' * 2_001} <a@x.ru>",
        "=?utf-8?Q?<b@y.ru>?= <a@x.ru>",
        "=?utf-8?B?YUB4LnJ1?=",
        "=?utf-8?Q?a?=@x.ru",
        "b=?utf-8?Q?a?=@x.ru",
        "<=?utf-8?Q?a?=@x.ru>",
        "a@=?utf-8?Q?x?=.ru",
        "a\r@x.ru",
        "Ivan\r\n <a@x.ru>",
        '"Ivan\0" <a@x.ru>',
        "Ivan\x1b <a@x.ru>",
        "Ivan\x7f <a@x.ru>",
    ],
)
def test_what_could_be_read_in_two_ways_is_no_address(header: str) -> None:
    assert addresses.only(header.encode()) is None


def test_bytes_that_are_no_utf8_do_not_hide_the_address_beside_them() -> None:
    found = addresses.only("Иванов <a@x.ru>".encode("cp1251"))
    assert found is not None
    assert found.address == "a@x.ru"
    assert addresses.only(b"a@\xff.ru") is None


@given(st.binary(max_size=100) | st.text(alphabet='a@x.<>()",:;\\ \t[]=?я', max_size=60).map(str.encode))
def test_any_bytes_give_one_plain_address_or_none(header: bytes) -> None:
    found = addresses.only(header)
    if found is not None:
        assert found.address.isascii()
        assert found.address.count("@") == 1
        assert addresses.only(f"<{found.address}>".encode()) is not None
