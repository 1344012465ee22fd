"""Incidents, non-compliance and changed procedures: the list, the form to report one, and what each has made due."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from config.languages import Translatable
from models.access import Permission
from models.directory import courses_of
from models.events import EventKind
from models.groups import groups_with_size
from models.refusals.base import Refused
from models.refusals.events import EventKindUnknown, EventMismatch, PersonsUnknown
from models.session import Session
from tasks.people.pasted import read_list
from tasks.rules.event_kinds import WORDS
from tasks.rules.event_log import consequences_of, event_line, events_seen_by
from tasks.rules.event_preview import preview_event
from tasks.rules.events import report_event
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.numbers import Number
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/incidents")

KINDS = {kind: (Translatable(words.name.capitalize()), words.hint) for kind, words in WORDS.items()}

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class Typed(BaseModel):
    """The values of the form, as typed."""

    model_config = ConfigDict(frozen=True)

    kind: Words = EventKind.INCIDENT.value
    course: Words = ""
    who: Words = "everyone"  # everyone, group or persons
    group: Words = ""
    persons: Annotated[str, StringConstraints(max_length=500_000)] = ""
    reason: Words = ""
    key: Annotated[str, StringConstraints(max_length=100)] = ""
    step: Words = ""


@router.get("")
def incidents(
    request: Request, person: CoursesAdmin, session: Database, after: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """List what was reported, latest first."""
    pager = Pager(request, after, (int,))
    found = events_seen_by(session, person.actor, before=pager.after[0] if pager.after else None, limit=pager.limit)
    lines = pager.cut(found, lambda line: (line.event.id,))
    return page(request, "incidents.html", lines=lines, pager=pager, kinds=KINDS)


@router.get("/new")
def new_incident(
    request: Request, person: CoursesAdmin, session: Database, typed: Annotated[Typed, Query()]
) -> Response:
    """Step 1: show the form, filled in from the query."""
    return _form(request, person, session, typed)


@router.post("/new")
def preview_or_edit(
    request: Request, person: CoursesAdmin, session: Database, typed: Annotated[Typed, Form()]
) -> Response:
    """Step 2: show which rules it makes due, and for whom. Changes nothing."""
    if typed.step == "edit":
        return _form(request, person, session, typed)
    try:
        told = _told(session, person, typed)
        seen = preview_event(session, person.actor, **told)
    except Refused as refusal:
        return _form(request, person, session, typed, refusal)
    return page(
        request,
        "incident_preview.html",
        typed=typed.model_copy(update={"key": typed.key or str(uuid4())}),
        told=told,
        seen=seen,
        kinds=KINDS,
        zone=person.user.time_zone,
    )


@router.post("")
def report(request: Request, person: CoursesAdmin, session: Database, typed: Annotated[Typed, Form()]) -> Response:
    """Step 3: report it. The form's key makes a second click the same report."""
    try:
        told = _told(session, person, typed)
        event = report_event(session, person.actor, key=typed.key or str(uuid4()), **told)
    except EventMismatch as refusal:  # they went back after the report, and changed the form
        return _form(request, person, session, typed.model_copy(update={"key": ""}), refusal)
    except Refused as refusal:
        return _form(request, person, session, typed, refusal)
    return RedirectResponse(f"/incidents/{event.id}?done=reported", 303)


@router.get("/{event_id}")
def incident_page(
    request: Request,
    event_id: Number,
    person: CoursesAdmin,
    session: Database,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show what was reported, and the rules that it made due."""
    line = event_line(session, person.actor, event_id)
    found = consequences_of(session, line.event)
    return page(request, "incident.html", line=line, consequences=found, kinds=KINDS, done=done == "reported")


def _told(session: Session, person: SignedIn, typed: Typed) -> dict[str, Any]:
    """Returns the arguments of a report. Raises `EventKindUnknown`, `PersonsUnknown`, and those of `read_list`."""
    if typed.kind not in list(EventKind):
        raise EventKindUnknown
    users = None
    if typed.who == "persons":
        pasted = read_list(session, person.actor, typed.persons)
        if pasted.unknown:
            raise PersonsUnknown(pasted.unknown)
        users = [user.email for user in pasted.users]
    return {
        "kind": EventKind(typed.kind),
        "course": typed.course,
        "reason": typed.reason,
        "group": typed.group if typed.who == "group" else None,
        "users": users,
    }


def _form(request: Request, person: SignedIn, session: Session, typed: Typed, error: Refused | None = None) -> Response:
    organization = person.actor.organization_id
    return page(
        request,
        "incident_form.html",
        status=error.status if error else 200,
        typed=typed,
        error=error,
        kinds=KINDS,
        courses=courses_of(session, organization),
        groups=groups_with_size(session, organization),
        may_name=person.may(Permission.USERS),
    )
