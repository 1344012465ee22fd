"""A bundle: a ZIP file that `sha256sum` and `openssl` can check.

`SHA256SUMS` has the checksum of every other file, and `SHA256SUMS.sig` is its Ed25519 signature.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

from models.evidence import as_sums
from tasks.evidence.keys import Signer

SUMS, SIGNATURE, MANIFEST = "SHA256SUMS", "SHA256SUMS.sig", "manifest.json"
FORMAT = 1


class Bundle:
    """Writes a bundle to a file, which need not be seekable, one file after the other."""

    def __init__(self, target: IO[bytes], signer: Signer) -> None:
        self._archive = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED)
        self._signer = signer
        self._files: list[dict[str, Any]] = []
        self._at = datetime.now(UTC)

    def add(self, name: str, content: Iterable[bytes]) -> str:
        """Add a file. Returns its SHA-256 in hex."""
        for _ in self.adding(name, content):
            pass
        return str(self._files[-1]["sha256"])

    def adding(self, name: str, content: Iterable[bytes]) -> Iterator[None]:
        """Add a file piece by piece, yielding after each: what was written by then can be sent."""
        checksum, size = hashlib.sha256(), 0
        with self._open(name) as file:
            for piece in content:
                checksum.update(piece)
                size += len(piece)
                file.write(piece)
                yield
        self._files.append({"name": name, "sha256": checksum.hexdigest(), "bytes": size})

    def close(self, **about: Any) -> None:
        """Add the manifest, the checksums and their signature, and end the file."""
        manifest = {
            "format": FORMAT,
            **about,
            "written_at": self._at.isoformat(timespec="seconds"),
            "signed_by": self._signer.key_id,
            "public_key": self._signer.address,
            "files": list(self._files),
        }
        self.add(MANIFEST, [json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"])
        sums = as_sums([(file["sha256"], file["name"]) for file in self._files]).encode()
        for name, content in ((SUMS, sums), (SIGNATURE, self._signer.sign(sums))):
            with self._open(name) as file:
                file.write(content)
        self._archive.close()

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        entry = zipfile.ZipInfo(name, self._at.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_STORED if name.endswith(".pdf") else zipfile.ZIP_DEFLATED
        with self._archive.open(entry, "w", force_zip64=True) as file:
            yield file
