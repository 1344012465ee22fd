"""Evidence: the files of a reset, and the store of evidence before deletion."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from models.access import Actor, Permission
from models.session import transaction
from models.tokens import Scope
from tasks.evidence.commands import Terms, set_store, try_store, turn_off, write_now
from tasks.evidence.lookup import standing_of_all, store_seen_by
from tasks.reset.lookup import reset_seen_by
from tasks.reset.outcome_files import learners_as_csv, report_as_pdf, signed_bundle
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.parameters import ResetId
from web.api.responses import TEXT, Responses, problems
from web.api.schemas.evidence import EvidenceStoreDetails, EvidenceStoreRequest, store_of
from web.database import Database
from web.downloads import download
from web.waiting import waiting_outside

router = APIRouter(tags=["evidence"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.RESETS_READ, Permission.COURSES, Permission.USERS))]
Manager = Annotated[Actor, Depends(program_with(Scope.EVIDENCE_WRITE, Permission.COURSES))]

OFF: Responses = {204: {"description": "Evidence before deletion is off, from the next reset on"}}
BINARY = {"schema": {"type": "string", "format": "binary"}}


def _file(kind: str, words: str) -> Responses:
    return {200: {"description": words, "content": {kind: TEXT if kind == "text/csv" else BINARY}}}


@router.get(
    "/resets/{reset_id:uuid}/learners.csv",
    operation_id="downloadResetLearners",
    response_class=StreamingResponse,
    responses=_file("text/csv", "The table") | problems("reset-unknown", "forbidden", "details-deleted"),
)
def learners_file(reset_id: ResetId, actor: Reader) -> StreamingResponse:
    """Download a reset's learners as CSV, each with the outcome, however many there are."""
    _check(actor, reset_id)
    return download(f"reset {reset_id} learners.csv", learners_as_csv(reset_id))


@router.get(
    "/resets/{reset_id:uuid}/report.pdf",
    operation_id="downloadResetReport",
    response_class=StreamingResponse,
    responses=_file("application/pdf", "The report")
    | problems("reset-unknown", "forbidden", "details-deleted", "evidence-key-unreadable"),
)
def report_file(reset_id: ResetId, actor: Reader) -> StreamingResponse:
    """Download a reset's report of one page: who asked, when, why, over which preview, and what happened."""
    _check(actor, reset_id)
    return download(f"reset {reset_id} report.pdf", iter([report_as_pdf(reset_id)]))


@router.get(
    "/resets/{reset_id:uuid}/evidence.zip",
    operation_id="downloadResetEvidence",
    response_class=StreamingResponse,
    responses=_file("application/zip", "The bundle")
    | problems("reset-unknown", "forbidden", "details-deleted", "evidence-key-unreadable"),
)
def evidence_file(reset_id: ResetId, actor: Reader) -> StreamingResponse:
    """Download both, with their checksums and an Ed25519 signature."""
    _check(actor, reset_id)
    return download(f"reset {reset_id} evidence.zip", signed_bundle(reset_id))


def _check(actor: Actor, reset_id: ResetId) -> None:
    """In a transaction of its own: files are made in others."""
    with transaction() as session:
        reset_seen_by(session, actor, reset_id)


@router.get(
    "/evidence-store",
    operation_id="getEvidenceStore",
    response_model=EvidenceStoreDetails,
    responses=problems("evidence-off", "forbidden"),
)
def get_store(actor: Manager, session: Database) -> EvidenceStoreDetails:
    """Get the store of evidence before deletion, and what waits for it."""
    return store_of(store_seen_by(session, actor), standing_of_all(session, actor))


@router.put(
    "/evidence-store",
    operation_id="setEvidenceStore",
    response_model=EvidenceStoreDetails,
    responses=problems(
        "forbidden", "evidence-store-invalid", "evidence-folder-operator-only", "body-too-large", "too-many-waiting"
    ),
)
async def put_store(body: EvidenceStoreRequest, actor: Manager) -> EvidenceStoreDetails:
    """Turn evidence before deletion on, or change the store. The store is tried first: one object is left there."""
    terms = Terms(body.url, body.endpoint, body.region, body.access_key_id, body.secret_access_key, body.lock_days)
    await waiting_outside(actor.organization_id, partial(try_store, actor, terms))
    return await run_in_threadpool(_set_store, actor, terms)


def _set_store(actor: Actor, terms: Terms) -> EvidenceStoreDetails:
    with transaction() as session:
        store = set_store(session, actor, terms)
        return store_of(store, standing_of_all(session, actor))


@router.delete(
    "/evidence-store",
    operation_id="turnEvidenceOff",
    status_code=204,
    responses=OFF | problems("evidence-off", "forbidden", "body-too-large"),
)
def remove_store(actor: Manager, session: Database) -> Response:
    """Turn evidence before deletion off. Learners of running resets who wait for the store fail."""
    turn_off(session, actor)
    return Response(status_code=204)


@router.post(
    "/evidence-store:write-now",
    operation_id="writeEvidenceNow",
    response_model=EvidenceStoreDetails,
    responses=problems("evidence-off", "forbidden", "body-too-large"),
)
def try_now(actor: Manager, session: Database) -> EvidenceStoreDetails:
    """Try a store that is back at once, and not at the next time that is due."""
    write_now(session, actor)
    return store_of(store_seen_by(session, actor), standing_of_all(session, actor))
