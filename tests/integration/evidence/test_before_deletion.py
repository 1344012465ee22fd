"""Evidence before deletion: nobody is cleared before what they leave is in the organization's store."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from models.access import console_operator
from models.learning import complete
from models.refusals.access import Forbidden
from models.refusals.evidence import EvidenceFolderOperatorOnly, EvidenceStoreInvalid
from models.session import transaction
from tasks.evidence.commands import Terms, set_store, try_store, turn_off, write_now
from tasks.evidence.keys import public_keys, renew_key
from tasks.evidence.s3 import sign
from tasks.evidence.verify import NotGenuineError, keys_in, verify
from tasks.webhooks.post import address_of
from tests.buckets import s3_server
from tests.hung import Hung
from tests.outboxes import work
from tests.post import Letter, Post
from tests.scenes import (
    REASON,
    Scene,
    as_actor,
    ask,
    do_everything,
    ledger,
    make_scene,
    records_of,
    report_of,
    rows,
    run,
    state_of,
)
from tests.stores import Bucket, in_folder, keep_evidence, lines_in, make_due, shell
from tests.workers import until


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(server: str, database: str, set_up: Callable[..., None], request: pytest.FixtureRequest) -> Bucket:
    set_up(allowed_networks="127.0.0.0/8", storage_timeout_seconds=2)
    return Bucket(server, f"acme-{abs(hash(request.node.name))}")


@pytest.fixture
def folder(database: str, tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def folder_terms(folder: Path) -> Terms:
    return Terms(folder.as_uri())


def pem() -> str:
    with transaction() as session:
        return "".join(key.public_key for key in public_keys(session))


def saved(objects: dict[str, bytes], folder: Path) -> Path:
    """Save the objects as a reader would, all in one folder."""
    folder.mkdir()
    for name, content in objects.items():
        (folder / name.rpartition("/")[2]).write_bytes(content)
    (folder / "key.pem").write_text(pem())
    return folder


def test_learners_are_in_the_bucket_locked_and_signed_before_they_are_cleared(
    bucket: Bucket, post: Post, tmp_path: Path
) -> None:
    # Given an organization with a bucket, and a learner with everything
    scene = make_scene(learners=12, completed=4, begun=20)
    mine = scene.enrolments()[0]
    do_everything(mine)
    before = {row[0]: row[1:] for row in rows(
        "SELECT e.id, c.completed_at, t.serial FROM enrolment e LEFT JOIN completion c USING (registration) "
        "LEFT JOIN certificate t USING (registration) WHERE course_id = :course", course=scene.course.id
    )}  # fmt: skip
    terms = bucket.terms(lock_days=30)
    set_terms(scene, terms)
    # When they are reset
    reset = scene.request()
    post.drain()
    # Then all are reset, and who completed what, and when, is in the bucket
    assert state_of(reset) == "succeeded"
    assert set(records_of(scene.course).values()) == {0}
    objects = bucket.objects()
    found = {line["enrolment"]: line for line in lines_in(objects, reset)}
    assert set(found) == set(before)
    for enrolment, (completed_at, serial) in before.items():
        line = found[enrolment]
        said = datetime.fromisoformat(line["completed_at"]) if line["completed_at"] else None
        assert (said, (line["certificate"] or {}).get("serial")) == (completed_at, serial)
    assert 80 in [one["score"] for one in found[mine.id]["results"]]
    [part] = [content for name, content in objects.items() if "/learners-" in name]
    with zipfile.ZipFile(io.BytesIO(part)) as archive:
        certificates = [name for name in archive.namelist() if name.startswith("certificates/")]
        assert len(certificates) == sum(serial is not None for _, serial in before.values()) > 0
        assert all(archive.read(name).startswith(b"%PDF") for name in certificates)
        assert len(archive.read("learners.csv").decode().splitlines()) == 13
    # locked
    for name in objects:
        lock = bucket.s3.head_object(Bucket=bucket.name, Key=name)
        assert lock["ObjectLockMode"] == "COMPLIANCE"
        assert lock["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=29)
    # and it says who asked, and why
    [first] = [content for name, content in objects.items() if "/request-" in name]
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        said = json.loads(archive.read("request.json"))
    assert (said["reason"], said["preview"]["learners"]) == (REASON, 12)
    # and the summary vouches for all parts
    found_genuine = verify(list(saved(objects, tmp_path / "out").glob("summary-*.zip")), keys_in(pem()))
    assert (found_genuine.bundles, found_genuine.learners) == (3, 12)


def set_terms(scene: Scene, terms: Terms) -> None:
    try_store(scene.admin, terms)
    with transaction() as session:
        set_store(session, scene.admin, terms)


def test_without_a_store_nothing_is_held_and_no_part_is_written(database: str, post: Post) -> None:
    scene = make_scene()
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert rows("SELECT count(*) FROM evidence_part") == [(0,)]


def begin(scene: Scene, post: Post) -> UUID:
    """Request a reset, and let it begin: its first part is written, the others wait."""
    reset = scene.request()
    deliver(post, "recourse.reset_course")
    assert work_once() == 1
    deliver(post, "recourse.reset_course")
    assert state_of(reset) == "running"
    return reset


def work_once() -> int:
    from tasks.evidence.write import Evidence

    make_due()
    return work(Evidence)


def deliver(post: Post, task: str) -> list[Letter]:
    """Deliver the messages of one task, and lose the others."""
    letters = [letter for letter in post.take() if letter.task == task]
    for letter in letters:
        post.deliver(letter)
    return letters


def test_what_changes_after_it_was_written_is_written_again_before_it_is_cleared(folder: Path, post: Post) -> None:
    # Given evidence that is in the store, of learners who are not cleared yet
    scene = make_scene(learners=12, completed=0, begun=20)
    keep_evidence(scene, folder_terms(folder))
    reset = begin(scene, post)
    assert deliver(post, "recourse.clear_learners") == []  # they are held
    assert work_once() == 1
    # When a learner completes the course in between
    late = scene.enrolments()[3]
    with transaction() as session:
        complete(session, late.registration)
    serial = ask("SELECT serial FROM certificate WHERE registration = :own", own=late.registration)
    # Then only that learner is not cleared
    deliver(post, "recourse.reset_course")
    deliver(post, "recourse.clear_learners")
    assert {one for one, (state, _) in ledger(reset).items() if state == "pending"} == {late.id}
    assert ask("SELECT count(*) FROM certificate WHERE registration = :own", own=late.registration) == 1
    # until the completion is in the store too
    post.drain()
    assert state_of(reset) == "succeeded"
    lines = lines_in(in_folder(folder), reset)
    assert len(lines) == 13
    assert [line["certificate"]["serial"] for line in lines if line["certificate"]] == [serial]
    assert report_of(reset)["progress"]["total"] == 12


def test_large_resets_are_written_slice_by_slice(folder: Path, post: Post, small_slices: None) -> None:
    scene = make_scene(learners=260, completed=300, begun=300, certificates=False)
    keep_evidence(scene, folder_terms(folder))
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert len(lines_in(in_folder(folder), reset)) == 260
    assert ask("SELECT count(*) FROM evidence_part WHERE kind = 'learners'") > 5


def test_a_reset_does_not_begin_while_its_store_hangs_and_says_why(bucket: Bucket, post: Post) -> None:
    # Given a store that accepts connections and does not answer
    scene = make_scene()
    with Hung() as hung:
        keep_evidence(scene, Terms(
            "s3://acme-evidence", f"http://127.0.0.1:{hung.port}", "eu-central-1", "writer", "its secret"
        ))  # fmt: skip
        before = records_of(scene.course)
        reset = scene.request()
        deliver(post, "recourse.reset_course")
        # When it is tried, no transaction is open meanwhile
        trying = Thread(target=work_once)
        trying.start()
        until(lambda: hung.connections)
        assert ask("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'") == 0
        trying.join()
    assert state_of(reset) == "requested"
    assert "no answer within 2 seconds" in ask("SELECT outcome FROM evidence_part")
    assert records_of(scene.course) == before
    # and if it does not answer for long, the reset fails, and nobody was touched
    run("UPDATE evidence_part SET attempts = 100")
    work_once()
    deliver(post, "recourse.reset_course")
    assert state_of(reset) == "failed"
    assert "evidence could not be stored" in ask("SELECT error FROM reset")
    assert "Check the organization's store" in ask("SELECT error FROM reset")
    assert records_of(scene.course) == before


def test_a_bucket_that_refuses_stops_the_reset_at_once(bucket: Bucket, post: Post) -> None:
    scene = make_scene()
    keep_evidence(scene, Terms("s3://no-such-bucket", bucket.address, "eu-central-1", "writer", "its secret"))
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "failed"
    assert "the store answered 404 (NoSuchBucket)" in ask("SELECT error FROM reset")


def test_learners_wait_for_a_store_that_is_away_and_fail_when_evidence_is_turned_off(folder: Path, post: Post) -> None:
    # Given a reset under way whose store does not take anything any more
    scene = make_scene(learners=8, completed=20, begun=20, certificates=False)
    keep_evidence(scene, folder_terms(folder))
    reset = begin(scene, post)
    run("UPDATE evidence_store SET url = 'file:///proc/nowhere'")
    assert work_once() == 1
    # Then nobody is cleared, nothing is sent again, and it says why
    post.drain()
    assert {state for state, _ in ledger(reset).values()} == {"pending"}
    assert "the folder does not take it" in ask("SELECT outcome FROM evidence_part WHERE kind = 'learners'")
    # When evidence is turned off
    with transaction() as session:
        turn_off(session, scene.admin)
    post.drain()
    # Then they fail with the reason, and keep what they have
    assert state_of(reset) == "failed"
    assert {reason for _, reason in ledger(reset).values()} == {
        "not reset, because the evidence could not be stored: evidence is turned off for this organization"
    }
    assert records_of(scene.course)["completion"] == 8
    # and a retry, with the store back, writes it first
    keep_evidence(scene, folder_terms(folder))
    scene.retry_failed(reset)
    post.drain()
    assert state_of(reset) == "succeeded"
    assert len(lines_in(in_folder(folder), reset)) == 8


def test_cancelling_withdraws_what_waits(folder: Path, post: Post) -> None:
    scene = make_scene(learners=8, certificates=False)
    keep_evidence(scene, folder_terms(folder))
    reset = begin(scene, post)
    run("UPDATE evidence_store SET url = 'file:///proc/nowhere'")
    scene.cancel(reset)
    post.drain()
    assert state_of(reset) == "cancelled"
    assert rows("SELECT DISTINCT state FROM evidence_part WHERE kind = 'learners'") == [("withdrawn",)]


def test_a_part_whose_process_was_killed_is_written_again(folder: Path, post: Post) -> None:
    from tasks.evidence.write import Evidence
    from tests.outboxes import take_one

    scene = make_scene(learners=8, certificates=False)
    keep_evidence(scene, folder_terms(folder))
    reset = begin(scene, post)
    make_due()
    late = take_one(Evidence)
    answer = Evidence().attempt(late)  # it is in the store, and the process dies before it says so
    assert len(lines_in(in_folder(folder), reset)) == 8
    assert ask("SELECT count(*) FROM reset_slice WHERE NOT held") == 0
    post.drain()
    assert state_of(reset) == "running"
    make_due()
    with transaction() as session:
        write_now(session, scene.admin)
    post.drain()
    assert state_of(reset) == "succeeded"
    with transaction() as session:  # a late answer changes nothing
        Evidence().settle(session, late, answer)
    assert rows("SELECT count(*), count(DISTINCT object) FROM evidence_part") == [(3, 3)]


def test_openssl_and_sha256sum_check_a_bundle(folder: Path, post: Post, tmp_path: Path) -> None:
    scene = make_scene(learners=8, completed=20, begun=20, certificates=False)
    keep_evidence(scene, folder_terms(folder))
    scene.request()
    post.drain()
    out = saved(in_folder(folder), tmp_path / "out")
    script = """
        unzip -q learners-*.zip -d learners && cd learners
        sha256sum --check --strict --quiet SHA256SUMS
        openssl pkeyutl -verify -pubin -inkey ../key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig
        cd .. && unzip -p summary-*.zip PARTS.sha256 | sha256sum --check --strict
    """
    done = shell(script, out)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout


@pytest.mark.parametrize("harm", ["a byte", "a part missing", "another key", "a file too many"])
def test_a_bundle_that_was_changed_is_not_genuine(folder: Path, post: Post, tmp_path: Path, harm: str) -> None:
    scene = make_scene(learners=3, completed=20, begun=20, certificates=False)
    keep_evidence(scene, folder_terms(folder))
    scene.request()
    post.drain()
    out = saved(in_folder(folder), tmp_path / "out")
    [summary], [part] = out.glob("summary-*.zip"), out.glob("learners-*.zip")
    keys = keys_in(pem())
    assert verify([summary], keys).learners == 3
    if harm == "a byte":
        rewritten(part, "learners.csv", lambda content: content.replace(b",", b";", 1))
    elif harm == "a part missing":
        part.unlink()
    elif harm == "a file too many":
        with zipfile.ZipFile(summary, "a") as archive:
            archive.writestr("more.txt", "more")
    else:
        with transaction() as session:
            renew_key(session)
        keys = keys_in(pem())[:1]
    with pytest.raises(NotGenuineError):
        verify([summary], keys)
    if harm == "another key":  # the former key is still published
        assert verify([summary], keys_in(pem())).learners == 3


def rewritten(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in files.items():
            archive.writestr(one, change(content) if one == name else content)


def test_requests_are_signed_as_by_amazons_own_library() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    address = address_of("https://acme.s3.eu-central-1.amazonaws.com/kept/acme/0197%20a/part-1.zip")
    headers = {"Content-Length": "3", "x-amz-object-lock-mode": "COMPLIANCE", "Content-MD5": "kAFQmDzST7DWlj99KOF/cg=="}
    ours = sign("PUT", address, headers, "ab" * 32, "writer", "its secret", "eu-central-1", now)
    theirs = AWSRequest("PUT", str(address.url), headers=headers | {"X-Amz-Content-SHA256": "ab" * 32})
    signer = S3SigV4Auth(Credentials("writer", "its secret"), "s3", "eu-central-1")
    theirs.context["timestamp"] = ours["x-amz-date"]
    request = signer.canonical_request(_with_date(theirs, ours["x-amz-date"]))
    text = signer.string_to_sign(theirs, request)
    assert ours["Authorization"].rpartition("Signature=")[2] == signer.signature(text, theirs)


def _with_date(request: AWSRequest, moment: str) -> AWSRequest:
    request.headers["X-Amz-Date"] = moment
    return request


def test_who_may_choose_a_store(bucket: Bucket, folder: Path, subtests: pytest.Subtests) -> None:
    scene = make_scene()
    operator = console_operator(scene.organization)
    learner = as_actor(scene, scene.users()[0].id)
    with pytest.raises(Forbidden):
        try_store(learner, bucket.terms())
    with pytest.raises(EvidenceFolderOperatorOnly):
        try_store(scene.admin, folder_terms(folder))
    try_store(operator, folder_terms(folder))
    wrong = {
        "a private address": Terms("s3://acme", "http://10.0.0.1:9000", "x", "writer", "secret"),
        "no credentials": Terms("s3://acme", bucket.address, "x"),
        "no bucket": Terms("https://acme.example", None, "x", "writer", "secret"),
        "another bucket": Terms("s3://no-such-bucket", bucket.address, "x", "writer", "secret"),
    }
    for name, terms in wrong.items():
        with subtests.test(name), pytest.raises(EvidenceStoreInvalid):
            try_store(scene.admin, terms)
    assert ask("SELECT count(*) FROM evidence_store") == 0


def test_secrets_of_stores_and_keys_are_sealed_and_sealed_again(bucket: Bucket, set_up: Callable[..., None]) -> None:
    from tasks.evidence.keys import signer
    from tasks.webhooks.secrets import seal_again, under_former_keys
    from tests.conftest import SECRET

    scene = make_scene()
    set_terms(scene, bucket.terms())
    before = signer().key_id
    stored = str(rows("SELECT s, k FROM evidence_store s, evidence_key k"))
    assert "its secret" not in stored
    set_up(secret_key="another-key" * 4, old_secret_keys=json.dumps([SECRET]))
    with transaction() as session:
        assert under_former_keys(session) == 2
        assert seal_again(session) == (2, 0)
    set_up(old_secret_keys="[]")
    assert signer().key_id == before
