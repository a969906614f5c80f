"""The demo's second half: a stand-in answers and is probed, the rule judges, each a page."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mgld.build.progress import Progress
    from mgld.evaluate.answering import AnswerSettings

FOLDER: Final = "evaluation"
PROBE_FOLDER: Final = "probe"
PROBED: Final = 40
"""Landmarks that are probed, at most: some seconds."""
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


@dataclass(frozen=True)
class DemoProbe:
    """What the probe found. report: the page; misaligned: of how many described landmarks."""

    report: Path
    misaligned: int
    described: int


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


def probe_demo(build: Path, subset: str, *, seed: int, progress: Progress) -> DemoProbe:
    """Probe the stand-in about some training records of the finished demo in `build`.

    Of these it has read, so that it can tell of them. What is there already is kept, unless it is
    of another dataset. Raises what `probe` raises.
    """
    from mgld.evaluate.answering import AnswerSettings
    from mgld.evaluate.describing import load_description_judge
    from mgld.evaluate.judges import load_judge
    from mgld.evaluate.probe import probe
    from mgld.evaluate.records import Decoding
    from mgld.report.probe import write_probe_report

    folder = build / PROBE_FOLDER
    settings = AnswerSettings(
        model=MODEL,
        data=str(build),
        config=subset,
        split="train",
        prompt="probe-image",
        limit=PROBED,
        seed=seed,
        decoding=Decoding(temperature=TEMPERATURE),
    )
    if is_outdated(folder / subset / "image", settings):
        shutil.rmtree(folder)
    with _without_bars():
        result = probe(
            settings,
            folder,
            judge=load_judge("rule"),
            description_judge=load_description_judge("rule"),
            subsets=[subset],
            progress=lambda what: _shown(progress, f"{PROBE_FOLDER}/{what}"),
        )
        progress.end()
        page = folder / "report.html"
        progress.note(f"report: writing {page}")
        write_probe_report(folder, page)
    (table,) = result.tables
    told = table.described_recognised + table.described_not_recognised
    return DemoProbe(report=page, misaligned=table.described_not_recognised, described=told)


def _answer(settings: AnswerSettings, folder: Path, progress: Progress) -> None:
    """Have the stand-in answer what is not answered yet, in silence but for our own progress."""
    from mgld.evaluate.answering import answer_questions

    with _without_bars():
        answer_questions(settings, folder, progress=_shown(progress, "evaluation/answer"))
    progress.end()


def _shown(progress: Progress, what: str) -> Callable[[int, int], None]:
    """A callback for (draws there, draws wanted) that begins `what` when it is first called."""
    there: int | None = None

    def show(done: int, total: int) -> None:
        nonlocal there
        if there is None:
            progress.end()
            progress.start(what, total - done, total, "draws")
        else:
            progress.rows(done - there)
        there = done

    return show


@contextmanager
def _without_bars() -> Iterator[None]:
    """Without the progress bars of the library that reads the dataset."""
    import datasets

    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if bars:
            datasets.enable_progress_bars()


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
