"""The words for kinds of events."""

from dataclasses import dataclass

from config.languages import translatable
from models.events import EventKind


@dataclass(frozen=True)
class Words:
    """What a kind of event is called."""

    name: str
    one: str  # with its article
    hint: str  # for whoever reports one


WORDS = {
    EventKind.INCIDENT: Words(
        translatable("incident"),
        translatable("an incident"),
        translatable("Somebody was hurt, something broke, or it nearly happened."),
    ),
    EventKind.NON_COMPLIANCE: Words(
        translatable("non-compliance"),
        translatable("a non-compliance event"),
        translatable("A rule or a standard was not kept."),
    ),
    EventKind.PROCEDURE_CHANGED: Words(
        translatable("changed procedure"),
        translatable("a changed procedure"),
        translatable("What the course teaches is done differently from now on."),
    ),
}
