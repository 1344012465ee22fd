"""The ready participants, each against a server on loopback that speaks the other system's protocol."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.registration import Registration

from models.access import console_operator
from models.participants import ParticipantKind
from models.refusals.participants import ParticipantInvalid, ParticipantOperatorOnly
from models.session import transaction
from tasks.participants.commands import Terms, add_participant
from tasks.participants.protocol import Course, End, Learner, NotNowError, Question, Request
from tasks.participants.ready.lti_ags import LtiAgs
from tasks.participants.ready.moodle import Moodle
from tasks.participants.ready.one_by_one import BEGUN_ANEW
from tasks.participants.ready.scorm_cloud import ScormCloud
from tests.post import Post
from tests.scenes import ledger, make_scene, report_of, state_of

Answer = tuple[int, Any]
COURSE = Course("FIRE-101", "Fire safety")


@contextmanager
def server(answer: Callable[[str, str, dict[str, str], bytes], Answer]) -> Iterator[str]:
    """Serve JSON: `answer` gets method, path, headers in lower case, and body."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, said = answer(self.command, self.path, headers, body)
            text = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _any

        def log_message(self, *_: object) -> None:
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{serving.server_address[1]}"
    finally:
        serving.shutdown()
        serving.server_close()


def uuid7(moment: datetime) -> UUID:
    """A registration given at that moment."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | uuid4().int % 2**60)


NOW = datetime.now(UTC)


def learner(number: int, *, cleared_at: datetime = NOW) -> Learner:
    old = uuid7(cleared_at - timedelta(days=300))
    return Learner(number, None, f"learner-{number}@acme.example", 1000 + number, old, uuid7(cleared_at))


def request(*learners: Learner) -> Request:
    return Request(uuid4(), uuid4(), "acme", COURSE, learners)


# SCORM Cloud


class Cloud:
    """The two calls of SCORM Cloud's API that are used, with Basic authentication."""

    def __init__(self) -> None:
        self.registrations: dict[str, dict[str, Any]] = {}
        self.status: int | None = None

    def begin(self, number: str, last_access: datetime) -> None:
        at = last_access.isoformat().replace("+00:00", "Z")
        self.registrations[number] = {
            "id": number,
            "registrationCompletion": "COMPLETED",
            "registrationSuccess": "PASSED",
            "totalSecondsTracked": 1800.0,
            "firstAccessDate": at,
            "lastAccessDate": at,
        }

    def __call__(self, method: str, path: str, headers: dict[str, str], _body: bytes) -> Answer:
        if headers.get("authorization") != "Basic " + base64.b64encode(b"app:secret").decode():
            return 401, {"message": "no"}
        if self.status:
            return self.status, {"message": "no"}
        _, version, kind, number, *what = path.split("/")
        assert (version, kind, what) == ("v2", "registrations", ["progress"] if method == "DELETE" else [])
        number = unquote(number)
        if number not in self.registrations:
            return 404, {"message": "Could not find registration"}
        if method == "DELETE":
            self.registrations[number] = {"id": number, "registrationCompletion": "UNKNOWN", "totalSecondsTracked": 0}
            return 204, None
        return 200, self.registrations[number]


@pytest.fixture
def cloud() -> Iterator[tuple[Cloud, str]]:
    there = Cloud()
    with server(there) as url:
        yield there, f"{url}/v2"


def test_scorm_cloud_resets_the_registration_of_the_past_run(cloud: tuple[Cloud, str]) -> None:
    there, host = cloud
    plugin = ScormCloud("app", "secret", host=host)
    begun, unknown, opened = learner(1), learner(2), learner(3)
    there.begin(str(begun.old_registration), NOW - timedelta(days=3))
    there.begin(str(begun.new_registration), NOW + timedelta(minutes=1))
    there.registrations[str(opened.old_registration)] = {"id": "x", "totalSecondsTracked": 0}
    assert plugin.preview(Question("acme", COURSE, [begun, unknown, opened])) == {"registrations": 1}
    ends = [outcome.end for outcome in plugin.clear(request(begun, unknown, opened))]
    assert ends == [End.DONE, End.NOTHING, End.NOTHING]
    # The progress of the new run stays, and a repeated request finds nothing
    assert there.registrations[str(begun.new_registration)]["totalSecondsTracked"] == 1800
    assert [outcome.end for outcome in plugin.clear(request(begun))] == [End.NOTHING]


