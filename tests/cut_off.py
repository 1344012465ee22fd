"""A host whose packets are dropped when a test says so: a network namespace with nothing but a loopback interface.

Root is not needed: other users make it in a user namespace of their own. Sockets in the file system are reached from
it, so relays in it lead to the servers of the tests.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

NEEDS = (
    "This test needs network namespaces: Linux with util-linux and iproute2 (apt-get install iproute2), which root, or "
    "this user, may use. In a container, root needs the capabilities SYS_ADMIN and NET_ADMIN (docker run --privileged)."
)
PROJECT = Path(__file__).parents[1]
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


class CutOffHost:
    """A context manager that makes the host, with relays on these ports to these sockets."""

    def __init__(self, relays: Mapping[int, Path]) -> None:
        self._relays = [f"{port}={socket}" for port, socket in relays.items()]

    def __enter__(self) -> Self:
        own_user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        self._host = _started("unshare", "--net", *own_user, "sh", "-c", "ip link set lo up && echo ready && exec cat")
        self._gateway = self._start_relays()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._gateway, self._host):
            process.communicate("")

    @property
    def on(self) -> tuple[str, ...]:
        """Return the beginning of a command that runs on this host."""
        own_user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        return ("nsenter", f"--target={self._host.pid}", "--net", *own_user)

    def drop_packets(self) -> None:
        """Lose all packets between the host's programs and its relays. Nobody is told."""
        self._traffic("add", "blackhole")

    def forget_and_pass_on(self) -> None:
        """Restart the relays, which nobody is told either, and let packets through again: what the host takes for an
        open connection is none."""
        self._gateway.kill()
        self._gateway.communicate()
        self._gateway = self._start_relays()
        self._traffic("delete")

    def _start_relays(self) -> "subprocess.Popen[str]":
        return _started(*self.on, sys.executable, "-m", "tests.relays", *self._relays)

    def _traffic(self, *words: str) -> None:
        verb, *kind = words
        command = [*self.on, "tc", "qdisc", verb, "dev", "lo", "root", *kind]
        subprocess.run(command, check=True, env=os.environ | {"PATH": PATH})


def _started(*command: str) -> "subprocess.Popen[str]":
    try:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=os.environ | {"PATH": PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    except FileNotFoundError as error:
        raise AssertionError(NEEDS) from error
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", NEEDS
    return process
