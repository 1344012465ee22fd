"""The API conforms to its own OpenAPI document, whatever it is sent."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jsonschema
import pytest

from models.refusals.base import Refused
from models.retraining import RuleKind
from models.session import transaction
from tasks.rules.lifecycle import make_rule
from tasks.rules.proposals import propose_rule
from tasks.rules.terms import Terms
from tests.post import Post
from tests.scenes import COURSE, REASON, Scene, ask, make_scene
from tests.web import client_of, token_for

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
# SCHEMATHESIS=long runs for minutes and tries every boundary value of the document.
LONG = os.environ.get("SCHEMATHESIS") == "long"
EXAMPLES, PHASES = ("60", "examples,coverage,fuzzing") if LONG else ("6", "examples,fuzzing")


def test_no_request_breaks_the_api_and_every_answer_is_documented(
    served: str, post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.api.reset_stream.LONGEST_SECONDS", 0.0)  # no worker runs these resets
    scene = make_scene()
    over = scene.request(audience="completed")
    post.drain()
    assert scene.admin.user_id is not None
    learner = scene.enrolments()[0]
    known = {
        "code": COURSE,
        "user_id": learner.user_id,
        "reset_id": str(over),
        "registration": str(learner.registration),
        "activity_id": ask("SELECT min(id) FROM activity WHERE course_id = :id", id=scene.course.id),
        "plan": scene.preview().token,
        "rule_id": str(make_a_rule(scene)),
    }
    token_for(learner.user_id)
    known["token_id"] = ask("SELECT max(id) FROM api_token")  # not the one that the requests are sent with
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served}/v1/openapi.json"]
    command += ["--header", f"Authorization: Bearer {token_for(scene.admin.user_id)}", "--checks", ",".join(CHECKS)]
    command += ["--max-examples", EXAMPLES, "--seed", "7731", "--phases", PHASES]
    command += ["--workers", "2", "--continue-on-failure", "--request-timeout", "20", "--no-color"]

    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks", "KNOWN": json.dumps(known),
                          "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]


def make_a_rule(scene: Scene) -> UUID:
    with transaction() as session:
        terms = Terms(course=COURSE, kind=RuleKind.EVENT, reason=REASON)
        proposal = propose_rule(session, scene.admin, terms).token
        return make_rule(session, scene.admin, proposal=proposal, confirm=COURSE).id


def document(base: str) -> dict[str, Any]:
    return dict(httpx.get(f"{base}/v1/openapi.json").json())


def test_the_document_describes_every_operation_in_full(served: str) -> None:
    found = document(served)
    operations = [operation for path in found["paths"].values() for operation in path.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["tags"]
        assert operation["description"]
        signed = operation["operationId"] in ("reportEventSigned", "reportCleared")
        assert operation["security"] == ([] if signed else [{"HTTPBearer": []}])
        assert {"401", "403", "422", "503"} <= operation["responses"].keys()
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"]
        assert "HTTPValidationError" not in json.dumps(operation)
        for media in operation.get("requestBody", {}).get("content", {}).values():
            schema = media["schema"]
            if "$ref" in schema:
                schema = found["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
            assert "example" in media or schema["examples"]
    assert found["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    keyed = [
        parameter
        for operation in operations
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "Idempotency-Key"
    ]
    assert len(keyed) >= 4
    assert all(parameter["required"] for parameter in keyed)


def test_every_answer_has_a_valid_and_complete_example(served: str) -> None:
    found = document(served)
    named = {
        media["schema"]["$ref"]
        for path in found["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        for kind, media in answer.get("content", {}).items()
        if status < "300" and kind == "application/json"
    }
    assert len(named) > 10

    for reference in named:
        schema = found["components"]["schemas"][reference.rsplit("/", 1)[1]]
        (example,) = schema["examples"]
        jsonschema.validate(example, schema | {"components": found["components"]})
        assert example.keys() == schema["properties"].keys()


def test_every_documented_problem_type_exists_and_has_a_page(served: str) -> None:
    from web.problems import KINDS

    documented = {
        code
        for path in document(served)["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
        for code in answer["content"]["application/problem+json"]["examples"]
    }
    codes = {kind.code for kind in Refused.__subclasses__()} | KINDS.keys()

    assert documented <= codes
    with client_of(served) as client:
        for code in documented:
            assert client.get(f"/problems/{code}").status_code == 200, code
