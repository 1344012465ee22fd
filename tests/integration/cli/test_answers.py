"""What every command prints with `--json`, against the schema of the reference; and its tables in narrow terminals.

The commands run in this process: a process for each would take longer than all of them do.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import structlog
from typer.testing import CliRunner

from cli.main import app
from cli.terminal import console
from tests.conftest import PROJECT
from tests.integration.imports.test_import_oulad import FOLDER
from tests.integration.imports.test_oneroster import packed
from tests.integration.imports.test_xapi import PLACE, lines, said
from tests.provider import CLIENT, SECRET, Provider
from tests.receiver import Receiver
from tests.scenes import COURSE, Scene, fail_for, let_all_pass, make_scene
from tests.workers import Worker, until

ADMIN, FIRST, SECOND = "admin@acme.example", "learner-1@acme.example", "learner-2@acme.example"
CONFIRMED = ("--reason", "recertification", "--confirm", COURSE)
NO_TABLES = {"doctor", "evidence key show"}
"""Commands that print a list, but not as a table."""


class Recourse:
    """The command line in this process."""

    def __init__(self) -> None:
        schema = json.loads((PROJECT / "docs" / "reference" / "command-line.schema.json").read_text())
        for definition in (schema, *schema["$defs"].values()):
            if "properties" in definition:
                definition["additionalProperties"] = False
        self.schema = jsonschema.Draft202012Validator(schema)
        self.commands: dict[str, Any] = schema["properties"]
        self.answered: set[str] = set()
        self.fitted: set[str] = set()

    def __call__(self, *words: str, typed: str = "", status: int = 0) -> Any:
        """Returns the answer, which is as the schema says. `typed` is the standard input."""
        name = self._name(words)
        answer = json.loads(self._run((*words, "--json"), typed, status))
        self.schema.validate({name: answer})
        assert answer != [], f"{name} lists nothing, so nothing of it was checked"
        self.answered.add(name)
        return answer

    def fits(self, *words: str, shows: str) -> None:
        """Check that the tables fit terminals of several widths. Addresses are not broken, since they are copied."""
        before = console.width
        try:
            for console.width in (60, 80, 120):
                printed = self._run(words, "", 0)
                too_long = [line for line in printed.splitlines() if len(line) > console.width and "://" not in line]
                assert (too_long, shows in printed) == ([], True), f"in {console.width} columns:\n{printed}"
        finally:
            console.width = before
        self.fitted.add(self._name(words))

    def _name(self, words: tuple[str, ...]) -> str:
        return max((one for one in self.commands if f"{' '.join(words)} ".startswith(f"{one} ")), key=len)

    def _run(self, words: tuple[str, ...], typed: str, status: int) -> str:
        done = CliRunner().invoke(app, words, input=typed, catch_exceptions=False)
        assert done.exit_code == status, f"{words}: {done.output}"
        return done.stdout


@pytest.fixture
def no_log() -> Iterator[None]:
    """Each command has its own stderr, which the first one would keep for the log of the process."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.reset_defaults()
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()
    if before is not None:
        structlog.configure(**before)


@pytest.mark.usefixtures("no_log")
def test_answers_are_as_the_schema_says_and_tables_fit(
    database: str, start_worker: Callable[..., Worker], set_up: Callable[..., None], tmp_path: Path
) -> None:
    set_up(webhook_allow_private="true", home=tmp_path / "home")
    scene, recourse = make_scene(learners=3, completed=100), Recourse()
    start_worker()
    with Receiver() as receiver, Provider() as provider:
        webhook = str(recourse("webhook", "add", f"http://127.0.0.1:{receiver.port}/hook")["id"])
        reset = resets(recourse, scene)
        rules_and_events(recourse)
        webhooks(recourse, webhook)
        participants(recourse, f"http://127.0.0.1:{receiver.port}/clear")
        exemptions(recourse)
        groups(recourse, tmp_path)
        sign_on(recourse, provider)
        users_and_tokens(recourse)
        evidence(recourse, reset, tmp_path)
        imports(recourse, tmp_path)
        organizations(recourse, tmp_path)
        installation(recourse)

    assert set(recourse.commands) - recourse.answered == set()
    lists = {name for name, one in recourse.commands.items() if one.get("type") == "array"}
    assert lists - recourse.fitted == NO_TABLES


