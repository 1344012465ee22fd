"""The documentation names files that exist."""

import re
import runpy
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
GENERATED = runpy.run_path(str(PROJECT / "docs" / "generate.py"))["PAGES"]
GUIDES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", *(f"docs/{path.name}" for path in PROJECT.glob("docs/*.md"))]
PAGES = [*GUIDES, *(str(path.relative_to(PROJECT)) for path in PROJECT.glob("docs/*/*.md"))]
FOLDERS = ("config", "models", "tasks", "web", "cli", "worker", "tests", "benchmarks", "deploy", "docs", "examples")


@pytest.mark.parametrize("page", GUIDES)
def test_every_path_that_a_guide_names_exists(page: str) -> None:
    text = (PROJECT / page).read_text()
    named = set(re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", text))
    assert [path for path in sorted(named) if not (PROJECT / path).exists()] == []


def test_the_map_names_files_and_the_functions_in_them() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text()
    found = re.findall(r"\| `([\w/]+\.py)`, `(\w+)`", text)
    assert len(found) > 5
    for path, name in found:
        assert re.search(rf"^(def |class |    ){name}\b", (PROJECT / path).read_text(), re.MULTILINE), f"{path}: {name}"


@pytest.mark.parametrize("page", GENERATED)
def test_the_generated_reference_is_up_to_date(page: str) -> None:
    written = (PROJECT / "docs" / "reference" / page).read_text()
    assert GENERATED[page]() == written, "run: .venv/bin/python docs/generate.py"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_between_pages_leads_somewhere(page: str) -> None:
    source = PROJECT / page
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", source.read_text()):
        path, _, heading = target.partition("#")
        other = source.parent / path if path else source
        assert other.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
            assert heading in anchors, target
