"""Check bundles: with their files and the public key alone, without a database and without settings."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tasks.evidence.bundle import MANIFEST, SIGNATURE, SUMS

PARTS = "PARTS.sha256"
PIECE = 1024 * 1024  # bytes
END_OF_KEY = "-----END PUBLIC KEY-----"


class NotGenuineError(Exception):
    """The file is not what was signed, or is not a bundle. The message says what is wrong."""


@dataclass
class Verified:
    """What was found genuine."""

    bundles: int = 0
    files: int = 0
    learners: int = 0
    certificates: int = 0
    resets: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)  # their ids


def keys_in(pem: str) -> list[Ed25519PublicKey]:
    """Returns the Ed25519 keys in a file of one or several. Raises `NotGenuineError`."""
    found = []
    for part in pem.split(END_OF_KEY)[:-1]:
        try:
            key = load_pem_public_key((part[part.index("-----BEGIN") :] + END_OF_KEY + "\n").encode())
        except (ValueError, UnsupportedAlgorithm):
            raise NotGenuineError("The file with the public key cannot be read. Download it again.") from None
        if isinstance(key, Ed25519PublicKey):
            found.append(key)
    if not found:
        raise NotGenuineError("The file has no Ed25519 public key in it. Download it again.")
    return found


def verify(paths: Sequence[Path], keys: Sequence[Ed25519PublicKey]) -> Verified:
    """Check bundles, and with a summary also every part beside it. Raises `NotGenuineError`, `OSError`."""
    found = Verified()
    done: set[Path] = set()
    for path in paths:
        _verify(path, keys, found, done)
    return found


def _verify(path: Path, keys: Sequence[Ed25519PublicKey], found: Verified, done: set[Path]) -> None:
    if path.resolve() in done:
        return
    done.add(path.resolve())
    try:
        with zipfile.ZipFile(path) as archive:
            parts = _verify_archive(path, archive, keys, found)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        raise NotGenuineError(f"{path} is not a bundle, or is damaged.") from None
    for name, checksum in parts.items():
        beside = path.parent / name
        if Path(name).name != name or not beside.is_file():
            raise NotGenuineError(f"{path} names the part {name}, which is not beside it.")
        with beside.open("rb") as file:
            if _sha256(file) != checksum:
                raise NotGenuineError(f"{beside} is not the part that {path} names: its checksum differs.")
        _verify(beside, keys, found, done)


def _verify_archive(
    path: Path, archive: zipfile.ZipFile, keys: Sequence[Ed25519PublicKey], found: Verified
) -> dict[str, str]:
    names = archive.namelist()
    if len(set(names)) != len(names) or not {SUMS, SIGNATURE, MANIFEST} <= set(names):
        raise NotGenuineError(f"{path} is not a bundle, or is damaged.")
    sums = archive.read(SUMS)
    if not any(_signed_by(key, archive.read(SIGNATURE), sums) for key in keys):
        raise NotGenuineError(f"{path} is not signed with this key, or its list of checksums was changed.")
    named = _sums_in(sums)
    if named.keys() != set(names) - {SUMS, SIGNATURE}:
        different = sorted(named.keys() ^ (set(names) - {SUMS, SIGNATURE}))
        raise NotGenuineError(f"{path} has a file too many or too few: {different[0]}.")
    for name, checksum in named.items():
        with archive.open(name) as file:
            if _sha256(file) != checksum:
                raise NotGenuineError(f"{path}: {name} was changed since it was signed.")
    manifest = json.loads(archive.read(MANIFEST))
    found.bundles += 1
    found.files += len(named)
    found.learners += manifest.get("learners", 0)
    found.certificates += manifest.get("certificates", 0)
    found.resets.add(manifest["reset"])
    found.keys.add(manifest["signed_by"])
    return _sums_in(archive.read(PARTS)) if PARTS in named else {}


def _signed_by(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _sums_in(content: bytes) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in content.decode().splitlines())
    return {name: checksum for checksum, name in pairs}


def _sha256(file: IO[bytes]) -> str:
    checksum = hashlib.sha256()
    while piece := file.read(PIECE):
        checksum.update(piece)
    return checksum.hexdigest()
