"""Accuracy against the method's settings, one panel each (the paper's Figure 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.drawing import Drawing
from mgld.figures.seeds import seed_mean
from mgld.figures.style import BLUE, INK, MUTED, SKY, WIDE, style
from mgld.figures.svg import plain

SYMBOLS: Final = {"mu_e": "μₑ", "mu_h": "μₕ", "theta": "θ", "hr_tokens": "high-resolution tokens"}
"""How the paper writes settings; any other stands as it is named."""


def draw_robustness(
    setting: Sequence[str],
    value: Sequence[float],
    seed: Sequence[int],
    accuracy: Sequence[float],
    *,
    defaults: Mapping[str, float],
    width: float = WIDE,
) -> Drawing:
    """Mean accuracy with its 95 % t interval over seeds at each value of each setting.

    setting, value, seed, accuracy: R runs, in which only `setting` differs from the defaults;
    `accuracy` is a share, 0 to 1, and drawn from 0. Panels are in the order in which settings come
    first; values stand evenly, whatever their distance, and `defaults` (setting -> value) is
    marked. A run at the defaults belongs in each setting's rows. Data: one row a setting and value.
    ValueError where the columns are not equally long.
    """
    runs = list(zip(setting, value, seed, accuracy, strict=True))
    names = list(dict.fromkeys(setting))
    rows: list[dict[str, Any]] = []
    for name in names:
        for at in sorted({each for of, each, _, _ in runs if of == name}):
            mean = seed_mean([a for of, each, _, a in runs if (of, each) == (name, at)])
            rows.append(
                {"setting": name, "value": at, "default": defaults.get(name) == at,
                 "accuracy": mean.mean, "accuracy_low": mean.low, "accuracy_high": mean.high,
                 "seeds": mean.seeds}
            )  # fmt: skip
    wide = width > 5
    count = max(len(names), 1)
    with style("robustness"):
        figure = new_figure(width, 2.7 if wide else 0.4 + 2.1 * count)
        axes = figure.subplots(*((1, count) if wide else (count, 1)), sharey=True, squeeze=False)
        for axis, name in zip(axes.flat, names, strict=False):
            _panel(axis, [row for row in rows if row["setting"] == name])
            axis.set_xlabel(plain(SYMBOLS.get(name, name)))
        for axis in axes[:, 0]:
            axis.set_ylabel("accuracy, %")
        top = max((row["accuracy_high"] or row["accuracy"] for row in rows), default=1.0)
        # From 0, so that a change looks as large as it is.
        axes.flat[0].set_ylim(0, 110 * top or None)
        if any(row["default"] for row in rows):
            _key(figure)
    return Drawing(
        name="robustness",
        title="Accuracy against the settings of the method",
        alt="Mean accuracy in % over seeds: "
        + "; ".join(
            f"{plain(SYMBOLS.get(name, name))}: "
            + ", ".join(
                f"{row['value']:g}{' (default)' if row['default'] else ''} "
                f"{100 * row['accuracy']:.1f}"
                for row in rows
                if row["setting"] == name
            )
            for name in names
        )
        + ".",
        data=pa.Table.from_pylist(rows, _SCHEMA),
        figure=figure,
    )


_SCHEMA = pa.schema(
    [
        ("setting", pa.string()),
        ("value", pa.float64()),
        ("default", pa.bool_()),
        ("accuracy", pa.float64()),
        ("accuracy_low", pa.float64()),
        ("accuracy_high", pa.float64()),
        ("seeds", pa.int64()),
    ]
)


def _panel(axis: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    y = [100 * row["accuracy"] for row in rows]
    axis.plot(range(len(rows)), y, color=BLUE, lw=1.4, alpha=0.7, zorder=3)
    for x, row in enumerate(rows):
        if row["default"]:
            axis.axvspan(x - 0.32, x + 0.32, color=SKY, alpha=0.22, lw=0)
        if row["accuracy_low"] is not None:
            axis.plot([x, x], [100 * row["accuracy_low"], 100 * row["accuracy_high"]],
                      color=INK, lw=1.2)  # fmt: skip
        axis.plot(x, y[x], "D" if row["default"] else "o", ms=7 if row["default"] else 6,
                  color=BLUE, mec=INK, mew=0.7, zorder=4)  # fmt: skip
    axis.set_xticks(range(len(rows)), [f"{row['value']:g}" for row in rows])
    axis.set_xlim(-0.6, len(rows) - 0.4)
    axis.tick_params(labelleft=True)
    axis.grid(visible=False, axis="x")


def _key(figure: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=BLUE, marker="D", mec=INK, mew=0.7, ls="none", label="default"),
        Line2D([], [], color=BLUE, marker="o", mec=INK, mew=0.7, ls="none", label="other value"),
        Line2D([], [], color=INK, lw=1.2, label="95 % over seeds"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=8,
                  labelcolor=MUTED, handletextpad=0.4, columnspacing=1.2)  # fmt: skip
