"""Who may use each address."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from re import Pattern

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from models.access import Actor
from web.access import GUARDS

Guard = Callable[[Request], Awaitable[Actor]]


@dataclass(frozen=True)
class Door:
    """An address with its methods and guards. Without guards it is open to everyone."""

    pattern: Pattern[str]
    methods: frozenset[str]
    guards: tuple[Guard, ...]

    async def ask(self, request: Request) -> Actor | None:
        """Returns who sends the request, `None` at an open door. Raises what the guards raise."""
        actor = None
        for guard in self.guards:
            actor = await guard(request)
        return actor


class Doors:
    """The addresses of some routers. Their guards come from the routes' own dependencies: there is no second list."""

    def __init__(self) -> None:
        self._all: list[Door] = []

    def add(self, routers: Iterable[APIRouter], prefix: str = "") -> None:
        """Add the routers' addresses; earlier ones match first."""
        for router in routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    pattern = compile_path(prefix + route.path)[0]
                    guards = tuple(dict.fromkeys(_guards(route.dependant)))
                    self._all.append(Door(pattern, frozenset(route.methods or ()), guards))

    def of(self, method: str, path: str) -> Door | None:
        """Returns the door of this address, `None` if there is no such address."""
        return next((door for door in self._all if method in door.methods and door.pattern.match(path)), None)


def _guards(dependant: Dependant) -> Iterator[Guard]:
    for inner in dependant.dependencies:
        if inner.call in GUARDS:
            yield GUARDS[inner.call]
        else:
            yield from _guards(inner)
