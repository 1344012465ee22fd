"""Where a request comes from: an address, or a browser that its account was signed in to before.

After OWASP's *device cookies*: whoever guesses passwords is slowed down by account and by address, and that would also
shut out the account's owner, and everybody behind the same address. So a browser keeps a mark of the account that was
last signed in to in it. Its own failures are counted against that mark alone, and a stranger's are not. The mark opens
nothing: with it, a password is still needed, and eight wrong ones end it for a quarter of an hour.
"""

import secrets
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import Request, Response
from itsdangerous import BadSignature, TimestampSigner

from config.settings import settings, signing_keys
from models.sign_in_failures import Source, account_of

KEPT = timedelta(days=180)
LONGEST = 100


def source_of(request: Request, slug: str, email: str) -> Source:
    """Where an attempt to sign in to this account comes from."""
    return Source(address_of(request), _mark(request, slug, email))


def address_of(request: Request) -> str:
    """The client's address; of IPv6 the network of 64 bits, since that is what one customer has."""
    told = request.client.host if request.client else "unknown"
    try:
        address = ip_address(told)
    except ValueError:
        return told[:LONGEST]
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return str(address)


def remember(answer: Response, source: Source, slug: str, email: str) -> None:
    """Have the browser keep that this account was signed in to in it."""
    mark = source.browser or secrets.token_urlsafe(12)
    answer.set_cookie(
        _cookie(),
        _signer().sign(f"{account_of(slug, email).hex()}.{mark}").decode(),
        max_age=int(KEPT.total_seconds()),
        secure=_is_https(),
        httponly=True,
        samesite="lax",
    )


def _mark(request: Request, slug: str, email: str) -> str | None:
    try:
        kept = _signer().unsign(request.cookies.get(_cookie(), ""), max_age=int(KEPT.total_seconds())).decode()
    except BadSignature:
        return None
    account, _, mark = kept.partition(".")
    return mark if account == account_of(slug, email).hex() else None


def _signer() -> TimestampSigner:
    return TimestampSigner(signing_keys(), salt="recourse.known-browser")


def _cookie() -> str:
    return "__Host-recourse-known" if _is_https() else "recourse-known"


def _is_https() -> bool:
    return settings().public_url.startswith("https://")
