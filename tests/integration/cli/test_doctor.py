"""`recourse doctor` with one faulty part. `test_deployment.py` covers all parts together."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.scenes import run


def doctor(*words: str, **settings: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and findings."""
    own = {f"RECOURSE_{name.upper()}": str(value) for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "doctor", "--json", *words],
        cwd=PROJECT, env=os.environ | own, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout else []


@pytest.mark.usefixtures("database")
def test_parts_are_checked_in_order_of_need_and_findings_say_what_to_do(
    subtests: pytest.Subtests,
) -> None:
    run("UPDATE recourse_version SET version_num = '0001'")
    with subtests.test("a part, after those that it needs"):
        status, (database, migrations, beat) = doctor("--part", "beat")
        assert status == 1
        assert (database["part"], database["ok"]) == ("database", True)
        assert (migrations["part"], migrations["ok"]) == ("migrations", False)
        assert migrations["remedy"] == "Run `recourse database upgrade`."
        assert (beat["part"], beat["ok"]) == ("beat", None)
        assert beat["says"] == "not checked: it needs the migrations"
    with subtests.test("a mail server that does not answer, and files that cannot be stored"):
        away = {"smtp_host": "127.0.0.1", "smtp_port": 9, "mail_from": "training@example.org"}
        status, [files, mail] = doctor("--part", "mail", "--part", "files", storage_url="file:///proc/recourse", **away)
        assert (status, files["ok"], mail["ok"]) == (1, False, False)
        assert "RECOURSE_STORAGE_URL" in files["remedy"]
        assert "RECOURSE_SMTP_" in mail["remedy"]
        # No mail server is a valid choice
        status, [files, mail] = doctor("--part", "mail", "--part", "files")
        assert (status, files["ok"], mail["ok"]) == (0, True, True)
    with subtests.test("an unknown part"):
        assert doctor("--part", "coffee") == (2, [])