def test_scorm_cloud_with_registrations_that_stay_never_loses_what_is_new(cloud: tuple[Cloud, str]) -> None:
    there, host = cloud
    plugin = ScormCloud("app", "secret", registration="{user_id}-{enrolment}", host=host)
    before, anew = learner(1), learner(2)
    there.begin("1-1001", NOW - timedelta(days=1))
    there.begin("2-1002", NOW + timedelta(minutes=1))
    first, second = plugin.clear(request(before, anew))
    assert (first.end, first.removed) == (End.DONE, {"registrations": 1})
    assert (second.end, second.why) == (End.FAILED, BEGUN_ANEW)
    assert there.registrations["2-1002"]["totalSecondsTracked"] == 1800


@pytest.mark.parametrize("status", [401, 429, 503])
def test_scorm_cloud_is_asked_again_about_whom_it_did_not_clear(cloud: tuple[Cloud, str], status: int) -> None:
    there, host = cloud
    there.status = status
    [outcome] = ScormCloud("app", "secret", host=host).clear(request(learner(1)))
    assert outcome.end == End.RETRY
    assert outcome.why.startswith(f"SCORM Cloud answered {status}")
    with pytest.raises(NotNowError):
        ScormCloud("app", "wrong", host=host).preview(Question("acme", COURSE, [learner(1)]))


# Moodle


class Site:
    """The functions of Moodle's web service that are used."""

    def __init__(self) -> None:
        self.users = {"learner-1@acme.example": 11, "learner-2@acme.example": 12}
        self.completed: dict[int, list[int]] = {}  # moments by user
        self.errors = ""
        self.lose_the_answer = False
        self.resets: list[int] = []

    def __call__(self, method: str, path: str, _headers: dict[str, str], body: bytes) -> Answer:
        assert (method, path) == ("POST", "/moodle/webservice/rest/server.php")
        said = dict(parse_qsl(body.decode()))
        assert said.pop("moodlewsrestformat") == "json"
        if said.pop("wstoken") != "token":
            return 200, {"exception": "core\\exception\\moodle_exception", "message": "Invalid token"}
        match said.pop("wsfunction"):
            case "core_course_get_courses_by_field":
                found = said == {"field": "shortname", "value": "FIRE-101"}
                return 200, {"courses": [{"id": 7, "shortname": "FIRE-101"}] if found else [], "warnings": []}
            case "core_user_get_users_by_field":
                assert said["field"] == "email"
                user = self.users.get(said["values[0]"])
                return 200, [{"id": user}] if user else []
            case "core_completion_get_activities_completion_status":
                done = self.completed.get(int(said["userid"]), [])
                statuses = [{"cmid": place, "state": 1, "timecompleted": at} for place, at in enumerate(done)]
                return 200, {"statuses": [*statuses, {"cmid": 99, "state": 0, "timecompleted": 0}]}
            case "local_recompletion_reset_course":
                assert said["courseid"] == "7"
                self.resets.append(int(said["userid"]))
                if not self.errors:
                    self.completed.pop(int(said["userid"]), None)
                if self.lose_the_answer:
                    return 504, None
                return 200, {"status": not self.errors, "errors": self.errors}
        raise AssertionError(said)


@pytest.fixture
def moodle() -> Iterator[tuple[Site, Moodle]]:
    site = Site()
    with server(site) as url:
        yield site, Moodle(url=f"{url}/moodle/", token="token")


def test_moodle_is_reset_one_learner_a_call(moodle: tuple[Site, Moodle]) -> None:
    site, plugin = moodle
    past = int(NOW.timestamp()) - 86_400
    site.completed = {11: [past, past]}
    assert plugin.preview(Question("acme", COURSE, [learner(1), learner(2), learner(3)])) == {"activity completions": 2}
    first, second, third = plugin.clear(request(learner(1), learner(2), learner(3)))
    assert (first.end, first.removed) == (End.DONE, {"activity completions": 2})
    assert (second.end, third.end) == (End.NOTHING, End.NOTHING)  # has done nothing; is not there
    assert sorted(site.resets) == [11, 12]


def test_moodle_is_looked_at_again_after_an_answer_that_was_lost(moodle: tuple[Site, Moodle]) -> None:
    site, plugin = moodle
    site.completed = {11: [int(NOW.timestamp()) - 86_400]}
    site.lose_the_answer = True
    [unknown] = plugin.clear(request(learner(1)))
    assert (unknown.end, unknown.why) == (End.RETRY, "Moodle answered 504")
    # Meanwhile the learner has begun anew
    site.lose_the_answer, site.completed = False, {11: [int(NOW.timestamp()) + 60]}
    [again] = plugin.clear(request(learner(1)))
    assert (again.end, again.why) == (End.FAILED, BEGUN_ANEW)
    assert site.completed == {11: [int(NOW.timestamp()) + 60]}


