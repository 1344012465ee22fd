"""Cookies for this host alone, out of reach of scripts and other sites."""

from datetime import timedelta
from typing import Literal, TypedDict

from fastapi import Response

from config.settings import settings


class _Attributes(TypedDict):
    secure: bool
    httponly: bool
    samesite: Literal["lax"]


def host_cookie(name: str) -> str:
    """Returns the cookie's name: over HTTPS with `__Host-`, which browsers accept from this host alone, encrypted."""
    return f"__Host-{name}" if _is_https() else name


def set_cookie(answer: Response, name: str, value: str, lifetime: timedelta) -> None:
    """Have the browser keep the value under `host_cookie(name)`."""
    answer.set_cookie(host_cookie(name), value, max_age=int(lifetime.total_seconds()), **_attributes())


def delete_cookie(answer: Response, name: str) -> None:
    """Have the browser forget it."""
    answer.delete_cookie(host_cookie(name), **_attributes())


def _attributes() -> _Attributes:
    return {"secure": _is_https(), "httponly": True, "samesite": "lax"}


def _is_https() -> bool:
    return settings().public_url.startswith("https://")
