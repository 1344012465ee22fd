"""Participants: the systems that clear records of their own, and what they say."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import translatable
from models.directory import courses_of
from models.participants import ParticipantKind
from models.refusals.base import Refused
from models.refusals.participants import ParticipantInvalid
from models.session import Session, transaction
from tasks.participants import commands
from tasks.participants.commands import Terms
from tasks.participants.lookup import participant_line, participants_seen_by, requests_of
from tasks.webhooks import checked_address
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.templating import page

router = APIRouter(prefix="/participants")

DONE = {
    "added": translatable(
        "Participant added. Share its secret with whoever runs it. It takes part from the next reset on."
    ),
    "renewed": translatable(
        "New secret created. Give it to whoever runs it; for a day, requests are signed with both secrets."
    ),
    "enabled": translatable("Participant enabled. It takes part from the next reset on."),
    "disabled": translatable("Participant disabled. Learners who waited for it have failed, and can be retried."),
    "asked": translatable("It is being asked again now."),
}
LISTED = 50  # requests


@router.get("")
def participants_page(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """List the participants, with a form to add one."""
    return _list(request, person, session, dict.fromkeys(("name", "url", "course", "per_second"), ""))


@router.post("")
def add(
    request: Request,
    person: CoursesAdmin,
    name: Annotated[str, Form(max_length=100)] = "",
    url: Annotated[str, Form(max_length=2000)] = "",
    course: Annotated[str, Form(max_length=200)] = "",
    per_second: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Add an HTTP participant."""
    typed = {"name": name.strip(), "url": url.strip(), "course": course.strip(), "per_second": per_second.strip()}
    try:
        address = checked_address(url)  # may take seconds, so outside of any transaction
        rate = _rate(typed["per_second"])
        courses = [typed["course"]] if typed["course"] else []
        terms = Terms(ParticipantKind.HTTP, str(address.url), courses=courses, per_second=rate)
        with transaction() as session:
            commands.add_participant(session, person.actor, typed["name"], terms)
    except Refused as refusal:
        with transaction() as session:
            return _list(request, person, session, typed, error=refusal)
    return RedirectResponse(f"/participants/{typed['name']}?done=added", 303)


@router.get("/{name}")
def participant_page(
    request: Request,
    name: str,
    person: CoursesAdmin,
    session: Database,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a participant, and the requests that wait for it or were given up."""
    line = participant_line(session, person.actor, name)
    requests = requests_of(session, line.participant, LISTED)
    return page(
        request,
        "participant.html",
        line=line,
        found=line.participant,
        requests=requests,
        done=DONE.get(done, ""),
    )


@router.post("/{name}/secret")
def renew_secret(name: str, person: CoursesAdmin, session: Database) -> Response:
    """Create a new secret; the old one stays valid for a day."""
    commands.renew_participant_secret(session, person.actor, name)
    return RedirectResponse(f"/participants/{name}?done=renewed", 303)


@router.post("/{name}/enable")
def enable(name: str, person: CoursesAdmin, session: Database) -> Response:
    """Enable a participant."""
    commands.enable_participant(session, person.actor, name)
    return RedirectResponse(f"/participants/{name}?done=enabled", 303)


@router.post("/{name}/disable")
def disable(name: str, person: CoursesAdmin, session: Database) -> Response:
    """Disable a participant."""
    commands.disable_participant(session, person.actor, name)
    return RedirectResponse(f"/participants/{name}?done=disabled", 303)


@router.post("/{name}/ask-now")
def ask_now(name: str, person: CoursesAdmin, session: Database) -> Response:
    """Ask a participant that is back."""
    commands.ask_now(session, person.actor, name)
    return RedirectResponse(f"/participants/{name}?done=asked", 303)


@router.post("/{name}/remove")
def remove(name: str, person: CoursesAdmin, session: Database) -> Response:
    """Remove a participant."""
    commands.remove_participant(session, person.actor, name)
    return RedirectResponse("/participants", 303)


def _rate(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        raise ParticipantInvalid(translatable("Write the rate as a number, such as 5 or 0.5.")) from None


def _list(
    request: Request, person: SignedIn, session: Session, typed: dict[str, str], *, error: Refused | None = None
) -> Response:
    return page(
        request,
        "participants.html",
        status=error.status if error else 200,
        lines=participants_seen_by(session, person.actor),
        courses=courses_of(session, person.actor.organization_id),
        typed=typed,
        error=error,
    )
