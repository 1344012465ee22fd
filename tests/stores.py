"""Stores for evidence: a bucket with object lock on a real S3 server, and a folder."""

import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3

from models.evidence import EvidenceStore
from models.session import transaction
from tasks.evidence.commands import Terms, set_store
from tests.scenes import Scene, run

CREDENTIALS = {"aws_access_key_id": "writer", "aws_secret_access_key": "its secret"}
REGION = "eu-central-1"


class Bucket:
    """A bucket that locks its objects."""

    def __init__(self, address: str, name: str) -> None:
        self.address, self.name = address, name
        self.s3 = boto3.client("s3", endpoint_url=address, region_name=REGION, **CREDENTIALS)
        self.s3.create_bucket(
            Bucket=name,
            ObjectLockEnabledForBucket=True,
            CreateBucketConfiguration={"LocationConstraint": REGION},
        )

    def terms(self, **options: Any) -> Terms:
        credentials = {"access_key_id": "writer", "secret": "its secret"}
        return Terms(f"s3://{self.name}/kept", self.address, REGION, **(credentials | options))

    def objects(self) -> dict[str, bytes]:
        """What is stored, by name below the prefix."""
        listed = self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])
        names = [one["Key"] for one in listed if "/check-" not in one["Key"]]
        return {name: self.s3.get_object(Bucket=self.name, Key=name)["Body"].read() for name in names}


def keep_evidence(scene: Scene, terms: Terms) -> None:
    """Turn evidence on without trying the store."""
    with transaction() as session:
        if terms.url.startswith("file:"):
            session.merge(EvidenceStore(organization_id=scene.organization.id, url=terms.url, region=terms.region))
        else:
            set_store(session, scene.admin, terms)


def make_due() -> None:
    """Let waiting parts be written now."""
    run("UPDATE evidence_part SET next_try_at = now() WHERE state = 'waiting'")


def in_folder(folder: Path) -> dict[str, bytes]:
    """What a store that is a folder holds, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines_in(objects: dict[str, bytes], reset: UUID) -> list[dict[str, Any]]:
    """The learners in all parts of a reset."""
    found = []
    for name, content in sorted(objects.items()):
        if f"{reset}/learners-" in name:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                found += [json.loads(line) for line in archive.read("learners.ndjson").splitlines()]
    return found


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-euc", script], cwd=folder, capture_output=True, text=True, check=False)
