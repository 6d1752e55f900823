"""What would change in the register, is nothing taken away unasked, and does what goes out as CSV come back as it was?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import csvtext, personlist, register, registerplan
from mailer.core.registerplan import Change, Edit
from mailer.errors import RefusedError
from mailer.model import PersonName, Sender

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
CLINIC = Sender(
    code="1", organisation="Больница", answer_to="a@x.example", addresses=("a@x.example", "b@x.example"), points=("29(Б) Ли",)
)
DENTIST = Sender(code="2", organisation="Зубы", answer_to="z@x.example", addresses=("z@x.example",))
ROW = replace(CLINIC, answer_to="new@x.example", addresses=("c@x.example",), points=("29(б)  ЛИ",))


def test_a_file_adds_and_changes_and_takes_nothing_away() -> None:
    newcomer = replace(DENTIST, code="3", addresses=("n@x.example",))
    plan = registerplan.plan([ROW, newcomer], [CLINIC, DENTIST], distrusted=(), replaces=False)
    after = replace(CLINIC, answer_to="new@x.example", addresses=("a@x.example", "b@x.example", "c@x.example"))
    assert plan.changed == (Change(before=CLINIC, after=after),)
    assert (plan.new, plan.removed, plan.anew, plan.same) == ((newcomer,), (), (), 0)


def test_a_file_that_replaces_the_register_is_all_that_is_left() -> None:
    plan = registerplan.plan([ROW], [CLINIC, DENTIST], distrusted=(), replaces=True)
    assert plan.changed[0].after == replace(CLINIC, answer_to="new@x.example", addresses=("c@x.example",))
    assert plan.removed == (DENTIST,)


def test_who_is_closed_already_is_not_closed_again_and_a_block_survives_an_import() -> None:
    closed = registerplan.blocked(DENTIST, reason="x", until=None)
    for_a_time = registerplan.blocked(CLINIC, reason="x", until=NOW)
    assert registerplan.plan([], [closed, for_a_time], distrusted=(), replaces=True).removed == (for_a_time,)
    assert registerplan.plan([ROW], [for_a_time], distrusted=(), replaces=True).changed[0].after.blocked


def test_of_a_row_that_is_not_believed_nothing_is_kept() -> None:
    plan = registerplan.plan([ROW], [CLINIC], distrusted={"1"}, replaces=False)
    assert (plan.anew, plan.changed) == ((ROW,), ())


@pytest.mark.parametrize("replaces", [False, True])
def test_the_same_file_again_changes_nothing(replaces: bool) -> None:
    plan = registerplan.plan([CLINIC, DENTIST], [CLINIC, DENTIST], distrusted=(), replaces=replaces)
    assert (plan.new, plan.changed, plan.anew, plan.removed, plan.same) == ((), (), (), (), 2)


def test_an_edit_says_what_differs() -> None:
    wanted = Edit(
        organisation="Клиника", add_addresses=("c@x.example",), remove_addresses=("a@x.example",), remove_points=("29(Б) ЛИ",)
    )
    assert registerplan.differences(CLINIC, registerplan.edited(CLINIC, wanted)) == [
        ("organisation", "Больница", "Клиника"),
        ("address", "a@x.example", ""),
        ("address", "", "c@x.example"),
        ("subscriber", "29(Б) Ли", ""),
    ]


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        pytest.param(Edit(remove_addresses=("q@x.example",)), "1 has no address q@x.example", id="no-such-address"),
        pytest.param(Edit(remove_points=("29(Б)",)), "1 has no subscriber point 29(Б)", id="no-such-point"),
        pytest.param(Edit(remove_addresses=CLINIC.addresses), "1 would have no address left", id="no-address-left"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(wanted: Edit, refusal: str) -> None:
    with pytest.raises(RefusedError, match=refusal.replace("(", r"\(").replace(")", r"\)")):
        registerplan.edited(CLINIC, wanted)


def test_merging_moves_every_way_and_closes_the_first() -> None:
    rest, whole = registerplan.joined(DENTIST, CLINIC, reason="одна организация")
    assert (rest.addresses, rest.points, registerplan.is_closed(rest), rest.block_reason) == ((), (), True, "одна организация")
    assert whole == replace(CLINIC, addresses=("a@x.example", "b@x.example", "z@x.example"))


def test_another_code_keeps_its_addresses_and_points() -> None:
    wanted = replace(DENTIST, addresses=("z@x.example", "a@x.example"), points=("29(б) ли",))
    assert [str(one) for one in registerplan.taken_by_others(wanted, [CLINIC, DENTIST])] == [
        "the address a@x.example stands under 1",
        "the subscriber point 29(б) ли stands under 1",
    ]


@pytest.mark.parametrize(
    ("until", "at", "is_blocked"),
    [
        pytest.param(None, NOW + timedelta(days=9999), True, id="without-end"),
        pytest.param(NOW, NOW, True, id="its-last-instant"),
        pytest.param(NOW, NOW + timedelta(microseconds=1), False, id="just-over"),
    ],
)
def test_a_block_with_an_end_lifts_by_itself(until: datetime | None, at: datetime, is_blocked: bool) -> None:
    assert registerplan.blocked(CLINIC, reason="x", until=until).is_blocked(at) is is_blocked
    assert not registerplan.unblocked(registerplan.blocked(CLINIC, reason="x", until=until)).is_blocked(at)


def test_only_another_answer_address_is_stamped() -> None:
    assert registerplan.stamped(CLINIC, replace(CLINIC, organisation="x"), NOW).answer_changed_at is None
    assert registerplan.stamped(CLINIC, ROW, NOW).answer_changed_at == NOW
    assert registerplan.stamped(None, CLINIC, NOW).answer_changed_at == NOW


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        pytest.param("=1+1", "'=1+1", id="formula"),
        pytest.param("  +7 8182", "'  +7 8182", id="plus-after-blanks"),
        pytest.param("\u00a0-1", "'\u00a0-1", id="minus-after-no-break-space"),
        pytest.param("@SUM", "'@SUM", id="at"),
        pytest.param("＝1", "'＝1", id="full-width"),
        pytest.param("\tx", "'\tx", id="tab"),
        pytest.param("\rx", "'\rx", id="return"),
        pytest.param("ООО «А-Б»", "ООО «А-Б»", id="plain"),
        pytest.param("'quoted'", "'quoted'", id="apostrophe"),
        pytest.param("'=1", "''=1", id="apostrophe-before-formula"),
        pytest.param("''@SUM", "'''@SUM", id="apostrophes-before-formula"),
    ],
)
def test_no_cell_is_a_formula_to_a_spreadsheet(cell: str, shown: str) -> None:
    assert csvtext.harmless(cell) == shown
    assert csvtext.bared(shown) == cell


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1), st.booleans())
def test_what_is_written_reads_as_it_was(cells: list[str], semicolon: bool) -> None:
    text = csvtext.written([["a"] * 9, cells], semicolon=semicolon)
    read = [row for _line, row in csvtext.rows(text, [])]
    assert [csvtext.bared(cell) for cell in (read[1] if len(read) > 1 else [""])] == cells


def test_an_exported_register_is_read_again_without_a_change() -> None:
    hostile = replace(DENTIST, organisation="-1+2;«З,»", points=("29(З) А", "@29(З) Б", "29(З) В"))
    lines = [list(register.COLUMNS), *(line for one in (CLINIC, hostile) for line in registerplan.lines_of(one))]
    for semicolon in (False, True):
        rows, problems = register.read(csvtext.written(lines, semicolon=semicolon).encode("utf-8-sig"))
        assert problems == []
        registered = [replace(CLINIC), replace(hostile, points=tuple(sorted(hostile.points)))]
        assert registerplan.plan(register.senders(rows, []), registered, distrusted=(), replaces=True).same == 2


PRISHVA, LI = PersonName(surname="Пришва", initials="А.А."), PersonName(surname="Ли", initials="К.")


def test_a_list_of_persons_is_read_in_any_form_of_a_name() -> None:
    content = "Код;ФИО\n1;Пришва Александр Андреевич\n1;ПРИШВА А.А.\n1;Ли К.\n".encode("cp1251")
    people, problems = personlist.read(content, {"1"})
    assert problems == []
    assert people == {"1": [PRISHVA, LI]}


def test_bad_rows_of_a_list_are_named_by_line() -> None:
    people, problems = personlist.read("code,person\n1,Иванов\n9,Ли К.\n,\n1,\n".encode(), {"1"})
    assert people == {}
    assert [str(problem) for problem in problems] == [
        "line 2: person is no name of one person such as «Фамилия И.О.»: Иванов",
        "line 3: the register knows no sender 9",
        "line 5: person is no name of one person such as «Фамилия И.О.»: ",
    ]


def test_nobody_is_taken_off_a_list_unasked() -> None:
    listed = {PRISHVA.key: PRISHVA}
    more, whole = (personlist.listing("1", [LI], listed, replaces=replaces) for replaces in (False, True))
    assert (more.added, more.removed, more.is_new) == ((LI,), (), False)
    assert (whole.added, whole.removed) == ((LI,), (PRISHVA,))
    assert personlist.listing("1", [LI], None, replaces=False).is_new
