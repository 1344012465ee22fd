"""What `python -m benchmarks.imports` measures, with few users: the comparisons are the same."""

from pathlib import Path

import pytest

from benchmarks.imports import Sizes, WrongError, measure, new_organization
from tests.scenes import run
from tests.web import client_of

SMALL = Sizes(users=300, courses=20, enrolments=3_000)


def test_a_nightly_import_writes_exactly_what_has_changed(served: str, tmp_path: Path) -> None:
    with client_of(served, new_organization()) as api:
        took = measure(api, SMALL, tmp_path, lambda _: None)
    assert len(took.seconds) == 7
    assert took.due > 0
    assert all(seconds < 60 for seconds in took.seconds.values())


def test_the_comparison_would_see_a_completion_that_is_missing(served: str, tmp_path: Path) -> None:
    run(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF new.score = 60 THEN RETURN NULL; END IF; RETURN new; END $$"
    )
    run("CREATE TRIGGER lose BEFORE INSERT ON completion FOR EACH ROW EXECUTE FUNCTION lose()")
    with client_of(served, new_organization()) as api, pytest.raises(WrongError, match="completions are stored"):
        measure(api, SMALL, tmp_path, lambda _: None)
