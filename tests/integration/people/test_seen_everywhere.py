"""An address that changed, a user who was removed and one who was erased: what is seen of them, and where.

Pages, HTTP API, SCIM, e-mails, certificates, webhooks, messages on the broker, Flower, logs, and all of it after a
backup from before was restored too.
"""

import base64
import io
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from pypdf import PdfReader
from typer.testing import CliRunner

from cli.main import app as commands
from models.session import transaction
from models.webhooks import WebhookEvent, open_endpoint
from tasks.app import app
from tests.backups import Backup
from tests.conftest import PROJECT
from tests.flowers import Flower
from tests.integration.retention.test_erasure import everything_typed_about
from tests.mail_server import LoopbackMailServer
from tests.receiver import Receiver
from tests.rules import CALENDAR, group, make
from tests.scenes import COURSE, OTHER_COURSE, REASON, Scene, ask, do_everything, make_scene, run, state_of
from tests.scim import provider_of
from tests.web import client_of, token_for, visitor
from tests.workers import Worker, until

BEFORE, NOW, MOVER = "maud.before@acme.example", "maud.now@acme.example", "Maud Overstreet"
LEAVER, LEAVER_NAME = "lena.verlaine@acme.example", "Lena Verlaine"
GONE, GONE_NAME = "zora.quandt@acme.example", "Zora Quandt"
BACK = "otto.back@acme.example"
ANYONE = (BEFORE, NOW, MOVER, LEAVER, LEAVER_NAME, GONE, GONE_NAME, BACK)

LINK = re.compile(r'(?:href|hx-get)="(/[^"#]*)')
ENCODED = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")  # kombu encodes the bodies of messages
MOST_PAGES = 300


class Overheard:
    """Whatever is sent through the broker: messages, their headers, and the events of workers."""

    def __init__(self, broker: redis.Redis) -> None:
        # Without a time limit: a broker with nothing to do says nothing.
        path = broker.get_connection_kwargs()["path"]
        self._broker, self._heard = redis.Redis(unix_socket_path=path, socket_timeout=None), bytearray()

    @contextmanager
    def listening(self) -> Iterator[None]:
        with self._broker.monitor() as monitor:
            thread = threading.Thread(target=self._listen, args=[monitor], daemon=True)
            thread.start()
            try:
                yield
            finally:
                self._broker.execute_command("ECHO", "the last word")
                thread.join(20)
                self._broker.close()

    def _listen(self, monitor: Any) -> None:
        for command in monitor.listen():
            self._heard += command["command"].encode() + b"\n"
            if "the last word" in command["command"]:
                return

    def text(self) -> str:
        """Returns all of it, decoded too."""
        bodies = [base64.b64decode(one + b"=" * (-len(one) % 4)) for one in ENCODED.findall(bytes(self._heard))]
        return b"\n".join([bytes(self._heard), *bodies]).decode(errors="replace")


def pages_of(browser: httpx.Client) -> dict[str, str]:
    """Returns every page that links lead to, by address."""
    found: dict[str, str] = {}
    waiting = ["/my/training", "/users", "/resets", "/rules", "/groups", "/webhooks", "/participants"]
    while waiting:
        address = waiting.pop(0)
        if address in found or address.startswith("/static"):
            continue
        answer = browser.get(address, follow_redirects=True)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        found[address] = answer.text
        links = [link.replace("&amp;", "&") for link in LINK.findall(answer.text)]
        waiting += [link for link in links if "sort=" not in link]  # the same rows in another order
        assert len(found) < MOST_PAGES, sorted(found)
    assert len(found) > 25, sorted(found)
    return found


NONE = "00000000-0000-7000-8000-000000000000"  # of what this scene has none


def answers_of(api: httpx.Client, provider: httpx.Client, users: Iterable[int]) -> dict[str, str]:
    """Returns what every GET of the API and of SCIM answers, by address."""
    values: dict[str, list[Any]] = {"code": [COURSE, OTHER_COURSE], "user_id": list(users)}
    for name, table in (("reset_id", "reset"), ("rule_id", "retraining_rule"), ("endpoint_id", "webhook_endpoint")):
        values[name] = ask(f"SELECT array_agg(id) FROM {table}")
    found = {"/v1/users?removed=true": api.get("/v1/users?removed=true").text}
    for path, methods in api.get("/v1/openapi.json").json()["paths"].items():
        names = re.findall(r"\{(\w+)\}", path)
        if "get" in methods:
            for chosen in product(*(values.get(name, [NONE]) for name in names)):
                address = path.format(**dict(zip(names, chosen, strict=True)))
                found[address] = api.get(address).text
    found |= {path: provider.get(path).text for path in ("/Users", "/Groups")}
    assert len(found) > 25, sorted(found)
    return found


def certificate(served: str, user_id: int) -> str:
    """Returns the text of the user's certificate."""
    answer = visitor(served, user_id).get(f"/my/courses/{OTHER_COURSE}/certificate")
    assert answer.status_code == 200
    return str(PdfReader(io.BytesIO(answer.content)).pages[0].extract_text())


