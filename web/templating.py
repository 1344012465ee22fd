"""How pages are made: Jinja templates, and what all of them can use."""

import hashlib
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from models.access import Permission
from models.people import zone_of
from tasks.reset.outcomes import LEARNERS, ended_as, state_in_words
from web.csrf import FIELD, form_token
from web.navigation import menu_for

HERE = Path(__file__).parent
STATIC = HERE / "static"


def page(
    request: Request, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A page, or a part of one, in the frame of whoever is signed in."""
    person = getattr(request.state, "signed_in", None)
    text = (
        _environment()
        .get_template(template)
        .render(request=request, person=person, may=person.may if person else lambda _: False, **values)
    )
    return HTMLResponse(text, status, headers)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,  # a name that is misspelled in a template is an error, not an empty place
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "words": words,
        "moment": moment,
        "clock": clock,
        "day": day,
        "counted": counted,
    }
    environment.globals |= {"static": static, "csrf": csrf, "Permission": Permission, "menu_for": menu_for}
    environment.globals |= {"LEARNERS": LEARNERS, "ended_as": ended_as, "state_in_words": state_in_words}
    return environment


def number(value: int) -> str:
    """`12345` as `12,345`."""
    return f"{value:,}"


def words(value: str) -> str:
    """`partly_failed` as `partly failed`."""
    return str(value).replace("_", " ")


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: `1 learner`, `12,345 learners`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@pass_context
def moment(context: Context, value: datetime | None) -> Markup | str:
    """A moment, in the time zone of whoever reads the page."""
    if value is None:
        return "-"
    here = value.astimezone(_zone(context))
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), f"{here:%-d %b %Y, %H:%M %Z}")


def clock(value: datetime | None, time_zone: str) -> Markup | str:
    """A moment on the clock of a time zone, which is named: that of a retraining rule, whoever reads the page."""
    if value is None:
        return "-"
    here = value.astimezone(ZoneInfo(time_zone))
    return Markup('<time datetime="{}">{} ({})</time>').format(value.isoformat(), f"{here:%-d %b %Y, %H:%M}", time_zone)


@pass_context
def day(context: Context, value: datetime | None) -> Markup | str:
    """The day of a moment, in the time zone of whoever reads the page."""
    if value is None:
        return "-"
    here = value.astimezone(_zone(context))
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), f"{here:%-d %b %Y}")


def static(name: str) -> str:
    """The address of a file of ours, with a mark of its content: browsers may keep it for ever."""
    return f"/static/{name}?{mark_of(name)}"


@lru_cache(maxsize=64)
def mark_of(name: str) -> str:
    """The mark of the content of a file of ours; nothing for one that is none."""
    file = STATIC / name
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.is_file() else ""


@pass_context
def csrf(context: Context) -> Markup:
    """The hidden field that every form must have."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, form_token(context["request"]))


def _zone(context: Context) -> ZoneInfo:
    person = context["person"]
    return zone_of(person.user) if person else ZoneInfo("UTC")
