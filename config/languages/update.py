"""Bring every catalogue up to date with the texts in the code: `make messages`.

New texts are added without a translation, texts that are no longer used are removed, and nothing is guessed. Catalogues
name the files of each text and no lines, so that they change only when texts do.
"""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from config.languages import HERE
from config.languages.stored import MARK

ROOT = HERE.parents[1]
PACKAGES = ("config", "models", "tasks", "web")
PLURAL: tuple[int, int] = (1, 2)
FUNCTIONS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "ngettext": PLURAL,
    "translatable": None,
    MARK: None,
}
SENTENCES = ("AudienceInvalid", "BrakeHolds", "OrganizationInvalid", "RuleInvalid")  # refusals of several sentences
CODE = re.compile(r'^(?:    code = |    )"([a-z]+(?:-[a-z]+)*)"(?:: Kind\(|$)', re.MULTILINE)
COUNTED = re.compile(r'counted\("([^"]+)"(?:, "([^"]+)")?\)')
WIDTH = 120
HEADER = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plural_forms}\\n"

"""

Message = str | tuple[str, ...]


def extracted() -> Catalog:
    """Returns all texts that can appear on a page."""
    found: dict[Message, set[str]] = {}
    marked: set[Message] = set()
    for file in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*")):
        name = file.relative_to(ROOT).as_posix()
        if file.suffix in _TEXTS and not file.name.endswith(".min.js"):
            for message in _TEXTS[file.suffix](file, name):
                found.setdefault(message, set()).add(name)
            marked.update(_stored(file, name))
    catalogue = Catalog()
    for message in sorted(found, key=str):
        comments = [MARK] if message in marked else []
        catalogue.add(message, locations=[(file, 0) for file in sorted(found[message])], auto_comments=comments)
    return catalogue


def updated(language: str) -> bytes:
    """Returns the content of the language's catalogue with the texts of today."""
    file = HERE / f"{language}.po"
    before = read_po(BytesIO(file.read_bytes()), locale=language) if file.exists() else Catalog(language)
    after = Catalog(language)
    for message in extracted():
        if message.id:
            known = before.get(message.id)
            string = known.string if known is not None and known.id == message.id else ""
            after.add(message.id, string, locations=message.locations, auto_comments=message.auto_comments)
    content = BytesIO()
    write_po(content, after, width=WIDTH, omit_header=True, include_lineno=False, sort_output=True)
    header = HEADER.format(language=language, plural_forms=after.plural_forms)  # Babel's own has the time of day
    return header.encode() + content.getvalue()


def _in_code(file: Path, name: str) -> Iterator[Message]:
    keywords: dict[str, Any] = FUNCTIONS | dict.fromkeys(SENTENCES)
    if name.startswith("models/refusals/"):
        keywords |= {"__init__": None}
    yield from _found("python", file, keywords)
    if name.startswith("models/refusals/") or name == "web/problems/kinds.py":  # each code is a title, too
        yield from (code.replace("-", " ").capitalize() for code in CODE.findall(file.read_text()))


def _stored(file: Path, name: str) -> Iterator[Message]:
    """Yields the texts with values that may be stored: those marked, and refusals."""
    keywords: dict[str, Any] = dict.fromkeys((MARK, *SENTENCES))
    if name.startswith("models/refusals/"):
        keywords |= {"__init__": None}
    if file.suffix == ".py" and any(f"{word}(" in file.read_text() for word in keywords):
        yield from (one for one in _found("python", file, keywords) if isinstance(one, str) and "{" in one)


def _in_template(file: Path, _: str) -> Iterator[Message]:
    yield from _found("jinja2", file, FUNCTIONS, {"silent": "false", "trim_blocks": "true"})
    for one, many in COUNTED.findall(file.read_text()):
        yield f"%(num)s {one}", f"%(num)s {many or one + 's'}"


def _in_script(file: Path, _: str) -> Iterator[Message]:
    yield from _found("javascript", file, {"say": None})


_TEXTS = {".py": _in_code, ".html": _in_template, ".js": _in_script}


def _found(
    method: str, file: Path, keywords: dict[str, Any], options: dict[str, str] | None = None
) -> Iterator[Message]:
    for _, message, _, _ in extract_from_file(method, file, keywords=keywords, options=options):
        yield message if isinstance(message, str) else tuple(message)


if __name__ == "__main__":
    for language in sys.argv[1:] or sorted(file.stem for file in HERE.glob("*.po")):
        (HERE / f"{language}.po").write_bytes(updated(language))
