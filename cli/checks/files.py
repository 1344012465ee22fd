"""The storage of files: a file can be written, read and deleted."""

from uuid import uuid4

from cli.checks.finding import NOT_UP, FaultyError, Places
from config.settings import settings
from models.files import storage
from models.refusals.files import StorageFull, StorageUnavailable


def check(_: Places) -> str:
    key, content = f"doctor/{uuid4()}", b"Can be deleted at any time."
    where = settings().storage_url or str(settings().home.absolute() / "files")
    if settings().storage_url is None and not settings().home.exists():
        raise FaultyError(f"{where} does not exist yet", NOT_UP[1])
    remedy = "Check the RECOURSE_STORAGE_… settings, RECOURSE_STORAGE_URL first, and the permission to write there."
    try:
        storage.write(key, [content])
        same = b"".join(storage.read(key) or ()) == content
        failed = storage.remove([key])
    except StorageFull:
        raise FaultyError(f"{where} cannot be written: its disk is full", "Free some space there.") from None
    except (StorageUnavailable, OSError) as error:
        raise FaultyError(f"{where} cannot be used: {error.__cause__ or error}", remedy) from None
    if not same or failed:
        raise FaultyError(f"{where} does not return or delete what was written", remedy)
    return where