def seen(words: str, places: dict[str, str]) -> set[str]:
    """Returns the places in which the words are seen."""
    return {place for place, text in places.items() if words.lower() in text.lower()}


def among(text: str) -> list[str]:
    """Returns who is seen in the text."""
    return [words for words in ANYONE if words.lower() in text.lower()]


@pytest.fixture
def outside(served: str, set_up: Callable[..., None]) -> Iterator[tuple[LoopbackMailServer, Receiver]]:
    with LoopbackMailServer() as mails, Receiver() as receiver:
        set_up(
            smtp_host="127.0.0.1",
            smtp_port=mails.port,
            smtp_security="none",
            mail_from="Training <training@acme.example>",
            mail_gather_seconds=0,
            mail_per_second=10_000,
            webhook_allow_private="true",
        )
        yield mails, receiver


@pytest.fixture
def flower(outside: object, tmp_path: Path) -> Iterator[Flower]:
    flower = Flower(PROJECT, tmp_path)
    flower.start()
    yield flower
    flower.stop()


def scene_with(receiver: Receiver) -> tuple[Scene, list[int]]:
    """Returns an organization, and the ids of who moves, who leaves, who is erased and who comes back."""
    scene = make_scene(learners=5, completed=100)
    people = [user.id for user in scene.users()][:4]
    names = ((BEFORE, MOVER), (LEAVER, LEAVER_NAME), (GONE, GONE_NAME), (BACK, "Otto Back"))
    for user, (email, name) in zip(people, names, strict=True):
        run('UPDATE "user" SET email = :email, name = :name WHERE id = :id', email=email, name=name, id=user)
        run("UPDATE \"user\" SET former = '{}', external_id = 'hr-' || id WHERE id = :id", id=user)
    with transaction() as session:
        address = f"http://127.0.0.1:{receiver.port}/hook"
        open_endpoint(session, scene.organization.id, address, list(WebhookEvent))
    make(scene, datetime.now(UTC), **CALENDAR, starts=datetime(2030, 1, 1, 6))
    group(scene, "bern", [email for email, _ in names])
    return scene, people


def reset_by(api: httpx.Client, **options: Any) -> str:
    """Reset the course through the API, and wait for its end. Returns its id."""
    plan = api.post(f"/v1/courses/{COURSE}/reset-plans", json=options).json()["plan"]
    asked = api.post(
        f"/v1/courses/{COURSE}/resets",
        headers={"Idempotency-Key": f"key-{plan[-12:]}"},
        json={"plan": plan, "confirm": COURSE, "reason": REASON},
    )
    assert asked.status_code == 202, asked.text
    reset = str(asked.json()["id"])
    until(lambda: state_of(reset) == "succeeded")  # type: ignore[arg-type]
    return reset


def nothing_open() -> bool:
    """Whether every e-mail and webhook is sent, or never will be."""
    return not ask(
        "SELECT (SELECT count(*) FROM mail WHERE state = 'pending')"
        "     + (SELECT count(*) FROM webhook_delivery WHERE state = 'pending')"
        "     + (SELECT count(*) FROM notification WHERE state = 'pending')"
    )


