"""The Celery application."""

from celery import Celery

from config.celery import celery_settings

TASK_MODULES = (
    "tasks.reset.clear_learners",
    "tasks.retention.journal",
    "tasks.alerts.notify",
    "tasks.outbox.run",
    "tasks.participants.report",
    "tasks.probe",
    "tasks.recover",
    "tasks.rules.event_by_message",
    "tasks.reset.request_by_message",
    "tasks.reset.reset_course",
    "tasks.rules.retrain",
    "tasks.retention.tidy",
)

app = Celery("recourse", task_cls="tasks.base:Step", include=TASK_MODULES)
# A function, so that the settings are read at first use and not when this module is imported.
app.add_defaults(celery_settings)
