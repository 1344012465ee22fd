"""Refusals, a module for each feature: what is refused, under which code and status, and what to do about it."""

from importlib import import_module
from pkgutil import iter_modules

from models.refusals.base import Refused


def every_refusal() -> list[type[Refused]]:
    """Returns each kind of refusal."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    return _kinds_of(Refused)


def refusal_with(code: str) -> type[Refused] | None:
    """Returns the kind of refusal with this code, `None` if there is none."""
    return next((kind for kind in every_refusal() if kind.code == code), None)


def _kinds_of(kind: type[Refused]) -> list[type[Refused]]:
    return [each for below in kind.__subclasses__() for each in (below, *_kinds_of(below))]
