"""For the site: a link to a file outside of `docs/` becomes the file's path, since the site does not have it."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\(((?!https?:|#)[^)\s#]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Called by MkDocs for each page."""
    folder = PurePosixPath(page.file.src_uri).parent

    def shown(link: re.Match[str]) -> str:
        target = normpath((folder / link[2]).as_posix())
        if not target.startswith("..") and not (Path(config["docs_dir"]) / target).is_dir():
            return link[0]
        path = normpath(f"docs/{target}")
        words = link[1].strip("`")
        return f"`{path}`" if words in (path, Path(path).name) else f"{link[1]} (`{path}`)"

    return LINK.sub(shown, markdown)
