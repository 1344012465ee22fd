"""A provider on loopback, and an organization."""

from collections.abc import Callable, Iterator

import pytest

from tests.provider import Provider
from tests.scenes import Scene, make_scene


@pytest.fixture
def base(served: str, set_up: Callable[..., None]) -> str:
    """The web app's address, as users know it."""
    set_up(webhook_allow_private="true", public_url=served)
    return served


@pytest.fixture
def provider(base: str) -> Iterator[Provider]:
    with Provider() as one:
        one.serves(base)
        one.knows("kim", groups=["training-admins", "runners"])
        yield one


@pytest.fixture
def scene(base: str) -> Scene:
    return make_scene(learners=2)
