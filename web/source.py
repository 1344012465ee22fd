"""Where a sign-in comes from: an address, or a browser in which the account was signed in before.

After OWASP's *device cookies*: failed sign-ins slow down the account and the address, which would also lock out the
account's owner and everyone behind the same address. So a browser keeps a mark of the account last signed in, and its
failures count against that mark alone. The mark opens nothing: the password is still needed, and eight wrong ones block
the mark for a quarter of an hour.
"""

import secrets
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import Request, Response
from itsdangerous import BadSignature, TimestampSigner

from config.settings import signing_keys
from models.sign_in_failures import Source, account_of
from web.cookies import host_cookie, set_cookie

KEPT = timedelta(days=180)
LONGEST = 100  # characters of an address that is no IP address

_COOKIE = "recourse-known"


def source_of(request: Request, slug: str, email: str) -> Source:
    """Returns where an attempt to sign in to this account comes from."""
    return Source(address_of(request), _mark(request, slug, email))


def address_of(request: Request) -> str:
    """Returns the client's address; for IPv6, its network of 64 bits, which belongs to one customer."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return host[:LONGEST]
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return str(address)


def remember(answer: Response, source: Source, slug: str, email: str) -> None:
    """Have the browser keep the account's mark."""
    mark = source.browser or secrets.token_urlsafe(12)
    value = _signer().sign(f"{account_of(slug, email).hex()}.{mark}").decode()
    set_cookie(answer, _COOKIE, value, KEPT)


def _mark(request: Request, slug: str, email: str) -> str | None:
    try:
        cookie = request.cookies.get(host_cookie(_COOKIE), "")
        kept = _signer().unsign(cookie, max_age=int(KEPT.total_seconds())).decode()
    except BadSignature:
        return None
    account, _, mark = kept.partition(".")
    return mark if account == account_of(slug, email).hex() else None


def _signer() -> TimestampSigner:
    return TimestampSigner(signing_keys(), salt="recourse.known-browser")
