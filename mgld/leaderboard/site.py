"""`mgld leaderboard build`: the records as a folder of static pages.

    index.html             boards: one table each, and the paper's own rows
    submissions/SLUG.html  everything about one submission
    compare.html           two submissions of one board, tested in the reader's browser
    data/                  what that page loads: letters of a submission, landmarks of questions
    assets/, README.md     style, scripts; the description of a static Space
    SHA256SUMS             of all of these

All links are relative and nothing else is loaded, so that the folder works from a disk, as a Space
and under any address. The same records give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from mgld.evaluate.intervals import cluster_codes
from mgld.files import atomic_folder
from mgld.leaderboard.boards import Board, read_boards
from mgld.leaderboard.entry import QuestionFacts
from mgld.leaderboard.site_pages import Pages, questions_name, script_json
from mgld.leaderboard.site_words import https_only
from mgld.report.evaluation import level_colours
from mgld.report.page import style_sheet

SUMS: Final = "SHA256SUMS"
_TEMPLATES: Final = files("mgld.leaderboard") / "templates"


def build_site(
    records: Path,
    out: Path,
    *,
    bundles_url: str = "",
    on_start: Callable[[int], None] = lambda total: None,
    on_page: Callable[[int], None] = lambda number: None,
) -> int:
    """Write the site of a folder of records.

    Args:
        records: the board's folder, e.g. benchmarks/leaderboard.
        out: a folder that is made, or a former site, which is replaced in one step.
        bundles_url: the address under which each submission's bundle lies as /SLUG; "" for none.
        on_start: called with the number of submissions.
        on_page: called with 1 for each submission's page.

    Returns:
        The number of submissions.

    Raises:
        ValueError: `out` holds anything else, the address is not https://, or records contradict
            themselves.
        FileNotFoundError: there are no records.
    """
    if bundles_url and not https_only(bundles_url):
        raise ValueError(f"--bundles-url {bundles_url} is no https:// address")
    _require_replaceable(out)
    boards = read_boards(records)
    pages = Pages(records, boards, bundles_url.rstrip("/"))
    total = sum(len(board.rows) for board in boards)
    on_start(total)
    with atomic_folder(out) as folder:
        written = _Writer(folder)
        written.add("assets/site.css", _css())
        for name in ("board.js", "compare.js"):
            written.add(f"assets/{name}", (_TEMPLATES / name).read_text(encoding="utf-8"))
        for board in boards:
            written.add(f"data/{questions_name(board)}.js", _take(*_question_data(board)))
            for row in board.rows:
                written.add(f"data/{row.slug}.js", _take(row.slug, row.outcomes))
        written.add("index.html", pages.index())
        written.add("compare.html", pages.compare())
        written.add("README.md", pages.render("README.md"))
        for slug, text in pages.submissions():
            written.add(f"submissions/{slug}.html", text)
            on_page(1)
        written.sums()
    return total


class _Writer:
    """Files of a new folder, and their hashes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hashes: dict[str, str] = {}

    def add(self, name: str, text: str) -> None:
        path, data = self.folder / name, text.encode("utf-8")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        self.hashes[name] = hashlib.sha256(data).hexdigest()

    def sums(self) -> None:
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.hashes.items()))
        (self.folder / SUMS).write_text(lines, encoding="utf-8")


def _require_replaceable(out: Path) -> None:
    """ValueError where replacing `out` would lose anything but a former site."""
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise ValueError(f"{out} is no folder: give another --out")
    there = {
        each.relative_to(out).as_posix()
        for each in out.rglob("*")
        if each.is_symlink() or not each.is_dir()
    }
    sums = out / SUMS
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    strange = sorted(there - {SUMS} - {line[66:] for line in lines})
    if strange:
        raise ValueError(
            f"{out} holds {len(strange):,} files that no site has ({', '.join(strange[:3])}): they "
            "would be lost; give another --out"
        )


def _css() -> str:
    own = (_TEMPLATES / "site.css").read_text(encoding="utf-8")
    return level_colours() + style_sheet("viewer.css", "evaluation.css") + own


def _question_data(board: Board) -> tuple[str, Mapping[str, Any]]:
    facts: list[QuestionFacts] = board.facts
    codes = cluster_codes([each.landmark_id for each in facts], len(facts))
    return questions_name(board), {
        "landmarks": codes.tolist(),
        "ids": [each.id for each in facts],
        "names": [each.name for each in facts],
    }


def _take(name: str, value: Any) -> str:
    """A data file: a script, since pages from a disk may read no other file."""
    return f"mgldTake({script_json(name)},{script_json(value)});\n"
