"""The figures of a graded run, and what to read in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mgld.figures import NARROW, WIDE, Drawing
from mgld.figures.level_groups import draw_level_groups
from mgld.figures.levels import draw_identified, draw_levels
from mgld.report.page import Plot, plot
from mgld.report.words import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mgld.evaluate.breakdown import Group
    from mgld.evaluate.run_metrics import RunMetrics

_VALUES: Final = {
    "rsr": ("By decile of RSR", "decile of RSR, the encoder's least known first"),
    "sim": ("By decile of Sim", "decile of Sim, least similar first"),
    "images": ("By images of the landmark", "images of the landmark in the source"),
}


def draw_run(metrics: RunMetrics, *, width: float = WIDE, small: bool = True) -> list[Drawing]:
    """Every figure that a run's metrics support, in the order in which a reader wants them.

    small: also those that have the same drawing for every width.
    """
    drawings = []
    if metrics.levels.scored:
        drawings.append(draw_levels(metrics.levels, width=width))
    if metrics.draws is not None and small:
        drawings.append(draw_identified(metrics.draws))
    for name, (title, axis_label) in _VALUES.items():
        groups = _given(getattr(metrics.breakdowns, name))
        if len(groups) > 1:
            drawings.append(
                draw_level_groups(
                    groups, name=f"levels-{name}", title=title, axis_label=axis_label, width=width
                )
            )
    return drawings


def run_plots(metrics: RunMetrics) -> dict[str, Plot | None]:
    """The figures for the page by name, None for one that has nothing to show."""
    plots: dict[str, Plot | None] = dict.fromkeys(
        ("levels", "identified", *(f"levels-{name}" for name in _VALUES))
    )
    narrow = {drawing.name: drawing for drawing in draw_run(metrics, width=NARROW, small=False)}
    for drawing in draw_run(metrics):
        text = ""
        if drawing.name == "levels":
            text = "The lines are 95 % intervals. Recognised are strongly known and known together."
        elif drawing.name == "identified":
            assert metrics.draws is not None
            draws = metrics.draws
            text = f"Of {draws.questions:,} questions, {draws.identified[draws.draws]:,} are "
            text += f"answered with the landmark every time, {draws.identified[0]:,} never."
        else:
            name = drawing.name.removeprefix("levels-")
            text = _group_caption(getattr(metrics.breakdowns, name))
            if name != "images" and drawing.data.num_rows < 10:
                text += " Equal values share a decile, so that some are empty."
        plots[drawing.name] = plot(drawing, narrow.get(drawing.name, drawing), text)
    return plots


def _given(groups: Sequence[Group]) -> list[Group]:
    """Without those that have no value: a place in an order is not theirs."""
    return [group for group in groups if group.name != "(not given)"]


def _group_caption(groups: Sequence[Group]) -> str:
    given = _given(groups)
    text = "A dot is the accuracy, its line the 95 % interval."
    ends = [given[0].metrics, given[-1].metrics]
    if all(each.accuracy is not None for each in ends):
        first, last = (percent(each.accuracy or 0.0) for each in ends)
        text += f" It is {first} in the first group and {last} in the last."
    if any(group.small for group in given):
        text += " *: fewer than 20 scored questions."
    missing = sum(group.metrics.total for group in groups) - sum(g.metrics.total for g in given)
    return text + (f" {missing:,} questions have no value." if missing else "")
