"""The reason of a reset that an event caused: stored in English with the kind of the event, told in any language."""

from config.languages import gettext, translatable
from models.events import EventKind

NAMES = {
    EventKind.INCIDENT: translatable("incident"),
    EventKind.NON_COMPLIANCE: translatable("non-compliance"),
    EventKind.PROCEDURE_CHANGED: translatable("changed procedure"),
}


def reason_of(kind: EventKind, reason: str) -> str:
    """Returns the reason of the reset, to be stored: `incident: a fall from a ladder`."""
    return f"{NAMES[kind]}: {reason}"


def reason_told(stored: str) -> str:
    """Returns the reason of any reset in the language spoken. What someone typed stays as it is."""
    name, colon, reason = stored.partition(": ")
    return f"{gettext(name)}: {reason}" if colon and name in NAMES.values() else stored
