"""A program of Python's as a child of this command: for as long as this one lives, however that ends."""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from cli.leftovers import mark
from cli.local.processes import how_it_ended, last_line

STOP_LIMIT = 30.0  # seconds; what is under way may end before that


class ChildEndedError(Exception):
    """A child could not go on."""


class Child:
    """`python -m <module> …`, running beside."""

    def __init__(self, name: str, log: Path, arguments: list[str], patience: float = STOP_LIMIT) -> None:
        """Start it, with its output appended to `log`. `name` is for people; `arguments` begin with the module.

        `patience` is how many seconds it may take to end when it is stopped.
        """
        self.name, self.log, self._patience = name, log, patience
        with log.open("ab") as output:
            self._log_began = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.child", str(patience), *arguments],
                env=os.environ | mark(log.parent),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=Path(__file__).parents[1],
                start_new_session=True,  # Ctrl-C is for the command, which then stops its children in order
            )

    def check(self) -> None:
        """Raises `ChildEndedError` if it has ended by itself, with what it said last."""
        if how := self.how_it_ended():
            raise ChildEndedError(f"{self.name} {how}. It said last: {self.last_words()}\nIts log is {self.log}.")

    def how_it_ended(self) -> str | None:
        """None while it runs. Nothing of it is left running if it has ended."""
        status = self._process.poll()
        if status is None:
            return None
        self._end_group()  # the processes of a worker that was killed
        return how_it_ended(status)

    def last_words(self) -> str:
        """The last line that it has written to its log."""
        return last_line(self.log, self._log_began) or "nothing"

    def ask_to_stop(self) -> None:
        """Have it begin to end, so that several children can do so at once; `stop` then waits for each."""
        self._process.terminate()  # does nothing if it has ended

    def stop(self) -> None:
        """Let it finish what is under way, and end it."""
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self._patience)
        self._end_group()
        self._process.wait()

    def _end_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _end_with_the_command(patience: float) -> None:
    """Wait for the end of standard input, which comes when the command is gone, even if it was killed."""
    # Not through sys.stdin: its lock, held while it waits, would be copied into the pool's processes and hang them.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_command, args=[float(sys.argv[1])], daemon=True).start()
    del sys.argv[:2]  # what is left is the module's own command line
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
