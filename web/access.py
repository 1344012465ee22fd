"""Who asks: a signed-in person by their browser's cookie, or a program by its bearer token."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from config.settings import settings
from models.access import Actor, Permission, actor_for
from models.inbox import unread
from models.people import User
from models.refusals.access import ScopeMissing, TokenInvalid
from models.session import transaction
from models.tokens import Scope, bearer_of
from models.web_sessions import SESSION_LONGEST, user_of_session

GUARDS: dict[Callable[..., Any], Callable[[Request], Actor]] = {}
"""The dependencies below that decide who asks, with what decides the same from the head of a request alone: before its
body is read, see `web.bodies`."""


class NotSignedInError(Exception):
    """A page was asked for by nobody that we know. The answer leads to the sign-in page."""


@dataclass(frozen=True)
class SignedIn:
    """A person with a browser."""

    user: User
    actor: Actor
    token: str  # of the session
    unread: int  # alerts in their inbox

    def may(self, permission: Permission) -> bool:
        """Whether they have the permission: what they may not do is not offered to them."""
        return permission in self.actor.permissions


def cookie_name() -> str:
    """The session cookie's name; behind https one that a browser takes from this host alone, and encrypted."""
    return "__Host-recourse" if _is_https() else "recourse"


def give_cookie(answer: Response, token: str) -> None:
    """Have the browser keep the session's token."""
    answer.set_cookie(
        cookie_name(),
        token,
        max_age=int(SESSION_LONGEST.total_seconds()),
        secure=_is_https(),
        httponly=True,
        samesite="lax",
    )


def take_cookie(answer: Response) -> None:
    """Have the browser forget the session's token."""
    answer.delete_cookie(cookie_name(), secure=_is_https(), httponly=True, samesite="lax")


def signed_in(request: Request) -> SignedIn:
    """A dependency: the signed-in person. It raises `NotSignedInError`.

    In a transaction of its own that is over before the endpoint begins: a request that waits for a thread must hold no
    connection, and one that takes its time must not hold the session's row, on which the person's other pages wait.
    """
    token = request.cookies.get(cookie_name(), "")
    with transaction() as session:
        user = user_of_session(session, token) if token else None
        if user is None:
            raise NotSignedInError
        person = SignedIn(user, actor_for(user), token, unread(session, user.id))
    request.state.signed_in = person  # for the frame around every page
    return person


GUARDS[signed_in] = lambda request: signed_in(request).actor
Person = Annotated[SignedIn, Depends(signed_in, scope="function")]


def person_with(*permissions: Permission) -> Callable[[SignedIn], SignedIn]:
    """A dependency: the signed-in person, who has at least one of these permissions. It raises `Forbidden`."""

    def check(person: Person) -> SignedIn:
        person.actor.must_have_one_of(*permissions)
        return person

    GUARDS[check] = lambda request: check(signed_in(request)).actor
    return check


FOR_USERS_ADMINS = Depends(person_with(Permission.USERS))
FOR_COURSES_ADMINS = Depends(person_with(Permission.COURSES))
UsersAdmin = Annotated[SignedIn, FOR_USERS_ADMINS]
CoursesAdmin = Annotated[SignedIn, FOR_COURSES_ADMINS]
AnyAdmin = Annotated[SignedIn, Depends(person_with(Permission.COURSES, Permission.USERS))]

_bearer = HTTPBearer(auto_error=False, description="A token from `recourse token create`")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def program(credentials: Credentials) -> Actor:
    """A dependency: for whom a bearer token speaks, whatever its scopes. It raises `TokenInvalid`."""
    return _actor(credentials, None)


GUARDS[program] = lambda request: _actor(_credentials_of(request), None)


def program_with(scope: Scope) -> Callable[..., Actor]:
    """A dependency: for whom a bearer token with this scope speaks. It raises `TokenInvalid`, `ScopeMissing`."""

    def check(credentials: Credentials) -> Actor:
        return _actor(credentials, scope)

    GUARDS[check] = lambda request: program_of(request, scope)
    return check


def program_of(request: Request, scope: Scope) -> Actor:
    """The same, for who looks at the request itself. Raises `TokenInvalid`, `ScopeMissing`."""
    return _actor(_credentials_of(request), scope)


def _credentials_of(request: Request) -> HTTPAuthorizationCredentials | None:
    scheme, credentials = get_authorization_scheme_param(request.headers.get("authorization"))
    return HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials) if scheme.lower() == "bearer" else None


def _actor(credentials: HTTPAuthorizationCredentials | None, scope: Scope | None) -> Actor:
    """In a transaction of its own, as with a person."""
    with transaction() as session:
        bearer = bearer_of(session, credentials.credentials) if credentials else None
        if bearer is None:
            raise TokenInvalid
        if scope is not None and scope not in bearer.scopes:
            raise ScopeMissing(scope)
        return actor_for(bearer.user)


def _is_https() -> bool:
    return settings().public_url.startswith("https://")
