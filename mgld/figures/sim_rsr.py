"""Sim against RSR, with the subsets that are cut from it (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mgld.figures.axes import jitter, new_figure, point_size, rank_axis, rsr_twin
from mgld.figures.drawing import Drawing
from mgld.figures.style import GREY, METHOD_COLOUR, METHOD_RULE, METHODS, WIDE, style


def draw_sim_rsr(
    landmark_id: npt.NDArray[np.int64],
    sim: npt.NDArray[np.float64],
    rank: npt.NDArray[np.int64],
    names: int,
    subsets: Mapping[str, npt.NDArray[np.bool_]],
    *,
    width: float = WIDE,
) -> Drawing:
    """Small multiples, one a subset, of every record's Sim (x) and rank (y, logarithmic).

    landmark_id, sim, rank: [M], `rank` among `names` candidate names; subsets: method -> bool [M].
    RSR stands on the right; ranks are spread by less than a fifth of a decade so that the many
    records of rank 1 can be told apart. Data: one row a record, with a column a subset.
    """
    methods = [method for method in METHODS if method in subsets]
    columns = 4 if width > 5 else 2
    rows = max(1, -(-len(methods) // columns))
    spread = rank * 10 ** jitter(len(rank), 0.09)
    size = point_size(len(rank))
    with style("sim-rsr"):
        figure = new_figure(width, 0.5 + 2.3 * rows)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axis in axes.flat[len(methods) :]:
            axis.set_visible(False)
        for position, (axis, method) in enumerate(zip(axes.flat, methods, strict=False)):
            chosen = subsets[method]
            axis.scatter(
                sim[~chosen], spread[~chosen], s=size, c=GREY, alpha=0.35, lw=0, rasterized=True
            )
            axis.scatter(
                sim[chosen], spread[chosen], s=size * 1.3, c=METHOD_COLOUR[method], alpha=0.85,
                lw=0, rasterized=True,
            )  # fmt: skip
            axis.set_title(
                f"{method.upper()} · {METHOD_RULE[method]}", fontsize=9.5 if columns == 4 else 8.5
            )
            rank_axis(axis, names)
            axis.tick_params(labelbottom=True)
            if position % columns == 0:
                axis.set_ylabel("rank of the own name")
            if position % columns == columns - 1 or position == len(methods) - 1:
                rsr_twin(axis, names)
            axis.set_xlabel("Sim")
    rsr = 1 - (rank - 1) / max(names - 1, 1)
    data = pa.table({"landmark_id": landmark_id, "sim": sim, "rank": rank, "rsr": rsr}
                    | {method: subsets[method] for method in methods})  # fmt: skip
    sizes = ", ".join(
        f"{method.upper()} {int(subsets[method].sum()):,} records with median rank "
        f"{int(np.median(rank[subsets[method]])):,}"
        for method in methods
        if subsets[method].any()
    )
    return Drawing(
        name="sim-rsr",
        title="Sim against RSR, and the four subsets",
        alt=f"Similarity with the own name against its rank for {len(rank):,} records: {sizes}.",
        data=data,
        figure=figure,
    )
