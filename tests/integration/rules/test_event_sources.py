"""Event sources on the command line: their addresses and their secrets."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from models.people import User
from models.session import transaction
from tests.conftest import PROJECT
from tests.scenes import COURSE, ask, make_scene, rows, run


def sources(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "events", "sources", *words]
    narrow = os.environ | {"COLUMNS": "60"}
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=narrow, check=False)


def report(address: str, secret: str, number: str) -> int:
    body = json.dumps({"kind": "incident", "course": COURSE, "reason": "case 7731"})
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": number,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(number, now, body),
    }
    return httpx.post(address, content=body, headers=headers).status_code


def test_a_source_shows_its_address_and_secret_again_and_gets_a_new_secret(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOURSE_PUBLIC_URL", served)
    scene = make_scene(learners=2)
    with transaction() as session:
        email = session.get_one(User, scene.admin.user_id).email
    # Adding a source prints its full address and its secret
    opened = sources("add", "incident register", "--user", email)
    assert opened.returncode == 0, opened.stderr
    address, secret = (line.split()[1] for line in opened.stdout.splitlines())
    assert address.startswith(f"{served}/v1/hooks/")
    assert report(address, secret, "1") == 202
    number = address.rpartition("/")[2]
    # Both can be shown again, even on a narrow terminal
    assert address in sources("list").stdout
    assert sources("secret", number).stdout == f"{secret}\n"
    # After the secret is renewed, the old one stays valid for a day
    new = sources("secret", number, "--new").stdout.strip()
    assert new.startswith("whsec_")
    assert new != secret
    assert [report(address, old_or_new, "2") for old_or_new in (secret, new)] == [202, 202]
    run("UPDATE event_source SET former_until = now()")
    assert [report(address, old_or_new, "2") for old_or_new in (secret, new)] == [401, 202]
    assert rows("SELECT action FROM audit WHERE subject = :id ORDER BY id", id=number) == [
        ("event_source.opened",),
        ("event_source.secret_shown",),
        ("event_source.secret_renewed",),
        ("event_source.secret_shown",),
    ]
    # An unknown source is refused with a sentence
    unknown = sources("secret", "0197a0a0-0000-7000-8000-000000000001")
    assert (unknown.returncode, "This event source does not exist" in unknown.stderr) == (2, True)
    assert ask("SELECT count(*) FROM training_event") == 2
