"""One webhook request: signed, limited in time, and sent only to public addresses."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

import httpx
from standardwebhooks import Webhook

from config.languages import translatable
from config.languages.stored import stored
from config.settings import settings
from models.refusals.webhooks import WebhookAddressRefused
from tasks.outbox.total_time import NO_ANSWER, TookTooLongError, within

SECONDS = 15.0  # for the whole request, however slowly the answer trickles in
LOOK_UP_SECONDS = 5.0
LONGEST_NAME = 253  # in the DNS
GONE = 410
ERROR_OF_THE_SERVER = 500
INVISIBLE = translatable("The address contains spaces or invisible characters.")
NO_ADDRESS = translatable("This is not a web address.")
MUST_BE_HTTPS = translatable("The address must begin with https:// and a host name.")
USER_NAME = translatable("The address must not contain a user name or a password.")
UNRESOLVED = translatable("This host name cannot be resolved.")
NOT_PUBLIC = translatable("This address is not public.")
ANSWERED = stored("answered {status}")
FAILED = stored("the connection failed: {error}")
TOO_LONG = stored("its answer is longer than {longest:,} bytes")

IP = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Reply:
    """The result of a request."""

    taken: bool
    words: str
    gone: bool = False  # answered 410 Gone: send no more


@dataclass(frozen=True)
class Exchange:
    """The result of a request whose answer matters."""

    taken: bool
    words: str
    status: int = 0  # of the answer; 0 without one
    body: bytes = b""
    unsure: bool = False  # the receiver may have done what was asked


@dataclass(frozen=True)
class Address:
    """A parsed address. It is parsed once, so that the address that was checked is the one that is used."""

    url: httpx.URL

    @property
    def port(self) -> int:
        default = 443 if self.url.scheme == "https" else 80
        return default if self.url.port is None else self.url.port

    @property
    def host(self) -> str:
        """The host name in ASCII."""
        return self.url.raw_host.decode("ascii")


def address_of(text: str) -> Address:
    """Returns the parsed address, both when an admin enters it and at each delivery.

    Raises `WebhookAddressRefused` if the text alone shows that the address is not allowed.
    """
    if not text.isprintable() or any(letter.isspace() for letter in text):
        raise WebhookAddressRefused(INVISIBLE)
    try:
        address = Address(httpx.URL(text))
        address.host.encode("idna")  # as the look-up does: httpx accepts some invalid names
        port = address.port
    except (httpx.InvalidURL, ValueError):
        raise WebhookAddressRefused(NO_ADDRESS) from None
    # Whether the host is in a network that may do without encryption is known at the look-up.
    schemes = ("https", "http") if settings().webhook_allow_private or settings().allowed_networks else ("https",)
    if address.url.scheme not in schemes or not 0 < len(address.host) <= LONGEST_NAME or not 0 < port < 65536:
        raise WebhookAddressRefused(MUST_BE_HTTPS)
    if address.url.userinfo:
        raise WebhookAddressRefused(USER_NAME)
    return address


def look_up(address: Address) -> str:
    """Returns the IP address to connect to.

    Raises `WebhookAddressRefused` if the host name has no address, or any of its addresses is neither public, with
    https, nor in an allowed network.
    """
    call = partial(socket.getaddrinfo, address.host, address.port, type=socket.SOCK_STREAM)
    try:
        found = within(LOOK_UP_SECONDS, call, "look-up")
    except (OSError, UnicodeError, TookTooLongError):
        raise WebhookAddressRefused(UNRESOLVED) from None
    addresses = list(dict.fromkeys(str(where[4][0]) for where in found))
    if settings().webhook_allow_private:
        return addresses[0]
    others = [ip for ip in map(_deciding, addresses) if not _is_allowed(ip)]
    if not all(ip.is_global and not ip.is_multicast for ip in others):
        raise WebhookAddressRefused(NOT_PUBLIC)
    if others and address.url.scheme != "https":
        raise WebhookAddressRefused(MUST_BE_HTTPS)
    return addresses[0]


def post(url: str, secrets: list[str], number: str, body: str) -> Reply:
    """Send a message. Returns the result; a failure of the receiver raises nothing. The answer's body is not read."""
    done = exchange(url, secrets, number, body, seconds=SECONDS, longest=0)
    return Reply(done.taken, done.words, gone=done.status == GONE)


def exchange(url: str, secrets: list[str], number: str, body: str, *, seconds: float, longest: int) -> Exchange:
    """Send a signed message, and read up to `longest` bytes of the answer. A failure of the receiver raises nothing.

    Only a 2xx answer within `seconds` counts as taken. Redirects are not followed, since they may lead to an address
    that is not allowed. With two secrets the message carries two signatures, of which a receiver needs one.
    """
    if not secrets:
        return Exchange(False, stored("its secret cannot be decrypted: a secret key is missing"))
    end = time.monotonic() + seconds
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
        ip = look_up(address)  # each time, since DNS entries change
        return asyncio.run(_exchange(address, ip, headers, body, end - time.monotonic(), longest))
    except WebhookAddressRefused as refusal:
        return Exchange(False, str(refusal))
    except TimeoutError:
        return Exchange(False, NO_ANSWER.format(seconds=f"{seconds:.0f}"), unsure=True)
    except (httpx.HTTPError, OSError) as error:
        unsure = not isinstance(error, httpx.ConnectError)
        return Exchange(False, FAILED.format(error=type(error).__name__), unsure=unsure)


async def _exchange(
    address: Address, ip: str, headers: dict[str, str], body: str, seconds: float, longest: int
) -> Exchange:
    async with opened("POST", address, ip, headers, body, seconds) as answer:
        words = ANSWERED.format(status=answer.status_code)
        if not answer.is_success or not longest:
            # After an error of the server, it may have done what was asked.
            unsure = answer.status_code >= ERROR_OF_THE_SERVER
            return Exchange(answer.is_success, words, answer.status_code, unsure=unsure)
        read = bytearray()
        async for part in answer.aiter_bytes():
            read += part
            if len(read) > longest:
                return Exchange(False, TOO_LONG.format(longest=longest), unsure=True)
        return Exchange(True, words, answer.status_code, bytes(read))


@asynccontextmanager
async def opened(
    method: str,
    address: Address,
    ip: str,
    headers: dict[str, str],
    body: str | AsyncIterator[bytes] | None,
    seconds: float,
) -> AsyncIterator[httpx.Response]:
    """Yields the answer to a request, with its body unread. Raises `TimeoutError` if the scope takes longer."""
    # Connect to the IP address that was checked: a second look-up of the name may return another.
    url = address.url.copy_with(host=ip, fragment=None)
    headers = headers | {"Host": address.url.netloc.decode("ascii")}
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(trust_env=False, timeout=seconds, verify=_trust()) as client,
        client.stream(method, url, content=body, headers=headers, extensions={"sni_hostname": address.host}) as answer,
    ):
        yield answer


def _deciding(address: str) -> IP:
    """Returns the address that decides whether we may connect: IPv6 can wrap an IPv4 address, which then does."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return found
    inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
    if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
        inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return inner or found


def _is_allowed(ip: IP) -> bool:
    """Returns whether the address is in one of the networks of the settings."""
    return any(ip in ipaddress.ip_network(network) for network in settings().allowed_networks)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # takes some 20 ms to make
