"""Flower: it is up, and accepts the sign-in."""

import httpx

from cli.checks.finding import NOT_UP, AwayError, FaultyError, Places
from cli.checks.http import get
from config.settings import settings


def check(places: Places) -> str:
    if places.flower is None:
        raise AwayError(*NOT_UP)
    start = "Start it: `celery -A worker flower --conf=config/flower.py`, or correct RECOURSE_FLOWER_URL."
    get(f"{places.flower}/healthcheck", start)
    password = settings().flower_password
    if password is None:
        return f"{places.flower}; the sign-in was not checked, since RECOURSE_FLOWER_PASSWORD is not set here"
    sign_in = (settings().flower_user, password.get_secret_value())
    answer = get(f"{places.flower}/api/task/types", start, sign_in)
    if answer.status_code != httpx.codes.OK:
        raise FaultyError(
            f"{places.flower} refuses the sign-in ({answer.status_code})",
            "Give Flower and this command the same RECOURSE_FLOWER_USER and RECOURSE_FLOWER_PASSWORD.",
        )
    return places.flower
