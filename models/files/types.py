"""The types of files that learners can hand in: documents, pictures, sound and video, but no programs or pages."""

from dataclasses import dataclass

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True)
class FileType:
    """A type: its name for people, its media type, and how its content begins."""

    name: str
    content_type: str
    signatures: tuple[bytes, ...] = ()  # empty for text
    offset: int = 0  # of the signature


_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
_MP4 = (b"ftyp",)

TYPES: dict[str, FileType] = {
    ".pdf": FileType("PDF", "application/pdf", (b"%PDF-",)),
    ".docx": FileType("Word document", f"{_OFFICE}.wordprocessingml.document", (ZIP,)),
    ".xlsx": FileType("Excel workbook", f"{_OFFICE}.spreadsheetml.sheet", (ZIP,)),
    ".pptx": FileType("PowerPoint presentation", f"{_OFFICE}.presentationml.presentation", (ZIP,)),
    ".doc": FileType("Word document", "application/msword", (OLE,)),
    ".xls": FileType("Excel workbook", "application/vnd.ms-excel", (OLE,)),
    ".ppt": FileType("PowerPoint presentation", "application/vnd.ms-powerpoint", (OLE,)),
    ".odt": FileType("text document", f"{_OPEN}.text", (ZIP,)),
    ".ods": FileType("spreadsheet", f"{_OPEN}.spreadsheet", (ZIP,)),
    ".odp": FileType("presentation", f"{_OPEN}.presentation", (ZIP,)),
    ".zip": FileType("ZIP archive", "application/zip", (ZIP,)),
    ".txt": FileType("text file", "text/plain; charset=utf-8"),
    ".md": FileType("text file", "text/markdown; charset=utf-8"),
    ".csv": FileType("CSV table", "text/csv; charset=utf-8"),
    ".png": FileType("PNG picture", "image/png", (b"\x89PNG\r\n\x1a\n",)),
    ".jpg": FileType("JPEG picture", "image/jpeg", (b"\xff\xd8\xff",)),
    ".jpeg": FileType("JPEG picture", "image/jpeg", (b"\xff\xd8\xff",)),
    ".gif": FileType("GIF picture", "image/gif", (b"GIF87a", b"GIF89a")),
    ".webp": FileType("WebP picture", "image/webp", (b"WEBP",), 8),
    ".heic": FileType("HEIC picture", "image/heic", (b"ftyphei", b"ftypmif1", b"ftyphev"), 4),
    ".mp3": FileType("MP3 recording", "audio/mpeg", (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    ".m4a": FileType("M4A recording", "audio/mp4", _MP4, 4),
    ".mp4": FileType("MP4 video", "video/mp4", _MP4, 4),
    ".mov": FileType("QuickTime video", "video/quicktime", (b"ftyp", b"moov", b"mdat", b"wide"), 4),
    ".webm": FileType("WebM video", "video/webm", (b"\x1a\x45\xdf\xa3",)),
}


def allowed() -> str:
    """Returns the allowed file extensions as text."""
    return ", ".join(ending.removeprefix(".") for ending in TYPES)


def looks_like(kind: FileType, head: bytes) -> bool:
    """Returns whether a file that begins with `head` can be of this type."""
    if kind.signatures:
        return head[kind.offset :].startswith(kind.signatures)
    return b"\0" not in head and not head.startswith((b"MZ", b"\x7fELF", b"%PDF-"))
