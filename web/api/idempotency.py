"""Requests that are done once, however often they are sent (`Idempotency-Key`)."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from models.access import Actor
from models.idempotency import earlier_answer, keep_answer
from models.refusals.requests import IdempotencyKeyMissing
from models.session import Session

KEY_LENGTH = 255

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Chosen by you, such as a UUID. Repeat the request with the same key as often as you like: it is "
        "done once, and answered alike for a day. Without a key, the answer is 400.",
        examples=["incident-7731"],
    ),
]


def _required(key: KeyHeader = None) -> str:
    if key is None or not 1 <= len(key) <= KEY_LENGTH or not all("!" <= letter <= "~" for letter in key):
        raise IdempotencyKeyMissing
    return key


IdempotencyKey = Annotated[str, Depends(_required)]
"""The request's key. Raises `IdempotencyKeyMissing`."""


def once(
    session: Session,
    actor: Actor,
    request: Request,
    key: str,
    body: BaseModel,
    do: Callable[[], tuple[int, Mapping[str, str], BaseModel]],
) -> JSONResponse:
    """Returns the answer of `do` (status, headers, body), or the stored one if the key was used before.

    The answer is stored in the transaction of `do`. A refused request stores nothing: correct it and use its key again.
    Raises `IdempotencyInProgress`, `IdempotencyMismatch`.
    """
    assert actor.user_id is not None  # every token belongs to a user
    fingerprint = _fingerprint(request, body)
    if stored := earlier_answer(session, actor.user_id, key, fingerprint):
        return JSONResponse(stored.body, stored.status, {**stored.headers, "Idempotent-Replayed": "true"})
    status, headers, answer = do()
    content: dict[str, Any] = answer.model_dump(mode="json")
    keep_answer(session, actor.user_id, key, fingerprint, status=status, headers=headers, body=content)
    return JSONResponse(content, status, dict(headers))


def _fingerprint(request: Request, body: BaseModel) -> str:
    parts = [request.method, request.url.path, body.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
