"""`docs/how-to/keep-in-step.md`: every command of it, in its order."""

import os
import re
import subprocess
import sys
from pathlib import Path

from models.people import Organization
from models.session import transaction
from tests.scenes import ask, make_scene, rows, run

PROJECT = Path(__file__).parents[2]
GUIDE = PROJECT / "docs" / "how-to" / "keep-in-step.md"


def test_each_command_of_the_guide_works(served: str, tmp_path: Path) -> None:
    scene = make_scene("demo", learners=2)
    run("UPDATE course SET code = 'SAFETY-101' WHERE id = :id", id=scene.course.id)
    with transaction() as session:
        assert session.get_one(Organization, scene.organization.id).slug == "demo"
    program = tmp_path / "recourse"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli.main "$@"\n')
    program.chmod(0o755)
    before, _, after = GUIDE.read_text().partition("## Each night, by file")  # which a test of its own runs
    text = before + after.partition("\n## ")[2]
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) > 5
    script = "set -eu -o pipefail\n" + "\n".join(f"echo '--- {number}'\n{block}" for number, block in enumerate(blocks))

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=PROJECT,
        env=os.environ | {"API": served, "PATH": f"{tmp_path}:{os.environ['PATH']}", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"totalResults":1' in done.stdout, "the connection is checked with a filter"
    assert rows("SELECT code, name, external_id FROM user_group") == [("bern-2", "Bern, shift 2", "site-17")]
    assert ask("SELECT count(*) FROM audit WHERE action = 'enrolment.ended'") == 1
    assert ask("SELECT count(*) FROM audit WHERE action = 'user.erased'") == 1
    assert rows("SELECT external_id, removed_at IS NOT NULL FROM \"user\" WHERE email = 'lee.long@demo.example'") == [
        ("hr-2001", True)
    ]
