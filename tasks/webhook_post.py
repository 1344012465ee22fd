"""One request of a webhook: signed, bounded in time, and to no address that is not for everybody."""

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import httpx
from standardwebhooks import Webhook

from config.settings import settings
from models.refusals import WebhookAddressRefused

SECONDS = 15.0  # for all of it: an answer that comes in drops must not keep us
GONE = 410


@dataclass(frozen=True)
class Reply:
    """What came of a request."""

    taken: bool
    words: str
    gone: bool = False  # it asked never to be written to again


async def post(url: str, secrets: list[str], number: str, body: str) -> Reply:
    """Send a message. Whatever goes wrong is told in the reply; nothing is raised.

    Taken is what was answered with 2xx, within the time. A redirect is not followed: it may lead where we would not
    go. The answer's body is not read. With two secrets it is signed with each: receivers take either.
    """
    if not secrets:
        return Reply(False, "its secret cannot be read: a secret key is missing")
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Recourse-Webhooks/1",
        "webhook-id": number,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(number, now, body) for secret in secrets),
    }
    try:
        async with asyncio.timeout(SECONDS):
            return await _post(url, headers, body)
    except WebhookAddressRefused as refusal:
        return Reply(False, str(refusal))
    except TimeoutError:
        return Reply(False, f"no answer within {SECONDS:.0f} seconds")
    except (httpx.HTTPError, OSError) as error:
        return Reply(False, f"the connection failed: {type(error).__name__}")


async def _post(url: str, headers: dict[str, str], body: str) -> Reply:
    parts = urlsplit(url)
    address = await allowed_address(url)
    host = f"[{address}]" if ":" in address else address
    # To the address that was checked, and under the name that it has: a name that is looked up twice may have two.
    there = parts._replace(netloc=f"{host}:{_port(parts)}").geturl()
    headers |= {"Host": parts.netloc}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=SECONDS, verify=_trust()) as client,
        client.stream(
            "POST", there, content=body, headers=headers, extensions={"sni_hostname": parts.hostname}
        ) as answer,
    ):
        return Reply(answer.is_success, f"answered {answer.status_code}", gone=answer.status_code == GONE)


def check_url(url: str) -> None:
    """Raises `WebhookAddressRefused` for what is no address that we would write to, as far as it can be seen."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WebhookAddressRefused("This is no web address.") from None
    schemes = ("https", "http") if settings().webhook_allow_private else ("https",)
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise WebhookAddressRefused("A webhook's address must begin with https:// and a name.")
    if parts.username or parts.password:
        raise WebhookAddressRefused("A webhook's address must not contain a user or a password.")


async def allowed_address(url: str) -> str:
    """The IP address to write to. Raises `WebhookAddressRefused` if any of the name's is in a private network, or
    `OSError` if it has none."""
    check_url(url)
    parts = urlsplit(url)
    found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(where[4][0]) for where in found))
    if not settings().webhook_allow_private and not all(map(_is_public, addresses)):
        raise WebhookAddressRefused("This address is in a private network.")
    return addresses[0]


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


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # takes some 20 ms to make
