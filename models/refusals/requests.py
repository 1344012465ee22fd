"""Repeated requests."""

from models.refusals.base import Refused


class IdempotencyMismatch(Refused):
    code = "idempotency-mismatch"

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for a different request. Use a new key for a new request.")


class IdempotencyInProgress(Refused):
    code = "idempotency-in-progress"
    status = 409

    def __init__(self) -> None:
        super().__init__("A request with this idempotency key is still being processed. Try again in a moment.")


class IdempotencyKeyMissing(Refused):
    code = "idempotency-key-missing"
    status = 400

    def __init__(self) -> None:
        super().__init__(
            "The header Idempotency-Key is missing or not valid. Use 1 to 255 visible ASCII characters, for example a "
            "UUID, and send the same ones when you repeat the request. Nothing was changed."
        )


class TooManyWaiting(Refused):
    code = "too-many-waiting"
    status = 503
    seconds = 5

    def __init__(self) -> None:
        super().__init__(
            "Other requests of this organization are still waiting for external servers. Nothing was sent or changed. "
            "Try again in a moment."
        )
