"""The code blocks of README.md and docs/, and what each says of how it is tested.

The line before a block is a comment that readers do not see:

    <!-- test: run -->                    executed as it stands (Python, shell)
    <!-- test: run (saved as NAME) -->    written to NAME, which a later block uses
    <!-- test: parse (WHY) -->            only read: must be right usage; WHY it cannot run
    <!-- test: none (WHY) -->             no code: output, a layout
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$", re.S | re.M
)
_MARK = re.compile(r"<!-- test: (run|parse|none)(?: \(([^)]+)\))? -->\n\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block. how: "run", "parse", "none", or "" where the page does not say."""

    page: str
    line: int
    language: str
    code: str
    how: str
    why: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block; comments are left out."""
        joined = self.code.replace("\\\n", " ").replace(" && ", "\n")
        split = (shlex.split(line, comments=True) for line in joined.split("\n"))
        return [words for words in split if words]


def pages() -> list[Path]:
    """Every page of the site."""
    return sorted(DOCS.rglob("*.md"))


def all_pages() -> list[Path]:
    """The README and every page of the site."""
    return [README, *pages()]


def blocks(page: Path) -> list[Block]:
    """The blocks of one page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        mark = _MARK.search(text[: fence.start()])
        found.append(
            Block(
                page=page.relative_to(ROOT if page == README else DOCS).as_posix(),
                line=text.count("\n", 0, fence.start()) + 1,
                language=fence["language"].strip().split(" ")[0],
                code=fence["code"],
                how=mark[1] if mark else "",
                why=(mark[2] or "") if mark else "",
            )
        )
    return found
