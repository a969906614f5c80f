"""Every figure that a folder supports, whatever it holds, one after the other: `mgld figures`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mgld.figures import BUILD_FIGURES, BuildData, Drawing, LackingError
from mgld.report.evaluation_read import is_run
from mgld.report.probe_read import is_probe

_TRAINED: Final = "accuracies of several trained models: `mgld.figures.draw_{}` draws them"
_NO_FOLDER: Final = {
    "data-size": _TRAINED.format("data_size"),
    "robustness": _TRAINED.format("robustness"),
}


@dataclass(frozen=True)
class NotDrawn:
    """A figure that the folder does not support, and what it needs."""

    name: str
    needs: str


def draw_folder(folder: Path, judge: str | None = None) -> Iterator[Drawing | NotDrawn]:
    """Draw all that a build, a graded run or a probe supports, and say what it does not.

    judge: of a run: whose verdicts; None: the only one's. FileNotFoundError where the folder is
    none of these; ValueError for a run without metrics and for a damaged file.
    """
    if is_run(folder):
        return _of_run(folder, judge)
    return _of_probe(folder) if is_probe(folder) else _of_build(folder)


def _of_build(folder: Path) -> Iterator[Drawing | NotDrawn]:
    from mgld.build.read import BuildView
    from mgld.figures.style import WIDE
    from mgld.report.build_pictures import draw_build_top_three

    data = BuildData(BuildView(folder))
    for name, draw in {**BUILD_FIGURES, "top-three": draw_build_top_three}.items():
        try:
            yield draw(data, WIDE)
        except LackingError as error:
            yield NotDrawn(name, str(error))
        except FileNotFoundError as error:
            yield NotDrawn(name, f"a stage that has not run: {error}")
    for name in ("levels", "level-examples"):
        yield NotDrawn(name, "answers of a model: the folder of a graded run")
    for name, needs in _NO_FOLDER.items():
        yield NotDrawn(name, needs)


def _of_run(folder: Path, judge: str | None) -> Iterator[Drawing | NotDrawn]:
    from mgld.report.evaluation_figures import draw_run
    from mgld.report.evaluation_read import read_evaluated
    from mgld.report.run_pictures import draw_run_examples, has_pictures

    found = read_evaluated(folder, judge)
    drawings = draw_run(found.metrics)
    yield from drawings
    there = {drawing.name for drawing in drawings}
    if "levels" not in there:
        yield NotDrawn("levels", "a question that the judge could score")
    if "identified" not in there:
        yield NotDrawn("identified", "a judge that says which answers identify the landmark")
    for name in ("rsr", "sim", "images"):
        if f"levels-{name}" not in there:
            yield NotDrawn(f"levels-{name}", f"questions that differ in {name}")
    try:
        yield draw_run_examples(found)
        if not has_pictures(found):
            source = found.run.dataset.source if found.run else "the run does not say which"
            yield NotDrawn("pictures in level-examples", f"the folder of the dataset ({source})")
    except LackingError as error:
        yield NotDrawn("level-examples", str(error))
    yield NotDrawn("what the dataset holds", "the folder of a build")
    for name, needs in _NO_FOLDER.items():
        yield NotDrawn(name, needs)


def _of_probe(folder: Path) -> Iterator[Drawing | NotDrawn]:
    from mgld.report.probe import draw_probe

    yield from draw_probe(folder)
    for name in ("levels", "level-examples"):
        yield NotDrawn(name, "the folder of a graded run")
    yield NotDrawn("what the dataset holds", "the folder of a build")
