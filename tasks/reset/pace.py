"""How many learners are cleared in one transaction, by how long the last ones took in this process.

A learner's own write waits for the transaction that clears them, so it is kept short on any machine.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

AIM = 0.06  # seconds
FEWEST = 25
MOST = 500


@dataclass
class Measured:
    """A transaction that is being measured, and how many learners it clears."""

    learners: int = 0


@dataclass
class Pace:
    """The number of learners for the next transaction."""

    learners: int = 250

    @contextmanager
    def measured(self) -> Iterator[Measured]:
        """Measure the transaction in this scope, and learn from it if it was a full one."""
        began, measured = time.monotonic(), Measured()
        yield measured
        if measured.learners >= self.learners:
            right = self.learners * AIM / max(time.monotonic() - began, 0.001)
            self.learners = round(min(MOST, max(FEWEST, (self.learners + right) / 2)))


pace = Pace()
"""Of this process."""
