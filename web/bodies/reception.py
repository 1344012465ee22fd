"""The sender of a body is known before it is read."""

from contextlib import AsyncExitStack

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from config.languages import gettext, translatable
from web.bodies.cut_off import MOST, cut_off
from web.bodies.doors import Doors
from web.bodies.limits import limits_for
from web.bodies.pace import Pace
from web.bodies.spool import Spool
from web.problems import Problem, answer_to

_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}  # no endpoint here reads the body of these


class Reception:
    """Middleware that checks who sends a body, from the request's head alone and in a short transaction. Only then, and
    while a place is free, it lets the body be read: up to its limit, and no slower than `Pace` accepts.

    The address's own dependencies check again once the body is here, which for a slow sender is much later.
    """

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app, self._doors, self._spool = app, doors, Spool()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY or not _has_body(request := Request(scope)):
            await self._app(scope, receive, send)
            return
        async with AsyncExitStack() as kept:
            try:
                admitted = await self._admitted(request, receive, kept)
            except Exception as refusal:
                answer = answer_to(request, refusal)
                if answer is None:
                    raise
                await answer(scope, receive, send)
                return
            await self._app(scope, admitted, send)

    async def _admitted(self, request: Request, receive: Receive, kept: AsyncExitStack) -> Receive:
        """Returns the `receive` that reads the body. What it occupies is freed when `kept` closes."""
        path, declared = request.scope["path"], _declared(request)
        door = self._doors.of(request.method, path)
        actor = await door.ask(request) if door and door.guards else None
        limits = limits_for(path, request.headers, actor)
        most = MOST if limits.cut_off else limits.size
        _must_fit(most, declared)
        if actor is not None and limits.places:
            await kept.enter_async_context(limits.places.waited_for(actor, limits.patience))
        spooled = None
        if actor is not None and limits.spooled:
            spooled = kept.enter_context(self._spool.share(actor.organization_id))
            spooled(min(declared, limits.size))  # refused now rather than when half of it is here

        def on_size(size: int) -> None:
            _must_fit(most, size)
            if spooled and size > declared:
                spooled(min(size, limits.size))

        paced = Pace(receive, on_size)
        return cut_off(request, paced, limits.size) if limits.cut_off else paced


def _must_fit(most: int, size: int) -> None:
    if size > most:
        limit = f"{most // 1_000_000:,} MB" if most >= 1_000_000 else f"{most // 1_000} KB"
        sentence = translatable(
            "The request is larger than the {limit} that this address accepts. Send a smaller one. Nothing was changed."
        )
        raise Problem("body-too-large", gettext(sentence, limit=limit))


def _declared(request: Request) -> int:
    """Returns the body's length by its header, 0 if unknown."""
    length = request.headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0


def _has_body(request: Request) -> bool:
    return _declared(request) != 0 or "transfer-encoding" in request.headers
