"""Uploads: files are checked while they are streamed into the storage, and belong to no attempt yet."""

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from pathlib import PurePosixPath
from typing import BinaryIO

from config.languages import gettext, translatable
from config.settings import settings
from models.files import storage
from models.files.deletions import delete_later, put_off
from models.files.types import TYPES, FileType, allowed, looks_like
from models.refusals.files import FileTooLarge, FileTypeRefused, UploadExpired
from models.session import transaction

MEGABYTE = 1_000_000
PIECE = 64 * 1024  # bytes
HEAD = 4096  # bytes at the beginning of a file that show its type
KEPT = timedelta(hours=1)  # uploads that are not attached within this time are deleted
LONGEST_NAME = 200


@dataclass(frozen=True)
class Upload:
    """A file in the storage that belongs to no attempt yet. `models.files.files.attach` changes that."""

    key: str
    filename: str
    content_type: str
    size: int  # bytes
    sha256: str


def receive(organization_id: int, filename: str, content: BinaryIO | Iterable[bytes]) -> Upload:
    """Stream a file into the storage. Call it outside a transaction, since a slow connection must not hold locks.

    Before the first byte is stored, a committed row queues the deletion of the object in an hour; attaching cancels it.
    The file's extension and content must agree on the type; the type that the browser sends is ignored. Raises
    `FileTypeRefused`, `FileTooLarge`, `UploadExpired`, `StorageUnavailable`.
    """
    name = _plain_name(filename)
    kind = TYPES.get(PurePosixPath(name).suffix.lower())
    if kind is None:
        raise FileTypeRefused(translatable("Files of this type are not accepted."), allowed())
    pieces = _pieces(content)
    head = _head(pieces)
    if not head:
        raise FileTypeRefused(translatable("This file is empty."), allowed())
    if not looks_like(kind, head):
        raise FileTypeRefused(
            gettext("Its extension says that this file is a {kind}, but it is not.", kind=kind.name), allowed()
        )
    key = f"{organization_id}/{secrets.token_hex(20)}"
    with transaction() as session:
        delete_later(session, key, KEPT)
    return _stored(key, name, kind, chain([head], pieces))


def _stored(key: str, name: str, kind: FileType, pieces: Iterable[bytes]) -> Upload:
    limit = settings().file_limit_mb
    size, digest = 0, hashlib.sha256()

    def measured() -> Iterator[bytes]:
        nonlocal size
        for piece in pieces:
            size += len(piece)
            if size > limit * MEGABYTE:
                raise FileTooLarge(limit)
            digest.update(piece)
            yield piece

    try:
        storage.write(key, measured())
    except BaseException:
        with transaction() as session:
            delete_later(session, key, timedelta())
        raise
    with transaction() as session:  # an hour from now, however long the upload took
        in_time = put_off(session, key, KEPT)
        if not in_time:
            delete_later(session, key, timedelta())
    if not in_time:
        raise UploadExpired
    return Upload(key, name, kind.content_type, size, digest.hexdigest())


def _plain_name(filename: str) -> str:
    """Returns the name without folders and control characters, short enough for every file system."""
    name = unicodedata.normalize("NFC", filename.replace("\\", "/").rpartition("/")[2])
    name = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C").strip(" .")
    path = PurePosixPath(name)
    return f"{path.stem[: LONGEST_NAME - len(path.suffix)]}{path.suffix}" if len(name) > LONGEST_NAME else name


def _pieces(content: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    read = getattr(content, "read", None)
    return iter(lambda: read(PIECE), b"") if read else iter(content)


def _head(pieces: Iterator[bytes]) -> bytes:
    """Returns the first bytes, at least `HEAD` if there are that many: pieces of a stream may be small."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= HEAD:
            break
    return head
