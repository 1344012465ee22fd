"""Participants: systems that clear records of their own, and their reports."""

from decimal import Decimal
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from models.access import Actor, Permission
from models.participants import ParticipantKind
from models.session import transaction
from models.tokens import Scope
from tasks.participants.commands import (
    Terms,
    add_participant,
    ask_now,
    disable_participant,
    enable_participant,
    remove_participant,
    renew_participant_secret,
)
from tasks.participants.lookup import participant_line, participants_seen_by
from tasks.participants.protocol import Outcome
from tasks.participants.report import check_signature, take_report
from tasks.reset.elsewhere import impact_elsewhere
from tasks.reset.plan import opened_by
from tasks.webhooks import checked_address
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.responses import Responses, problems
from web.api.schemas.base import NO_NUL
from web.api.schemas.participants import (
    ClearReport,
    NewParticipant,
    ParticipantDetails,
    ParticipantList,
    ParticipantRequest,
    ParticipantSecret,
    PlanElsewhere,
    PlanToAsk,
    ReportTaken,
    elsewhere_of,
    new_participant_of,
    participant_of,
)
from web.database import Database
from web.waiting import waiting_outside

router = APIRouter(tags=["participants"], route_class=JsonRoute)

Manager = Annotated[Actor, Depends(program_with(Scope.PARTICIPANTS_WRITE, Permission.COURSES))]
Planner = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE, Permission.COURSES, Permission.USERS))]
Name = Annotated[str, Path(min_length=1, max_length=40, pattern=NO_NUL, description="The participant's name")]
Key = Annotated[UUID, Path(description="The `idempotency_key` of the request")]

FOUND = problems("participant-unknown", "forbidden", "body-too-large")
REMOVED: Responses = {204: {"description": "It is never asked again; learners who wait for it fail"}}
SIGNED_HEADERS = {
    "webhook-id": "Any id for the report",
    "webhook-timestamp": "Seconds since 1970, at most five minutes off",
    "webhook-signature": "`v1,` and the signature, as Standard Webhooks defines it, with the participant's secret",
}


@router.get(
    "/participants", operation_id="listParticipants", response_model=ParticipantList, responses=problems("forbidden")
)
def list_participants(actor: Manager, session: Database) -> ParticipantList:
    """List the participants, with the requests that wait for each."""
    return ParticipantList(items=[participant_of(line) for line in participants_seen_by(session, actor)])


@router.post(
    "/participants",
    operation_id="addParticipant",
    status_code=201,
    response_model=NewParticipant,
    responses=problems(
        "forbidden",
        "participant-invalid",
        "participant-exists",
        "webhook-address-refused",
        "course-unknown",
        "body-too-large",
    ),
)
def add(body: ParticipantRequest, actor: Manager) -> NewParticipant:
    """Add an HTTP participant: from the next reset on, it is asked about every learner who is reset.

    A Celery task or a plug-in is added with `recourse participants add`.
    """
    address = checked_address(body.url)  # may take seconds, so outside of any transaction
    rate = None if body.per_second is None else Decimal(str(body.per_second))
    terms = Terms(
        ParticipantKind.HTTP,
        str(address.url),
        courses=body.courses,
        learners_at_once=body.learners_at_once,
        per_second=rate,
    )
    with transaction() as session:
        add_participant(session, actor, body.name, terms)
        return new_participant_of(participant_line(session, actor, body.name))


@router.delete("/participants/{name}", operation_id="removeParticipant", status_code=204, responses=REMOVED | FOUND)
def remove(name: Name, actor: Manager, session: Database) -> Response:
    """Remove a participant for good."""
    remove_participant(session, actor, name)
    return Response(status_code=204)


@router.post(
    "/participants/{name}:disable",
    operation_id="disableParticipant",
    response_model=ParticipantDetails,
    responses=FOUND,
)
def disable(name: Name, actor: Manager, session: Database) -> ParticipantDetails:
    """Stop asking a participant: learners who wait for it fail, and can be retried. Repeating it changes nothing."""
    disable_participant(session, actor, name)
    return participant_of(participant_line(session, actor, name))


@router.post(
    "/participants/{name}:enable", operation_id="enableParticipant", response_model=ParticipantDetails, responses=FOUND
)
def enable(name: Name, actor: Manager, session: Database) -> ParticipantDetails:
    """Ask a participant again, from the next reset on. Repeating it changes nothing."""
    enable_participant(session, actor, name)
    return participant_of(participant_line(session, actor, name))


@router.post(
    "/participants/{name}:ask-now", operation_id="askParticipantNow", response_model=ParticipantDetails, responses=FOUND
)
def ask_again(name: Name, actor: Manager, session: Database) -> ParticipantDetails:
    """Ask a participant that is back at once, and not at the next time that is due."""
    ask_now(session, actor, name)
    return participant_of(participant_line(session, actor, name))


@router.post(
    "/participants/{name}:renew-secret",
    operation_id="renewParticipantSecret",
    response_model=ParticipantSecret,
    responses=FOUND,
)
def renew(name: Name, actor: Manager, session: Database) -> ParticipantSecret:
    """Create a new secret; the old one stays valid for a day."""
    return ParticipantSecret(secret=renew_participant_secret(session, actor, name))


@router.post(
    "/participant-requests/{key}/report",
    operation_id="reportCleared",
    response_model=ReportTaken,
    responses=problems("participant-request-unknown", "body-too-large"),
    openapi_extra={
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": words}
            for name, words in SIGNED_HEADERS.items()
        ],
    },
)
async def report(key: Key, body: ClearReport, request: Request) -> ReportTaken:
    """Report about learners of a request, as a participant that answered “later”. Signed, without a token."""
    outcomes = [learner.outcome_of() for learner in body.learners]
    return await run_in_threadpool(_report, key, dict(request.headers), await request.body(), outcomes)


@router.post(
    "/reset-plans:count-elsewhere",
    operation_id="countElsewhere",
    response_model=PlanElsewhere,
    responses=problems("plan-invalid", "forbidden", "body-too-large", "too-many-waiting"),
)
async def count_elsewhere(body: PlanToAsk, actor: Planner) -> PlanElsewhere:
    """Ask a plan's participants what they would remove. Changes nothing; takes as long as they do, up to seconds."""
    ask = partial(impact_elsewhere, opened_by(actor, body.plan), about=True)
    return elsewhere_of(await waiting_outside(actor.organization_id, ask))


def _report(key: UUID, headers: dict[str, str], body: bytes, outcomes: list[Outcome]) -> ReportTaken:
    with transaction() as session:
        check_signature(session, key, headers, body)
        return ReportTaken(taken=take_report(session, key, outcomes))
