"""Evidence of 100,000 learners, written by a real worker in flat memory, and checked from outside: `make soak`."""

import csv
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from models.session import transaction
from tasks.evidence.commands import Terms
from tasks.evidence.keys import public_keys
from tests.conftest import PROJECT
from tests.scenes import Scene, ask, make_scene, report_of, state_of
from tests.stores import keep_evidence, shell
from tests.workers import Worker, until

FEW, LEARNERS = 10_000, 100_000
COMPLETED = 1  # percent: they have certificates, which are rendered as PDF
MOST_GROWTH = 250_000_000  # bytes, of one process; most of it for the fonts of the certificates
MOST_MORE = 80_000_000  # bytes that a process grows more by, for ten times as many: it keeps nothing of each learner


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_bundle_of_100_000_learners_is_genuine_and_complete(
    start_worker: Callable[..., Worker], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, scene = (
        make_scene(name, learners, completed=COMPLETED, begun=90)
        for name, learners in (("few", FEW), ("many", LEARNERS))
    )
    completed = ask("SELECT count(*) FROM completion JOIN enrolment USING (registration) WHERE course_id = :course",
                    course=scene.course.id)  # fmt: skip
    folder = tmp_path / "evidence"
    for one in (few, scene):
        keep_evidence(one, Terms(folder.as_uri()))
    worker = start_worker()
    most = watch_memory(worker)
    done_with(few, folder)
    of_few = max(most.values())
    began = time.monotonic()
    summary = done_with(scene, folder)
    seconds = time.monotonic() - began
    grown = max(most.values())
    with transaction() as session:
        (summary.parent / "key.pem").write_text("".join(key.public_key for key in public_keys(session)))
    # From outside: the summary, all parts, and each file in them
    verified = subprocess.run(
        [sys.executable, "-m", "cli.main", "evidence", "verify", summary.name, "--key", "key.pem"],
        cwd=summary.parent,
        env={name: value for name, value in os.environ.items() if not name.startswith("RECOURSE_")}
        | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    assert f"{LEARNERS:,} learners" in verified.stdout
    script = """
        unzip -p summary-*.zip PARTS.sha256 | sha256sum --check --strict --quiet
        for part in *.zip; do
            unzip -q "$part" -d "${part%.zip}"
            (cd "${part%.zip}" && sha256sum --check --strict --quiet SHA256SUMS)
            openssl pkeyutl -verify -pubin -inkey key.pem -rawin \
                -in "${part%.zip}/SHA256SUMS" -sigfile "${part%.zip}/SHA256SUMS.sig" > /dev/null
        done
    """
    checked = shell(script, summary.parent)
    assert checked.returncode == 0, checked.stderr
    said = [line for path in summary.parent.rglob("learners.csv") for line in csv.DictReader(path.open())]
    assert len({line["enrolment"] for line in said}) == len(said) == LEARNERS
    assert sum(line["completed_at"] != "" for line in said) == completed
    certificates = [path.read_bytes()[:4] for path in summary.parent.rglob("*.pdf")]
    assert certificates == [b"%PDF"] * completed
    parts = len([*summary.parent.glob("learners-*.zip")])
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{LEARNERS:,} learners with {completed:,} certificates in {parts} parts in {seconds:.0f} s; a process "
            f"grew by {of_few / 1e6:.0f} MB for the first {FEW:,}, and by {(grown - of_few) / 1e6:.0f} MB for these"
        )
    assert grown < MOST_GROWTH
    assert grown - of_few < MOST_MORE
    assert zipfile.is_zipfile(summary)


def done_with(scene: Scene, folder: Path) -> Path:
    """Reset the scene's course, and wait for the end. Returns the summary of its evidence."""
    reset = scene.request()
    until(lambda: report_of(reset)["done"] and [*folder.glob(f"*/{reset}/summary-*.zip")], 900)
    assert state_of(reset) == "succeeded"
    [summary] = folder.glob(f"*/{reset}/summary-*.zip")
    return summary


def watch_memory(worker: Worker) -> dict[int, int]:
    """Returns by how many bytes each process of the worker has grown at most; filled until the test ends."""
    first = {child.pid: child.memory_info().rss for child in worker.children()}
    most: dict[int, int] = dict.fromkeys(first, 0)

    def watch() -> None:
        while worker.process.poll() is None:
            for pid, before in first.items():
                try:
                    most[pid] = max(most[pid], psutil.Process(pid).memory_info().rss - before)
                except psutil.NoSuchProcess:
                    return
            time.sleep(0.2)

    threading.Thread(target=watch, daemon=True).start()
    return most
