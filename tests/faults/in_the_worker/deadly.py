"""Loaded into a worker as a module of record kinds: its processes then kill themselves where the test says.

`DEADLY` holds JSON: `folder` (a new one; it keeps who has died), and any of

- `publishing`: each message of ours kills its process once, after the commit and before it is published;
- `ending`: each task kills its process once, after its last commit and before the message is acknowledged;
- `statements`: an SQL statement with one of these words in it kills its process once before it runs, and once after;
- `enrolments`: clearing one of these learners kills the process, each time;
- `clock`: the clock is wrong by so many seconds.
"""

import hashlib
import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from celery.signals import task_postrun, worker_process_init
from sqlalchemy import Engine, event

from tasks.app import app

TOLD: dict[str, Any] = json.loads(os.environ["DEADLY"])
DOOMED = set(TOLD.get("enrolments", []))
WITHOUT_ID = ("recourse.work_outboxes", "recourse.probe", "recourse.recover", "recourse.retrain")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(name: str) -> None:
    """Die, unless a process has died of this before."""
    try:
        os.close(os.open(Path(TOLD["folder"]) / hashlib.md5(name.encode()).hexdigest(), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    with (Path(TOLD["folder"]) / "log").open("a") as log:
        log.write(name + "\n")
    die()


if TOLD.get("clock"):
    import time_machine  # only then: it replaces the functions of the clock

    time_machine.travel(datetime.now(UTC) + timedelta(seconds=TOLD["clock"])).start()


@worker_process_init.connect
def begin(**_: Any) -> None:
    """Be deadly in the processes that run tasks, but not in the worker itself, nor in its beat."""
    if TOLD.get("publishing"):
        send_task = app.send_task

        def deadly_send(name: str, *args: Any, **options: Any) -> Any:
            die_once(f"publishing {name} {'' if name in WITHOUT_ID else options.get('task_id')}")
            return send_task(name, *args, **options)

        app.send_task = deadly_send
    if TOLD.get("ending"):
        task_postrun.connect(_at_the_end, weak=False)
    if TOLD.get("statements") or DOOMED:
        event.listen(Engine, "before_cursor_execute", _before)
        event.listen(Engine, "after_cursor_execute", _after)


def _at_the_end(task_id: str, task: Any, **_: Any) -> None:
    die_once(f"ending {task.name} {'' if task.name in WITHOUT_ID else task_id}")


def _before(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
    if isinstance(parameters, dict) and DOOMED & set(parameters.get("these_enrolments") or []):
        die()
    for words in TOLD.get("statements", []):
        if words in statement:
            die_once(f"before {words}")


def _after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    for words in TOLD.get("statements", []):
        if words in statement:
            die_once(f"after {words}")
