"""How whoever is signed in is alerted: by e-mail at all, in which language, and course by course."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from models.people import User
from models.preferences import AlertLevel, AlertPreference, set_level
from models.training import Course, Enrolment
from tasks.letter_words import LANGUAGES, language_of
from web.access import Person, SignedIn
from web.database import Database
from web.templating import page

router = APIRouter(prefix="/my/alerts")

LEVELS = {
    AlertLevel.ALL: "Inbox and e-mail",
    AlertLevel.INBOX: "Inbox only",
    AlertLevel.NONE: "No alerts",
}
SAVED = "Saved."


@router.get("")
def alerts(request: Request, person: Person, session: Database, done: str = "") -> Response:
    """The form."""
    return page(
        request,
        "my_alerts.html",
        mail_on=person.user.mail_on,
        language=language_of(person.user.locale)[0],
        languages={tag: language.name for tag, language in LANGUAGES.items()},
        courses=_courses(session, person),
        levels=LEVELS,
        done=SAVED if done else "",
    )


async def _form(request: Request) -> FormData:
    """The fields, whose names depend on the person's courses; read without keeping the others waiting."""
    return await request.form()


@router.post("")
def save(
    person: Person,
    session: Database,
    form: Annotated[FormData, Depends(_form)],
    mail: Annotated[bool, Form()] = False,
    language: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Keep what was chosen; a course that is not theirs is passed over."""
    user = session.get_one(User, person.user.id)
    user.mail_on = mail
    if language in LANGUAGES and language != language_of(user.locale)[0]:  # de-CH stays so where Deutsch is chosen
        user.locale = language
    for course_id, _, _, level in _courses(session, person):
        chosen = form.get(f"course-{course_id}")
        if chosen in list(AlertLevel) and chosen != level:
            set_level(session, person.user.id, course_id, AlertLevel(str(chosen)))
    return RedirectResponse("/my/alerts?done=saved", 303)


def _courses(session: Session, person: SignedIn) -> list[tuple[int, str, str, AlertLevel]]:
    """The courses assigned to the person: id, code, title, and their wish."""
    rows = session.execute(
        select(Course.id, Course.code, Course.title, AlertPreference.level)
        .join(Enrolment, Enrolment.course_id == Course.id)
        .outerjoin(
            AlertPreference,
            (AlertPreference.user_id == Enrolment.user_id) & (AlertPreference.course_id == Course.id),
        )
        .where(Enrolment.user_id == person.user.id, Enrolment.unassigned_at.is_(None))
        .order_by(Course.title, Course.id)
    )
    return [(row.id, row.code, row.title, row.level or AlertLevel.ALL) for row in rows]
