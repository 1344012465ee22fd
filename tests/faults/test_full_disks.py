"""Full disks: each part names the full one. The file systems are real and small."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from models.session import DBAPIError
from tests.conftest import SECRET
from tests.installations import resets_are_done
from tests.ledger_checker import Books, Verdict
from tests.recovery import OPEN_SLICES, unless_down
from tests.scenes import make_scene, run, settled, slow_down, state_of
from tests.small_disks import SmallDisks
from tests.ups import Up
from tests.workers import until

COURSE = "SAFETY-101"
CONFIRMED = ("--reason", "recertification", "--confirm", COURSE)
MB = 1024**2


@dataclass
class Place:
    """A `recourse up` with separate small disks for its data, files and temporary files."""

    up: Up
    disks: SmallDisks
    data: Path
    files: Path
    temporary: Path
    password: str = ""

    @property
    def database_url(self) -> str:
        """Return the database's URL outside of the namespace."""
        return f"postgresql+psycopg://recourse@/recourse?host={self.disks.outside(self.up.home / 'run')}&port=5432"

    def sign_in(self) -> httpx.Response:
        with httpx.Client(base_url=self.up.web, timeout=30) as browser:
            return self._sign_in(browser, self.password)

    def _sign_in(self, browser: httpx.Client, password: str) -> httpx.Response:
        token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/sign-in").text)
        assert token
        form = {"csrf": token[1], "organization": "demo", "email": "learner-1@demo.example", "password": password}
        return browser.post("/sign-in", data=form)

    def hand_in(self, size: int) -> httpx.Response:
        """Hand in a file of `size` bytes as a learner."""
        with httpx.Client(base_url=self.up.web, timeout=60) as browser:
            assert self._sign_in(browser, self.password).status_code == 303
            page = browser.get(f"/my/courses/{COURSE}").text
            form = re.search(r'action="(/my/courses/[^"]+/attempts/\d+)"', page)
            assert form, page
            fields = dict(re.findall(r'name="(csrf|registration)" value="([^"]*)"', page))
            file = ("answer.txt", b"My answer.\n" * (size // 11), "text/plain")
            return browser.post(form[1], data=fields | {"body": "x"}, files={"file": file})


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="recourse-disk-"))
    folder.chmod(0o755)
    data, files, temporary = (folder / name for name in ("data", "files", "temporary"))
    for disk in (data, files, temporary):
        disk.mkdir()
    disks = SmallDisks({data: 400, files: 6, temporary: 12})
    up = Up(data, run_in=disks.run_in, storage_url=files.as_uri(), secret_key=SECRET, slice_attempts=2)
    up.said = folder / "up.txt"
    up.environment |= {"TMPDIR": str(temporary), "RECOURSE_SPOOL_FOLDER": str(temporary)}
    try:
        up.start()
        password = next(line for line in up.words().splitlines() if "learner-1@" in line).split(" / ")[1].split()[0]
        yield Place(up, disks, data, files, temporary, password)
    finally:
        up.stop()
        print(up.words())  # noqa: T201 - pytest shows it when the test failed
        disks.close()
        shutil.rmtree(folder)


def test_a_disk_that_fills_up_in_the_middle_of_a_reset_costs_only_time(
    database: str, place: Place, set_up: Callable[..., None]
) -> None:
    # Given a reset under way in a database on a small disk
    set_up(database_url=place.database_url)
    scene = make_scene(learners=1500, completed=100, certificates=False)
    slow_down(0.3)
    books = Books(scene)
    reset = books.note(scene.request())
    until(lambda: settled(reset) > 0, 60)
    # When the disk is full, and stays full until slices were tried more often than a learner may kill a worker
    filler = place.disks.fill(place.data)
    with pytest.raises(DBAPIError, match="No space left on device"):
        run("CREATE TABLE more AS SELECT generate_series(1, 1000000)")
    attempts = "SELECT max(attempts) FROM reset_slice WHERE settled_at IS NULL"
    until(lambda: place.disks.fill(place.data) and (unless_down(attempts) or 0) > 3, 60)
    filler.unlink()
    # Then everything goes on, and nothing is lost
    until(lambda: unless_down(OPEN_SLICES) == 0 and resets_are_done(), 60)
    assert books.verdict() == Verdict()
    assert state_of(reset) == "succeeded"


@pytest.mark.timeout(600)
def test_each_part_says_which_disk_is_full(place: Place, subtests: pytest.Subtests) -> None:
    up = place.up
    with subtests.test("the storage of files"):
        filler = place.disks.fill(place.files)
        answer = place.hand_in(2 * MB)
        assert answer.status_code == 507, answer.text
        assert "the storage is full" in answer.text
        found = up.findings()
        assert "its disk is full" in found["files"]["says"]
        assert f"the storage of files, {place.files}: 0 MB left" in found["disk space"]["says"]
        filler.unlink()
        assert place.hand_in(2 * MB).status_code == 303
    with subtests.test("temporary files"):
        token = up("token", "create", "admin@demo.example", "--name", "x", "--scope", "people:write").stdout.strip()
        head = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv", "Idempotency-Key": "1"}
        lines = b"email,name\n" + b"".join(b"u%d@demo.example,User\n" % number for number in range(300_000))
        filler = place.disks.fill(place.temporary)
        answer = httpx.post(f"{up.web}/v1/imports/users", content=lines, headers=head, timeout=60)
        assert answer.status_code == 507, answer.text
        assert answer.json()["type"] == "/problems/disk-full"
        assert str(place.temporary) in answer.json()["detail"]
        assert f"temporary files, {place.temporary}: 0 MB left" in up.findings()["disk space"]["says"]
        filler.unlink()
    with subtests.test("the database"):
        assert place.sign_in().status_code == 303
        for _ in range(200):  # until its existing pages are full too
            filler = place.disks.fill(place.data)
            refused = place.sign_in()
            if refused.status_code != 303:
                break
        assert refused.status_code == 507, refused.text
        assert "the database&#39;s" in refused.text
        people = place.temporary / "users.csv"
        place.disks.fill(place.data)
        place.disks.outside(people).write_text(
            "email,name\n" + "".join(f"u{n}@demo.example,User {n}\n" for n in range(50_000))
        )
        for words in (("import", "users", str(people)), ("reset", COURSE, *CONFIRMED)):
            done = up(*words)
            assert done.returncode == 2, done.stdout + done.stderr
            assert f"The database's disk is full, in {up.home}" in done.stderr, done.stderr
            assert "Traceback" not in done.stderr
        found = up.findings()
        assert not found["database"]["ok"]
        assert "its disk is full" in found["database"]["says"] or "does not answer" in found["database"]["says"]
        assert f"the folder of the installation, {up.home}: 0 MB left" in found["disk space"]["says"]
        filler.unlink()
    with subtests.test("everything goes on when there is space again"):
        until(lambda: up.answers(up.web, "/readyz"), 60)
        until(lambda: place.sign_in().status_code == 303, 60)
        done = up("reset", COURSE, *CONFIRMED, "--watch")
        assert done.returncode == 0, done.stderr
