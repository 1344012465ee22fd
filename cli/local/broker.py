"""The local Redis, Celery's broker."""

import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cli.local.place import Place
from cli.local.processes import reap, start_and_wait, wait_until

if TYPE_CHECKING:
    import redis

PATIENCE = 5.0  # seconds


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
        if self.is_ready():
            import redis  # takes a tenth of a second, and most commands only ask whether it runs

            with suppress(redis.RedisError), self._client() as client:
                client.shutdown(nosave=True)
        wait_until(lambda: not self.is_ready(), 10)
        reap()

    def is_ready(self) -> bool:
        """Returns whether it answers."""
        try:
            return self._ping().startswith(b"+PONG")
        except OSError:
            return False

    def is_gone(self) -> bool:
        """Returns whether it has ended. A slow or hanging server has not."""
        try:
            return not self._ping()  # also while it loads its data, it answers something
        except TimeoutError:
            return False
        except OSError:
            return True

    def _ping(self) -> bytes:
        """Returns its answer to a ping, empty if it closed the connection. Raises `OSError`."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self._socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64)

    def _client(self) -> "redis.Redis":
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # No retries: redis-py would try for eight seconds.
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=PATIENCE, retry=Retry(NoBackoff(), 0))
