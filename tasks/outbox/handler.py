"""What an outbox does with an item: the part that differs between outboxes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.orm import Session

from config.languages.stored import stored
from models.outbox import Item, Outbox
from tasks.outbox.answers import Answer


class AwayError(Exception):
    """The receiver of all items is down or refuses us. No item has been attempted."""


class Handler(ABC):
    """Attempts the items of one lane and settles them."""

    name: ClassVar[str]
    outbox: ClassVar[Outbox]
    waits: ClassVar[tuple[int, ...]]  # seconds between attempts
    gives_up: ClassVar[bool] = True  # after the last wait; if false, the last wait repeats
    worn_out: ClassVar[str] = stored(
        "the worker process died at every attempt"
    )  # why an item is given up without an answer
    batch: ClassVar[int] = 1  # items per attempt
    rest_seconds: ClassVar[float] = 0.0  # within a run, a receiver that failed is left alone for so long

    @classmethod
    def is_on(cls) -> bool:
        """Returns whether the settings name a receiver."""
        return True

    @classmethod
    def at_once(cls) -> int:
        """The maximum number of lanes."""
        return 1

    @classmethod
    def at_once_each(cls) -> int:
        """The maximum number of lanes for one organization."""
        return cls.at_once()

    @classmethod
    def per_second(cls) -> float | None:
        """The maximum number of attempts per second; `None` for no limit."""
        return None

    @classmethod
    def per_second_each(cls) -> float | None:
        """The maximum number of attempts per second for one organization; `None` for no limit."""
        return None

    @classmethod
    @abstractmethod
    def seconds(cls) -> float:
        """The time limit of an attempt, in seconds."""

    def ready(self) -> None:
        """Prepare for an attempt. Raises `AwayError`."""
        return

    @abstractmethod
    def attempt(self, item: Item) -> Answer:
        """Attempt one item, outside of any transaction. Any exception counts as a failure of this item."""

    def attempt_all(self, items: Sequence[Item]) -> list[Answer]:
        """Attempt up to `batch` items together. Returns the answers in the order of the items."""
        return [self.attempt(item) for item in items]

    def close(self) -> None:
        """Release what stays open between attempts."""
        return

    def abort(self) -> None:
        """Break off an attempt that exceeds its time limit, where possible. Called from another thread."""
        return

    def settle_all(self, session: Session, items: Sequence[Item], answers: Sequence[Answer]) -> None:
        """Write the result of each item."""
        for item, answer in zip(items, answers, strict=True):
            self.settle(session, item, answer)

    @abstractmethod
    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        """Write the result, if the row still waits for this attempt."""
