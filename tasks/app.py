"""The Celery application."""

from celery import Celery

from config.celery import celery_settings

TASK_MODULES = (
    "tasks.clear_learners",
    "tasks.journal",
    "tasks.notify",
    "tasks.outbox.run",
    "tasks.recover",
    "tasks.report_event",
    "tasks.request",
    "tasks.reset_course",
    "tasks.retrain",
    "tasks.tidy",
)

app = Celery("recourse", task_cls="tasks.base:Step", include=TASK_MODULES)
# A function, so that the settings are read when they are first needed and not when this module is imported.
app.add_defaults(celery_settings)
