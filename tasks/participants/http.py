"""Participants with an HTTP endpoint: a POST, signed as our webhooks are, and a JSON answer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from config.languages.stored import stored
from models.participants import Participant
from tasks.faults import faults_in
from tasks.participants.callers import Silent
from tasks.participants.protocol import (
    ClearAnswer,
    NotNowError,
    Outcome,
    PreviewAnswer,
    Question,
    Request,
)
from tasks.webhooks.post import exchange

CLEAR_SECONDS = 55.0
PREVIEW_SECONDS = 5.0
LONGEST_ANSWER = 1_000_000  # bytes
ACCEPTED = 202
NOT_AS_AGREED = stored("its answer is not as agreed: {fault}")

Answer = TypeVar("Answer", bound=BaseModel)


class HttpCaller:
    """Sends the request, and reads the answer."""

    def clear(self, participant: Participant, request: Request) -> Sequence[Outcome] | Silent:
        """Ask it to clear. An answer 202 promises a report about all learners. Raises `NotNowError`."""
        status, body = _ask(participant, str(request.idempotency_key), request.as_json(), CLEAR_SECONDS)
        if status == ACCEPTED:
            return Silent(stored("it will report"))
        return _read(ClearAnswer, body).outcomes()

    def preview(self, participant: Participant, question: Question) -> Mapping[str, int]:
        """Ask for counts. Raises `NotNowError`."""
        _, body = _ask(participant, str(uuid4()), question.as_json(), PREVIEW_SECONDS)
        return _read(PreviewAnswer, body).records


def _ask(participant: Participant, number: str, asked: dict[str, Any], seconds: float) -> tuple[int, bytes]:
    body = json.dumps(asked, separators=(",", ":"), sort_keys=True)
    reply = exchange(participant.target, participant.secrets(), number, body, seconds=seconds, longest=LONGEST_ANSWER)
    if not reply.taken:
        raise NotNowError(reply.words, unsure=reply.unsure)
    return reply.status, reply.body


def _read(kind: type[Answer], body: bytes) -> Answer:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise NotNowError(NOT_AS_AGREED.format(fault=faults_in(error, "body")[0]), unsure=True) from None
