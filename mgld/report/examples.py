"""Which landmarks the page shows, and everything it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mgld.figures import ScoredRecords
from mgld.keyed import order_key

if TYPE_CHECKING:
    from mgld.build.read import BuildView

LADDER_STEPS = 8
SELECTIONS = 6
PER_SUBSET = 2
NEAREST_SHOWN = 5


@dataclass(frozen=True)
class Step:
    """One landmark of the ladder from best to least known."""

    row: int
    image_id: str


@dataclass(frozen=True)
class Candidate:
    """One of the top images of a landmark; `chance` is its share of the weighted draw."""

    image_id: str
    sim: float
    chance: float
    chosen: bool


@dataclass(frozen=True)
class Selection:
    """The image selection of one landmark (the paper's Figure 10)."""

    name: str
    images: int
    readable: int
    candidates: list[Candidate]


@dataclass(frozen=True)
class Near:
    """One of the names nearest to an image: its place, and whether it is the landmark's own."""

    place: int
    name: str
    sim: float
    own: bool


@dataclass(frozen=True)
class Example:
    """One record in the form of the paper's Figure 13, with what the encoder makes of it."""

    name: str
    image_id: str
    split: str
    conversation: list[dict[str, str]]
    entities: list[str]
    label: str | None
    label_gldv2: str | None
    supercategory: str | None
    kind: str | None
    aliases: list[str]
    place_hints: list[str]
    sim: float
    rank: int
    rsr: float
    margin: float
    nearest: list[Near]


def _select_rows(table: pa.Table, landmark_ids: list[int]) -> dict[int, dict[str, Any]]:
    chosen = table.filter(
        pc.is_in(table["landmark_id"], value_set=pa.array(landmark_ids, pa.int64()))
    )
    return {row["landmark_id"]: row for row in chosen.to_pylist()}


def ladder(view: BuildView, records: ScoredRecords) -> list[Step]:
    """The middle record of each eighth, after sorting all of them from best to least known."""
    if len(records) == 0:
        return []
    order = np.lexsort((records.landmark_id, -records.margin, records.rank))
    steps = min(LADDER_STEPS, len(records))
    places = [int((k + 0.5) * len(records) / steps) for k in range(steps)]
    rows = order[places].tolist()
    ids = records.landmark_id[rows].tolist()
    images = _select_rows(view.table("scores", "part", ["landmark_id", "image_id"]), ids)
    return [
        Step(row, images[landmark]["image_id"]) for row, landmark in zip(rows, ids, strict=True)
    ]


def selections(view: BuildView, names: dict[int, str]) -> list[Selection]:
    """Landmarks with three candidates (or the most there are), drawn by a keyed hash."""
    table = view.table(
        "selection",
        "part",
        ["landmark_id", "status", "candidates", "chosen", "images", "readable"],
    )
    table = table.filter(pc.equal(table["status"], "ok"))
    lengths = pc.list_value_length(table["candidates"])
    most = pc.max(lengths).as_py() if table.num_rows else 0
    table = table.filter(pc.equal(lengths, most))
    seed = view.config.seed
    ids = sorted(
        table["landmark_id"].to_pylist(), key=lambda i: order_key(seed, "report-selection", i)
    )[:SELECTIONS]
    rows = _select_rows(table, ids)
    return [_selection(rows[i], names[i]) for i in ids]


def _selection(row: dict[str, Any], name: str) -> Selection:
    weights = np.clip([candidate["sim"] for candidate in row["candidates"]], 0, None)
    # All similarities negative: the builder takes the best one, which is the first.
    chances = weights / weights.sum() if weights.sum() > 0 else np.eye(len(weights))[0]
    return Selection(
        name=name,
        images=row["images"],
        readable=row["readable"],
        candidates=[
            Candidate(candidate["image_id"], candidate["sim"], float(chance), k == row["chosen"])
            for k, (candidate, chance) in enumerate(zip(row["candidates"], chances, strict=True))
        ],
    )


def examples(view: BuildView, records: ScoredRecords) -> dict[str, list[Example]]:
    """PER_SUBSET annotated records of each subset, drawn by a keyed hash, no landmark twice."""
    seed = view.config.seed
    qa = view.table("qa", "part", ["landmark_id", "status"])
    annotated = set(qa.filter(pc.equal(qa["status"], "ok"))["landmark_id"].to_pylist())
    picked: dict[int, str] = {}
    for method, mask in records.subsets.items():
        ids = [i for i in records.landmark_id[mask].tolist() if i in annotated and i not in picked]
        ids.sort(key=lambda i: order_key(seed, f"report-{method}", i))
        picked |= dict.fromkeys(ids[:PER_SUBSET], method)
    ids = list(picked)
    tables = {
        "qa": _select_rows(view.table("qa", "part", ["landmark_id", "conversation"]), ids),
        "entities": _select_rows(
            view.table(
                "entities",
                "part",
                ["landmark_id", "entities", "hierarchical_label", "aliases", "place_hints"],
            ),
            ids,
        ),
        "scores": _select_rows(
            view.table(
                "scores",
                "part",
                ["landmark_id", "image_id", "sim", "rank", "rsr", "margin", "nearest",
                 "nearest_sim"],
            ),
            ids,
        ),
        "landmarks": _select_rows(view.table("catalog", "landmarks"), ids),
        "splits": _select_rows(view.table("splits", "records", ["landmark_id", "split"]), ids),
    }  # fmt: skip
    shown: dict[str, list[Example]] = {}
    for i, method in picked.items():
        example = _example({name: rows.get(i, {}) for name, rows in tables.items()})
        shown.setdefault(method, []).append(example)
    return shown


def _example(rows: dict[str, dict[str, Any]]) -> Example:
    scores, landmark, entities = rows["scores"], rows["landmarks"], rows["entities"]
    nearest = [
        Near(place, name, sim, name == landmark["name"])
        for place, (name, sim) in enumerate(
            zip(scores["nearest"], scores["nearest_sim"], strict=True), start=1
        )
        if name is not None
    ][:NEAREST_SHOWN]
    if not any(near.own for near in nearest):
        nearest.append(Near(scores["rank"], landmark["name"], scores["sim"], own=True))
    return Example(
        name=landmark["name"],
        image_id=scores["image_id"],
        split=rows["splits"].get("split", ""),
        conversation=rows["qa"].get("conversation") or [],
        entities=entities.get("entities") or [],
        label=entities.get("hierarchical_label"),
        label_gldv2=landmark["hierarchical_label"],
        supercategory=landmark["supercategory"],
        kind=landmark["natural_or_human_made"],
        aliases=entities.get("aliases") or [],
        place_hints=entities.get("place_hints") or [],
        sim=scores["sim"],
        rank=scores["rank"],
        rsr=scores["rsr"],
        margin=scores["margin"],
        nearest=nearest,
    )
