"""Render pages from Jinja templates, with the filters and functions that all templates share."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from config.languages import Translatable, gettext, language_spoken, locale_spoken, stored, texts_of_scripts
from config.languages import ngettext as plural
from config.links import course_on_the_platform
from models.access import Permission
from models.course_days import FEWEST
from models.people import zone_of
from tasks.event_reasons import reason_told
from tasks.formats import number, percent, short_day, short_moment
from tasks.reset.lists import why_left_out
from tasks.reset.outcomes import LEARNERS, ended_as, place_in_words, state_in_words, what_is_paused
from tasks.reset.reasons import reason_in_words
from tasks.speed import left_in_words
from tasks.trouble_words import TroubleWords, words_of
from tasks.troubles import Trouble
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
        finalize=lambda value: gettext(value) if isinstance(value, Translatable) else value,
    )
    environment.filters |= {
        "number": shown_number,
        "percent": shown_percent,
        "reason": reason_in_words,
        "cause": reason_told,
        "told": told,
        "capitalize": capitalized,
        "words": words,
        "moment": moment,
        "clock": clock,
        "day": day,
        "short_day": plain_day,
        "counted": counted,
    }
    environment.globals |= {"_": said, "gettext": said, "ngettext": said_of_many}
    environment.globals |= {"language": language_spoken, "texts_of_scripts": texts_of_scripts}
    environment.globals |= {"and_more": and_more}
    environment.globals |= {"static": static, "csrf": csrf, "Permission": Permission, "menu_for": menu_for}
    environment.globals |= {"course_page": course_page, "FEWEST": FEWEST}
    environment.globals |= {"LEARNERS": LEARNERS, "ended_as": ended_as, "state_in_words": state_in_words}
    environment.globals |= {
        "place_in_words": place_in_words,
        "why_left_out": why_left_out,
        "what_is_paused": what_is_paused,
        "left_in_words": left_in_words,
        "trouble_words": trouble_words,
    }
    return environment


def said(text: str, /, **values: Any) -> Markup:
    """Return a text of a template in the language spoken. It may have markup; the values are escaped."""
    return _with_values(gettext(text), values)


def said_of_many(one: str, many: str, count: int, /, **values: Any) -> Markup:
    """Return a text of a template for so many; `num` is the count."""
    return _with_values(plural(one, many, count), {"num": count} | values)


def _with_values(text: str, values: dict[str, Any]) -> Markup:
    trusted = Markup(text)  # noqa: S704 - from a template, or a catalogue
    return trusted % {name: _shown(value) for name, value in values.items()} if values else trusted


def _shown(value: Any) -> Any:
    if isinstance(value, Translatable):
        return gettext(value)
    return number(value, locale_spoken()) if isinstance(value, int) and not isinstance(value, bool) else value


# Filters of a constant would be applied once for all, when the template is compiled: these have the context for that.


@pass_context
def shown_number(_: Context, value: float) -> str:
    """Return a number as the language writes it: `12,345`."""
    return number(value, locale_spoken())


@pass_context
def shown_percent(_: Context, share: float) -> str:
    """Return a share of 1 in whole percent: `64%`."""
    return percent(share, locale_spoken())


@pass_context
def words(_: Context, value: str) -> str:
    """Return `partly_failed` as `partly failed`, in the language spoken; see `web.words`."""
    return gettext(str(value).replace("_", " "))


@pass_context
def told(_: Context, text: str) -> str:
    """Return what was stored in English, such as the reason of a failure, in the language spoken if it is known."""
    return stored.told(text)


def and_more(names: Sequence[str], total: int) -> str:
    """Return the names, and how many more there are."""
    first = ", ".join(names)
    more = total - len(names)
    return gettext("{names} and {more:,} more", names=first, more=more) if more > 0 else first


@pass_context
def capitalized(_: Context, value: str) -> str:
    """Return the text with its first letter in upper case, and the others as they are."""
    text = gettext(value) if isinstance(value, Translatable) else str(value)
    return text[:1].upper() + text[1:]


@pass_context
def counted(_: Context, count: int, one: str, many: str | None = None) -> Markup:
    """Return a count with its noun: `1 learner`, `12,345 learners`."""
    return said_of_many(f"%(num)s {one}", f"%(num)s {many or one + 's'}", count)


@pass_context
def moment(context: Context, value: datetime | None) -> Markup | str:
    """Return a date and time in the reader's time zone."""
    if value is None:
        return "-"
    zone = _zone(context)
    return _time(value, f"{short_moment(value, zone, locale_spoken())} {value.astimezone(zone):%Z}")


@pass_context
def clock(_: Context, value: datetime | None, time_zone: str) -> Markup | str:
    """Return a date and time in the given time zone, with its name: a rule's times are in the rule's own zone."""
    if value is None:
        return "-"
    return _time(value, f"{short_moment(value, ZoneInfo(time_zone), locale_spoken())} ({time_zone})")


@pass_context
def day(context: Context, value: datetime | None) -> Markup | str:
    """Return a date in the reader's time zone."""
    if value is None:
        return "-"
    return _time(value, short_day(value.astimezone(_zone(context)), locale_spoken()))


@pass_context
def plain_day(_: Context, value: date) -> str:
    """Return a date that is of no time zone."""
    return short_day(value, locale_spoken())


@pass_context
def trouble_words(context: Context, trouble: Trouble) -> TroubleWords:
    """Return the words for a trouble, with markup for what its sentence names."""
    found = words_of(trouble, partial(moment, context), Markup("<em>{}</em>").format)
    return replace(found, wrong=Markup(found.wrong))  # noqa: S704 - from a catalogue, and the values are markup


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
