"""One test, two sizes: small in `make test`, full in `make soak`."""

from types import SimpleNamespace as Size

import pytest

__all__ = ["Size", "sized"]


def sized(*, minutes: int = 20, **figures: tuple[float, float]) -> pytest.MarkDecorator:
    """Give the test a `size` with these figures, each as small and full. The full size has a time limit in minutes."""
    small, full = (Size(**{name: pair[place] for name, pair in figures.items()}) for place in (0, 1))
    whole = pytest.param(full, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(60 * minutes)])
    return pytest.mark.parametrize("size", [pytest.param(small, id="small"), whole])
