"""What every measure is: the keys that it gives, how many runs it takes, and the function that measures them."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bench import Bench


@dataclass(frozen=True)
class Measure:
    """`measure` adds the figures of the wanted ones of `keys` to the results."""

    keys: tuple[str, ...]
    measure: Callable[[Bench], None]
    runs: Callable[[Bench], int]

    def is_wanted(self, bench: Bench) -> bool:
        """Returns whether a key of it is."""
        return bool(bench.wanted.intersection(self.keys))
