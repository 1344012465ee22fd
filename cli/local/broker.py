"""The local Redis, Celery's broker."""

from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.local.place import Place
from cli.local.processes import reap, start_and_wait, wait_until


class Broker:
    """Redis without persistence: lost messages are sent again from PostgreSQL."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._socket = place.sockets / "redis.sock"
        self.log = place.folder / "redis.log"
        self.url = f"redis+socket://{self._socket}?virtual_host=0"

    def name(self) -> str:
        """Returns its product name and version. It must be running."""
        with self._client() as client:
            found = cast(dict[str, Any], client.info("server"))
        if "valkey_version" in found:
            return f"Valkey {found['valkey_version']}"
        return f"Redis {found['redis_version']}"

    def start(self, program: Path) -> bool:
        """Start it unless it is running. Returns whether this call started it."""
        if self.is_ready():
            return False
        sockets = self._place.private_folder(self._place.sockets)
        command = [str(program), "--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(sockets)]
        start_and_wait("Redis", self._place, command, self.log, self.is_ready)
        return True

    def stop(self) -> None:
        """Stop it if it is running. Only our server can answer on the socket, as its folder is private."""
        with suppress(redis.RedisError), self._client() as client:
            client.shutdown(nosave=True)
        wait_until(lambda: not self.is_ready(), 10)
        reap()

    def is_ready(self) -> bool:
        """Returns whether it answers."""
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def is_gone(self) -> bool:
        """Returns whether it has ended. A slow or hanging server has not."""
        try:
            with self._client() as client:
                client.ping()
        except redis.BusyLoadingError:
            return False
        except redis.ConnectionError:
            return True
        except redis.RedisError:
            return False
        return False

    def _client(self) -> redis.Redis:
        # No retries: redis-py would try for eight seconds.
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=5, retry=Retry(NoBackoff(), 0))
