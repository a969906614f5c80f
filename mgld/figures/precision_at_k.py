"""How pure the first k by a rule are, for every k: what a subset of that size would hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.roc import LINES
from mgld.figures.style import GREY, METHOD_COLOUR, MUTED, WIDE, style
from mgld.figures.svg import plain

_METHOD_DASHES: Final[dict[str, Any]] = {
    "hds": "-",
    "hss": (0, (6, 2)),
    "lcs": (0, (4, 1.5, 1, 1.5)),
    "brs": (0, (1, 1.2)),
}


@dataclass(frozen=True)
class PurityPanel:
    """One property. size: k, ascending. share: rule -> of the first k, those that have it.

    chance: the share in all of them. The largest of `size` is all of them.
    """

    title: str
    size: Sequence[int]
    share: Mapping[str, Sequence[float]]
    chance: float


def draw_precision_at_k(
    panels: Sequence[PurityPanel], *, budgets: Sequence[int] = (), width: float = WIDE
) -> Drawing:
    """Precision at k by rule, a panel a property; the same rules in each.

    Rules that are subsets' methods (hds, hss, lcs, brs) have their colours. The upright lines are
    `budgets`, the dashed curve what the best possible order would have. Data: one row a panel, rule
    and size.
    """
    wide, count = width > 5, max(len(panels), 1)
    rules = list(panels[0].share) if panels else []
    lines = _lines(rules)
    with style("precision-at-k"):
        figure = new_figure(width, 3.3 if wide else 0.9 + 2.5 * count)
        grid = (1, count) if wide else (count, 1)
        axes = figure.subplots(*grid, squeeze=False, sharey=True)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _panel(axis, panel, lines, budgets)
        for axis in axes[:, 0]:
            axis.set_ylabel("% of the first k")
        handles, labels = axes.flat[0].get_legend_handles_labels()
        if handles:
            figure.legend(
                handles, labels, loc="outside upper left", ncols=5 if wide else 2,
                handlelength=2.6, columnspacing=1.4, fontsize=8,
            )  # fmt: skip
    shown = max(budgets[:1], default=0)
    return Drawing(
        name="precision-at-k",
        title="How pure a subset is, by rule and size",
        alt=f"Precision at k. Near k = {shown:,}: "
        + "; ".join(
            f"{plain(panel.title)}: "
            + ", ".join(f"{plain(r)} {100 * v[_near(panel, shown)]:.0f} %" for r, v in _all(panel))
            for panel in panels
        )
        + ".",
        data=_table(panels),
        figure=figure,
    )


def _lines(rules: Sequence[str]) -> dict[str, tuple[str, Any]]:
    """Colour and dashes of each rule: a method's own, else those that no method of them has."""
    methods = {rule: (METHOD_COLOUR[rule], _METHOD_DASHES[rule])
               for rule in rules if rule in METHOD_COLOUR}  # fmt: skip
    taken = {colour for colour, _ in methods.values()}
    free = iter([line for line in LINES if line[0] not in taken] + [(GREY, (0, (3, 1)))] * 9)
    return {rule: methods[rule] if rule in methods else next(free) for rule in rules}


def _panel(
    axis: Any, panel: PurityPanel, lines: Mapping[str, tuple[str, Any]], budgets: Sequence[int]
) -> None:
    for budget in budgets:
        axis.axvline(budget, color=MUTED, lw=0.6, alpha=0.5)
    everything = max(panel.size, default=1)
    best = [100 * min(1.0, panel.chance * everything / k) for k in panel.size]
    axis.plot(panel.size, best, color=MUTED, lw=1.0, ls=(0, (4, 3)), label="best possible")
    for rule, share in panel.share.items():
        colour, dashes = lines[rule]
        name = rule.upper() if rule in METHOD_COLOUR else plain(rule)
        axis.plot(panel.size, [100 * y for y in share], color=colour, ls=dashes, lw=1.8, label=name)
    axis.set_xlim(0, everything)
    axis.set_ylim(0, 103)
    axis.set_title(plain(panel.title))
    axis.set_xlabel("k, records chosen")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.tick_params(labelleft=True)


def _all(panel: PurityPanel) -> list[tuple[str, Sequence[float]]]:
    return list(panel.share.items())


def _near(panel: PurityPanel, size: int) -> int:
    """The place of the k that is nearest to `size`."""
    return min(range(len(panel.size)), key=lambda place: abs(panel.size[place] - size))


def _table(panels: Sequence[PurityPanel]) -> pa.Table:
    rows = [
        {"panel": plain(panel.title), "rule": plain(rule), "k": k, "precision": share,
         "chance": panel.chance}
        for panel in panels
        for rule, shares in panel.share.items()
        for k, share in zip(panel.size, shares, strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(
        rows,
        pa.schema(
            [("panel", pa.string()), ("rule", pa.string()), ("k", pa.int64()),
             ("precision", pa.float64()), ("chance", pa.float64())]
        ),
    )  # fmt: skip