@pytest.mark.timeout(600)
def test_who_moved_left_or_was_erased_is_seen_as_they_are_now(
    served: str,
    database: str,
    redis_server: redis.Redis,
    outside: tuple[LoopbackMailServer, Receiver],
    flower: Flower,
    start_worker: Callable[..., Worker],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    mails, receiver = outside
    scene, people = scene_with(receiver)
    mover, leaver, gone, back = people
    assert scene.admin.user_id is not None
    overheard = Overheard(redis_server)
    serials = {
        user: ask(
            "SELECT serial FROM certificate JOIN enrolment e USING (registration) JOIN course c ON c.id = e.course_id "
            "WHERE e.user_id = :id AND c.code = :code",
            id=user,
            code=OTHER_COURSE,
        )
        for user in people
    }
    with overheard.listening(), client_of(served, token_for(scene.admin.user_id)) as api:
        # Given a reset of people by their addresses, which everyone is told of, and a backup
        worker = start_worker()
        until(flower.sees_a_worker)
        first = reset_by(api, audience="users", users=[BEFORE, LEAVER, GONE, BACK])
        until(lambda: len(mails.to(GONE)) == 1 and nothing_open())
        for enrolment in scene.enrolments()[:4]:
            do_everything(enrolment)
        backup = Backup(database, tmp_path)
        told = len(mails.delivered), len(receiver.received)
        # When one moves, one leaves, one is erased and one leaves and comes back, and the course is reset
        assert api.patch(f"/v1/users/{mover}", json={"email": NOW}).status_code == 200
        assert api.post(f"/v1/users/{gone}/erase", json={"confirm": GONE}).status_code == 200
        for user in (leaver, back):
            assert api.delete(f"/v1/users/{user}").status_code == 204
        assert api.post("/v1/users", json={"email": BACK, "name": "Otto Back"}).json()["user_id"] == back
        second = reset_by(api)
        until(lambda: mails.to(NOW) and nothing_open(), 60)
        until(lambda: flower.task(second).get("state") == "SUCCESS")
        tasks = flower.tasks(limit=1000)
        shown = "".join(flower.get(at).text for at in ["/api/tasks", "/metrics", *(f"/task/{one}" for one in tasks)])
        worker.stop()
        flower.stop()
        app.tasks["recourse.keep_journal"]()
        answers = answers_of(api, provider_of(served, scene.admin.user_id), people)
    pages = pages_of(visitor(served, scene.admin.user_id)) | pages_of_a_learner(served, mover)
    # Then pages, API and SCIM know the new address alone, and nothing of who was erased
    for places in (pages, answers):
        assert seen(BEFORE, places) == seen(GONE, places) == seen(GONE_NAME, places) == set()
    assert {"/users", f"/users/{mover}", "/groups/bern"} <= seen(NOW, pages)
    assert {"/v1/users", f"/v1/users/{mover}", "/Users"} <= seen(NOW, answers)
    # … and who was removed is seen only as such, and in the past
    past = {
        f"/v1/users/{leaver}",
        "/v1/users?removed=true",
        f"/v1/resets/{first}/items",
        f"/v1/resets/{first}/learners.csv",
    }
    assert seen(LEAVER, answers) == past
    assert {"/users", f"/users/{leaver}"} <= seen(LEAVER_NAME, pages)
    # … in the lists, and by what they once posted
    theirs = rf"/users(\.csv)?|/users/{leaver}\b.*|/resets/{first}\b.*|learner: /my/courses/{COURSE}"
    assert [place for place in seen(LEAVER_NAME, pages) if not re.fullmatch(theirs, place)] == []
    # … e-mails go to the new address, and to none of the others, and name none of them
    later = mails.delivered[told[0] :]
    assert {one.to for one in later} == {NOW, "admin@acme.example", "learner-5@acme.example"}
    assert not [words for one in later for words in among(str(one.message)) if words not in (NOW, MOVER)]
    # … certificates name a person, not an address; the erased person's is void
    assert among(certificate(served, mover)) == [MOVER]
    verified = {user: visitor(served).get(f"/verify/{serial}").text for user, serial in serials.items()}
    assert ["has not been superseded" in verified[user] for user in people] == [True, True, False, True]
    assert [among(verified[user]) for user in people] == [[MOVER], [LEAVER_NAME], [], []]
    # … webhooks tell of the same person, by id
    assert len(receiver.received) > told[1] + 1
    last = "".join(one.body.decode() for one in receiver.received[told[1] :])
    assert f'"external_id":"hr-{mover}"' in last.replace(" ", "")
    assert not [user for user in (leaver, gone) if f'"user":{user},' in last.replace(" ", "")]
    assert among("".join(one.body.decode() for one in receiver.received)) == []
    # … and neither messages, nor Flower, nor logs have ever said who anyone is
    assert {first, second} <= tasks.keys()
    assert among(shown) == []
    heard = overheard.text()
    assert heard.count("recourse.clear_learners") > 2
    assert among(heard) == []
    captured = capfd.readouterr()
    logs = "\n".join([worker.log.read_text(), flower.log.read_text(), captured.out, captured.err])
    assert '"user_erased"' in logs
    of_the_mail_server = '"logger": "mail.log"'  # the test's own
    assert [line for line in logs.splitlines() if among(line) and of_the_mail_server not in line] == []
    # And when the backup is restored, who was erased or removed does not come back
    backup.restore(redis_server)
    assert everything_typed_about(GONE) != []
    done = CliRunner().invoke(commands, ["database", "restored"], catch_exceptions=False)
    assert re.search(r"1 people erased again.*1 people removed again", done.output, re.DOTALL), done.output
    assert everything_typed_about(GONE) == everything_typed_about(GONE_NAME) == []
    with client_of(served, token_for(scene.admin.user_id)) as api:
        answers = answers_of(api, provider_of(served, scene.admin.user_id), people)
        assert seen(LEAVER, answers) == past
        assert seen(BACK, answers) >= {"/v1/users", "/Users"}
        # … and the platform's next file says where people have moved meanwhile
        file = f"external_id,email,name\nhr-{mover},{NOW},{MOVER}\nhr-{leaver},,\n"
        sent = api.post("/v1/imports/users", content=file, headers={"Content-Type": "text/csv"})
        assert sent.status_code == 200, sent.text
        listed = {path: api.get(path).text for path in ("/v1/users", "/v1/users?removed=true")}
    assert [seen(words, listed) for words in (BEFORE, NOW, LEAVER)] == [
        set(),
        {"/v1/users"},
        {"/v1/users?removed=true"},
    ]


def pages_of_a_learner(served: str, user_id: int) -> dict[str, str]:
    """Returns the learner's own pages."""
    browser = visitor(served, user_id)
    paths = ("/my/training", "/my/inbox", "/my/settings", "/my/alerts", f"/my/courses/{COURSE}")
    return {f"learner: {path}": browser.get(path).text for path in paths}