def test_moodle_says_why_not(moodle: tuple[Site, Moodle]) -> None:
    site, plugin = moodle
    site.errors = "quiz attempts are locked"
    [outcome] = plugin.clear(request(learner(1)))
    assert (outcome.end, outcome.why) == (End.FAILED, "quiz attempts are locked")
    with pytest.raises(NotNowError, match="no course with the short name NONE"):
        plugin.clear(Request(uuid4(), uuid4(), "acme", Course("NONE", ""), [learner(1)]))


# LTI


class Platform(LTI1P3PlatformConfAbstract):
    """An LTI platform: its token endpoint is `lti1p3platform`, its scores follow AGS 2.0."""

    def init_platform_config(self, **kwargs: Any) -> None:
        self.scores: dict[str, dict[str, Any]] = {}

    def get_registration_by_params(self, **_: Any) -> Registration:
        raise NotImplementedError

    def trust(self, url: str, platform_key: str, tool_public_key: str) -> None:
        registration = Registration()
        registration.set_iss(url).set_client_id("recourse")
        registration.set_platform_private_key(platform_key).set_platform_public_key(_public(platform_key))
        registration.set_tool_key_set({"keys": [Registration.get_jwk(tool_public_key)]})
        self._registration = registration

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path == "/token":
            return 200, self.get_access_token({name: one for name, [one] in parse_qs(body.decode()).items()})
        assert (method, path) == ("POST", "/lineitems/7/lineitem/scores")
        assert headers["content-type"] == "application/vnd.ims.lis.v1.score+json"
        assert headers["authorization"].startswith("Bearer ")
        said = json.loads(body)
        if said["userId"] not in self.scores:
            return 404, None
        if said["timestamp"] <= self.scores[said["userId"]]["timestamp"]:
            return 409, None
        self.scores[said["userId"]] = said
        return 200, None


def _key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, format_ = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(kind, format_, serialization.NoEncryption()).decode()


def _public(private: str) -> str:
    key = serialization.load_pem_private_key(private.encode(), None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_score_on_an_lti_platform_is_withdrawn_unless_it_is_new() -> None:
    platform, key = Platform(), _key()
    with server(platform) as url:
        platform.trust(url, _key(), _public(key))
        plugin = LtiAgs(
            issuer=url,
            client_id="recourse",
            token_url=f"{url}/token",
            private_key=key,
            lineitem=f"{url}/lineitems/7/lineitem",
            user="user-{user_id}",
        )
        earned = {"scoreGiven": 90, "scoreMaximum": 100, "activityProgress": "Completed"}
        platform.scores = {
            "user-1": earned | {"timestamp": (NOW - timedelta(days=9)).isoformat()},
            "user-2": earned | {"timestamp": (NOW + timedelta(minutes=1)).isoformat()},
        }
        outcomes = plugin.clear(request(learner(1), learner(2), learner(3)))
    assert [outcome.end for outcome in outcomes] == [End.DONE, End.NOTHING, End.NOTHING]
    withdrawn = platform.scores["user-1"]
    assert (withdrawn["activityProgress"], withdrawn["gradingProgress"]) == ("Initialized", "NotReady")
    assert "scoreGiven" not in withdrawn
    assert platform.scores["user-2"]["scoreGiven"] == 90


# As participants


def test_a_plug_in_takes_part_in_a_reset(post: Post, moodle: tuple[Site, Moodle]) -> None:
    scene = make_scene(learners=3)
    site, _ = moodle
    past = int(NOW.timestamp()) - 86_400
    emails = [user.email for user in scene.users()]
    site.users = {email: 100 + place for place, email in enumerate(emails)}
    site.completed = {100: [past, past], 101: [past]}
    url = moodle[1]._address.removesuffix("/webservice/rest/server.php")
    terms = Terms(ParticipantKind.PLUGIN, "moodle", options={"url": url, "token": "token"})
    with pytest.raises(ParticipantOperatorOnly), transaction() as session:
        add_participant(session, scene.admin, "moodle", terms)
    operator = console_operator(scene.organization)
    with pytest.raises(ParticipantInvalid, match="does not accept these options"), transaction() as session:
        add_participant(session, operator, "moodle", Terms(ParticipantKind.PLUGIN, "moodle", options={"link": url}))
    with pytest.raises(ParticipantInvalid, match="Installed: lti-ags, moodle, scorm-cloud"), transaction() as session:
        add_participant(session, operator, "moodle", Terms(ParticipantKind.PLUGIN, "noodle"))
    with transaction() as session:
        add_participant(session, operator, "moodle", terms)
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "succeeded", ledger(reset)
    assert site.completed == {}
    assert report_of(reset)["removed"]["moodle: activity completions"] == 3
