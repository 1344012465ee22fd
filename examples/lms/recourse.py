"""What the LMS asks of Recourse, over HTTP and by message."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import settings
import store


def dialog(course: str) -> str:
    """Returns the address of the dialog that resets the course."""
    return f"{settings.RECOURSE}/training/content/courses/{course}/reset"


def reset_course(course: str, reason: str, key: str) -> str:
    """Reset the course for everyone assigned: see what it would do, then confirm it. Returns the reset's id.

    The plan is kept by its key: a request that is repeated, since its answer was lost, is the same reset.
    """
    with _client() as client:
        plan = store.kept_plan(key)
        if plan is None:
            plan = str(_said(client.post(f"/v1/courses/{course}/reset-plans", json={"reason": reason}))["plan"])
            store.keep_plan(key, plan)
        confirmation = {"plan": plan, "confirm": course}
        headers = {"Idempotency-Key": key}
        return str(_said(client.post(f"/v1/courses/{course}/resets", json=confirmation, headers=headers))["id"])


def reset(reset_id: str) -> dict[str, Any]:
    """Returns how far a reset is; `waiting_for` says which participants it waits for."""
    with _client() as client:
        return _said(client.get(f"/v1/resets/{reset_id}"))


def signed(task: str, secret: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a message to Recourse, signed."""
    text = json.dumps({"task": task, **arguments}, sort_keys=True, separators=(",", ":"))
    return arguments | {"signature": hmac.digest(secret.encode(), text.encode(), hashlib.sha256).hex()}


def is_from_recourse(task: str, secret: str, arguments: dict[str, Any]) -> bool:
    """Returns whether Recourse signed the arguments of a message to us, within the last day."""
    unsigned = {name: value for name, value in arguments.items() if name != "signature"}
    right = signed(task, secret, unsigned)["signature"]
    fresh = time.time() - unsigned.get("sent_at", 0) < 24 * 3600
    return fresh and hmac.compare_digest(right, str(arguments.get("signature", "")))


def _client() -> httpx.Client:
    return httpx.Client(base_url=settings.RECOURSE, headers={"Authorization": f"Bearer {settings.TOKEN}"}, timeout=30)


def _said(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise RuntimeError(answer.json().get("detail", answer.text))
    return dict(answer.json())
