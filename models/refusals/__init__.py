"""Refusals, one module per feature. Each has a code, an HTTP status, and a message that says what to do."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from models.refusals.base import Refused


def every_refusal() -> list[type[Refused]]:
    """Returns every refusal class."""
    _import_modules()
    return _kinds_of(Refused)


def refusal_with(code: str) -> type[Refused] | None:
    """Returns the refusal class with this code, `None` if there is none."""
    return next((kind for kind in every_refusal() if kind.code == code), None)


@cache  # each problem in the API's document is looked up by its code, when the web app starts
def _import_modules() -> None:
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)


def _kinds_of(kind: type[Refused]) -> list[type[Refused]]:
    return [each for below in kind.__subclasses__() for each in (below, *_kinds_of(below))]
