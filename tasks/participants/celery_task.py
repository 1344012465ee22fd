"""Participants that are a Celery task of the team's own, on the same broker. They answer by a report."""

import time
from typing import Any

from config.languages.stored import stored
from models.participants import Participant
from models.sealing import SecretUnreadableError
from tasks.broker import broker_down
from tasks.participants.callers import Silent
from tasks.participants.protocol import NotNowError, Question, Request
from tasks.signed_messages import TheirTask, signature_of


class CeleryCaller:
    """Sends the task."""

    def clear(self, participant: Participant, request: Request) -> Silent:
        """Send the request as the task's keyword arguments, signed with the participant's secret.

        Raises `NotNowError`.
        """
        arguments: dict[str, Any] = request.as_json() | {"sent_at": int(time.time())}
        try:
            arguments["signature"] = signature_of(participant.secret(), participant.target, arguments)
        except SecretUnreadableError as error:
            raise NotNowError(str(error)) from None
        try:
            TheirTask(task=participant.target, queue=participant.queue or "").send(
                kwargs=arguments,
                argsrepr=f"('{len(request.learners)} learners',)",
                kwargsrepr=f"{{'reset': '{request.reset}'}}",
            )
        except broker_down() as error:
            raise NotNowError(stored("the broker did not take it: {error}").format(error=error)) from None
        return Silent(stored("sent; it has not reported yet"))

    def preview(self, _participant: Participant, _question: Question) -> None:
        """A task gives no answer while someone waits."""
        return
