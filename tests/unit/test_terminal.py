"""Tables in terminals of any width."""

from collections import Counter
from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from cli.terminal import print_table, whole

ROWS = [
    ("02c9ab31", "SAFETY-101", "succeeded", "1,421 of 1,421", "2027-01-31 12:00", "Changed procedure for press 4"),
    ("f77d0133", "FIRE-201", "partly failed", "3 of 12", "2027-02-01 08:30", "https://tickets.example/" + "7" * 60),
]
HEADERS = ("Reset", "Course", "State", "Learners", "Requested", "Reason")


def printed(table: Table, width: int) -> str:
    to = Console(file=StringIO(), width=width)
    print_table(table, to)
    assert isinstance(to.file, StringIO)
    return to.file.getvalue()


def letters(text: str) -> Counter[str]:
    return Counter(one for one in text if one.isalnum())


@pytest.mark.parametrize("width", [24, 60, 80, 120])
def test_a_table_fits_the_terminal_and_loses_nothing(width: int) -> None:
    table = whole(Table(*HEADERS), "Reset", "Course")
    for row in ROWS:
        table.add_row(*row)
    said = printed(table, width)
    assert max(map(len, said.splitlines())) <= width
    assert not letters("".join(HEADERS) + "".join(map("".join, ROWS))) - letters(said)
    for reset, course, *_ in ROWS:
        assert reset in said
        assert course in said


@pytest.mark.parametrize(("width", "shown"), [(120, True), (40, False)])
def test_a_column_that_only_illustrates_goes_first(width: int, shown: bool) -> None:
    table = whole(Table("Course", "Assigned"), "Course")
    table.add_column(min_width=20, no_wrap=True)
    table.add_row("SAFETY-101-ADVANCED", "1,421", "█" * 20)
    said = printed(table, width)
    assert ("█" in said) is shown
    assert "│ SAFETY-101-ADVANCED" in said  # still a table
