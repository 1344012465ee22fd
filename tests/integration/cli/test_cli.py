"""The command `recourse` in real processes, on servers that it starts itself."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cli.hints import HINTS
from cli.local import remove
from cli.local.programs import POSTGRES_MAJOR, postgres_major
from models.refusals import refusal_with
from tests import CHOSEN
from tests.flowers import free_port
from tests.integration.imports.test_import_oulad import FOLDER

PROJECT = Path(__file__).parents[3]
COURSE = "AAA-2013J"  # of the test files: 101 and 102 completed it, 103 began, 104 did nothing, 105 and 106 withdrew
POSTGRES = postgres_major(Path(*CHOSEN.values())) if CHOSEN else POSTGRES_MAJOR
CONFIRMED = ("--reason", "recertification", "--confirm", COURSE)


class Command:
    """The command line with a folder of servers of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.files = folder / "oulad"
        ours = {name: value for name, value in os.environ.items() if not name.startswith("RECOURSE_")}
        self.environment = ours | CHOSEN | {"RECOURSE_HOME": str(self.home), "COLUMNS": "200"}
        # Ports of its own: tests that run beside this one start `recourse up` too.
        self.environment |= {f"RECOURSE_{part}_PORT": str(free_port()) for part in ("WEB", "FLOWER")}

    def __call__(self, *words: str, said: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it. `said` is its standard input."""
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            cwd=PROJECT,
            env=self.environment | environment,
            input=said or "",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def program(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the installed program, as a shell does that completes a line."""
        program = Path(sys.executable).with_name("recourse")
        return subprocess.run(
            [program], env=self.environment | environment, capture_output=True, text=True, timeout=60, check=False
        )

    def answer(self, *words: str) -> Any:
        done = self(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def in_background(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words],
            cwd=PROJECT,
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # The tests may run under nohup, which the command would inherit.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 - the tests have no threads here
        )


@pytest.fixture(scope="module")
def recourse() -> Iterator[Command]:
    folder = Path(tempfile.mkdtemp(prefix="recourse-cli-"))
    folder.chmod(0o755)
    command = Command(folder)
    command.files.mkdir()
    for name, content in FOLDER.items():
        (command.files / name).write_text(content)
    imported = command("import", "oulad", str(command.files))
    assert imported.returncode == 0, imported.stderr
    yield command
    remove(command.home)
    shutil.rmtree(folder)


@pytest.fixture
def up(recourse: Command) -> Iterator["subprocess.Popen[str]"]:
    """A running `recourse up`."""
    process = recourse.in_background("up")
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Ctrl-C ends it" in line:
            break
    else:
        pytest.fail(f"recourse up ended by itself: {''.join(said)}")
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def test_a_reset_starts_what_it_needs_and_waits_for_the_result(recourse: Command) -> None:
    done = recourse("reset", COURSE, *CONFIRMED, "--watch", "--json")

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["state"], result["done"]) == ("succeeded", True)
    assert result["progress"] == {"total": 4, "cleared": 3, "unchanged": 1, "skipped": 0, "failed": 0, "waiting": 0}
    assert result["removed"]["completion"] == result["removed"]["certificate"] == 2
    assert result["notified"] == 3
    assert f"Started PostgreSQL {POSTGRES}" in done.stderr
    assert "No worker is running" in done.stderr

    # A second reset finds nothing to clear, so it alerts no one. Analytics show no progress.
    again = recourse.answer("reset", COURSE, *CONFIRMED)
    assert again["progress"] == {"total": 4, "cleared": 0, "unchanged": 4, "skipped": 0, "failed": 0, "waiting": 0}
    assert again["notified"] == 0
    (course,) = recourse.answer("analytics", COURSE)["courses"]
    assert (course["assigned"], course["in_progress"], course["completed"]) == (4, 0, 0)


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("reset", COURSE, "--reason", "x", "--confirm", "AAA"), f"Type the course code {COURSE} exactly"),
    (("reset", "ZZZ", "--reason", "x", "--confirm", "ZZZ"), "There is no course 'ZZZ'"),
    (("reset", COURSE, "--confirm", COURSE), "A reset needs a reason"),
    (("reset", COURSE, "--reason", " ", "--confirm", COURSE), "A reset needs a reason"),
    (("reset", COURSE, *CONFIRMED, "--as", "student-101@oulad.example"), "You need the permission"),
    (("reset", COURSE, *CONFIRMED, "--as", "who@oulad.example"), "There is no active user"),
    (("reset", COURSE, *CONFIRMED, "--user", "student-105@oulad.example"), "is not assigned to"),
    (("reset", COURSE, *CONFIRMED, "--user", "student-101@oulad.example", "--completed"), "Use only one of"),
    (("reset", COURSE, *CONFIRMED, "--organization", "elsewhere"), "There is no organization 'elsewhere'"),
    (("reset", COURSE, *CONFIRMED, "--due-in-days", "0"), "Choose 1 to 3650 days"),
    (("show", "no-such-reset"), "There is no reset"),
    (("import", "oulad", "no-such-folder"), "Nothing was imported"),
]