def resets(recourse: Recourse, scene: Scene) -> str:
    assert recourse("preview", COURSE)["learners"] == 3
    recourse.fits("preview", COURSE, shows=COURSE)
    fail_for(scene.enrolments()[0])
    reset = recourse("reset", COURSE, *CONFIRMED, "--watch", status=1)
    let_all_pass()
    assert reset["progress"]["failed"] == 1
    assert recourse("retry-failed", reset["id"], "--watch")["progress"]["failed"] == 0
    assert recourse("show", reset["id"][-8:])["state"] == "succeeded"
    recourse.fits("show", reset["id"], shows="recertification")

    planned = recourse("reset", COURSE, *CONFIRMED, "--at", in_days(3))["id"]
    assert recourse("move", planned, "--reason", "an audit")["reason"] == "an audit"
    assert recourse("pause", planned, "--reason", "wrong figures")["paused"]["reason"] == "wrong figures"
    assert recourse("resume", planned)["paused"] is None
    for what in (("--organization", "acme"), ("--everything",)):
        for words, paused in ((("pause", "--reason", "wrong figures"), "wrong figures"), (("resume",), None)):
            answer = recourse(*words, *what)
            [line] = answer if what == ("--everything",) else [answer]
            assert (line["slug"], line["paused"]) == ("acme", paused)
    assert recourse("cancel", planned)["cancelled"]
    assert [one["id"] for one in recourse("resets")] == [planned, reset["id"]]
    recourse.fits("resets", shows=reset["id"][-8:])

    assert len(recourse("analytics")["courses"]) == 2
    assert len(recourse("analytics", COURSE)["users"]) == 3
    recourse("analytics", COURSE, "--over-time")
    recourse.fits("analytics", shows=COURSE)
    return str(reset["id"])


def rules_and_events(recourse: Recourse) -> None:
    rule = recourse("rules", "add", COURSE, "--on-event", "--event", "incident", *CONFIRMED)["id"]
    event = ("events", "report", COURSE, "--kind", "incident", "--reason", "press 4")
    assert [one["rule_id"] for one in recourse(*event, "--dry-run")["rules"]] == [rule]
    assert recourse(*event)["rules_due"] == 1
    for name, shows in (("list", COURSE), ("show", "recertification"), ("dry-run", "reported"), ("history", "20")):
        words = ("rules", name) if name == "list" else ("rules", name, rule[-8:])
        recourse(*words)
        recourse.fits(*words, shows=shows)
    assert recourse("rules", "edit", rule, "--name", "incidents", "--confirm", COURSE)["terms"]["name"] == "incidents"
    for word, state in (("pause", "paused"), ("resume", "active"), ("remove", "removed")):
        if word == "remove":
            recourse("rules", "confirm", rule, "--confirm", COURSE)
        assert recourse("rules", word, rule)["state"] == state

    source = recourse("events", "sources", "add", "incident register", "--user", ADMIN)
    assert recourse("events", "sources", "secret", source["id"])["secret"] == source["secret"]
    assert [one["open"] for one in recourse("events", "sources", "list")] == [True]
    recourse.fits("events", "sources", "list", shows=source["address"])
    assert not recourse("events", "sources", "close", source["id"])["open"]


def webhooks(recourse: Recourse, webhook: str) -> None:
    assert recourse("webhook", "test", webhook)["taken"]
    assert recourse("webhook", "secret", webhook)["secret"].startswith("whsec_")
    assert not recourse("webhook", "disable", webhook)["enabled"]
    assert recourse("webhook", "enable", webhook)["enabled"]
    assert recourse("webhook", "edit", webhook, "--event", "learner.reset")["events"] == ["learner.reset"]
    assert [one["id"] for one in recourse("webhook", "list")] == [int(webhook)]
    recourse.fits("webhook", "list", shows="enabled")
    message = recourse("webhook", "deliveries", webhook)[0]["message_id"]
    recourse.fits("webhook", "deliveries", webhook, shows=message[-8:])
    assert recourse("webhook", "send-again", webhook, message) == {"messages": 1}
    recourse("webhook", "send-failed-again", webhook, "--since", in_days(-1))
    assert recourse("webhook", "remove", webhook) == {"id": int(webhook), "outcome": "removed"}


def participants(recourse: Recourse, url: str) -> None:
    secret = recourse("participants", "add", "lms", "--url", url)["secret"]
    assert recourse("participants", "secret", "lms") == {"secret": secret}
    recourse("participants", "ask-now", "lms")
    assert not recourse("participants", "disable", "lms")["enabled"]
    assert recourse("participants", "enable", "lms")["enabled"]
    assert [one["name"] for one in recourse("participants", "list")] == ["lms"]
    recourse.fits("participants", "list", shows="lms")
    assert recourse("participants", "remove", "lms")["id"] == "lms"


def exemptions(recourse: Recourse) -> None:
    made = recourse("exemptions", "add", COURSE, FIRST, "--reason", "on leave", "--until", in_days(9))
    assert recourse("exemptions", "list", COURSE) == [made]
    recourse.fits("exemptions", "list", COURSE, shows="on leave")
    assert recourse("exemptions", "end", COURSE, FIRST) == {"id": made["user_id"], "outcome": "ended"}


def groups(recourse: Recourse, folder: Path) -> None:
    (folder / "members.txt").write_text(SECOND)
    assert recourse("groups", "add", "bern-2", "--name", "Bern, shift 2")["members"] == 0
    assert recourse("groups", "join", "bern-2", FIRST, SECOND)["joined"] == 2
    assert recourse("groups", "leave", "bern-2", SECOND)["left"] == 1
    assert recourse("groups", "edit", "bern-2", "--external-id", "site-17")["external_id"] == "site-17"
    filled = recourse("groups", "fill", "bern-2", str(folder / "members.txt"), "--mode", "replace")
    assert (filled["joined"], filled["left"], filled["members"]) == (1, 1, 1)
    assert [one["code"] for one in recourse("groups", "list")] == ["bern-2"]
    recourse.fits("groups", "list", shows="site-17")
    assert recourse("groups", "remove", "bern-2") == {"id": "bern-2", "outcome": "deleted"}


