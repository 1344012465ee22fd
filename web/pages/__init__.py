"""The pages people use: one file per noun."""

from fastapi import APIRouter

from web.pages import (
    analytics,
    certificates,
    courses,
    evidence,
    exemptions,
    first_start,
    groups,
    home,
    learning,
    my_alerts,
    my_course,
    my_inbox,
    my_settings,
    my_training,
    participants,
    problem_types,
    reset,
    reset_dialog,
    reset_list,
    resets,
    rule_proposals,
    rules,
    sign_in,
    sign_on,
    unsubscribe,
    user_selection,
    users,
    webhooks,
)

ROUTERS: list[APIRouter] = [
    sign_in.router,
    sign_on.router,
    first_start.router,
    home.router,
    user_selection.router,  # before `users`, whose `/users/{user_id}` would match
    users.router,
    courses.router,
    exemptions.router,
    reset_dialog.router,
    reset_list.router,
    resets.router,
    reset.router,
    analytics.router,
    my_training.router,
    my_course.router,
    learning.router,
    my_inbox.router,
    my_settings.router,
    certificates.router,
    my_alerts.router,
    webhooks.router,
    participants.router,
    evidence.router,
    rule_proposals.router,  # before `rules`, whose `/rules/{rule_id}` would match `/rules/new`
    rules.router,
    groups.router,
    problem_types.router,
]

OPEN_ROUTERS: list[APIRouter] = [unsubscribe.router, sign_on.told_router]
"""Routers without the check for cross-site forgery: mail programs and sign-in providers post here."""