@pytest.mark.usefixtures("up")
def test_refusals_are_sentences_with_exit_status_2(recourse: Command, subtests: pytest.Subtests) -> None:
    before = recourse.answer("resets")

    for words, sentence in REFUSED:
        with subtests.test(words=words):
            done = recourse(*words)
            assert done.returncode == 2, done.stdout
            assert sentence in done.stderr
            assert "Traceback" not in done.stderr
            assert done.stdout == ""

    assert recourse.answer("resets") == before


def test_while_up_is_running_a_reset_uses_its_worker_and_returns_at_once(
    recourse: Command, up: "subprocess.Popen[str]"
) -> None:
    done = recourse("reset", "BBB-2014B", "--reason", "incident", "--confirm", "BBB-2014B", "--json")

    assert done.returncode == 0, done.stderr
    assert "Started" not in done.stderr
    assert "No worker is running" not in done.stderr
    reset = json.loads(done.stdout)["id"]
    deadline = time.monotonic() + 30
    while not (seen := recourse.answer("show", reset))["done"]:
        assert time.monotonic() < deadline, seen
    assert seen["state"] == "succeeded"
    # A reset that has ended cannot be cancelled, and one without failures cannot be retried.
    for command in ("cancel", "retry-failed"):
        assert recourse(command, reset).returncode == 2


def test_up_stops_everything_when_its_terminal_is_closed(recourse: Command, up: "subprocess.Popen[str]") -> None:
    assert _children_of(recourse.home)

    up.send_signal(signal.SIGHUP)

    assert up.wait(60) == 128 + signal.SIGHUP
    assert _children_of(recourse.home) == []
    assert f"Started PostgreSQL {POSTGRES}" in recourse("resets").stderr


def test_a_killed_up_leaves_no_child_behind_and_the_next_command_works(recourse: Command) -> None:
    process = recourse.in_background("up")
    assert process.stdout is not None
    assert any("worker" in line and ".log" in line for line in process.stdout)
    assert _children_of(recourse.home)

    process.kill()
    process.wait()

    deadline = time.monotonic() + 60
    while children := _children_of(recourse.home):
        assert time.monotonic() < deadline, children
        time.sleep(0.5)
    assert recourse("resets").returncode == 0


def test_only_named_users_are_reset(recourse: Command) -> None:
    before = {user["email"]: user["state"] for user in recourse.answer("analytics", "BBB-2014B")["users"]}

    words = ("--user", "student-107@oulad.example", "--reason", "r", "--confirm", "BBB-2014B")
    result = recourse.answer("reset", "BBB-2014B", *words, "--as", "admin@oulad.example")

    assert result["progress"]["total"] == 1
    after = {user["email"]: user["state"] for user in recourse.answer("analytics", "BBB-2014B")["users"]}
    assert after == before | {"student-107@oulad.example": "assigned"}
    # The requester is called by name, as on the pages.
    assert re.search(r"Requested .* by Alex Admin", recourse("show", result["id"]).stdout)
    assert "Alex Admin" in recourse("resets").stdout


def test_the_demo_succeeds_twice_and_changes_no_other_data(recourse: Command) -> None:
    before = recourse.answer("analytics")

    for _ in range(2):
        done = recourse("demo")
        assert done.returncode == 0, done.stderr
        assert "450 learners reset, 50 had nothing to reset" in done.stdout

    assert recourse.answer("analytics") == before


def test_up_fills_an_empty_installation_with_a_demo_organization() -> None:
    folder = Path(tempfile.mkdtemp(prefix="recourse-cli-"))
    folder.chmod(0o755)
    command = Command(folder)
    process = command.in_background("up")
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C ends it" in line:
                break
        found = re.search(r"web app +(\S+)", said)
        assert found, said
        base = found[1]
        for email in ("admin@demo.example", "manager@demo.example", "learner-1@demo.example"):
            password = re.search(rf"{email} / (\S+)", said)
            assert password, said
            with httpx.Client(base_url=base, timeout=30, follow_redirects=True) as browser:
                token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/sign-in").text)
                assert token
                form = {"csrf": token[1], "organization": "demo", "email": email, "password": password[1]}
                assert "My training" in browser.post("/sign-in", data=form).text
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        remove(command.home)
        shutil.rmtree(folder)


