"""Events that make retraining rules due: reported by a program with a token, or by a system that signs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import ConfigDict, Field

from models.access import Actor, Permission
from models.directory import course_of
from models.events import Event, EventKind
from models.refusals.requests import IdempotencyKeyMissing
from models.session import Session, transaction
from models.tokens import Scope
from models.training import Course
from tasks.rules.event_sources import report_by_webhook
from tasks.rules.events import report_event, rules_of
from web.access import program_with
from web.api.body import JsonRoute
from web.api.document import problems
from web.api.fields import KEY_LENGTH, NO_NUL, Answer, Body, IdempotencyKey
from web.database import Database

router = APIRouter(tags=["rules"], route_class=JsonRoute)

Reporter = Annotated[Actor, Depends(program_with(Scope.EVENTS_WRITE))]
Short = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]


class Reported(Body):
    """Something that happened."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "incident", "course": "SAFETY-101", "reason": "press 4", "group": "bern-2"}]
        }
    )

    kind: EventKind
    course: Short = Field(description="The course that is about it")
    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=NO_NUL)]
    group: Short | None = Field(None, description="The code of a group, if it is about that group alone")


class EventAnswer(Answer):
    """An event as it was written down."""

    id: int
    kind: EventKind
    course: str
    reason: str
    reported_at: datetime
    rules_due: int = Field(description="Rules that it made due")


@router.post(
    "/events",
    operation_id="reportEvent",
    status_code=202,
    response_model=EventAnswer,
    responses=problems(
        "course-unknown",
        "group-unknown",
        "forbidden",
        "reason-missing",
        "event-mismatch",
        "idempotency-key-missing",
        "body-too-large",
    ),
)
def report(body: Reported, actor: Reporter, session: Database, key: IdempotencyKey = None) -> EventAnswer:
    """Report an event: the rules that wait for it become due. The same key again is the same event, for good."""
    if key is None or not 1 <= len(key) <= KEY_LENGTH or not all("!" <= letter <= "~" for letter in key):
        raise IdempotencyKeyMissing
    actor.must_have(Permission.COURSES)
    course_of(session, actor.organization_id, body.course)
    event = report_event(session, actor, key=key, **body.model_dump())
    return _answer(session, event, body.course)


@router.post(
    "/hooks/{source}",
    operation_id="reportEventSigned",
    status_code=202,
    response_model=EventAnswer,
    responses=problems(
        "signature-invalid",
        "event-invalid",
        "course-unknown",
        "group-unknown",
        "user-unknown",
        "forbidden",
        "reason-missing",
        "event-mismatch",
        "body-too-large",
    ),
    openapi_extra={
        "security": [],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Reported"}}},
        },
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": words}
            for name, words in {
                "webhook-id": "The message's id; the same id again is the same event",
                "webhook-timestamp": "Seconds since 1970, at most five minutes off",
                "webhook-signature": "`v1,` and the signature, as Standard Webhooks says",
            }.items()
        ],
    },
)
async def report_signed(source: UUID, request: Request) -> EventAnswer:
    """The same, by a system whose source was opened with `recourse events sources add`: signed, and without a token."""
    body = await request.body()
    return await run_in_threadpool(_report_signed, source, dict(request.headers), body)


def _report_signed(source: UUID, headers: dict[str, str], body: bytes) -> EventAnswer:
    with transaction() as session:
        event = report_by_webhook(session, source, headers, body)
        return _answer(session, event, session.get_one(Course, event.course_id).code)


def _answer(session: Session, event: Event, course: str) -> EventAnswer:
    return EventAnswer(
        id=event.id,
        kind=event.kind,
        course=course,
        reason=event.reason,
        reported_at=event.reported_at,
        rules_due=rules_of(session, event),
    )
