"""One request of a webhook: signed, bounded in time, and to no address that is not for everybody."""

import asyncio
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

import httpx
from standardwebhooks import Webhook

from config.settings import settings
from models.refusals.webhooks import WebhookAddressRefused
from tasks.outbox.total_time import TookTooLongError, within

SECONDS = 15.0  # for all of it: an answer that comes in drops must not keep us
LOOK_UP_SECONDS = 5.0
LONGEST_NAME = 253  # of the DNS
GONE = 410


@dataclass(frozen=True)
class Reply:
    """What came of a request."""

    taken: bool
    words: str
    gone: bool = False  # it asked never to be written to again


@dataclass(frozen=True)
class Address:
    """An address as it is written to: parsed once, so that what was checked is what is used."""

    url: httpx.URL

    @property
    def port(self) -> int:
        default = 443 if self.url.scheme == "https" else 80
        return default if self.url.port is None else self.url.port

    @property
    def host(self) -> str:
        """Its name in ASCII."""
        return self.url.raw_host.decode("ascii")


def address_of(text: str) -> Address:
    """The address that this is. The one function for what is entered and for what is written to.

    Raises `WebhookAddressRefused` for what is none that we would write to, as far as can be seen by looking at it.
    """
    if not text.isprintable() or any(letter.isspace() for letter in text):
        raise WebhookAddressRefused("A web address has no spaces and no invisible characters.")
    try:
        address = Address(httpx.URL(text))
        address.host.encode("idna")  # as the look-up will: httpx lets names pass that are none
        port = address.port
    except (httpx.InvalidURL, ValueError):
        raise WebhookAddressRefused("This is no web address.") from None
    schemes = ("https", "http") if settings().webhook_allow_private else ("https",)
    if address.url.scheme not in schemes or not 0 < len(address.host) <= LONGEST_NAME or not 0 < port < 65536:
        raise WebhookAddressRefused("A webhook's address must begin with https:// and a name.")
    if address.url.userinfo:
        raise WebhookAddressRefused("A webhook's address must not contain a user or a password.")
    return address


def look_up(address: Address) -> str:
    """The IP address to write to. Raises `WebhookAddressRefused` if the name has none, or any of its addresses is in a
    private network."""
    call = partial(socket.getaddrinfo, address.host, address.port, type=socket.SOCK_STREAM)
    try:
        found = within(LOOK_UP_SECONDS, call, "look-up")
    except (OSError, UnicodeError, TookTooLongError):
        raise WebhookAddressRefused("This name leads to no address.") from None
    addresses = list(dict.fromkeys(str(where[4][0]) for where in found))
    if not settings().webhook_allow_private and not all(map(_is_public, addresses)):
        raise WebhookAddressRefused("This address is in a private network.")
    return addresses[0]


def post(url: str, secrets: list[str], number: str, body: str) -> Reply:
    """Send a message. Whatever the other side does is told in the reply.

    Taken is what was answered with 2xx, within the time. A redirect is not followed: it may lead where we would not
    go. The answer's body is not read. With two secrets it is signed with each: receivers take either.
    """
    if not secrets:
        return Reply(False, "its secret cannot be read: a secret key is missing")
    end = time.monotonic() + SECONDS
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Recourse-Webhooks/1",
        "webhook-id": number,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(number, now, body) for secret in secrets),
    }
    try:
        address = address_of(url)
        there = look_up(address)  # each time anew, since names move
        return asyncio.run(_post(address, there, headers, body, end - time.monotonic()))
    except WebhookAddressRefused as refusal:
        return Reply(False, str(refusal))
    except TimeoutError:
        return Reply(False, f"no answer within {SECONDS:.0f} seconds")
    except (httpx.HTTPError, OSError) as error:
        return Reply(False, f"the connection failed: {type(error).__name__}")


async def _post(address: Address, there: str, headers: dict[str, str], body: str, seconds: float) -> Reply:
    # To the address that was checked, and under the name that it has: a name that is looked up twice may have two.
    url = address.url.copy_with(host=there, fragment=None)
    headers |= {"Host": address.url.netloc.decode("ascii")}
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(trust_env=False, timeout=SECONDS, verify=_trust()) as client,
        client.stream("POST", url, content=body, headers=headers, extensions={"sni_hostname": address.host}) as answer,
    ):
        return Reply(answer.is_success, f"answered {answer.status_code}", gone=answer.status_code == GONE)


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        # The forms in which IPv6 carries an IPv4 address: what counts is where they lead.
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return _is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # takes some 20 ms to make
