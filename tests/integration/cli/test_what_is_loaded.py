"""What a command loads. A library that it does not need would keep everyone waiting who types it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.rules import ROLLING, make
from tests.scenes import COURSE, make_scene

PROJECT = Path(__file__).parents[3]
HEAVY = {"alembic", "amqp", "apprise", "authlib", "celery", "cryptography", "fastapi", "fpdf", "httpx", "jinja2"}
HEAVY |= {"kombu", "obstore", "pwdlib", "redis", "scim2_models"}
# One process for all: starting one takes longer than the commands.
ONE_BY_ONE = """
import json, sys
from cli.main import app
for words in json.loads(sys.argv[1]):
    status = app(words, standalone_mode=False)
    print(json.dumps([words, status, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def test_a_command_that_only_reads_loads_nothing_that_sends_encrypts_or_stores(database: str, tmp_path: Path) -> None:
    scene = make_scene()
    make(scene, datetime.now(UTC), **ROLLING)
    reset = str(scene.request())
    commands = [
        ["resets"],
        ["resets", "--json"],
        ["show", reset],
        ["preview", COURSE],
        ["analytics", COURSE],
        ["rules", "list"],
        ["groups", "list"],
        ["user", "show", "admin@acme.example"],
        ["organization", "list"],
        ["token", "list"],
        ["webhook", "list"],
        ["participants", "list"],
        ["exemptions", "list", COURSE],
        ["events", "sources", "list"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE, json.dumps(commands)],
        cwd=PROJECT,
        env=os.environ | {"RECOURSE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("[[")]
    assert [words for words, _, _ in said] == commands
    for words, status, loaded in said:
        assert not status, words
        assert HEAVY.isdisjoint(loaded), (words, HEAVY.intersection(loaded))
