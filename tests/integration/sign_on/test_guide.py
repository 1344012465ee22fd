"""Each command of `docs/how-to/single-sign-on.md`, in its order, against a provider on loopback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.access import Permission
from tests.conftest import PROJECT
from tests.guides import Reader, blocks
from tests.provider import SECRET, Client, Provider
from tests.scenes import Scene, ask, rows
from tests.signing_on import is_signed_in, signed_on, user_here

GUIDE = "docs/how-to/single-sign-on.md"
ISSUERS = (
    "https://login.acme.example/realms/acme",
    "https://login.microsoftonline.com/TENANT/v2.0",
    "https://accounts.google.com",
)
GOOGLE = "CLIENT.apps.googleusercontent.com"  # the last one that the guide sets


@pytest.mark.timeout(300)
def test_each_command_of_the_guide_works(
    base: str, scene: Scene, provider: Provider, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    provider.knows("kim", realm_access={"roles": ["training-admin"]}, roles=["Training.Admin"], groups=[])
    user_here(scene, "kim", Permission.USERS)
    provider.clients[GOOGLE] = Client(GOOGLE, SECRET)
    provider.serves(base, client=GOOGLE)
    reader = Reader(os.environ, tmp_path / "reader")
    (reader.folder / "client-secret.txt").write_text(SECRET)
    page = blocks(GUIDE, dict.fromkeys(ISSUERS, provider.issuer))
    assert len(page) >= 7
    said = ""
    for heading, script in page.items():
        if "passwords off" in script:
            assert is_signed_in(signed_on(base, provider, "kim"))
        with subtests.test(heading):
            said += reader.runs(script)
    assert f"{base}/sign-on/acme/callback" in said
    assert f"{base}/sign-on/acme/logout" in said
    assert SECRET not in said
    assert rows("SELECT count(*) FROM identity_provider") == [(0,)], "the guide ends with its removal"
    assert ask("SELECT count(*) FROM audit WHERE action = 'passwords.turned_on'") == 1


def test_a_refusal_names_the_command_that_helps(base: str, scene: Scene) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "sign-on", "remove"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "`recourse sign-on set` sets it up" in done.stderr
