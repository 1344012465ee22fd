"""A platform with records of its own, as a participant over HTTP: a server on loopback with a store of attempts."""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from standardwebhooks import Webhook

from models.access import Actor
from models.participants import Participant, ParticipantKind
from models.session import transaction
from models.training import Enrolment
from tasks.participants.commands import Terms, add_participant
from tests.receiver import Received, Receiver
from tests.scenes import run

KIND = "attempts"


class Elsewhere(Receiver):
    """A context manager. Its records are `attempts`, by registration."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.attempts: dict[UUID, int] = {}
        self.refused: dict[int, str] = {}  # enrolments that it cannot clear, with why
        self.later: set[int] = set()  # enrolments about which it reports later
        self.away: Callable[[], int | None] = lambda: None  # returns the status to answer in place of working
        self.secret = ""
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/recourse"

    def join(self, actor: Actor, code: str = "scorm", **terms: Any) -> Participant:
        """Register it in the actor's organization."""
        with transaction() as session:
            participant = add_participant(session, actor, code, Terms(ParticipantKind.HTTP, self.url, **terms))
            self.secret = participant.secret()
            session.expunge(participant)
            return participant

    def fill(self, enrolments: Iterable[Enrolment], each: int = 3) -> None:
        """Give the learners attempts under their current registrations."""
        self.attempts |= {enrolment.registration: each for enrolment in enrolments}

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests to clear so far."""
        bodies = [json.loads(request.body) for request in self.received]
        return [body for body in bodies if body["type"] == "participant.clear"]

    def asked_about(self) -> list[int]:
        """The enrolments of all requests so far, in order, with repeats."""
        return [learner["enrolment"] for request in self.asked for learner in request["learners"]]

    def _answer(self, request: Received) -> int | dict[str, Any]:
        Webhook(self.secret).verify(request.body, request.headers)
        if (status := self.away()) is not None:
            return status
        asked = json.loads(request.body)
        with self._lock:
            if asked["type"] == "participant.preview":
                return {"records": {KIND: sum(self._of(asked["learners"]))}}
            return {"learners": [self._clear(learner) for learner in asked["learners"]]}

    def _of(self, learners: Sequence[dict[str, Any]]) -> list[int]:
        return [self.attempts.get(UUID(learner["old_registration"]), 0) for learner in learners]

    def _clear(self, learner: dict[str, Any]) -> dict[str, Any]:
        number = learner["enrolment"]
        if why := self.refused.get(number):
            return {"enrolment": number, "outcome": "failed", "why": why}
        if number in self.later:
            return {"enrolment": number, "outcome": "later"}
        removed = self.attempts.pop(UUID(learner["old_registration"]), 0)
        if not removed:
            return {"enrolment": number, "outcome": "nothing"}
        return {"enrolment": number, "outcome": "done", "removed": {KIND: removed}}


def make_due() -> None:
    """Let waiting requests be asked now."""
    run("UPDATE participant_request SET next_try_at = now() WHERE state = 'waiting'")
