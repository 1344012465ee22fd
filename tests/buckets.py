"""A bucket on a real S3 server on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from moto.server import ThreadedMotoServer

BUCKET, REGION, KEY_ID, KEY = "learners", "us-east-1", "key", "secret"


@contextmanager
def s3_server() -> Iterator[str]:
    """Run the server in the scope. Provides its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def bucket_at(address: str) -> dict[str, object]:
    """Make the bucket if there is none. Returns the settings that store files in it."""
    import boto3

    with suppress(Exception):
        boto3.client(
            "s3", endpoint_url=address, region_name=REGION, aws_access_key_id=KEY_ID, aws_secret_access_key=KEY
        ).create_bucket(Bucket=BUCKET)
    return {
        "storage_url": f"s3://{BUCKET}/files",
        "storage_endpoint": address,
        "storage_region": REGION,
        "storage_access_key_id": KEY_ID,
        "storage_secret_access_key": KEY,
        "storage_timeout_seconds": 2,
    }
