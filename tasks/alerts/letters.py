"""The text of e-mails: looked up when they are sent, in the user's language and time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import Row, case, select
from sqlalchemy.orm import Session

from config.languages import speaking
from config.links import course_link, managed_course_link, reset_link, rule_link, settings_link, unsubscribe_link
from config.settings import required
from models.mail import Mail, MailAlert
from models.notifications import ABOUT_ONES_OWN, Notification, NotificationKind
from models.people import Organization, User, zone_of
from models.preferences import why_no_mail
from models.resets import Reset
from models.retraining import Occurrence, Rule
from models.training import NOT_ASSIGNED, Course, Enrolment
from tasks.alerts.words import Language, language_of
from tasks.event_reasons import reason_told
from tasks.formats import long_day, number
from tasks.report import progress_of


class NotWantedError(Exception):
    """Nothing that the e-mail would say is still wanted or true; the message says why."""


class NoLetterError(Exception):
    """The e-mail cannot be written, for example because the address is invalid; the message says why."""


@dataclass(frozen=True)
class Item:
    """One course in an e-mail."""

    course: str
    title: str
    lines: list[str]
    link: str
    course_link: str


def write_letter(session: Session, mail: Mail) -> EmailMessage:
    """Returns the e-mail to send now, without alerts that are no longer wanted.

    Raises `NotWantedError`, `NoLetterError`.
    """
    user, organization = session.execute(
        select(User, Organization).join(Organization).where(User.id == mail.user_id)
    ).one()
    found = _alerts(session, mail)
    wanted = [row for row in found if row.why_not is None]
    if not wanted:
        raise NotWantedError(found[0].why_not if found else "it contains no alerts")
    tag, language = language_of(user.locale)
    with speaking(tag):
        items = [_item(session, row, user, language) for row in wanted]
    words = language.kinds[mail.kind]
    values: dict[str, Any] = {
        "tag": tag,
        "language": language,
        "heading": words.heading,
        "greeting": language.greeting.format(name=user.name),
        "introduction": words.introduction,
        "button": words.button,
        "items": items,
        "footer": language.footer.format(organization=organization.name),
        "preferences": settings_link(),
        "unsubscribe": unsubscribe_link(user.id),
    }
    subject = words.subject if len(items) == 1 else words.subject_of_many
    try:
        return _message(mail, user, subject.format(course=items[0].course, count=len(items)), values)
    except (ValueError, MessageError, IndexError) as error:  # the email package raises any of these for a bad address
        raise NoLetterError(f"the e-mail cannot be written: {type(error).__name__}") from error


def message_id(mail: Mail) -> str:
    """Returns the same id at every attempt, so that duplicates can be recognized."""
    return f"<{mail.id}@{parseaddr(required('mail_from'))[1].rpartition('@')[2]}>"


def _alerts(session: Session, mail: Mail) -> Sequence[Row[Any]]:
    """Returns the mail's newest alert per course, each with the reason why it is no longer wanted, or `None`."""
    not_theirs = Notification.kind.in_(ABOUT_ONES_OWN) & Enrolment.id.is_(None)
    why_not = case(*why_no_mail(Notification.course_id), (not_theirs, NOT_ASSIGNED))
    newest_last = (
        select(Notification, Course, Enrolment.due_at, why_not.label("why_not"))
        .join(MailAlert, MailAlert.notification_id == Notification.id)
        .join(User, User.id == Notification.user_id)
        .join(Course, Course.id == Notification.course_id)
        .outerjoin(
            Enrolment,
            (Enrolment.user_id == User.id) & (Enrolment.course_id == Course.id) & Enrolment.unassigned_at.is_(None),
        )
        .where(MailAlert.mail_id == mail.id)
        .order_by(Course.title, Notification.id)
    )
    by_course = {row.Course.id: row for row in session.execute(newest_last)}
    return list(by_course.values())


def _item(session: Session, row: Row[Any], user: User, language: Language) -> Item:
    alert, course = row.Notification, row.Course
    name = " ".join(course.title.split()) or course.code
    named = (course.code, course.external_id)
    lines, its_page = [], (course_link if alert.kind in ABOUT_ONES_OWN else managed_course_link)(*named)
    link = its_page
    match alert.kind:
        case NotificationKind.COURSE_ASSIGNED:
            if row.due_at:
                lines = [language.due.format(day=long_day(row.due_at.astimezone(zone_of(user)), language.locale))]
            lines.append(language.why.format(reason=reason_told(session.get_one(Reset, alert.reset_id).reason)))
        case NotificationKind.RETRAINING_AHEAD:
            if alert.occurrence_id:
                planned = session.get_one(Occurrence, alert.occurrence_id)
                begins = long_day(planned.due_at.astimezone(zone_of(user)), language.locale)
                reason = session.get_one(Rule, planned.rule_id).reason
                lines = [language.begins.format(day=begins), language.why.format(reason=reason)]
        case NotificationKind.RESET_DIGEST:
            lines, link = (
                _outcome(session, session.get_one(Reset, alert.reset_id), language),
                reset_link(alert.reset_id),
            )
        case NotificationKind.RULE_WAITS:
            lines = [language.waits]
            if alert.occurrence_id:
                link = rule_link(session.get_one(Occurrence, alert.occurrence_id).rule_id)
    return Item(name, f"{name} ({course.code})", lines, link, its_page)


def _outcome(session: Session, reset: Reset, language: Language) -> list[str]:
    """Returns the result of a reset: totals only, nothing about a single learner."""
    progress = progress_of(session, reset.id)
    outcomes = ("total", "cleared", "unchanged", "skipped", "failed")
    counts = {name: number(getattr(progress, name), language.locale) for name in outcomes}
    lines = [language.reset.get(reset.state, str(reset.state))]
    if progress.total:
        lines.append(language.figures.format(**counts))
    if progress.failed:
        lines.append(language.failures)
    return [*lines, language.why.format(reason=reason_told(reset.reason))]


def _message(mail: Mail, user: User, subject: str, values: dict[str, Any]) -> EmailMessage:
    message = EmailMessage()
    name, sender = parseaddr(required("mail_from"))
    message["From"] = Address(name, addr_spec=sender)
    local, _, domain = user.email.rpartition("@")
    address = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"
    message["To"] = Address(" ".join(user.name.split()), addr_spec=address)
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id(mail)
    message["List-Unsubscribe"] = f"<{values['unsubscribe']}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses out-of-office replies
    message.set_content(_templates().get_template("letter.txt").render(values))
    message.add_alternative(_templates().get_template("letter.html").render(values), subtype="html")
    message["Content-Language"] = values["tag"]
    return message


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),  # the text part would show the entities
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
