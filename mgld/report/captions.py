"""A sentence or two under each figure: how to read it, and what it shows, from its own numbers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mgld.figures import Drawing
from mgld.report.words import number, percent

# Paper, section B.1: shares of GLDv2's landmarks with at most 5 and at most 10 images.
GLDV2_AT_MOST_5 = 0.38
GLDV2_AT_MOST_10 = 0.57


def caption(drawing: Drawing) -> str:
    """The caption of one of `mgld.figures`' drawings of a build."""
    return _CAPTIONS[drawing.name](drawing)


def _sim_rsr(drawing: Drawing) -> str:
    data = drawing.data
    masks = {name: data[name].to_numpy() for name in ("hds", "hss", "lcs", "brs")
             if name in data.column_names}  # fmt: skip
    text = (
        "Every point is one record: its similarity with its own name (Sim) against the place of "
        "that name among all names. Coloured points belong to the subset; points are spread a "
        "little so that equal ranks can be told apart. A high Sim is not the same as a good rank"
    )
    if "hds" in masks and "hss" in masks:
        shared, size = int((masks["hds"] & masks["hss"]).sum()), int(masks["hds"].sum())
        text += f": HDS and HSS share {number(shared)} of {number(size)} records"
    return text + "."


def _known_unknown(drawing: Drawing) -> str:
    rows = {row["tier"]: row for row in drawing.data.to_pylist()}
    text = "The further up and left a curve, the better known its landmarks. "
    text += "The own name comes first for " + ", ".join(
        f"{percent(row['share_first_1'])} of those {words}"
        for tier, words in (("often", "taught often"), ("some", "taught sometimes"),
                            ("rare", "taught rarely"), ("never", "never taught"))
        if (row := rows.get(tier))
    ) + ". "  # fmt: skip
    best = rows.get("often", {}).get("auc_against_never")
    if best is not None:
        text += (
            f"RSR alone tells often from never taught with an area under the ROC curve of "
            f"{best:.3f} (1: without error, 0.5: not at all)."
        )
    return text


def _exposure(drawing: Drawing) -> str:
    rows = drawing.data.to_pylist()
    text = "Dots are medians, bars hold the middle half of the landmarks; vermillion: never shown. "
    for title in dict.fromkeys(row["exposure"] for row in rows):
        bins = [row for row in rows if row["exposure"] == title]
        if len(bins) > 1:
            ranks = [row["median_rank"] for row in bins]
            steady = all(after <= before for before, after in pairwise(ranks))
            first, last = bins[0], bins[-1]
            text += (
                f"{title}: the median rank goes from {number(first['median_rank'])} "
                f"({first['bin']} times) to {number(last['median_rank'])} ({last['bin']} times)"
                f"{', at every step as good or better' if steady else ', not at every step'}. "
            )
    return text.strip()


def _categories(drawing: Drawing) -> str:
    data = drawing.data
    everything = data["all"].to_numpy() / max(data["all"].to_numpy().sum(), 1)
    text = (
        "Bars count the subset's records; the tick is what a random draw of the same size would "
        "hold on average. "
    )
    shifts = []
    for method in data.column_names[2:]:
        counts = data[method].to_numpy()
        if counts.sum():
            moved = 0.5 * float(np.abs(counts / counts.sum() - everything).sum())
            shifts.append(f"{method.upper()} {percent(moved)}")
    if shifts:
        text += (
            "Share of records that would have to change category to match the whole: "
            + ", ".join(shifts)
            + "."
        )
    return text


def _images_per_landmark(drawing: Drawing) -> str:
    rows = drawing.data.to_pylist()
    here = {5: 0.0, 10: 0.0}
    for row in rows:
        largest = int(row["images"].rpartition("–")[2].rstrip("+").replace(",", ""))
        for limit in here:
            if largest <= limit:
                here[limit] = row["cumulative_share"]
    return (
        f"{percent(here[5])} of the landmarks have at most 5 images and "
        f"{percent(here[10])} at most 10. In the whole of Google Landmarks v2 it is "
        f"{percent(GLDV2_AT_MOST_5)} and {percent(GLDV2_AT_MOST_10)}."
    )


def _funnel(drawing: Drawing) -> str:
    return "Every image and landmark of the catalog is accounted for."


_CAPTIONS = {
    "sim-rsr": _sim_rsr,
    "known-unknown": _known_unknown,
    "exposure": _exposure,
    "categories": _categories,
    "images-per-landmark": _images_per_landmark,
    "funnel": _funnel,
}
