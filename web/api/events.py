"""Report events that make retraining rules due: with a token, or as a signed message without one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool

from models.access import Actor, Permission
from models.events import Event
from models.session import Session, transaction
from models.tokens import Scope
from models.training import Course
from tasks.rules.event_preview import preview_event
from tasks.rules.event_sources import report_by_webhook
from tasks.rules.events import report_event, rules_of
from web.access import program_with
from web.api.idempotency import IdempotencyKey
from web.api.json_route import JsonRoute
from web.api.responses import problems
from web.api.schemas.events import DueRuleDetails, EventPreviewDetails, EventReport, ReportedEvent
from web.database import Database

router = APIRouter(tags=["rules"], route_class=JsonRoute)

Reporter = Annotated[Actor, Depends(program_with(Scope.EVENTS_WRITE, Permission.COURSES))]

Source = Annotated[UUID, Path(description="The id of the event source")]

PROBLEMS = (
    "course-unknown",
    "group-unknown",
    "user-unknown",
    "audience-invalid",
    "forbidden",
    "reason-missing",
    "event-mismatch",
    "body-too-large",
)
SIGNED_HEADERS = {
    "webhook-id": "The message's id; the same id again is the same event",
    "webhook-timestamp": "Seconds since 1970, at most five minutes off",
    "webhook-signature": "`v1,` and the signature, as Standard Webhooks defines it",
}


@router.post(
    "/events",
    operation_id="reportEvent",
    status_code=202,
    response_model=ReportedEvent,
    responses=problems(*PROBLEMS, "idempotency-key-missing"),
)
def report(body: EventReport, actor: Reporter, session: Database, key: IdempotencyKey) -> ReportedEvent:
    """Report an event: the rules that wait for it become due.

    The same key always means the same event: here, keys are kept for good.
    """
    event = report_event(session, actor, key=key, **body.model_dump())
    return _answer(session, event, body.course)


@router.post(
    "/events:preview",
    operation_id="previewEvent",
    response_model=EventPreviewDetails,
    responses=problems(*(code for code in PROBLEMS if code != "event-mismatch")),
)
def preview(body: EventReport, actor: Reporter, session: Database) -> EventPreviewDetails:
    """Show which rules an event would make due, and for whom. Changes nothing."""
    seen = preview_event(session, actor, **body.model_dump())
    return EventPreviewDetails(
        rules=[
            DueRuleDetails(
                rule_id=one.rule.id,
                reason=one.rule.reason,
                whom=one.whom,
                due_at=one.due_at,
                learners=one.learners,
                names=one.names,
                held=one.held or None,
            )
            for one in seen.rules
        ],
        learners=seen.learners,
    )


@router.post(
    "/hooks/{source}",
    operation_id="reportEventSigned",
    status_code=202,
    response_model=ReportedEvent,
    responses=problems(*PROBLEMS, "signature-invalid", "event-invalid"),
    openapi_extra={
        "security": [],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EventReport"}}},
        },
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": words}
            for name, words in SIGNED_HEADERS.items()
        ],
    },
)
async def report_signed(source: Source, request: Request) -> ReportedEvent:
    """Report an event as a signed message (Standard Webhooks), without a token.

    `recourse events sources add` opens a source: its address and its secret.
    """
    body = await request.body()
    return await run_in_threadpool(_report_signed, source, dict(request.headers), body)


def _report_signed(source: UUID, headers: dict[str, str], body: bytes) -> ReportedEvent:
    with transaction() as session:
        event = report_by_webhook(session, source, headers, body)
        return _answer(session, event, session.get_one(Course, event.course_id).code)


def _answer(session: Session, event: Event, course: str) -> ReportedEvent:
    return ReportedEvent(
        id=event.id,
        kind=event.kind,
        course=course,
        reason=event.reason,
        reported_at=event.reported_at,
        rules_due=rules_of(session, event),
    )