def sign_on(recourse: Recourse, provider: Provider) -> None:
    words = ("--issuer", provider.issuer, "--client-id", CLIENT, "--client-secret-stdin")
    assert recourse("sign-on", "set", *words, typed=SECRET)["provider"]["has_secret"]
    assert recourse("sign-on", "show")["provider"]["issuer"] == provider.issuer
    recourse.fits("sign-on", "show", shows=CLIENT)
    assert not recourse("sign-on", "release", FIRST)["was_bound"]
    assert not recourse("sign-on", "passwords", "on")["provider"]["passwords_off"]
    assert recourse("sign-on", "remove")["provider"] is None


def users_and_tokens(recourse: Recourse) -> None:
    kim = "kim@acme.example"
    added = recourse("user", "add", kim, "--name", "Kim Khan", "--permission", "courses")
    assert recourse("user", "show", kim) == added
    recourse.fits("user", "show", kim, shows=kim)
    assert recourse("user", "edit", kim, "--name", "Kim Kahn")["name"] == "Kim Kahn"
    recourse("user", "password", kim, "--password-stdin", typed="correct horse battery")
    assert "://" in recourse("user", "password-link", kim)["link"]

    made = recourse("token", "create", kim, "--name", "incidents", "--scope", "resets:read")
    assert made.pop("token").startswith("rcs_")
    assert recourse("token", "list") == [made]
    recourse.fits("token", "list", shows="incidents")
    assert recourse("token", "message-secret", str(made["id"]))["secret"].startswith("rcm_")
    assert recourse("token", "revoke", str(made["id"])) == made | {"state": "revoked"}

    assert recourse("user", "permissions", kim)["permissions"] == []
    assert recourse("user", "unassign", FIRST, COURSE)["courses"] == ["DATA-202"]
    assert recourse("user", "remove", kim)["removed_at"]
    assert recourse("user", "erase", kim, "--confirm", kim)["user_id"] == added["user_id"]


def evidence(recourse: Recourse, reset: str, folder: Path) -> None:
    bundle, pem = folder / "reset.zip", folder / "key.pem"
    assert recourse("evidence", "save", reset, str(bundle)) == {"file": str(bundle), "bytes": bundle.stat().st_size}
    keys = recourse("evidence", "key", "show")
    pem.write_text("".join(one["public_key"] for one in keys))
    assert recourse("evidence", "verify", str(bundle), "--key", str(pem))["resets"] == [reset]
    assert recourse("evidence", "key", "renew")["id"] not in {one["id"] for one in keys}
    kept = recourse("evidence", "store", "set", (folder / "evidence").as_uri())
    assert recourse("evidence", "store", "show") == recourse("evidence", "store", "write-now") == kept
    assert recourse("evidence", "store", "off") == {"id": "acme", "outcome": "turned off"}


def imports(recourse: Recourse, folder: Path) -> None:
    files = {
        "users": "external_id,email,name\np-1,lou@acme.example,Lou\n",
        "courses": f"external_id,code,title\n{PLACE},SAFETY-101,Safety\n",
        "enrolments": f"course,email\nSAFETY-101,{FIRST}\n",
        "groups": "group,name,user_external_id\nbern-2,Bern,p-1\n",
    }
    for what, content in files.items():
        file = folder / f"{what}.csv"
        file.write_text(content)
        [first, *_] = recourse("import", what, str(file))["counts"].values()
        assert first["new"] == 1
    (folder / "statements.ndjson").write_bytes(lines(said("completed")))
    assert recourse("import", "xapi", str(folder / "statements.ndjson"))["lines"] == 1
    (folder / "oneroster.zip").write_bytes(packed())
    assert recourse("import", "oneroster", str(folder / "oneroster.zip"))["counts"]["users"]["new"] == 3


def organizations(recourse: Recourse, folder: Path) -> None:
    for name, content in FOLDER.items():
        (folder / name).write_text(content)
    assert recourse("import", "oulad", str(folder))["organization"] == "oulad"
    added = recourse("organization", "add", "beta", "--name", "Beta Ltd", "--admin", "kim@beta.example")
    assert len(added["password"]) > 12
    assert recourse("organization", "rename", "beta", "--name", "Beta AG")["name"] == "Beta AG"
    assert recourse("organization", "weight", "beta", "3")["weight"] == 3
    assert [one["slug"] for one in recourse("organization", "list")] == ["acme", "beta", "oulad"]
    recourse.fits("organization", "list", shows="oulad")


def installation(recourse: Recourse) -> None:
    assert all(one["ok"] for one in recourse("doctor", "--part", "database"))
    recourse("files", "sweep")
    assert recourse("database", "upgrade")["ran"] == []
    assert recourse("database", "grant", "an_app", "--sql")["statements"]
    assert recourse("database", "reseal")["unreadable"] == 0
    assert recourse("database", "check")["blocking"] == {}
    until(lambda: recourse("database", "restored")["open_resets"] == [])


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
