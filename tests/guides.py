"""The shell commands of a guide, run by a real shell as a reader would."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.ups import PROJECT

# `curl` fails if the answer is an error, as the reader would see.
PRELUDE = 'set -euo pipefail\ncurl() { command curl --fail-with-body --no-progress-meter "$@"; }\n'


class Reader:
    """Someone with a shell in a folder of their own, and `recourse` on their path."""

    def __init__(self, environment: Mapping[str, str], folder: Path, **more: str) -> None:
        """`more` is added to the environment, such as the web app's address as `API`."""
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        command = folder / "bin" / "recourse"
        command.write_text(f'#!/bin/sh\nPYTHONPATH="{PROJECT}" exec "{sys.executable}" -m cli.main "$@"\n')
        command.chmod(0o755)
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**environment, "COLUMNS": "300", "PATH": path} | more

    def runs(self, script: str, *, said: str = "") -> str:
        """Run the script. `said` is its standard input. Returns what it printed; fails if a command does."""
        done = subprocess.run(
            ["bash", "-c", PRELUDE + script],
            cwd=self.folder,
            env=self.environment,
            input=said,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def has(self, **files: str) -> None:
        """Write files into the folder; `users_csv` is users.csv."""
        for name, content in files.items():
            (self.folder / name.replace("_", ".")).write_text(content)


def blocks(page: str, replaced: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the shell blocks of a page below each heading, joined, with some of its words replaced.

    Headings begin with a capital letter or a number, comments in shell blocks do not.
    """
    found: dict[str, str] = {}
    for part in re.split(r"^#+ (?=[A-Z0-9])", (PROJECT / page).read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        script = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))
        for word, value in (replaced or {}).items():
            script = script.replace(word, value)
        if script:
            found[heading.strip()] = script
    return found
