"""Who sends a request: a signed-in person by a browser's cookie, or a program by its bearer token."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from config.languages import speak
from models.access import Actor, Permission, actor_for
from models.inbox import unread
from models.people import User
from models.refusals.access import ScopeMissing, TokenInvalid
from models.session import transaction
from models.sign_on import SessionUser, user_and_standing
from models.tokens import Scope, bearer_of
from models.web_sessions import SESSION_LONGEST, touch_session
from tasks.troubles import Trouble
from web.cookies import delete_cookie, host_cookie, set_cookie
from web.standing import arrival_of, check_again
from web.troubles import troubles_for

GUARDS: dict[Callable[..., Any], Callable[[Request], Awaitable[Actor]]] = {}
"""The dependencies below, each with a function that decides the same from a request's head alone, before its body is
read; see `web.bodies`."""

_SESSION = "recourse"


class NotSignedInError(Exception):
    """A page was requested without a session. The answer leads to the sign-in page."""


@dataclass(frozen=True)
class SignedIn:
    """A person with a browser."""

    user: User
    actor: Actor
    token: str  # of the session
    unread: int  # alerts in their inbox
    troubles: Sequence[Trouble] = ()  # what does not do its work, for those who manage their organization

    def may(self, permission: Permission) -> bool:
        """Returns whether they have the permission: pages offer nothing that would be refused."""
        return permission in self.actor.permissions


def cookie_name() -> str:
    """Returns the name of the session cookie."""
    return host_cookie(_SESSION)


def give_cookie(answer: Response, token: str) -> None:
    """Have the browser keep the session's token."""
    set_cookie(answer, _SESSION, token, SESSION_LONGEST)


def take_cookie(answer: Response) -> None:
    """Have the browser forget the session's token."""
    delete_cookie(answer, _SESSION)


async def signed_in(request: Request) -> SignedIn:
    """A dependency: the signed-in person. Raises `NotSignedInError`.

    If their session began at a provider, the provider is asked first whether it still stands, when that is due.

    Its transactions end before the endpoint begins: a request that waits for a thread, or for a provider, holds no
    connection, and a slow one does not lock the session's row, for which the person's other pages would wait.
    """
    token = request.cookies.get(cookie_name(), "")
    person, due = await run_in_threadpool(_person, request, token)
    if person is not None and due is not None and due.standing is not None:
        await check_again(token, due.standing.provider, arrival_of(request, due.at))
        person, _ = await run_in_threadpool(_person, request, token)
    if person is None:
        raise NotSignedInError
    request.state.signed_in = person  # for the frame around every page
    speak(person.user.locale)
    return person


def _person(request: Request, token: str) -> tuple[SignedIn | None, SessionUser | None]:
    """Returns the person, and what is to be checked about them first, `None` if nothing is."""
    if not token:
        return None, None
    with transaction() as session:
        found = user_and_standing(session, token)
        if found is None:
            return None, None
        touch_session(session, token)
        user, standing, arrived = found.user, found.standing, arrival_of(request, found.at)
        unchecked = standing is not None and standing.is_withheld(arrived)
        actor = actor_for(user, unchecked=unchecked)
        unread_alerts = unread(session, user.id)
    person = SignedIn(user, actor, token, unread_alerts, troubles_for(request.app, actor))
    return person, found if standing is not None and standing.is_due(arrived) else None


async def _guard(request: Request) -> Actor:
    return (await signed_in(request)).actor


GUARDS[signed_in] = _guard
Person = Annotated[SignedIn, Depends(signed_in, scope="function")]


def person_with(*permissions: Permission) -> Callable[[SignedIn], SignedIn]:
    """Returns a dependency: the signed-in person, with at least one of these permissions. It raises `Forbidden`."""

    def check(person: Person) -> SignedIn:
        person.actor.must_have_one_of(*permissions)
        return person

    async def guard(request: Request) -> Actor:
        return check(await signed_in(request)).actor

    GUARDS[check] = guard
    return check


FOR_USERS_ADMINS = Depends(person_with(Permission.USERS))
FOR_COURSES_ADMINS = Depends(person_with(Permission.COURSES))
FOR_OPERATORS = Depends(person_with(Permission.OPERATIONS))
UsersAdmin = Annotated[SignedIn, FOR_USERS_ADMINS]
CoursesAdmin = Annotated[SignedIn, FOR_COURSES_ADMINS]
Operator = Annotated[SignedIn, FOR_OPERATORS]
AnyAdmin = Annotated[SignedIn, Depends(person_with(Permission.COURSES, Permission.USERS))]

_bearer = HTTPBearer(auto_error=False, description="A token from `recourse token create`")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def program(credentials: Credentials) -> Actor:
    """A dependency: the actor of a bearer token with any scope. Raises `TokenInvalid`."""
    return _actor(credentials, None)


GUARDS[program] = lambda request: run_in_threadpool(_actor, _credentials_of(request), None)


def program_with(scope: Scope, *permissions: Permission) -> Callable[..., Actor]:
    """Returns a dependency: the actor of a bearer token with this scope, and with at least one of these permissions.

    It raises `TokenInvalid`, `ScopeMissing`, `Forbidden`.
    """

    def check(credentials: Credentials) -> Actor:
        actor = _actor(credentials, scope)
        if permissions:
            actor.must_have_one_of(*permissions)
        return actor

    GUARDS[check] = lambda request: run_in_threadpool(check, _credentials_of(request))
    return check


def program_of(request: Request, scope: Scope) -> Actor:
    """Returns the actor of the request's bearer token. Raises `TokenInvalid`, `ScopeMissing`."""
    return _actor(_credentials_of(request), scope)


def _credentials_of(request: Request) -> HTTPAuthorizationCredentials | None:
    scheme, credentials = get_authorization_scheme_param(request.headers.get("authorization"))
    return HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials) if scheme.lower() == "bearer" else None


def _actor(credentials: HTTPAuthorizationCredentials | None, scope: Scope | None) -> Actor:
    """In a transaction of its own, as in `signed_in`."""
    with transaction() as session:
        bearer = bearer_of(session, credentials.credentials) if credentials else None
        if bearer is None:
            raise TokenInvalid
        if scope is not None and scope not in bearer.scopes:
            raise ScopeMissing(scope)
        return actor_for(bearer.user, bearer.scopes, at_most=bearer.at_most)
