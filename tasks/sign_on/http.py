"""One request to a sign-in provider: only to allowed addresses, with limits on time and on the answer's size."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from config.languages import Translatable, gettext, translatable
from models.refusals.sign_on import SignOnUnavailable
from models.refusals.webhooks import WebhookAddressRefused
from tasks.webhooks.post import (
    INVISIBLE,
    MUST_BE_HTTPS,
    NO_ADDRESS,
    NOT_PUBLIC,
    UNRESOLVED,
    USER_NAME,
    address_of,
    look_up,
    opened,
)

SECONDS = 5.0  # for the whole request, however slowly the answer trickles in
LONGEST = 256_000  # bytes of an answer
ERROR_OF_THE_SERVER = 500
WHY_REFUSED: dict[str, Translatable] = {  # an address, within a sentence
    INVISIBLE: translatable("its address contains spaces or invisible characters"),
    NO_ADDRESS: translatable("its address is not a web address"),
    MUST_BE_HTTPS: translatable("its address must begin with https:// and a host name"),
    USER_NAME: translatable("its address must not contain a user name or a password"),
    UNRESOLVED: translatable("its host name cannot be resolved"),
    NOT_PUBLIC: translatable("its address is not public"),
}


@dataclass(frozen=True)
class Said:
    """A provider's answer."""

    provider: str  # its name, for refusals
    status_code: int
    content: bytes

    def json(self) -> Any:
        """Returns the answer's JSON, of whatever type. Raises `SignOnUnavailable` if it is none."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise SignOnUnavailable(self.provider, translatable("its answer is not JSON")) from None

    def raise_for_status(self) -> None:
        """Raise `SignOnUnavailable` for an error."""
        if self.status_code >= 300:
            raise SignOnUnavailable(self.provider, gettext("it answered {error}", error=self.status_code))

    def object(self) -> dict[str, Any]:
        """Returns the JSON object of an answer that is not an error. Raises `SignOnUnavailable`."""
        self.raise_for_status()
        found = self.json()
        if not isinstance(found, dict):
            raise SignOnUnavailable(self.provider, translatable("its answer is not a JSON object"))
        return found


def ask(
    provider: str, method: str, url: str, *, headers: dict[str, str] | None = None, content: str | None = None
) -> Said:
    """Returns the provider's answer, of any status. Redirects are not followed, since they may lead anywhere.

    Raises `SignOnUnavailable` if it does not answer, or not within the limits, or if its address is not allowed.
    """
    end = time.monotonic() + SECONDS
    sent = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Recourse-Sign-On/1"}
    try:
        address = address_of(url)
        ip = look_up(address)
        return asyncio.run(_answer(provider, method, url, ip, sent | (headers or {}), content, end - time.monotonic()))
    except WebhookAddressRefused as refusal:
        raise SignOnUnavailable(provider, WHY_REFUSED[refusal.why]) from None
    except TimeoutError:
        raise SignOnUnavailable(provider, gettext("no answer within {seconds:.0f} seconds", seconds=SECONDS)) from None
    except (httpx.HTTPError, OSError) as error:
        raise SignOnUnavailable(
            provider, gettext("the connection failed ({error})", error=type(error).__name__)
        ) from None


async def _answer(
    provider: str, method: str, url: str, ip: str, headers: dict[str, str], content: str | None, seconds: float
) -> Said:
    async with opened(method, address_of(url), ip, headers, content, seconds) as answer:
        if answer.headers.get("content-encoding", "identity").lower() != "identity":  # it might unpack to gigabytes
            raise SignOnUnavailable(provider, translatable("its answer is compressed, which was not asked for"))
        read = bytearray()
        async for part in answer.aiter_raw():
            read += part
            if len(read) > LONGEST:
                raise SignOnUnavailable(
                    provider, gettext("its answer is longer than {longest:,} bytes", longest=LONGEST)
                )
        return Said(provider, answer.status_code, bytes(read))
