"""Accuracy of several models over the same groups of questions, from one group to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.style import INK, METHOD_COLOUR, METHOD_MARK, MUTED, ORANGE, SKY, WIDE, style
from mgld.figures.svg import plain

_OTHERS: Final = ((MUTED, "P", (0, (4, 3))), (ORANGE, "*", "-"), (SKY, "v", (0, (1, 1.2))))


@dataclass(frozen=True)
class GroupShare:
    """A model's accuracy over one group with its 95 % interval, 0 to 1."""

    share: float
    low: float
    high: float


def draw_group_accuracy(
    groups: Sequence[tuple[str, int]],
    models: Mapping[str, Sequence[GroupShare | None]],
    *,
    title: str,
    over: str,
    name: str = "group-accuracy",
    width: float = WIDE,
) -> Drawing:
    """One line a model over `groups` (words, number of landmarks), in their order; over: of what.

    models: name -> one share a group, None where it has none. A name that begins with a subset's
    method ("HDS-50k") has its colour and mark; of others there may be three. Data: one row a model
    and group. ValueError: a fourth other, or not one share a group.
    """
    lines = _lines(list(models))
    for model, shares in models.items():
        if len(shares) != len(groups):
            raise ValueError(f"{model}: {len(shares)} shares of {len(groups)} groups")
    wide = width > 5
    with style(name):
        figure = new_figure(width, 3.3 if wide else 3.9)
        axis = figure.subplots()
        for k, (model, shares) in enumerate(models.items()):
            # Beside each other, so that no interval hides another's.
            offset = (k - (len(models) - 1) / 2) * 0.07
            _line(axis, plain(model), shares, lines[model], offset)
        axis.set_xticks(range(len(groups)), [f"{plain(g)}\n{n:,}" for g, n in groups])
        axis.set_xlim(-0.45, len(groups) - 0.55)
        axis.set_ylim(bottom=0)
        axis.grid(visible=False, axis="x")
        axis.set_xlabel(over)
        axis.set_ylabel("accuracy, %")
        handles, labels = axis.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside upper left", ncols=6 if wide else 2,
                          handlelength=2.4, columnspacing=1.3)  # fmt: skip
    return Drawing(
        name=name,
        title=title,
        alt=f"{title}. Accuracy in %: "
        + "; ".join(
            f"{plain(model)}: "
            + ", ".join(
                f"{plain(group)} " + ("none" if found is None else f"{100 * found.share:.1f}")
                for (group, _), found in zip(groups, shares, strict=True)
            )
            for model, shares in models.items()
        )
        + ".",
        data=_table(groups, models),
        figure=figure,
    )


def _lines(models: Sequence[str]) -> dict[str, tuple[str, str, Any]]:
    """Colour, mark and dashes of each model."""
    others = [model for model in models if _method(model) is None]
    if len(others) > len(_OTHERS):
        raise ValueError(f"{', '.join(others)}: more than {len(_OTHERS)} models of no method")
    found: dict[str, tuple[str, str, Any]] = {}
    for model in models:
        method = _method(model)
        if method is None:
            found[model] = _OTHERS[others.index(model)]
        else:
            found[model] = (METHOD_COLOUR[method], METHOD_MARK[method], "-")
    return found


def _method(model: str) -> str | None:
    method = model[:3].lower()
    return method if method in METHOD_COLOUR else None


def _line(
    axis: Any,
    model: str,
    shares: Sequence[GroupShare | None],
    line: tuple[str, str, Any],
    offset: float,
) -> None:
    colour, mark, dashes = line
    there = [(k + offset, found) for k, found in enumerate(shares) if found is not None]
    for x, found in there:
        axis.plot([x, x], [100 * found.low, 100 * found.high], color=colour, lw=1.3, alpha=0.8)
    axis.plot(
        [x for x, _ in there], [100 * found.share for _, found in there], color=colour, ls=dashes,
        marker=mark, ms=10 if mark == "*" else 6, lw=1.7, mec=INK, mew=0.6, label=model, zorder=4,
        clip_on=False,
    )  # fmt: skip


def _table(
    groups: Sequence[tuple[str, int]], models: Mapping[str, Sequence[GroupShare | None]]
) -> pa.Table:
    rows = [
        {"model": plain(model), "group": plain(group), "landmarks": count,
         "accuracy": found.share, "accuracy_low": found.low, "accuracy_high": found.high}
        for model, shares in models.items()
        for (group, count), found in zip(groups, shares, strict=True)
        if found is not None
    ]  # fmt: skip
    numbers = [(f"accuracy{end}", pa.float64()) for end in ("", "_low", "_high")]
    return pa.Table.from_pylist(
        rows,
        pa.schema(
            [("model", pa.string()), ("group", pa.string()), ("landmarks", pa.int64()), *numbers]
        ),
    )
