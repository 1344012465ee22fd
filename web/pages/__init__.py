"""The pages: a file a place that people go to."""

from fastapi import APIRouter

from web.pages import analytics, courses, home, reset_dialog, resets, sign_in, users

ROUTERS: list[APIRouter] = [
    sign_in.router,
    home.router,
    users.router,
    courses.router,
    reset_dialog.router,
    resets.router,
    analytics.router,
]
