"""The code of the last release, from git. `tests/last_release.txt` names its tag, or a commit."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[1]
NAMED_IN = PROJECT / "tests" / "last_release.txt"


def last_release(folder: Path) -> Path:
    """Put the code into the folder, which is created. Returns the folder."""
    name = NAMED_IN.read_text().split()[0]
    # A shallow clone has only the newest commits.
    has_it = _git("cat-file", "-e", f"{name}^{{commit}}").returncode == 0
    if not has_it:
        has_it = _git("fetch", "--quiet", "--depth=1", "origin", name).returncode == 0
    assert has_it, (
        f"This test needs the code of the last release, {name}, which this clone does not have and its origin did not "
        f"give. Run `git fetch --unshallow`, or `git fetch --depth=1 <repository> {name}`, in {PROJECT}."
    )
    archive = _git("archive", "--format=tar", name)
    assert archive.returncode == 0, archive.stderr.decode()
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def _git(*words: str) -> "subprocess.CompletedProcess[bytes]":
    # In a container, the clone may belong to another user.
    command = ["git", "-c", "safe.directory=*", "-C", str(PROJECT), *words]
    return subprocess.run(command, capture_output=True, check=False)
