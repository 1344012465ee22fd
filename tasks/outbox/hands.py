"""What an outbox does with an item: the part that differs from one to the other."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.orm import Session

from models.outbox import Item, Outbox
from tasks.outbox.answers import Answer


class AwayError(Exception):
    """Who is to take it all is away, or does not let us in. It says nothing about any item: none is taken."""


class Hands(ABC):
    """The hands of one lane."""

    name: ClassVar[str]
    outbox: ClassVar[Outbox]
    waits: ClassVar[tuple[int, ...]]  # seconds between the tries
    gives_up: ClassVar[bool] = True  # after the last wait; or else it is tried for as long as it takes
    batch: ClassVar[int] = 1  # items a try
    rests: ClassVar[float] = 0.0  # seconds that whoever did not take an item is left alone within a run

    @classmethod
    def is_on(cls) -> bool:
        """Whether the settings name someone to take it."""
        return True

    @classmethod
    def at_once(cls) -> int:
        """The most lanes side by side."""
        return 1

    @classmethod
    def at_once_each(cls) -> int:
        """Of these, the most for one organization."""
        return cls.at_once()

    @classmethod
    def a_second(cls) -> float | None:
        """The most tries a second; none for no limit."""
        return None

    @classmethod
    def a_second_each(cls) -> float | None:
        """The most of one organization's."""
        return None

    @classmethod
    @abstractmethod
    def seconds(cls) -> float:
        """The longest that a try may take, all in all."""

    def ready(self) -> None:
        """Be ready for a try. Raises `AwayError`."""
        return

    @abstractmethod
    def attempt(self, item: Item) -> Answer:
        """Try it. Whatever this raises is the item's own failure. No transaction is open around it."""

    def attempt_all(self, items: Sequence[Item]) -> list[Answer]:
        """Try them together, where `batch` is more than one. Gives the answers in their order."""
        return [self.attempt(item) for item in items]

    def close(self) -> None:
        """End what is held open between the tries."""
        return

    def let_go(self) -> None:
        """Have a try that has taken too long end, where that can be done from outside."""
        return

    def settle_all(self, session: Session, items: Sequence[Item], answers: Sequence[Answer]) -> None:
        """Write down what came of each."""
        for item, answer in zip(items, answers, strict=True):
            self.settle(session, item, answer)

    @abstractmethod
    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        """Write down what came of the try, if it is still this try that the row waits for."""
