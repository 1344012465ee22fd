"""The commands of the guides and of the HTTP API's page, each as it is written, by a shell."""

import json
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader

from cli.local import remove
from tests.buckets import s3_server
from tests.guides import Reader, blocks
from tests.stores import Bucket
from tests.ups import Up
from tests.workers import until

USERS = "email,name\nlee@acme.example,Lee Long\n"
COURSES = "code,title\nFIRE-101,Fire safety\n"
ENROLMENTS = "course,email\nFIRE-101,lee@acme.example\n"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    folder = Path(tempfile.mkdtemp(prefix="recourse-guides-"))
    folder.chmod(0o755)
    running = Up(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop(signal.SIGINT)
        remove(running.home)
        shutil.rmtree(folder)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@pytest.fixture
def reader(up: Up) -> Iterator[Reader]:
    folder = Path(tempfile.mkdtemp(prefix="reader-", dir=up.home.parent))
    yield Reader(up.environment, folder, API=up.web)
    shutil.rmtree(folder)


def test_quickstart(reader: Reader) -> None:
    found = blocks("docs/quickstart.md", {".venv/bin/recourse": "recourse"})
    [script] = [script for script in found.values() if "recourse reset" in script]
    commands = [line for line in script.splitlines() if not line.startswith("make ")]  # tested where they are made
    assert "succeeded" in reader.runs("\n".join(commands))


def test_retrain_by_rule(reader: Reader, subtests: pytest.Subtests) -> None:
    reader.runs('recourse groups add bern-2 --name "Plant 2, Bern"; recourse groups join bern-2 learner-1@demo.example')
    page = blocks("docs/how-to/retrain-by-rule.md", {"https://training.example.org": "$API", "rcs_…": "$TOKEN"})
    for heading, script in page.items():
        for command in script.replace("\\\n", " ").splitlines():
            if not command.strip() or command.startswith("#"):
                continue
            with subtests.test(heading, command=command):
                if "RULE" in command:
                    rules = json.loads(reader.runs("recourse rules list --json"))
                    command = re.sub(r"\bRULE\b", str(rules[0]["id"]), command)  # noqa: PLW2901 - the same, filled in
                if "$TOKEN" in command:
                    scope = "--name guide --scope events:write"
                    reader.environment["TOKEN"] = reader.runs(
                        f"recourse token create admin@demo.example {scope}"
                    ).strip()
                if "rules add" in command:  # which asks, in a terminal
                    command += " --confirm SAFETY-101"  # noqa: PLW2901
                reader.runs(command.partition("#")[0])


def test_reset_many(reader: Reader, subtests: pytest.Subtests) -> None:
    reader.environment["TOKEN"] = reader.runs(
        "recourse token create admin@demo.example --name many --scope resets:write"
    ).strip()
    # Whatever the guides before this one have reset, one learner has completed the course.
    reader.has(learned_csv=f"course,email,progress,completed_at\nSAFETY-101,learner-9@demo.example,100,{now()}\n")
    reader.runs("recourse import enrolments learned.csv")
    expected = {
        "From a file": ("2 of 4 lines are left out", '"learners": 2', "duplicate"),
        "Leave out learners who completed the course lately": ("completed within 365 days",),
        "Exempt learners": ("on leave until spring", "2031-04-01 23:59", "the learner is exempt", "no longer exempt"),
    }
    page = blocks("docs/how-to/reset-many.md")
    assert page.keys() == expected.keys()
    for heading, script in page.items():
        with subtests.test(heading):
            said = reader.runs("exec 2>&1\n" + script)
            assert [words for words in expected[heading] if words not in said] == [], said


def test_ask_by_message(reader: Reader) -> None:
    create, look, secret = blocks("docs/how-to/share-a-broker.md")["Ask by message"].strip().splitlines()
    reader.runs(create.replace("kim@acme.example", "admin@demo.example"))
    assert "incident system" in reader.runs(look)
    tokens = json.loads(reader.runs("recourse token list --json"))
    [token] = [one["id"] for one in tokens if one["name"] == "incident system"]
    assert "rcm_" in reader.runs(secret.replace(" 7 ", f" {token} "))


def test_write_a_participant(reader: Reader) -> None:
    """Added, it is in the list; and no reset waits for it once it is removed."""
    page = blocks("docs/how-to/write-a-participant.md", {"lms.example.org": "192.0.43.7"})  # needs no look-up
    try:
        for heading, script in page.items():
            assert "lms" in reader.runs(script), heading
    finally:
        reader.runs("recourse participants remove lms")


def test_the_http_api(reader: Reader, subtests: pytest.Subtests) -> None:
    reader.has(users_csv=USERS, courses_ndjson='{"code": "API-101", "title": "By API"}\n', enrolments_csv=
               "course,email\nAPI-101,lee@acme.example\n")  # fmt: skip
    page = blocks("docs/reference/http-api.md")
    del page["Import"], page["Webhooks and tokens"]  # which need files of each kind, and more scopes
    token = page.pop("Get a token")
    create, rest = token.split("export API", 1)
    reader.environment["TOKEN"] = reader.runs(create).strip().splitlines()[-1]
    session = 'auth="Authorization: Bearer $TOKEN"\n'
    me = json.loads(reader.runs("export API" + rest.replace("http://127.0.0.1:8000", reader.environment["API"])))
    assert me["email"] == "admin@demo.example"
    _manage_access(reader, page.pop("Users and groups"))
    for heading, script in page.items():
        with subtests.test(heading):
            # The reset has ended, and nobody failed: both are refused, with why.
            script = re.sub(r"^(curl .*:(?:cancel|retry-failed))$", r"\1 || true", script, flags=re.MULTILINE)  # noqa: PLW2901
            said = reader.runs(session + script)
            if heading == "Reset a course":
                [found] = re.findall(r"(?i)^location: /v1/resets/(\S+)", said, flags=re.MULTILINE)
                reader.environment["RESET"] = found
                reader.runs("recourse show --watch $RESET")
                _learner_of(reader, session)


def _manage_access(reader: Reader, script: str) -> None:
    """Permissions, password links and sessions, with a token of their scope."""
    reader.runs("recourse user add sam@demo.example --name Sam")
    user = json.loads(reader.runs("recourse user show sam@demo.example --json"))["user_id"]
    make = "recourse token create admin@demo.example --name access --scope access:write"
    token = reader.runs(make).strip().splitlines()[-1]
    said = reader.runs(f'USER_ID={user}\nauth="Authorization: Bearer {token}"\n{script}')
    assert '"permissions":["Training: Manage courses"]' in said
    assert "/set-password/" in said
    assert '{"items":[]}' in said


@pytest.mark.timeout(400)
def test_keep_evidence(reader: Reader) -> None:
    """As an operator sets the stores, and as an auditor checks what a reset left there."""
    page = blocks(
        "docs/how-to/keep-evidence.md",
        {"https://training.example.org": "$API", "/srv/evidence": f"{reader.folder}/store", "RESET": "$RESET"},
    )
    with s3_server() as address:
        Bucket(address, "acme-evidence")
        turn_on, off = page["Keep evidence before deletion"].split("recourse evidence store off")
        reader.environment |= {"SECRET": "its secret", "RECOURSE_ALLOWED_NETWORKS": "127.0.0.0/8"}
        shown = reader.runs(turn_on.replace("https://s3.example.org", address))
        assert "s3://acme-evidence/recourse" in shown
    assert off.strip() == ""
    who = "--user learner-2@demo.example --reason audit --confirm SAFETY-101"
    reader.runs(f"recourse reset SAFETY-101 {who} --watch")
    reader.environment["RESET"] = json.loads(reader.runs("recourse resets --json --limit 1"))[0]["id"]
    reader.runs(page["Save what a reset did"])
    text = "".join(PdfReader(reader.folder / "report.pdf").pages[0].extract_text().split())
    reader.has(signature_txt=re.findall(r"Signature([A-Za-z0-9+/]{86}==)", text)[0])
    said = reader.runs(page["Check a bundle"])
    assert "Genuine: 1 bundle with" in said
    assert said.count("Signature Verified Successfully") == 2
    [summary] = until_there(reader.folder / "store", f"*/{reader.environment['RESET']}/summary-*.zip")
    shutil.copy(reader.folder / "recourse-evidence.pem", summary.parent)
    said = reader.runs(f"cd {summary.parent}\n" + page["Check everything about a reset"])
    assert "Genuine: 3 bundles" in said
    reader.runs(page["When the store does not answer"])
    reader.runs(page["Renew the key"])
    assert (reader.folder / "recourse-evidence.pem").read_text().count("BEGIN PUBLIC KEY") == 2
    assert "off" in reader.runs("recourse evidence store off")


def until_there(folder: Path, pattern: str) -> list[Path]:
    until(lambda: [*folder.glob(pattern)])
    return [*folder.glob(pattern)]


def test_at_last_integrate_an_existing_platform(reader: Reader) -> None:
    reader.has(users_csv=USERS, courses_csv=COURSES, enrolments_csv=ENROLMENTS)
    page = blocks("docs/how-to/integrate-an-existing-platform.md")
    reader.runs(page["1. Bring users, courses and enrolments"])
    users = reader.runs("recourse analytics FIRE-101 --organization acme")  # now that there are two organizations
    assert "Lee Long" in users


def _learner_of(reader: Reader, session: str) -> None:
    """Name, as a reader would, a learner and their activities for the commands that follow."""
    users = json.loads(reader.runs(f'{session}curl -H "$auth" "$API/v1/analytics/courses/SAFETY-101/users"'))
    user = users["items"][0]["user_id"]
    enrolment = json.loads(reader.runs(f'{session}curl -H "$auth" $API/v1/users/{user}/courses/SAFETY-101'))
    by_kind = {activity["kind"]: str(activity["id"]) for activity in enrolment["activities"]}
    reader.environment |= {
        "USER_ID": str(user),
        "REGISTRATION": enrolment["registration"],
        "LESSON": by_kind["lesson"],
        "ASSIGNMENT": by_kind["assignment"],
        "DISCUSSION": by_kind["discussion"],
    }
