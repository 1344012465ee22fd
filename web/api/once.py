"""Requests that are done once, however often they are sent."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from models.access import Actor
from models.idempotency import earlier_answer, keep_answer
from models.refusals.requests import IdempotencyKeyMissing
from models.session import Session
from web.api.fields import KEY_LENGTH


def once(
    session: Session,
    actor: Actor,
    request: Request,
    key: str | None,
    body: BaseModel,
    do: Callable[[], tuple[int, Mapping[str, str], BaseModel]],
) -> JSONResponse:
    """What `do` answers (status, headers, body), or what it answered when the key came before.

    The key is kept in the same transaction as the deed. A refused request leaves nothing behind, and may be put right
    under its key. Raises `IdempotencyKeyMissing`, `IdempotencyInProgress`, `IdempotencyMismatch`.
    """
    if key is None or not 1 <= len(key) <= KEY_LENGTH or not all("!" <= letter <= "~" for letter in key):
        raise IdempotencyKeyMissing
    assert actor.user_id is not None  # a token is always somebody's
    said = _fingerprint(request, body)
    if stored := earlier_answer(session, actor.user_id, key, said):
        return JSONResponse(stored.body, stored.status, {**stored.headers, "Idempotent-Replayed": "true"})
    status, headers, answer = do()
    content: dict[str, Any] = answer.model_dump(mode="json")
    keep_answer(session, actor.user_id, key, said, status=status, headers=headers, body=content)
    return JSONResponse(content, status, dict(headers))


def _fingerprint(request: Request, body: BaseModel) -> str:
    asked = [request.method, request.url.path, body.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
