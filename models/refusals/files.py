"""Files and the storage."""

from config.languages import translatable
from models.refusals.base import Refused


class FileTooLarge(Refused):
    code = "file-too-large"
    status = 413

    def __init__(self, limit_mb: int) -> None:
        super().__init__(
            "This file is larger than {limit_mb:,} MB and was not saved. Choose a smaller file.", limit_mb=limit_mb
        )


class FileTypeRefused(Refused):
    code = "file-type-refused"
    status = 415

    def __init__(self, why: str, allowed: str) -> None:
        super().__init__(
            "{why} It was not saved. Choose a file of one of these types: {allowed}.", why=why, allowed=allowed
        )


class FileUnknown(Refused):
    code = "file-unknown"
    status = 404

    def __init__(self, file_id: object) -> None:
        super().__init__(
            "There is no file {file_id}. Check the link; a reset of the course deletes its files.", file_id=file_id
        )


class UploadExpired(Refused):
    code = "upload-expired"
    status = 409

    def __init__(self) -> None:
        super().__init__("This upload was not handed in within an hour and was deleted. Choose the file again.")


UNAVAILABLE = translatable(
    "Files cannot be stored or fetched at the moment. Nothing was changed; try again in a few minutes."
)
FULL = translatable(
    "The file cannot be stored because the storage is full. Nothing was changed. Ask an administrator to free some "
    "space there."
)


class StorageUnavailable(Refused):
    code = "storage-unavailable"
    status = 503

    def __init__(self, sentence: str = UNAVAILABLE) -> None:
        super().__init__(sentence)


class StorageFull(StorageUnavailable):
    code = "storage-full"
    status = 507

    def __init__(self) -> None:
        super().__init__(FULL)
