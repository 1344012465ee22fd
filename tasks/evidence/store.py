"""Writing objects to an organization's store: a bucket, or a folder that an operator chose."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from config.languages.stored import stored
from config.settings import settings
from models.evidence import EvidenceStore
from models.refusals.webhooks import WebhookAddressRefused
from models.sealing import SecretUnreadableError
from tasks.evidence.s3 import PIECE, PutError
from tasks.evidence.s3 import put as put_in_bucket

NOT_ALLOWED = stored("the address of the store is not allowed: {why}")
NOT_TAKEN = stored("the folder does not take it: {error}")
SLOWEST = 256 * 1024  # bytes a second; a slower store times out


def put(store: EvidenceStore, name: str, file: IO[bytes]) -> None:
    """Store the content of a seekable file under a name that is not in use. Call it outside of a transaction.

    Raises `PutError`.
    """
    if store.url.startswith("file:"):
        _put_in_folder(folder_of(store.url), name, file)
        return
    try:
        secret = store.secret()
    except SecretUnreadableError as error:
        raise PutError(str(error), final=True) from None
    size = file.seek(0, os.SEEK_END)
    try:
        put_in_bucket(store, secret or "", name, file, settings().storage_timeout_seconds + size / SLOWEST)
    except WebhookAddressRefused as refusal:
        raise PutError(NOT_ALLOWED.format(why=refusal.why), final=True) from None


def folder_of(url: str) -> Path:
    """Returns the folder of a store's URL."""
    return Path(url2pathname(urlsplit(url).path))


def _put_in_folder(folder: Path, name: str, file: IO[bytes]) -> None:
    """Whole or not at all, and on the disk before it counts."""
    target = folder / name
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.seek(0)
        with temporary.open("xb") as copy:
            while piece := file.read(PIECE):
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        os.link(temporary, target)  # never over another one
        temporary.unlink()
        target.chmod(0o400)
        at = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(at)
        finally:
            os.close(at)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise PutError(NOT_TAKEN.format(error=error.strerror or type(error).__name__)) from None
