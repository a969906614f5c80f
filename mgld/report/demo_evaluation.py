"""The demo's second half: a stand-in answers, the rule judges, and the outcome is a page."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mgld.build.progress import Progress
    from mgld.evaluate.answering import AnswerSettings

FOLDER: Final = "evaluation"
MODEL: Final = "standin:"
TEMPERATURE: Final = 1.0
"""The stand-in draws a name with the probability that its encoder gives it."""


@dataclass(frozen=True)
class DemoEvaluation:
    """What came of it. report: the page; levels: in words, best first, with counts."""

    report: Path
    model: str
    judge: str
    recognised: int
    scored: int
    levels: dict[str, int]


def evaluate_demo(build: Path, *, seed: int, progress: Progress) -> DemoEvaluation:
    """Answer, grade and show the test questions of the finished demo in `build`.

    What is there already is kept, unless it is of another dataset. Raises what `answer_questions`
    and `grade_run` raise.
    """
    from mgld.evaluate.answering import AnswerSettings
    from mgld.evaluate.grading import grade_run
    from mgld.evaluate.judges import load_judge
    from mgld.evaluate.records import Decoding
    from mgld.figures.levels import level_words
    from mgld.report.evaluation import write_evaluation_report
    from mgld.report.evaluation_read import is_report_of

    folder = build / FOLDER
    settings = AnswerSettings(
        model=MODEL, data=str(build), seed=seed, decoding=Decoding(temperature=TEMPERATURE)
    )
    if is_outdated(folder, settings):
        shutil.rmtree(folder)
    _answer(settings, folder, progress)
    judge = load_judge("rule")
    metrics = grade_run(
        folder,
        judge,
        on_start=lambda todo, total: progress.start("evaluation/grade", todo, total, "questions"),
        on_verdicts=progress.rows,
    ).metrics
    progress.end()
    page = folder / "report.html"
    if not is_report_of(page, metrics):
        progress.note(f"report: writing {page}")
        write_evaluation_report(folder, judge.id, page, images=True)
    levels = metrics.levels
    return DemoEvaluation(
        report=page,
        model=", ".join(metrics.models),
        judge=metrics.judge,
        recognised=levels.recognised,
        scored=levels.scored,
        levels={level_words(level): count for level, count in levels.counts.items()},
    )


def _answer(settings: AnswerSettings, folder: Path, progress: Progress) -> None:
    """Have the stand-in answer what is not answered yet, in silence but for our own progress."""
    import datasets

    from mgld.evaluate.answering import answer_questions

    there: int | None = None

    def show(done: int, total: int) -> None:
        nonlocal there
        if there is None:
            progress.start("evaluation/answer", total - done, total, "draws")
        else:
            progress.rows(done - there)
        there = done

    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        answer_questions(settings, folder, progress=show)
    finally:
        if bars:
            datasets.enable_progress_bars()
    progress.end()


def is_outdated(folder: Path, settings: AnswerSettings) -> bool:
    """Whether `folder` holds the stand-in's run on a dataset, or by settings, that are no more."""
    from mgld.evaluate.answer_prompts import answer_prompt
    from mgld.evaluate.answering import load_run
    from mgld.hub.load import folder_content

    try:
        run = load_run(folder)
    except FileNotFoundError:
        return False
    if run.settings.model != MODEL:
        return False  # somebody's own run: it is refused, not removed
    return (
        run.dataset.content != folder_content(settings.data, settings.config)
        or run.prompt_version != answer_prompt(settings.prompt).version
        or (run.settings.seed, run.settings.decoding) != (settings.seed, settings.decoding)
    )
