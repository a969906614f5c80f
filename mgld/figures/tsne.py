"""A map of the image vectors of each subset by t-SNE (the paper's Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mgld.figures.axes import new_figure
from mgld.figures.categories import by_frequency
from mgld.figures.drawing import Drawing
from mgld.figures.style import CATEGORY_MARKS, GREY, INK, METHOD_RULE, METHODS, WIDE, style
from mgld.figures.svg import plain
from mgld.keyed import order_key

MOST: Final = 1000
"""Records of a subset on the map: more would hide each other, and take minutes."""
FEWEST: Final = 5
PERPLEXITY: Final = 30.0


def tsne_sample(
    landmark_id: npt.NDArray[np.int64],
    subsets: Mapping[str, npt.NDArray[np.bool_]],
    *,
    most: int = MOST,
) -> npt.NDArray[np.bool_]:
    """Which records go on the map: of each subset all, or `most` by a keyed hash of the landmark.

    landmark_id int64 [M], subsets: method -> bool [M]; gives bool [M]. Subsets that share records
    share them on the map, too.
    """
    chosen = np.zeros(len(landmark_id), dtype=np.bool_)
    key = np.array([order_key(0, "tsne", i) for i in landmark_id.tolist()], dtype=np.uint64)
    for mask in subsets.values():
        rows = np.flatnonzero(mask)
        chosen[rows[np.argsort(key[rows])[:most]]] = True
    return chosen


def tsne_map(vectors: npt.NDArray[np.float32], *, seed: int = 0) -> npt.NDArray[np.float64]:
    """Positions [M, 2] of unit vectors [M, d] by t-SNE, M at least FEWEST (else ValueError).

    Perplexity 30 (a third of the records where there are fewer than 90), begun at the first two
    principal components, on one thread, so that a second run gives the same map. Squared distances
    of unit vectors are twice their cosine distances: either gives this map.
    """
    if len(vectors) < FEWEST:
        raise ValueError(f"a map needs at least {FEWEST} records, and there are {len(vectors)}")
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    method = TSNE(
        perplexity=min(PERPLEXITY, (len(vectors) - 1) / 3),
        init="pca",
        learning_rate="auto",
        random_state=seed,
        n_jobs=1,
    )
    with threadpool_limits(limits=1):
        return np.asarray(method.fit_transform(vectors), dtype=np.float64)


def draw_tsne(
    landmark_id: npt.NDArray[np.int64],
    position: npt.NDArray[np.float64],
    label: Sequence[str | None],
    subsets: Mapping[str, npt.NDArray[np.bool_]],
    *,
    width: float = WIDE,
) -> Drawing:
    """One map, shown once a subset: its records by category, all others as a grey ground.

    landmark_id int64 [M]; position float64 [M, 2] as of `tsne_map`; label: M categories or None;
    subsets: method -> bool [M]. The eight most frequent categories have a colour and a marker each;
    the others, and what has none, are small grey crosses. Distances on such a map mean little:
    `mgld.scoring.measure_dispersion` measures. Data: one row a record.
    """
    methods = [method for method in METHODS if method in subsets]
    major = by_frequency(label)[: len(CATEGORY_MARKS)]
    group = np.array([major.index(text) if text in major else -1 for text in label], dtype=np.int64)
    wide = width > 5
    columns = 4 if wide else 2
    rows = max(1, -(-len(methods) // columns))
    with style("tsne"):
        panel = width / columns
        key_lines = -(-(len(major) + 2) // (5 if wide else 2))
        figure = new_figure(width, rows * (panel + 0.2) + 0.18 * key_lines)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axis in axes.flat[len(methods) :]:
            axis.set_visible(False)
        for axis, method in zip(axes.flat, methods, strict=False):
            _panel(axis, position, group, subsets[method])
            count = int(subsets[method].sum())
            axis.set_title(f"{method.upper()} · {METHOD_RULE[method]} · {count:,}", fontsize=8.5)
        _key(figure, major, bool((group < 0).any()), 5 if wide else 2)
    shown = [major[k] if k >= 0 else "(other)" for k in group.tolist()]
    return Drawing(
        name="tsne",
        title="Image vectors of the subsets, by category",
        alt=f"t-SNE map of {len(position):,} image vectors, one panel a subset: "
        + ", ".join(f"{method.upper()} {int(subsets[method].sum()):,}" for method in methods)
        + " records; categories shown: "
        + (", ".join(f"{plain(t)} {shown.count(t):,}" for t in major) or "none")
        + f"; other {shown.count('(other)'):,}.",
        data=pa.table(
            {
                "landmark_id": pa.array(landmark_id, pa.int64()),
                "x": pa.array(position[:, 0], pa.float64()),
                "y": pa.array(position[:, 1], pa.float64()),
                "category": pa.array(list(label), pa.string()),
                "shown_as": pa.array(shown, pa.string()),
            }
            | {method: pa.array(subsets[method], pa.bool_()) for method in methods}
        ),
        figure=figure,
    )


def _panel(
    axis: Any,
    position: npt.NDArray[np.float64],
    group: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.bool_],
) -> None:
    x, y = position[:, 0], position[:, 1]
    rest = ~chosen
    axis.scatter(x[rest], y[rest], s=2, c=GREY, alpha=0.25, lw=0, rasterized=True)
    size = float(np.clip(4000 / max(int(chosen.sum()), 1), 5, 16))
    other = chosen & (group < 0)
    axis.scatter(x[other], y[other], s=size * 0.7, c=GREY, marker="x", lw=0.7, rasterized=True)
    for k, (colour, marker) in enumerate(CATEGORY_MARKS):
        of = chosen & (group == k)
        axis.scatter(
            x[of], y[of], s=size, c=colour, marker=marker, alpha=0.85, lw=0, rasterized=True
        )
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_box_aspect(1)
    axis.spines[:].set_visible(True)


def _key(figure: Any, major: Sequence[str], other: bool, columns: int) -> None:
    from matplotlib.lines import Line2D

    def mark(text: str, colour: str, marker: str, size: float = 6) -> Any:
        return Line2D([], [], ls="none", marker=marker, color=colour, ms=size, label=text)

    handles = [
        mark(text if len(text) <= 22 else f"{text[:21]}…", colour, marker)
        for text, (colour, marker) in zip(map(plain, major), CATEGORY_MARKS, strict=False)
    ]
    if other:
        handles.append(mark("other", GREY, "x", 4))
    handles.append(mark("not in the subset", GREY, ".", 4))
    figure.legend(
        handles=handles, loc="outside lower left", ncols=columns, fontsize=8, labelcolor=INK,
        handlelength=1, columnspacing=1.2, handletextpad=0.3,
    )  # fmt: skip
