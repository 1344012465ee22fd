"""The main flow on the oldest PostgreSQL that is supported. `make test-postgres15` runs everything on it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.system import oldest_postgres

# From an empty database over the migrations, the fence and the audience to the last alert and a backup.
MAIN_FLOW = [
    "tests/integration/models/test_newer_functions.py",
    "tests/integration/models/test_fence.py",
    "tests/integration/models/test_migrations.py::test_none_of_ours_does",
    *(
        f"tests/integration/reset/test_flow.py::{name}"
        for name in (
            "test_everyone_is_back_at_the_start_and_nothing_is_left",
            "test_other_courses_and_other_organizations_keep_every_row",
            "test_the_preview_matches_the_reset",
            "test_only_users_with_notifications_on_are_alerted",
            "test_a_second_reset_finds_nothing_and_alerts_nobody",
        )
    ),
    "tests/integration/reset/test_audience.py",
    "tests/integration/alerts/test_notify.py",
    "tests/integration/worker/test_metrics.py::test_metrics_follow_a_reset_from_its_request_through_a_failure_to_its_retry",
    "tests/faults/test_backup.py::test_a_reset_goes_on_from_a_backup_that_was_taken_in_the_middle_of_it",
]


@pytest.mark.timeout(600)
def test_the_main_flow_runs_on_the_oldest_postgresql(tmp_path: Path) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("RECOURSE_", "PYTEST_"))}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={tmp_path / 'inner'}",
            *MAIN_FLOW,
        ],
        cwd=PROJECT,
        env=ours | {"RECOURSE_TEST_POSTGRES": str(oldest_postgres())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) > 20
