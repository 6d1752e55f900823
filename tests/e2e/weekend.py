"""What must hold when the week is over: no letter is forgotten, nobody got too much or too little, and the record tells it all."""

from __future__ import annotations

from collections import Counter

from openpyxl import load_workbook

from tests.e2e.weekoffice import OFFICER, WeekOffice
from tests.e2e.weekpost import EXPECTED, POST, issued


def every_letter_is_accounted_for(week: WeekOffice) -> None:
    """Each is kept and judged, or lies where it lay; each request is at its end."""
    kept = week.ask("letters", "list", "--limit", "1000")
    assert {one["state"] for one in kept} == {"read"}
    assert len([one for one in kept if one["kind"] != "bounce"]) == len([post for post in POST.values() if post.kept])
    states = Counter(one["state"] for one in week.ask("requests", "list", "--limit", "1000"))
    assert set(states) == {"answered", "refused", "withdrawn"}
    assert len(week.dovecot.letters()) + len(week.dovecot.letters("Обработано")) == week.dropped
    assert len(POST) > 40


def every_clinic_got_its_answers(week: WeekOffice) -> None:
    """So many, of this kind, to this address; and nobody else got anything."""
    recipients = {recipient for one in week.received() for recipient in one.recipients}
    assert recipients - {OFFICER} == set(EXPECTED)
    for address, subjects in EXPECTED.items():
        assert Counter(week.subjects_to(address)) == Counter(subjects), address


def the_record_tells_it_all(week: WeekOffice) -> None:
    """It is whole and signed, and the journal lists each login that was issued."""
    assert week.type("audit", "verify").out.startswith("OK:")
    journal = week.home / "journal.xlsx"
    week.type("audit", "export", str(journal), "--format", "journal")
    sheet = load_workbook(journal, read_only=True).worksheets[0]
    rows = [row for row in sheet.iter_rows(min_row=4, values_only=True) if row[0]]
    listed = Counter(str(row[3]) for row in rows)
    subjects = [subject for subjects in EXPECTED.values() for subject in subjects]
    assert listed == Counter(subject.removeprefix(issued("")) for subject in subjects if subject.startswith(issued("")))