@pytest.mark.usefixtures("up")
def test_commands_add_users_and_tokens(recourse: Command) -> None:
    added = recourse("user", "add", "kim@oulad.example", "--name", "Kim Khan", "--permission", "courses")
    assert added.returncode == 0, added.stderr
    again = recourse("user", "add", "kim@oulad.example", "--name", "Kim Khan")
    assert (again.returncode, "already belongs to a user" in again.stderr) == (2, True)
    assert recourse("user", "add", "x@oulad.example", "--name", "X", "--permission", "everything").returncode == 2
    assert (
        "Use at least 12" in recourse("user", "password", "kim@oulad.example", "--password-stdin", said="short").stderr
    )
    done = recourse("user", "password", "kim@oulad.example", "--password-stdin", said="correct horse battery")
    assert done.returncode == 0, done.stderr

    made = recourse("token", "create", "kim@oulad.example", "--name", "incidents", "--scope", "resets:read")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert token.startswith("rcs_")
    (listed,) = recourse.answer("token", "list")
    assert (listed["email"], listed["name"], listed["state"]) == ("kim@oulad.example", "incidents", "valid")
    assert token not in str(listed)
    assert recourse("token", "revoke", str(listed["id"])).returncode == 0
    assert recourse.answer("token", "list")[0]["state"] == "revoked"
    assert recourse("token", "revoke", "999").returncode == 2


def test_help_teaches_each_command(recourse: Command) -> None:
    for words in ((), ("reset",), ("import", "oulad"), ("database",), ("user", "add"), ("token", "create")):
        done = recourse(*words, "--help")
        assert done.returncode == 0
        assert "Usage" in done.stdout


def test_a_wrong_setting_is_named(recourse: Command) -> None:
    done = recourse("resets", RECOURSE_SECRET_KEY="short")
    assert done.returncode == 2
    assert "RECOURSE_SECRET_KEY" in done.stderr
    assert "at least 32 characters" in done.stderr


HINTED = {
    ("show", "no-such-reset"): "`recourse resets` lists the resets.",
    ("rules", "show", "no-such-rule"): "`recourse rules list` lists the rules.",
    ("groups", "join", "no-such-group", "student-101@oulad.example"): "`recourse groups list` lists the groups.",
    ("events", "sources", "close", str(uuid4())): "`recourse events sources list` lists the event sources.",
    ("token", "revoke", "999"): "`recourse token list` lists the tokens.",
    ("organization", "rename", "nobody", "--name", "x"): "`recourse organization list` lists the organizations.",
    ("preview", "ZZZ"): "`recourse analytics` lists the courses.",
}


@pytest.mark.usefixtures("up")
def test_a_refusal_comes_with_the_command_that_helps(recourse: Command, subtests: pytest.Subtests) -> None:
    for words, hint in HINTED.items():
        with subtests.test(words=words):
            done = recourse(*words)
            assert done.returncode == 2, done.stdout
            assert done.stderr.rstrip().endswith(hint)
            named = hint.split("`")[1].split()[1:]
            assert recourse(*named).returncode == 0, named


def test_every_hint_belongs_to_a_refusal() -> None:
    assert [code for code in HINTS if refusal_with(code) is None] == []


def test_an_unknown_setting_is_named(recourse: Command) -> None:
    done = recourse("resets", RECOURSE_PLAN_MINUTE="5", RECOURSE_SOMETHING="1")
    assert done.returncode == 0
    said = " ".join(done.stderr.split())
    assert "RECOURSE_PLAN_MINUTE is not a setting and has no effect. Did you mean RECOURSE_PLAN_MINUTES?" in said
    assert "RECOURSE_SOMETHING is not a setting and has no effect. `.env.example` lists the settings." in said


@pytest.mark.usefixtures("up")
def test_the_shell_completes_commands_courses_and_ids(recourse: Command) -> None:
    def completed(*words: str) -> set[str]:
        environment = {"_RECOURSE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("recourse", *words))}
        environment["COMP_CWORD"] = str(len(words))
        return set(recourse.program(**environment).stdout.split())

    reset = recourse.answer("reset", COURSE, *CONFIRMED)["id"][-8:]
    assert completed("ret") == {"retry-failed"}
    assert completed("rules", "dr") == {"dry-run"}
    assert completed("preview", "BBB-2014") == {"BBB-2014B"}
    assert completed("show", reset[:5]) == {reset}
    assert completed("show", "zz") == set()


def _children_of(home: Path) -> list[str]:
    """Returns the command lines of the programs that commands of this folder have started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(home).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().decode().replace("\0", " "))
        except OSError:
            continue
    return [line for line in found if "cli.local.child" in line]
