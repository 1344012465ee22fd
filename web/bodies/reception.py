"""Who sends a body is known before it is read."""

from contextlib import AsyncExitStack
from typing import cast

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from models.access import Actor
from web.bodies.cut_off import MOST, cut_off
from web.bodies.doors import Doors
from web.bodies.pace import Pace
from web.bodies.rules import rule_for
from web.bodies.spool import Spool
from web.problems import Problem, told

_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}  # nobody here reads what comes with these


class Reception:
    """Asks who sends a body, as its address wants it, from the request's head alone and in a short transaction. Only
    then, and while there is a place, the body is read: to its limit, and no more slowly than is bearable.

    The address's own dependencies ask again when the body is here: on a slow line, that is much later.
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
                answer = told(request, refusal)
                if answer is None:
                    raise
                await answer(scope, receive, send)
                return
            await self._app(scope, admitted, send)

    async def _admitted(self, request: Request, receive: Receive, kept: AsyncExitStack) -> Receive:
        """What reads the body. What it takes up is given back at the end of `kept`."""
        path = request.scope["path"]
        door = self._doors.of(request.method, path)
        actor = await run_in_threadpool(door.ask, request) if door and door.guards else None
        rule = rule_for(path, request.headers, actor)
        most = MOST if rule.cut_off else rule.limit
        _must_fit(most, int(_declared(request)))
        if rule.places:
            assert actor is not None
            await kept.enter_async_context(rule.places.waited_for(actor, rule.patience))
        spooled = kept.enter_context(self._spool.share(cast("Actor", actor).organization_id)) if rule.spooled else None
        if spooled:
            spooled(min(int(_declared(request)), rule.limit))  # better now than when half of it has come

        def counted(size: int) -> None:
            _must_fit(most, size)
            if spooled and size > int(_declared(request)):
                spooled(min(size, rule.limit))

        paced = Pace(receive, counted)
        return cut_off(request, paced, rule.limit) if rule.cut_off else paced


def _must_fit(most: int, size: int) -> None:
    if size > most:
        limit = f"{most // 1_000_000:,} MB" if most >= 1_000_000 else f"{most // 1_000} KB"
        words = f"The request is larger than the {limit} that this address takes. Send less at once."
        raise Problem(413, "body-too-large", f"{words} Nothing was changed.")


def _declared(request: Request) -> str:
    """How long the body says it is."""
    length = request.headers.get("content-length", "0")
    return length if length.isdecimal() else "0"


def _has_body(request: Request) -> bool:
    return _declared(request) != "0" or "transfer-encoding" in request.headers
