"""What the figures depend on: versions, cores, memory, settings."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import psutil

from benchmarks.stage import Stage
from benchmarks.workers import PROCESSES

POSTGRES_SETTINGS = ("shared_buffers", "max_wal_size", "wal_compression", "fsync", "synchronous_commit", "jit")
PACKAGES = ("celery", "sqlalchemy", "psycopg", "dramatiq", "procrastinate")


def machine(stage: Stage) -> dict[str, Any]:
    """Returns them, without any name of the machine."""
    redis = stage.broker.info("server")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {
            "postgresql": stage.ask("SHOW server_version").split()[0],
            "valkey" if "valkey_version" in redis else "redis": redis.get("valkey_version", redis["redis_version"]),
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 1024**2,
        "worker_processes": PROCESSES,
        "postgresql_settings": {name: stage.ask(f"SHOW {name}") for name in POSTGRES_SETTINGS},
    }
