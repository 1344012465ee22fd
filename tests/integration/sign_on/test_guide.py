"""Each command of `docs/how-to/single-sign-on.md`, in its order, against a provider on loopback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import settings
from models.access import Permission
from tests.provider import SECRET, Client, Provider
from tests.scenes import Scene, ask, rows
from tests.signing_on import is_signed_in, signed_on, user_here

PROJECT = Path(__file__).parents[3]
GUIDE = (PROJECT / "docs" / "how-to" / "single-sign-on.md").read_text()
ISSUERS = (
    "https://login.acme.example/realms/acme",
    "https://login.microsoftonline.com/TENANT/v2.0",
    "https://accounts.google.com",
)


GOOGLE = "CLIENT.apps.googleusercontent.com"  # the last one that the guide sets


def blocks() -> list[str]:
    """Returns the shell blocks of the guide."""
    return re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.timeout(300)
def test_each_command_of_the_guide_works(
    base: str, scene: Scene, provider: Provider, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    provider.knows("kim", realm_access={"roles": ["training-admin"]}, roles=["Training.Admin"], groups=[])
    user_here(scene, "kim", Permission.USERS)
    provider.clients[GOOGLE] = Client(GOOGLE, SECRET)
    provider.serves(base, client=GOOGLE)
    (tmp_path / "client-secret.txt").write_text(SECRET)
    (tmp_path / "recourse").write_text(f'#!/bin/sh\nexec {sys.executable} -m cli.main "$@"\n')
    (tmp_path / "recourse").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "COLUMNS": "200",
        "RECOURSE_PUBLIC_URL": settings().public_url,
    }
    found = blocks()
    assert len(found) >= 8
    said = ""
    issuers = re.compile("|".join(map(re.escape, ISSUERS)))
    for written in found:
        block = issuers.sub(provider.issuer, written)
        if "passwords off" in block:
            assert is_signed_in(signed_on(base, provider, "kim"))
        with subtests.test(block=block):
            done = subprocess.run(
                ["bash", "-euc", block],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            said += done.stdout
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
