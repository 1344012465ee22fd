"""The pages: a file a place that people go to."""

from fastapi import APIRouter

from web.pages import (
    analytics,
    certificates,
    courses,
    first_start,
    groups,
    home,
    my_alerts,
    my_inbox,
    my_settings,
    my_training,
    problem_types,
    reset_dialog,
    resets,
    rule_new,
    rules,
    sign_in,
    unsubscribe,
    users,
    webhooks,
)

ROUTERS: list[APIRouter] = [
    sign_in.router,
    first_start.router,
    home.router,
    users.router,
    courses.router,
    reset_dialog.router,
    resets.router,
    analytics.router,
    my_training.router,
    my_inbox.router,
    my_settings.router,
    certificates.router,
    my_alerts.router,
    webhooks.router,
    rule_new.router,  # before the other, in which “new” would be a rule's id
    rules.router,
    groups.router,
    problem_types.router,
]

OPEN_ROUTERS: list[APIRouter] = [unsubscribe.router]
"""Those that take what is no form of ours."""
