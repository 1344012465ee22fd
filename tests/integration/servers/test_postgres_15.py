"""The main flow on the oldest PostgreSQL that is supported. `make test-postgres15` runs everything on it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.system import oldest_postgres

# From an empty database over the migrations, the fence and the audience to the last alert and a backup: what differs by
# version. The rest of the product's SQL is the same on all, and `make test-postgres15` runs it.
MAIN_FLOW = {
    "tests/integration/models/test_newer_functions.py": (
        "test_the_server_is_the_chosen_one",
        "test_a_uuidv7_has_its_version_and_variant_and_is_unique",
        "test_a_uuidv7_holds_the_time_to_a_fraction_of_a_millisecond",
        "test_uuidv7s_are_in_the_order_of_their_making",
        "test_a_uuidv7_can_be_of_another_time",
        "test_the_time_in_a_known_uuid_is_read",
        "test_ours_are_made_only_where_the_server_has_none_and_go_with_the_tables",
    ),
    "tests/integration/models/test_fence.py": (
        "test_one_record_among_many_learners_is_found",
        "test_no_statement_writes_a_record_under_a_registration_that_has_ended",
        "test_learners_who_write_and_are_reset_at_once_leave_nothing_under_an_old_registration",
    ),
    "tests/integration/models/test_migrations.py": ("test_none_of_ours_does",),
    "tests/integration/reset/test_flow.py": (
        "test_everyone_is_back_at_the_start_and_nothing_is_left",
        "test_the_preview_matches_the_reset",
        "test_a_second_reset_finds_nothing_and_alerts_nobody",
    ),
    "tests/integration/reset/test_audience.py": (
        "test_a_learner_whose_reassignment_is_not_committed_is_not_reset",
        "test_a_plan_from_before_a_restore_excludes_later_learners",
    ),
    "tests/integration/alerts/test_notify.py": ("test_two_workers_share_the_outbox_and_send_each_alert_once",),
    "tests/integration/worker/test_metrics.py": (
        "test_metrics_follow_a_reset_from_its_request_through_a_failure_to_its_retry",
    ),
    "tests/faults/test_backup.py": ("test_a_reset_goes_on_from_a_backup_that_was_taken_in_the_middle_of_it",),
}
TESTS = [f"{path}::{name}" for path, names in MAIN_FLOW.items() for name in names]


@pytest.mark.timeout(400)
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
            *TESTS,
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
    assert int(passed[1]) >= len(TESTS)
