"""Reported events and their sources."""

from models.refusals.base import Refused


class EventMismatch(Refused):
    code = "event-mismatch"

    def __init__(self) -> None:
        super().__init__("This key was used for a different event. Use a new key for a new event.")


class EventSourceUnknown(Refused):
    code = "event-source-unknown"
    status = 404

    def __init__(self) -> None:
        super().__init__("This event source does not exist. Check its id.")


class EventInvalid(Refused):
    code = "event-invalid"

    def __init__(self, wrong: str) -> None:
        details = f" Details: {wrong}." if wrong else ""
        super().__init__(
            "This is not a valid event. Send one JSON object with the event's kind, the course's code, the reason and, "
            f"optionally, the group's code. Nothing was changed.{details}"
        )


class SignatureInvalid(Refused):
    code = "signature-invalid"
    status = 401

    def __init__(self) -> None:
        super().__init__(
            "The signature does not match, or the message is more than five minutes old. Sign the exact body with the "
            "source's secret, as Standard Webhooks specifies. Nothing was changed."
        )
