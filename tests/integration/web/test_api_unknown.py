"""The API refuses whatever it does not know: fields and query parameters, on every route."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from models.access import Permission
from models.training import ActivityKind
from tests.scenes import COURSE, Scene, ask, make_scene
from tests.web import client_of, make_user, token_for


@dataclass(frozen=True)
class Api:
    scene: Scene
    client: httpx.Client
    document: dict[str, Any]

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in schema:
            return schema
        return dict(self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        values = {
            name: uuid4() for name in ("reset_id", "registration", "rule_id", "source", "key", "message_id", "list_id")
        }
        numbers = {"user_id": 1, "activity_id": 1, "endpoint_id": 1, "token_id": 1}
        address = path.format(**values, **numbers, code=COURSE, name="lms")
        return self.client.request(method, address, headers={"Idempotency-Key": str(uuid4())}, **options)


@pytest.fixture
def api(served: str) -> Iterator[Api]:
    scene = make_scene(learners=1, completed=0, begun=0)
    operator = make_user(scene.organization.id, "operator@acme.example", *Permission)  # whom no route forbids
    with client_of(served, token_for(operator.id)) as client:
        yield Api(scene, client, client.get("/v1/openapi.json").json())


def objects_in(api: Api, schema: dict[str, Any], seen: set[str]) -> Iterator[dict[str, Any]]:
    """Yields every object of the schema, at any depth."""
    if not schema or schema.get("$ref") in seen:
        return
    if "$ref" in schema:
        seen.add(schema["$ref"])
    schema = api.resolved(schema)
    if schema.get("type") == "object":
        yield schema
    inner = [*schema.get("properties", {}).values(), schema.get("items", {})]
    for part in (*inner, *schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])):
        yield from objects_in(api, part, seen)


def test_every_route_refuses_unknown_query_parameters(api: Api, subtests: pytest.Subtests) -> None:
    for method, path, operation in api.operations():
        with subtests.test(method=method, path=path):
            refused = api.send(method, path, params={"limti": "1"})
            assert refused.status_code == 422
            assert refused.json()["errors"] == [{"at": "query.limti", "detail": "there is no such parameter"}]
            known = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            assert all(name in refused.json()["detail"] for name in known)


def test_every_route_refuses_unknown_fields(api: Api, subtests: pytest.Subtests) -> None:
    for method, path, operation in api.operations():
        content = operation.get("requestBody", {}).get("content", {})
        if method == "GET" or path.startswith("/v1/imports/") or path.endswith(":from-list"):
            continue  # without a body, and tested below
        with subtests.test(method=method, path=path):
            schema = api.resolved(content["application/json"]["schema"]) if content else {}
            example = schema["examples"][0] if schema else {}
            refused = api.send(method, path, json=example | {"cleared_at": "2020-01-01"})
            if operation["operationId"] == "reportEventSigned":
                assert refused.status_code == 401  # the signature is checked first
            else:
                assert (refused.status_code, refused.json()["type"]) == (422, "/problems/request-invalid")
                at = "body.cleared_at" if schema else "body"
                assert at in [error["at"] for error in refused.json()["errors"]]
            for one in objects_in(api, schema, set()):
                # Counts by kind have names of the sender's own.
                assert one.get("additionalProperties") is False or "properties" not in one, one


def put(api: Api, address: str, body: str) -> int:
    return api.client.put(address, content=body, headers={"Content-Type": "application/json"}).status_code


def test_a_completion_refuses_a_body_that_is_not_its_own(api: Api) -> None:
    registration = ask("SELECT registration FROM enrolment LIMIT 1")
    address = f"/v1/registrations/{registration}/completion"
    for body in ('{"completed_at": "2020-01-01"}', '{"score": 90}', '{"completed_at": 5}', "[]", "now", '{"a": 1}'):
        assert put(api, address, body) == 422, body
    assert ask("SELECT count(*) FROM completion") == 0
    for body in ("", " ", "{}"):
        assert put(api, address, body) == 200, body


@pytest.mark.parametrize("kind", ["users", "courses", "enrolments", "groups"])
def test_every_import_refuses_unknown_columns(api: Api, kind: str) -> None:
    known = {
        "users": ["email", "name"],
        "courses": ["code", "title"],
        "enrolments": ["course", "email"],
        "groups": ["group", "name"],
    }[kind]
    csv = ",".join([*known, "permissions"]) + "\n" + ",".join(["a@b.example"] * 3) + "\n"
    refused = api.client.post(f"/v1/imports/{kind}", content=csv, headers={"Content-Type": "text/csv"})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/import-invalid")
    assert "'permissions' is not a column" in refused.json()["detail"]
    lines = json.dumps(dict.fromkeys([*known, "permissions"], "a@b.example")) + "\n"
    refused = api.client.post(f"/v1/imports/{kind}", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert (refused.status_code, "permissions: there is no such column" in refused.json()["detail"]) == (422, True)


def test_an_import_refuses_unknown_keys_of_an_activity(api: Api) -> None:
    activity = {"reference": "intro", "kind": ActivityKind.LESSON, "title": "Introduction", "minutes": "20"}
    line = json.dumps({"code": "NEW-1", "title": "New", "activities": [activity]}) + "\n"
    refused = api.client.post("/v1/imports/courses", content=line, headers={"Content-Type": "application/x-ndjson"})
    assert (refused.status_code, "minutes: there is no such column" in refused.json()["detail"]) == (422, True)
