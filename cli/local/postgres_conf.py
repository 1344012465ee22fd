"""PostgreSQL's configuration, sized for the machine."""

import os
import pwd
import shutil
from contextlib import suppress
from pathlib import Path

from cli.local.place import Place

DATABASE = "recourse"  # and the name of its owner
MB = 1024**2
GB = 1024**3


def write_configuration(place: Place) -> Path:
    """Write the configuration beside the data, not into it. Returns the path of postgresql.conf."""
    conf, hba, ident = (place.folder / name for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"))
    settings = postgres_settings(usable_memory(), shutil.disk_usage(place.folder).free, _free_shm()) | {
        "unix_socket_directories": str(place.sockets),
        "hba_file": str(hba),
        "ident_file": str(ident),
    }
    quoted = {name: value.replace("'", "''") for name, value in settings.items()}
    # The folder of the sockets is private. A server that runs as `nobody` shares that user with other programs, so it
    # accepts only root.
    method = "peer map=recourse" if place.user else "trust"
    _write(conf, "".join(f"{name} = '{value}'\n" for name, value in quoted.items()))
    _write(hba, f"local all all {method}\n")
    _write(ident, f"recourse {pwd.getpwuid(0).pw_name} {DATABASE}\n")
    return conf


def postgres_settings(memory: int, free_disk: int, free_shm: int) -> dict[str, str]:
    """Returns PostgreSQL's settings for a machine with that many bytes of memory, disk and /dev/shm.

    With PostgreSQL's defaults, a big reset took 1.5 times as long.
    """
    shared_buffers = _between(128 * MB, memory // 6, 4 * GB)
    return {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": _in_mb(shared_buffers),
        "effective_cache_size": _in_mb(_between(shared_buffers, memory // 2, memory)),
        "maintenance_work_mem": _in_mb(_between(64 * MB, memory // 32, 512 * MB)),
        "work_mem": "16MB",
        "max_wal_size": _in_mb(_between(256 * MB, free_disk // 5, 8 * GB)),
        "min_wal_size": "128MB",
        "wal_compression": "on",  # the wheel is built without lz4
        "wal_writer_delay": "10ms",  # slices do not flush the log: little of it is left for the commits of others
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",
        # Parallel queries share memory in /dev/shm, of which a container has 64 MB.
        "dynamic_shared_memory_type": "posix" if free_shm >= 512 * MB else "mmap",
        # Ends the statement of a killed worker within a second.
        "client_connection_check_interval": "1s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "log_lock_waits": "on",
    }


def usable_memory() -> int:
    """Returns how many bytes of memory we may use: the machine's, or the container's limit."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no such file, or "max"
            found.append(int(Path(limit).read_text()))
    return min(found)


def _free_shm() -> int:
    try:
        return shutil.disk_usage("/dev/shm").free  # noqa: S108 - nothing is written there
    except OSError:
        return 0


def _between(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))


def _in_mb(value: int) -> str:
    return f"{value // MB}MB"


def _write(path: Path, text: str) -> None:
    path.write_text(f"# Written by Recourse at every start. Changes made here are lost.\n{text}")
    path.chmod(0o644)
