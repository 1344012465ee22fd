"""The table of faults names tests that exist."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "reliability.md").read_text()
FAULTS = 21


def test_every_fault_has_a_test_and_every_test_exists() -> None:
    faults = []
    for row in re.findall(r"^\| (\d*) ?\| (.*::.*)", PAGE, re.MULTILINE):
        number, rest = row
        tests = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", rest)
        assert tests, row
        for path, name in tests:
            assert f"def {name}(" in (PROJECT / path).read_text(), f"{path}::{name}"
        faults.append(number)
    assert faults == [*(str(number) for number in range(1, FAULTS + 1)), "", "", ""]


def test_every_module_of_faults_is_in_the_table_or_about_something_else() -> None:
    others = {
        "test_backup.py",
        "test_beat.py",
        "test_up.py",
        "test_late_servers.py",
        "test_certain_moments.py",
    }
    modules = {path.name for path in (PROJECT / "tests" / "faults").glob("test_*.py")}
    assert {name for name in modules if f"tests/faults/{name}::" not in PAGE} == others
