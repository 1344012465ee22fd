"""How a kind of participant is called. Outside of any transaction, within the time limit of an attempt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.participants import Participant
from tasks.participants.protocol import Outcome, Question, Request


@dataclass(frozen=True)
class Silent:
    """The request was delivered; the participant will report."""

    words: str


class Caller(Protocol):
    """Calls participants of one kind."""

    def clear(self, participant: Participant, request: Request) -> Sequence[Outcome] | Silent:
        """Ask the participant to clear. Raises `NotNowError`."""

    def preview(self, participant: Participant, question: Question) -> Mapping[str, int] | None:
        """Returns the records of each kind, `None` if this kind cannot be asked. Raises `NotNowError`."""
