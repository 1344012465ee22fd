"""Pauses."""

from models.refusals.base import Refused


class PauseReasonMissing(Refused):
    code = "pause-reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "A pause needs a reason, which everyone who waits for it can read. Say why: for example “wrong figures”."
        )


class PausedMoreWidely(Refused):
    code = "paused-more-widely"
    status = 409

    def __init__(self, whole: str, who: str) -> None:
        super().__init__(
            "{whole} is paused, and this with it. Ask {who} to resume that first. Nothing was changed.",
            whole=whole,
            who=who,
        )
