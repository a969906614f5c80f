"""The texts of the site's pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import mgld
from mgld.evaluate.intervals import Z
from mgld.evaluate.records import LEVELS
from mgld.leaderboard.boards import Board, board_key
from mgld.leaderboard.entry import iter_entries
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
from mgld.report.evaluation import TOP_GROUPS, answer_counts, follows
from mgld.report.page import environment


def questions_name(board: Board) -> str:
    """The name of a question set's data."""
    return f"questions-{board.key.questions_sha256[:16]}"


def script_json(data: Any) -> str:
    """JSON that cannot end a script element, whatever its texts are."""
    text = json.dumps(data, separators=(",", ":"))  # ASCII: no U+2028 either
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class Pages:
    """The pages' texts, made from the boards and, one by one, the entries."""

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
                {"title": board_title(board), "questions": questions_name(board)}
                for board in self.boards
            ],
            "entries": [
                [row.slug, row.submission.name, row.submission.submitter, number]
                for number, board in enumerate(self.boards)
                for row in board.rows
            ],
        }
        return self.render("compare.html", data=Markup(script_json(data)), z=Z)

    def submissions(self) -> Iterator[tuple[str, str]]:
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
