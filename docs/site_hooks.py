"""What mkdocs is told beyond mkdocs.yml: the order of the pages, and links out of docs/."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

GUIDES = ("load", "score", "evaluate", "submit", "rebuild", "train")
REFERENCE = ("mgld", "scoring", "vision", "hub", "gldv2", "evaluate", "leaderboard", "trainer")
"""In the order in which most readers come to need them; pages that are not named come after."""
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """The navigation: guides by purpose, then every other page of docs/, then the reference."""
    docs = Path(config["docs_dir"])
    config["nav"] = [
        {"Start": "index.md"},
        {"Guides": _pages(docs, "guides/", GUIDES)},
        {"In full": [name for name in _pages(docs, "", ()) if name != "index.md"]},
        {"Reference": _pages(docs, "reference/", REFERENCE)},
    ]
    return config


def _pages(docs: Path, folder: str, first: tuple[str, ...]) -> list[str]:
    there = sorted(path.stem for path in (docs / folder).glob("*.md"))
    names = [*first, *(name for name in there if name not in first)]
    return [f"{folder}{name}.md" for name in names]


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """A link to a file of the repository outside docs/ becomes its path: the site has no such file.

    Where such a file is missing the link stays, and mkdocs reports it.
    """
    root = Path(config["docs_dir"]).parent
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def shown(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        if target.startswith(("docs/", "..")) or not (root / target).exists():
            return link[0]
        text = link[1].strip("`")
        return f"`{target}`" if text == target else f"{link[1]} (`{target}`)"

    return _LINK.sub(shown, markdown)
