"""The signed-in person's alerts: e-mail on or off, and a level per course."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from config.languages import translatable
from models.preferences import AlertLevel, alert_levels_of
from tasks.people.preferences import choose_alerts
from web.access import Person
from web.database import Database
from web.numbers import number_in
from web.templating import page

router = APIRouter(prefix="/my/alerts")

LEVELS = {
    AlertLevel.ALL: translatable("Inbox and e-mail"),
    AlertLevel.INBOX: translatable("Inbox only"),
    AlertLevel.NONE: translatable("No alerts"),
}
SAVED = translatable("Alerts saved.")


@router.get("")
def alerts(request: Request, person: Person, session: Database, done: str = "") -> Response:
    """Show the form."""
    return page(
        request,
        "my_alerts.html",
        mail_on=person.user.mail_on,
        courses=alert_levels_of(session, person.user.id),
        levels=LEVELS,
        done=SAVED if done else "",
    )


async def _form(request: Request) -> FormData:
    """Return the fields, whose names depend on the person's courses. Asynchronous, so that reading blocks no thread."""
    return await request.form()


@router.post("")
def save(
    person: Person,
    session: Database,
    form: Annotated[FormData, Depends(_form)],
    mail: Annotated[bool, Form()] = False,
) -> Response:
    """Save the choices."""
    chosen = {name.removeprefix("course-"): level for name, level in form.items() if name.startswith("course-")}
    levels = {
        number: AlertLevel(str(level))
        for course, level in chosen.items()
        if (number := number_in(course)) is not None and level in list(AlertLevel)
    }
    choose_alerts(session, person.actor, mail=mail, levels=levels)
    return RedirectResponse("/my/alerts?done=saved", 303)
