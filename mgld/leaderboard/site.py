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
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import mgld
from mgld.evaluate.intervals import Z, cluster_codes
from mgld.evaluate.records import LEVELS
from mgld.files import atomic_folder
from mgld.leaderboard.boards import Board, board_key, read_boards
from mgld.leaderboard.entry import QuestionFacts, iter_entries
from mgld.leaderboard.reported import read_reported
from mgld.leaderboard.site_words import (
    SHORT,
    asked_words,
    bar_style,
    bar_words,
    board_title,
    dataset_version,
    dataset_words,
    https_only,
    judge_words,
    manifest_rows,
    short_between,
)
from mgld.report.evaluation import TOP_GROUPS, answer_counts, follows, level_colours
from mgld.report.page import environment, style_sheet

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
    """Write the site of a folder of records to `out`; the number of submissions.

    out: a folder that is made, or a former site, which is replaced in one step. bundles_url: the
    address under which each submission's bundle lies as /SLUG; "" for none. ValueError where `out`
    holds anything else, the address is not https://, or records contradict themselves.
    on_start, on_page: called with the number of submissions, and with 1 for each page of one.
    """
    if bundles_url and not https_only(bundles_url):
        raise ValueError(f"--bundles-url {bundles_url} is no https:// address")
    _require_replaceable(out)
    boards = read_boards(records)
    pages = _Pages(records, boards, bundles_url.rstrip("/"))
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


def questions_name(board: Board) -> str:
    """The name of a question set's data."""
    return f"questions-{board.key.questions_sha256[:16]}"


def script_json(data: Any) -> str:
    """JSON that cannot end a script element, whatever its texts are."""
    text = json.dumps(data, separators=(",", ":"))  # ASCII: no U+2028 either
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Pages:
    """The pages' texts."""

    def __init__(self, records: Path, boards: list[Board], bundles_url: str) -> None:
        self.records, self.boards, self.bundles_url = records, boards, bundles_url
        path = records / "reported.json"
        self.reported = read_reported(path) if path.is_file() else []
        self.environment = _environment()

    def render(self, name: str, **context: Any) -> str:
        """A template's text."""
        text: str = self.environment.get_template(name).render(context, root="")
        return text

    def index(self) -> str:
        """The boards."""
        return self.render(
            "index.html",
            boards=self.boards,
            reported=self.reported,
            judges=sorted({judge_words(board.key) for board in self.boards}),
            datasets={
                board.key.questions_sha256[:SHORT]: f"{dataset_words(board)} "
                f"({len(board.facts):,}, {board.key.questions_sha256[:SHORT]})"
                for board in self.boards
            },
            prompts={board.key.prompt: asked_words(board.key) for board in self.boards},
            total=sum(len(board.rows) for board in self.boards),
        )

    def compare(self) -> str:
        """The comparison, with the list of what can be compared."""
        from markupsafe import Markup

        data = {
            "boards": [
                {
                    "id": board.key.id,
                    "title": board_title(board),
                    "questions": questions_name(board),
                }
                for board in self.boards
            ],
            "entries": [
                [row.slug, row.submission.name, row.submission.submitter, number]
                for number, board in enumerate(self.boards)
                for row in board.rows
            ],
        }
        return self.render("compare.html", data=Markup(script_json(data)), z=Z)

    def submissions(self) -> Any:
        """(slug, page) of each entry, read one by one."""
        template = self.environment.get_template("submission.html")
        by_key = {board.key: board for board in self.boards}
        places = {row.slug: row.place for board in self.boards for row in board.rows}
        for entry in iter_entries(self.records):
            numbers = entry.numbers
            broken = numbers.breakdowns
            tables = [
                ("Natural or human-made", broken.natural_or_human_made),
                ("Hierarchical label", broken.label),
                ("Decile of RSR", broken.rsr),
                ("Decile of Sim", broken.sim),
                ("Images of the landmark", broken.images),
            ]
            yield (
                entry.slug,
                template.render(
                    root="../",
                    entry=entry,
                    submission=entry.submission,
                    levels=numbers.levels,
                    draws=numbers.draws,
                    answers=answer_counts(numbers.answers),
                    follows=follows(broken),
                    groups=[
                        (heading, groups)
                        for heading, groups in tables
                        if any(group.name != "(not given)" for group in groups)
                    ],
                    top=TOP_GROUPS,
                    board=by_key[board_key(entry)],
                    place=places[entry.slug],
                    landmarks=len({each.landmark_id for each in by_key[board_key(entry)].facts}),
                    manifest=manifest_rows(entry),
                    bundle=f"{self.bundles_url}/{entry.slug}" if self.bundles_url else "",
                ),
            )


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
    there = {each.relative_to(out).as_posix() for each in out.rglob("*") if not each.is_dir()}
    sums = out / SUMS
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    strange = sorted(there - {SUMS} - {line[66:] for line in lines})
    if strange:
        raise ValueError(
            f"{out} holds {len(strange):,} files that no site has ({', '.join(strange[:3])}): they "
            "would be lost; give another --out"
        )


@cache  # compiling the templates takes longer than writing a small site
def _environment() -> Any:
    made = environment("mgld.leaderboard")
    made.filters |= {"https_only": https_only}
    made.globals |= {
        "asked_words": asked_words,
        "bar_style": bar_style,
        "bar_words": bar_words,
        "board_title": board_title,
        "dataset_version": dataset_version,
        "dataset_words": dataset_words,
        "judge_words": judge_words,
        "level_names": LEVELS,
        "short_between": short_between,
        "version": mgld.__version__,
    }
    return made


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
