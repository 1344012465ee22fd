"""Hosts with a network stack of their own: Linux network namespaces on a bridge. Needs root."""

import os
import subprocess
from contextlib import suppress
from typing import Self

NEEDS = (
    "This test needs network namespaces. Run it as root on Linux, with iproute2 (apt-get install iproute2); in a "
    "container, with the capabilities SYS_ADMIN and NET_ADMIN (docker run --privileged)."
)


class Network:
    """A context manager that makes the hosts, and this machine's address among them."""

    def __init__(self, hosts: int) -> None:
        self._tag = f"rc{os.getpid() % 100_000}"  # interfaces have names of at most 15 characters
        self._bridge = f"{self._tag}br"
        third = os.getpid() % 250
        self.address = f"10.177.{third}.1"
        self.subnet = f"10.177.{third}.0/24"
        self._addresses = [f"10.177.{third}.{number + 2}" for number in range(hosts)]

    def __enter__(self) -> Self:
        try:
            self._make()
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            self._remove()
            raise AssertionError(f"{NEEDS} ({getattr(error, 'stderr', error)})") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def on(self, host: int) -> tuple[str, ...]:
        """Returns the beginning of a command that runs on this host."""
        return ("ip", "netns", "exec", self._name(host))

    def cut(self, host: int) -> None:
        """Pull the host's cable: all packets to and from it are lost, and nobody is told."""
        _ip("link", "set", self._port(host), "down")

    def mend(self, host: int) -> None:
        _ip("link", "set", self._port(host), "up")

    def _make(self) -> None:
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for host, address in enumerate(self._addresses):
            name, port = self._name(host), self._port(host)
            _ip("netns", "add", name)
            _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", port, "master", self._bridge, "up")
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", name, "link", "set", link, "up")

    def _remove(self) -> None:
        for words in (
            *(("netns", "delete", self._name(host)) for host in range(len(self._addresses))),
            ("link", "delete", self._bridge),
        ):
            with suppress(subprocess.CalledProcessError, FileNotFoundError):
                _ip(*words)

    def _name(self, host: int) -> str:
        return f"{self._tag}h{host}"

    def _port(self, host: int) -> str:
        return f"{self._tag}p{host}"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
