"""The README's commands, in its order, in a new folder."""

import re
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.local import remove
from tests.integration.imports.test_import_oulad import FOLDER
from tests.ups import PROJECT, Up

PASSWORD = "correct horse battery staple"
# The README's placeholders, and what the test has instead.
HERE = {"CCC-2014J": "AAA-2013J"}  # a course of the hand-made files


@pytest.fixture
def up() -> Iterator[Up]:
    folder = Path(tempfile.mkdtemp(prefix="recourse-readme-"))
    folder.chmod(0o755)
    (folder / "oulad").mkdir()
    for name, content in FOLDER.items():
        (folder / "oulad" / name).write_text(content)
    (folder / "users.csv").write_text("email,name\nlee@acme.example,Lee Long\n")
    running = Up(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop(signal.SIGINT)
        remove(running.home)
        shutil.rmtree(folder)


def commands(heading: str) -> list[list[str]]:
    """Returns the `recourse` commands of the first shell block below a heading, without comments."""
    block = (PROJECT / "README.md").read_text().split(f"{heading}\n", 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("recourse ")]


def sign_in(base: str, slug: str, email: str) -> str:
    with httpx.Client(base_url=base, follow_redirects=True, timeout=30) as browser:
        page = browser.get("/sign-in").text
        assert 'name="organization" value=""' in page, "no organization is filled in if there are several"
        token = re.search(r'name="csrf" value="([^"]+)"', page)
        assert token
        form = {"csrf": token[1], "organization": slug, "email": email, "password": PASSWORD}
        return browser.post("/sign-in", data=form).text


@pytest.mark.timeout(600)
def test_each_command_of_the_readme_works(up: Up, subtests: pytest.Subtests) -> None:
    folder = up.home.parent
    said: dict[str, str] = {}
    reset = ""
    lines = commands("## Use it")
    assert lines.pop(0) == ["up"]
    for words in lines:
        replaced = [HERE.get(word, word) for word in words]
        replaced = [{"path/to/oulad": str(folder / "oulad"), "users.csv": str(folder / "users.csv")}.get(word, word)
                    for word in replaced]  # fmt: skip
        replaced = [reset if word == "RESET" else word for word in replaced]
        with subtests.test(words=words):
            done = up(*replaced)
            # A reset that has ended cannot be cancelled, and no learner has failed.
            expected = 2 if words[0] in ("cancel", "retry-failed") else 0
            assert done.returncode == expected, done.stdout + done.stderr
            said[" ".join(words[:2])] = done.stdout
            if words[0] == "reset":
                found = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", done.stdout + done.stderr)
                reset = found[0] if found else up("resets", "--json").stdout.split('"id": "')[1].split('"')[0]
    with subtests.test("the sign-in that the import suggests"):
        assert "into the organization oulad" in said["import oulad"]
        command = said["import oulad"].split("give its admin admin@oulad.example a password: recourse ")[1].split()
        done = up(*command, "--password-stdin", said=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr
        assert "My training" in sign_in(up.web, "oulad", "admin@oulad.example")
    with subtests.test("from other applications"):
        block = (PROJECT / "README.md").read_text().split("TOKEN=$(recourse ")[1].split(")")[0]
        done = up(*shlex.split(block))
        assert done.returncode == 0, done.stderr
        answer = httpx.post(
            f"{up.web}/v1/courses/SAFETY-101/reset-plans",
            headers={"Authorization": f"Bearer {done.stdout.strip()}"},
            json={"audience": "assigned", "reason": "incident 7731"},
            timeout=30,
        )
        assert answer.status_code in (200, 201), answer.text
    with subtests.test("by rule"):
        lines = commands("### By rule")
        for words in lines[:2]:
            assert words[:2] == ["rules", "add"]
            done = up(*words, "--help")
            assert done.returncode == 0, done.stderr
    with subtests.test("a second start prints again how to sign in"):
        assert "admin@demo.example / " in up.words()
        up.stop(signal.SIGINT)
        up.start()
        assert "To try it, sign in to the web app as one of these (organization: demo)" in up.words()
        assert "admin@demo.example / " in up.words()
        assert "To sign in to the organization oulad: admin@oulad.example, with their password" in up.words()
        assert "recourse user password admin@oulad.example --organization oulad" in up.words()
