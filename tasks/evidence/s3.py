"""One signed request to an S3 server: AWS Signature Version 4, in the `Authorization` header.

Not by `obstore`, which the storage of files uses: there, the address that was checked could not be the one that is
connected to, objects could not be locked, and missing credentials would be those of our own machine.
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import IO
from urllib.parse import quote, urlsplit

import httpx

from config.languages.stored import stored
from models.evidence import EvidenceStore
from tasks.outbox.total_time import NO_ANSWER
from tasks.webhooks.post import FAILED, Address, address_of, look_up, opened

SERVICE, TERMINATOR, ALGORITHM = "s3", "aws4_request", "AWS4-HMAC-SHA256"
ANSWERED = stored("the store answered {status}")
PIECE = 256 * 1024  # bytes
LONGEST_ERROR = 2000  # bytes


class PutError(Exception):
    """The object is not in the store. `final`: trying again does not help before someone changes something."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def put(store: EvidenceStore, secret: str, name: str, file: IO[bytes], seconds: float) -> None:
    """Store the content of a seekable file under a name that is not in use. Raises `PutError`, `WebhookAddressRefused`.

    The address is looked up and checked each time, as that of a webhook.
    """
    end = time.monotonic() + seconds
    size, digests = _digests(file)
    address = address_of(object_url(store, name))
    ip = look_up(address)
    headers = {
        "Content-Length": str(size),
        "Content-MD5": digests["md5"],  # S3 asks for it where objects are locked
        "x-amz-checksum-sha256": digests["sha256"],
    }
    if store.lock_days is not None:
        until = datetime.now(UTC) + timedelta(days=store.lock_days)
        headers |= {
            "x-amz-object-lock-mode": "COMPLIANCE",
            "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    signed = sign("PUT", address, headers, digests["hex"], store.access_key_id or "", secret, store.region)
    try:
        asyncio.run(_put(address, ip, signed, file, end - time.monotonic()))
    except TimeoutError:
        raise PutError(NO_ANSWER.format(seconds=f"{seconds:.0f}")) from None
    except (httpx.HTTPError, OSError) as error:
        raise PutError(FAILED.format(error=type(error).__name__)) from None


def object_url(store: EvidenceStore, name: str) -> str:
    """Returns the address of an object: by path at an endpoint of one's own, by host name at Amazon."""
    bucket = urlsplit(store.url)
    key = quote("/".join(filter(None, (bucket.path.strip("/"), name))), safe="/-_.~")
    if store.endpoint:
        return f"{store.endpoint.rstrip('/')}/{bucket.netloc}/{key}"
    return f"https://{bucket.netloc}.s3.{store.region}.amazonaws.com/{key}"


def sign(
    method: str,
    address: Address,
    headers: Mapping[str, str],
    payload: str,
    key_id: str,
    secret: str,
    region: str,
    now: datetime | None = None,
) -> dict[str, str]:
    """Returns the headers with those of the signature. `payload` is the SHA-256 of the body in hex."""
    now = now or datetime.now(UTC)
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    sent = {**headers, "x-amz-content-sha256": payload, "x-amz-date": moment}
    named = {name.lower(): value.strip() for name, value in sent.items()} | {"host": address.url.netloc.decode("ascii")}
    names = ";".join(sorted(named))
    lines = "".join(f"{name}:{named[name]}\n" for name in sorted(named))
    path = address.url.raw_path.decode("ascii")
    request = "\n".join((method, path, "", lines, names, payload))
    scope = f"{day}/{region}/{SERVICE}/{TERMINATOR}"
    text = "\n".join((ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in (day, region, SERVICE, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return sent | {"Authorization": credential}


def _digests(file: IO[bytes]) -> tuple[int, dict[str, str]]:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    file.seek(0)
    while piece := file.read(PIECE):
        sha256.update(piece)
        md5.update(piece)
        size += len(piece)
    encoded = {"sha256": base64.b64encode(sha256.digest()).decode(), "md5": base64.b64encode(md5.digest()).decode()}
    return size, encoded | {"hex": sha256.hexdigest()}


async def _put(address: Address, ip: str, headers: dict[str, str], file: IO[bytes], seconds: float) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece

    async with opened("PUT", address, ip, headers, pieces(), seconds) as answer:
        if answer.is_success:
            return
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > LONGEST_ERROR:
                break
        words = ANSWERED.format(status=f"{answer.status_code}{_code_in(bytes(body))}")
        raise PutError(words, final=400 <= answer.status_code < 500 and answer.status_code not in (408, 409, 429))


def _code_in(body: bytes) -> str:
    """Returns the code of an S3 error, such as ` AccessDenied`, from its XML."""
    _, found, rest = body.partition(b"<Code>")
    code = rest.partition(b"</Code>")[0][:60].decode("ascii", "replace")
    return f" ({code})" if found and code.isalnum() else ""
