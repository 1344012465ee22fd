"""What became of a reset as files: from its page, the API and the command line, the same."""

import csv
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from pypdf import PdfReader

from models.session import transaction
from tasks.evidence.verify import keys_in, verify
from tests.conftest import PROJECT
from tests.post import Post
from tests.scenes import REASON, Scene, fail_for, make_scene, run
from tests.stores import shell
from tests.web import client_of, token_for, visitor


@pytest.fixture
def done(database: str, post: Post) -> tuple[Scene, UUID]:
    """A reset of 12 learners, of whom one failed."""
    scene = make_scene(certificates=False)
    fail_for(scene.enrolments()[2])
    run("""UPDATE "user" SET name = '=cmd()' WHERE id = :id""", id=scene.enrolments()[3].user_id)
    reset = scene.request()
    post.drain()
    return scene, reset


@pytest.fixture
def browser(served: str, done: tuple[Scene, UUID]) -> Iterator[httpx.Client]:
    with visitor(served, done[0].admin.user_id) as client:
        yield client


def test_each_learners_outcome_is_a_line(browser: httpx.Client, done: tuple[Scene, UUID]) -> None:
    answer = browser.get(f"/resets/{done[1]}/learners.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    found = list(csv.DictReader(io.StringIO(answer.text)))
    assert [line["outcome"] for line in found].count("failed") == 1
    assert len(found) == 12
    [failed] = [line for line in found if line["outcome"] == "failed"]
    assert "this learner cannot be reset" in failed["reason"]
    assert "'=cmd()" in {line["name"] for line in found}, "a spreadsheet would run it"


def test_the_report_is_one_page_that_says_everything(browser: httpx.Client, done: tuple[Scene, UUID]) -> None:
    scene, reset = done
    run("UPDATE reset SET reason = repeat('a long reason ', 400) WHERE id = :id", id=reset)
    pdf = PdfReader(io.BytesIO(browser.get(f"/resets/{reset}/report.pdf").content))
    assert len(pdf.pages) == 1
    run("UPDATE reset SET reason = :reason WHERE id = :id", reason=REASON, id=reset)
    pdf = PdfReader(io.BytesIO(browser.get(f"/resets/{reset}/report.pdf").content))
    text = " ".join(pdf.pages[0].extract_text().split())
    for words in (
        "Fire safety (FIRE-101)",
        REASON,
        "everyone assigned",
        "12 learners,",
        "1 failed",
        "this learner cannot be reset",
        str(reset),
        "/.well-known/recourse-evidence/",
    ):
        assert words in text, text
    with transaction() as session:
        admin = session.get_one(type(scene.users()[0]), scene.admin.user_id).name
    assert f"by {admin}" in text


def test_the_report_is_in_the_language_of_who_asks_and_the_table_is_the_same_for_everyone(
    browser: httpx.Client, done: tuple[Scene, UUID]
) -> None:
    address = f"/resets/{done[1]}"
    table = browser.get(f"{address}/learners.csv").content
    run("""UPDATE "user" SET locale = 'de'""")
    pdf = PdfReader(io.BytesIO(browser.get(f"{address}/report.pdf").content))
    text = " ".join(pdf.pages[0].extract_text().split())
    for words in (
        "Zurücksetzung von Fire safety",
        "alle Zugewiesenen",
        "12 Lernende",
        "1 fehlgeschlagen",
        "Prüfsumme",
    ):
        assert words in text, text
    for words in ("Reset ", "learners,", " failed", " by ", "started", "Signature"):
        assert words not in text, text
    assert browser.get(f"{address}/learners.csv").content == table
    bundle = zipfile.ZipFile(io.BytesIO(browser.get(f"{address}/evidence.zip").content))
    assert bundle.read("learners.csv") == table
    page = PdfReader(io.BytesIO(bundle.read("report.pdf"))).pages[0]
    assert "Zurücksetzung von Fire safety" in " ".join(page.extract_text().split())


def test_the_signature_on_the_report_is_that_of_the_table(
    browser: httpx.Client, done: tuple[Scene, UUID], tmp_path: Path
) -> None:
    (tmp_path / "learners.csv").write_bytes(browser.get(f"/resets/{done[1]}/learners.csv").content)
    pdf = PdfReader(io.BytesIO(browser.get(f"/resets/{done[1]}/report.pdf").content))
    text = "".join(pdf.pages[0].extract_text().split())
    address = re.search(r"http\S+?(/\.well-known/recourse-evidence/\w{16}\.pem)", text)
    signature = re.search(r"Signature([A-Za-z0-9+/]{86}==)", text)
    assert address, text
    assert signature, text
    (tmp_path / "key.pem").write_text(httpx.get(f"{browser.base_url}{address[1]}".replace("//.", "/.")).text)
    checked = shell(
        f"""
        sha256sum learners.csv > line
        grep -q "$(cut -c1-64 line)" <<< "{text}"
        base64 -d <<< "{signature[1]}" > line.sig
        openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in line -sigfile line.sig
        """,
        tmp_path,
    )
    assert checked.returncode == 0, checked.stderr


def test_page_api_and_command_line_save_the_same_bundle(
    served: str, browser: httpx.Client, done: tuple[Scene, UUID], tmp_path: Path
) -> None:
    scene, reset = done
    with client_of(served, token_for(scene.admin.user_id or 0)) as api:
        files = {
            "page.zip": browser.get(f"/resets/{reset}/evidence.zip").content,
            "api.zip": api.get(f"/v1/resets/{reset}/evidence.zip").content,
            "key.pem": browser.get("/.well-known/recourse-evidence.pem").content,
        }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert recourse(tmp_path, "evidence", "save", str(reset), "console.zip").returncode == 0
    for name in ("page.zip", "api.zip", "console.zip"):
        found = verify([tmp_path / name], keys_in((tmp_path / "key.pem").read_text()))
        assert (found.learners, found.resets) == (12, {str(reset)})
    tables = {zipfile.ZipFile(tmp_path / name).read("learners.csv") for name in ("page.zip", "api.zip", "console.zip")}
    assert len(tables) == 1
    # And it is checked where no database answers, without starting a server in its place
    nowhere = "postgresql+psycopg://recourse@127.0.0.1:1/none"
    alone = {"RECOURSE_DATABASE_URL": nowhere, "RECOURSE_BROKER_URL": None, "RECOURSE_HOME": str(tmp_path / "home")}
    said = recourse(tmp_path, "evidence", "verify", "page.zip", "--key", "key.pem", **alone)
    assert said.returncode == 0, said.stderr
    assert "Genuine: 1 bundle with" in said.stdout
    assert not (tmp_path / "home").exists()
    refused = recourse(tmp_path, "evidence", "key", "show", **alone)
    assert refused.returncode == 2, "a command that needs the database notices that it has none"
    assert (tmp_path / "home").exists(), "… and one that needs a broker would start it"
    (tmp_path / "page.zip").write_bytes(files["page.zip"][:-40])
    assert recourse(tmp_path, "evidence", "verify", "page.zip", "--key", "key.pem").returncode == 1


def recourse(folder: Path, *words: str, **environment: str | None) -> "subprocess.CompletedProcess[str]":
    """Run the command line with these variables changed, or removed if `None`."""
    variables = os.environ | {"PYTHONPATH": str(PROJECT)} | environment
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=folder,
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )
