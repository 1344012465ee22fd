"""A real RabbitMQ on loopback, with everything in a folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from amqp import AMQPError
from kombu import Connection

from tests.flowers import free_port
from tests.system import program
from tests.workers import until


class Rabbit:
    """A RabbitMQ of one node, with the default user, and its management plug-in."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="recourse-rabbit-"))
        port, self._epmd_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        management = free_port()
        self.api = f"http://guest:guest@127.0.0.1:{management}/api/"
        (self._folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self._folder / "rabbitmq.conf").write_text(
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
        )
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("RECOURSE_", "RABBITMQ_"))}
        self._environment = ours | {
            "HOME": str(self._folder),  # holds the cookie by which its tools know it
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"recourse{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(self._folder / "feature_flags"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none"),
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        # Erlang would start its name server by itself, and leave it behind.
        self._spawn([program("epmd", "rabbitmq-server"), "-address", "127.0.0.1", "-port", str(self._epmd_port)])
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            _end(process)
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        server = self._spawn([_tool("rabbitmq-server")])

        def answers() -> bool:
            assert server.poll() is None, (self._folder / "output").read_text()
            try:
                with Connection(self.url, connect_timeout=2) as connection:
                    connection.connect()
            except (OSError, AMQPError):
                return False
            return True

        until(answers, 60)

    def kill(self) -> None:
        """Kill it, as if the machine failed."""
        _end(self._processes.pop())

    def queues(self) -> dict[str, str]:
        """Return its queues, each with its type."""
        asked = [_tool("rabbitmqctl"), "--quiet", "list_queues", "name", "type", "--no-table-headers"]
        said = subprocess.run(asked, env=self._environment, capture_output=True, text=True, check=True).stdout
        return dict(line.split("\t") for line in said.splitlines())

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / "output").open("ab") as output:
            process = subprocess.Popen(
                command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._processes.append(process)
        return process


def _tool(name: str) -> str:
    # The programs on the PATH are wrappers that run as a user of the system.
    found = Path("/usr/lib/rabbitmq/bin") / name
    return str(found) if found.exists() else program(name, "rabbitmq-server")


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
