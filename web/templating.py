"""Render pages from Jinja templates, with the filters and functions that all templates share."""

import hashlib
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from config.links import course_on_the_platform
from models.access import Permission
from models.course_days import FEWEST
from models.people import zone_of
from tasks.formats import number, short_day, short_moment
from tasks.reset.lists import why_left_out
from tasks.reset.outcomes import LEARNERS, ended_as, place_in_words, state_in_words, what_is_paused
from web.csrf import FIELD, form_token
from web.navigation import menu_for

HERE = Path(__file__).parent
STATIC = HERE / "static"


def page(
    request: Request, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Return a page, or a part of one, for the signed-in person, if any."""
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
        undefined=StrictUndefined,  # a misspelled name in a template raises instead of rendering as nothing
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "number": number,
        "words": words,
        "moment": moment,
        "clock": clock,
        "day": day,
        "short_day": short_day,
        "counted": counted,
    }
    environment.globals |= {"static": static, "csrf": csrf, "Permission": Permission, "menu_for": menu_for}
    environment.globals |= {"course_page": course_page, "FEWEST": FEWEST}
    environment.globals |= {"LEARNERS": LEARNERS, "ended_as": ended_as, "state_in_words": state_in_words}
    environment.globals |= {
        "place_in_words": place_in_words,
        "why_left_out": why_left_out,
        "what_is_paused": what_is_paused,
    }
    return environment


def words(value: str) -> str:
    """Return `partly_failed` as `partly failed`."""
    return str(value).replace("_", " ")


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 learner`, `12,345 learners`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


@pass_context
def moment(context: Context, value: datetime | None) -> Markup | str:
    """Return a date and time in the reader's time zone."""
    if value is None:
        return "-"
    zone = _zone(context)
    return _time(value, f"{short_moment(value, zone)} {value.astimezone(zone):%Z}")


def clock(value: datetime | None, time_zone: str) -> Markup | str:
    """Return a date and time in the given time zone, with its name: a rule's times are in the rule's own zone."""
    if value is None:
        return "-"
    return _time(value, f"{short_moment(value, ZoneInfo(time_zone))} ({time_zone})")


@pass_context
def day(context: Context, value: datetime | None) -> Markup | str:
    """Return a date in the reader's time zone."""
    if value is None:
        return "-"
    return _time(value, short_day(value.astimezone(_zone(context))))


def _time(value: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), text)


def course_page(code: str, external_id: str | None) -> str:
    """Return the page where a learner takes the course: the platform's, if the settings name it, or ours."""
    return course_on_the_platform(code, external_id) or f"/my/courses/{quote(code, safe='')}"


def static(name: str) -> str:
    """Return the address of a static file. It changes with the content, so browsers may cache it for ever."""
    return f"/static/{name}?{mark_of(name)}"


@lru_cache(maxsize=64)
def mark_of(name: str) -> str:
    """Return a short hash of a static file's content, or "" if there is no such file."""
    file = STATIC / name
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.is_file() else ""


@pass_context
def csrf(context: Context) -> Markup:
    """Return the hidden field that every form needs; see `web.csrf`."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, form_token(context["request"]))


def _zone(context: Context) -> ZoneInfo:
    person = context["person"]
    return zone_of(person.user) if person else ZoneInfo("UTC")
