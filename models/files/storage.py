"""The storage of learners' files: a folder or an S3 bucket. No other module uses `obstore`."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store, from_url

from config.log import logger
from config.settings import settings
from models.disks import is_storage_full
from models.refusals.files import StorageFull, StorageUnavailable

JOURNAL = "journal/"  # prefix of keys that are not learners' files; see `models/journal.py`
PART = 5 * 1024 * 1024  # bytes of an upload in memory; the smallest part that S3 accepts
IN_VAIN = 3  # failures in a row after which the storage is considered unavailable
RETRY_SECONDS = 5  # no repeats after this time: a repeat may take the full timeout again

log = logger(__name__)


@dataclass(frozen=True)
class StoredObject:
    """An object in the storage."""

    key: str
    size: int  # bytes
    modified_at: datetime


def write(key: str, content: Iterable[bytes]) -> None:
    """Store the content, part by part. If it raises or the process dies, no object exists under the key.

    Raises what `content` raises, and `StorageUnavailable`.
    """
    pieces = iter(content)
    begin = b""
    for piece in pieces:
        begin += piece
        if len(begin) > PART:
            break
    try:
        if len(begin) <= PART:  # one request instead of three
            _store().put(key, begin)
        else:
            _store().put(key, chain([begin], pieces), chunk_size=PART, max_concurrency=1)
    except (BaseError, OSError) as error:
        log.warning("file_not_stored", key=key, error=in_short(error))
        raise (StorageFull if is_storage_full(error) else StorageUnavailable) from error


def read(key: str) -> Iterator[bytes] | None:
    """Returns the content in pieces, `None` if there is no such object. Raises `StorageUnavailable`."""
    try:
        return (bytes(piece) for piece in _store().get(key).stream(min_chunk_size=64 * 1024))
    except FileNotFoundError:
        log.warning("file_missing", key=key)
        return None
    except (BaseError, OSError) as error:
        log.warning("file_not_read", key=key, error=in_short(error))
        raise StorageUnavailable from error


def remove(keys: Sequence[str]) -> dict[str, str]:
    """Delete the objects. Missing ones count as deleted. Returns errors by key."""
    end = time.monotonic() + settings().storage_timeout_seconds
    try:
        _store().delete(list(keys))
    except (BaseError, OSError):
        return _remove_one_by_one(keys, end)  # one failing object must not keep the others
    return {}


def _remove_one_by_one(keys: Sequence[str], end: float) -> dict[str, str]:
    failed: dict[str, str] = {}
    in_a_row = 0
    for place, key in enumerate(keys):
        try:
            with suppress(FileNotFoundError):
                _store().delete(key)
            in_a_row = 0
        except (BaseError, OSError) as error:
            failed[key] = in_short(error)
            in_a_row += 1
            if in_a_row == IN_VAIN or time.monotonic() > end:
                return failed | dict.fromkeys(keys[place:], in_short(error))
    return failed


def everything(within: str | None = None) -> Iterator[list[StoredObject]]:
    """Yields all objects, or those whose keys begin with `within`, in batches. Raises `StorageUnavailable`."""
    try:
        for some in _store().list(within, chunk_size=1000):
            yield [StoredObject(one["path"], one["size"], one["last_modified"]) for one in some]
    except (BaseError, OSError) as error:
        log.warning("files_not_listed", error=in_short(error))
        raise StorageUnavailable from error


def in_short(error: Exception) -> str:
    """Returns the first line of the storage's error, without the details that the library adds."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"


def _store() -> Any:  # obstore's type for any store exists for type checkers only
    given = settings()
    secret = given.storage_secret_access_key
    return _connected(
        given.storage_url or (given.home.absolute() / "files").as_uri(),
        given.storage_timeout_seconds,
        endpoint=given.storage_endpoint,
        region=given.storage_region,
        access_key_id=given.storage_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
    )


@lru_cache(maxsize=1)
def _connected(url: str, timeout: float, **s3: str | None) -> Any:
    if url.startswith("file:"):
        folder = Path(url2pathname(urlsplit(url).path))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(folder)
    limits: dict[str, Any] = {
        "client_options": {"timeout": f"{timeout}s", "connect_timeout": "5s", "allow_http": True},
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=min(RETRY_SECONDS, timeout))},
    }
    if url.startswith("s3:"):
        config: Any = {name: value for name, value in s3.items() if value}
        return S3Store.from_url(url, config=config, **limits)
    return from_url(url, **limits)
