"""A Python program as a child of this command. It ends with the command, however that ends."""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from cli.local.leftovers import mark
from cli.local.processes import how_it_ended, last_line

PROJECT = Path(__file__).parents[2]
STOP_LIMIT = 30.0  # seconds to finish what is running


class ChildEndedError(Exception):
    """A child has ended by itself."""


class Child:
    """A running `python -m <module> …`."""

    def __init__(self, name: str, log: Path, arguments: list[str], patience: float = STOP_LIMIT) -> None:
        """Start it and append its output to `log`. `name` is for people; `arguments` start with the module.

        `patience` is how many seconds it may take to stop.
        """
        self.name, self.log, self._patience = name, log, patience
        with log.open("ab") as output:
            self._log_began = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.local.child", str(patience), *arguments],
                env=os.environ | mark(log.parent),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=PROJECT,
                start_new_session=True,  # Ctrl-C goes to the command, which then stops its children in order
            )

    def check(self) -> None:
        """Raises `ChildEndedError` with the last line of its log if it has ended."""
        if how := self.how_it_ended():
            raise ChildEndedError(f"{self.name} {how}. Last line of its log, {self.log}: {self.last_words()}")

    def how_it_ended(self) -> str | None:
        """Returns how it ended, `None` while it runs. If it has ended, also kills what is left of its processes."""
        status = self._process.poll()
        if status is None:
            return None
        self._end_group()  # such as the pool of a worker that was killed
        return how_it_ended(status)

    def last_words(self) -> str:
        """Returns the last line of its log."""
        return last_line(self.log, self._log_began) or "(nothing)"

    def ask_to_stop(self) -> None:
        """Begin to stop it, so that several children can stop at once. `stop` then waits for each."""
        self._process.terminate()  # does nothing if it has ended

    def stop(self) -> None:
        """Let it finish what is running, and stop it."""
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self._patience)
        self._end_group()
        self._process.wait()

    def _end_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _end_with_the_command(patience: float) -> None:
    """Wait until standard input is closed, which happens when the command ends or is killed, and then stop."""
    # Not through sys.stdin: the lock that it holds while waiting would be copied into the pool's processes, which hang.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_command, args=[float(sys.argv[1])], daemon=True).start()
    del sys.argv[:2]  # leaves the module's own command line
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
