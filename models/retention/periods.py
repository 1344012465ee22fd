"""How long the rows of each table are kept. Every table is listed here, except those of record kinds.

`tasks/retention/tidy.py` deletes what is older. Periods come from the settings, in days; 0 keeps rows for good.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.audience_lists import LIST_LIFE, AudienceList
from models.audit import AuditEntry
from models.course_days import CourseDay
from models.events import Event
from models.idempotency import StoredAnswer
from models.mail import Mail, MailAlert, MailState
from models.notifications import Notification, NotificationState
from models.resets import Reset
from models.retention.by_age import Before, Retention, by_age
from models.retention.resets import delete_ledgers, delete_lists, delete_resets
from models.retention.results import OLDEST_RESULT, delete_results
from models.retraining import Occurrence, OccurrenceState
from models.sign_in_failures import FAILURE_WINDOW, SignInFailure
from models.tokens import ENDED_AT, ApiToken
from models.web_sessions import SESSION_IDLE, WebSession
from models.webhooks import DeliveryState, WebhookDelivery, WebhookMessage


def _delete_audit(session: Session, before: Before, most: int) -> int:
    """Call the database function that alone may delete audit rows, and never those of the last 90 days."""
    return int(session.scalars(select(func.forget_audit_before(before, most))).one())


_has_figures = select(Reset).where(Reset.id == Notification.reset_id, Reset.figures.is_not(None)).exists()
_alerts_of_mail = select(MailAlert).join(Notification, Notification.id == MailAlert.notification_id)
_in_a_pending_mail = (
    select(MailAlert)
    .join(Mail, Mail.id == MailAlert.mail_id)
    .where(MailAlert.notification_id == Notification.id, Mail.state == MailState.PENDING)
    .exists()
)

RETENTIONS: tuple[Retention, ...] = (
    Retention(
        "reset_item",
        "keep_ledger_days",
        delete_ledgers,
        select(func.min(Reset.finished_at)).where(Reset.finished_at.is_not(None), Reset.details_deleted_at.is_(None)),
    ),
    by_age(
        Mail,
        "keep_mails_days",
        Mail.created_at,
        Mail.state != MailState.PENDING,
        needed=_alerts_of_mail.where(
            MailAlert.mail_id == Mail.id, Notification.reset_id.is_not(None), ~_has_figures
        ).exists(),
    ),
    by_age(
        Notification,
        "keep_alerts_days",
        Notification.created_at,
        Notification.state != NotificationState.PENDING,
        needed=(Notification.reset_id.is_not(None) & ~_has_figures) | _in_a_pending_mail,
    ),
    by_age(
        WebhookMessage,
        "keep_webhooks_days",
        WebhookMessage.created_at,
        needed=select(WebhookDelivery)
        .where(WebhookDelivery.message_id == WebhookMessage.id, WebhookDelivery.state == DeliveryState.PENDING)
        .exists(),
    ),
    by_age(
        Occurrence,
        "keep_occurrences_days",
        Occurrence.due_at,
        indexed=Occurrence.state.in_((OccurrenceState.SETTLED, OccurrenceState.SKIPPED)),
    ),
    by_age(
        Event,
        "keep_events_days",
        Event.reported_at,
        needed=select(Occurrence).where(Occurrence.event_id == Event.id).exists(),
    ),
    Retention(
        "reset",
        "keep_resets_days",
        delete_resets,
        select(func.min(Reset.finished_at)).where(Reset.details_deleted_at.is_not(None)),
    ),
    Retention("audit", "keep_audit_days", _delete_audit, select(AuditEntry.at).order_by(AuditEntry.id).limit(1)),
    by_age(CourseDay, "keep_completion_days", CourseDay.day),
    by_age(StoredAnswer, "keep_answers_days", StoredAnswer.created_at),
    by_age(ApiToken, "keep_ended_tokens_days", ENDED_AT),
    Retention(
        "celery_taskmeta",
        "keep_results_days",
        delete_results,
        OLDEST_RESULT,
    ),
    Retention(
        "audience_list",
        LIST_LIFE,
        delete_lists,
        select(func.min(AudienceList.created_at)).where(AudienceList.confirmed_at.is_(None)),
    ),
    by_age(WebSession, SESSION_IDLE, WebSession.seen_at),  # until then, an expired session is refused
    by_age(SignInFailure, FAILURE_WINDOW, SignInFailure.at),
)

WITH_ANOTHER = {
    "provider_session": "web_session",
    "reset_slice": "reset_item",
    "participant_item": "reset_item",
    "audience_list_learner": "audience_list",  # or with the ledger of the reset that came of it
    "audience_list_line": "audience_list",
    "participant_request": "reset",
    "evidence_part": "reset_item",
    "mail_alert": "mail",
    "webhook_delivery": "webhook_message",
}
"""Tables whose rows are deleted with those of another table, in the same transaction."""

KEPT = {
    "organization": "everything else belongs to it",
    "user": "administrators erase people one by one",
    "credential": "one row per user; erasure deletes it",
    "identity_provider": "one row per organization",
    "user_identity": "one row per user; erasure deletes it",
    "user_group": "the structure of an organization",
    "group_member": "the structure of an organization",
    "alert_preference": "a user's choice for a course",
    "course": "the subject of all training",
    "activity": "a part of a course",
    "enrolment": "one row per user and course",
    "retraining_rule": "a few per organization, with who confirmed them",
    "event_source": "a few, created by hand",
    "exemption": "made by hand; one that has ended says why its learner was left out",
    "webhook_endpoint": "a few, created by hand",
    "participant": "a few, created by hand",
    "evidence_store": "one row per organization",
    "evidence_key": "evidence must be verifiable at any time",
    "superseded_serial": "a printed certificate may be checked at any time, and its number must stay known",
    "heartbeat": "one row per part of the installation",
    "lease": "one row per kind of work",
    "queue_probe": "one row per queue",
    "pause": "a few, deleted when it is resumed or its reset ends",
    "first_start_token": "a few rows, until there is an organization",
    "tally": "one row per total",
    "announcement": "an outbox: a row is deleted once the channel is notified",
    "file_deletion": "an outbox: a row is deleted with its file",
    "learner_event": "an outbox: a row is deleted when its reset ends",
    "journal_entry": "an outbox: a row is deleted once it is in the storage",
    "celery_tasksetmeta": "Celery's table for groups of tasks, which are not used",
}
"""Tables that do not grow with time, or whose rows stay useful, with the reason. A reset deletes learners' records."""
