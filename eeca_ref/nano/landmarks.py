"""Landmarks of a build of a procedural world, with the pictures of them that may be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mgld.build import BuildView
from mgld.keyed import order_key
from mgld.world import read_ground_truth, read_landmarks
from mgld.world.landmark import Landmark

CLEAR = 0.5
"""Views below this quality (0 to 1) show too little for a caption to be true of them."""


@dataclass(frozen=True)
class Picture:
    """One view of a landmark, and where its bytes lie in the build's source."""

    image_id: str
    landmark_id: int
    source: str
    offset: int
    size: int


@dataclass(frozen=True)
class Shown:
    """A landmark of the build, and what of it stages 1 and 2 may show.

    `test`: its record is in the test split. `pictures`: its clear views but the one of its record,
    in a keyed order; empty for a test landmark, so that nothing can show one.
    """

    landmark: Landmark
    test: bool
    pictures: tuple[Picture, ...]


def shown_landmarks(build: BuildView, seed: int) -> list[Shown]:
    """The landmarks of a finished build that are records, by id. `seed` keys the views' order.

    ValueError: the build's source is no procedural world. FileNotFoundError: an unfinished build.
    """
    truth, world = read_ground_truth(build.source_root()), read_landmarks(build.source_root())
    if truth is None or world is None:
        raise ValueError(
            f"{build.root} was not built from a procedural world, so nothing is known of its "
            "pictures: make one with `mgld world` and `mgld build --encoder nano`"
        )
    records = build.table("splits", "records", ["landmark_id", "split"]).to_pylist()
    split = {row["landmark_id"]: row["split"] for row in records}
    chosen = set(build.table("selection", "part", ["image_id"])["image_id"].to_pylist())
    pictures = _pictures(build, {key for key, name in split.items() if name != "test"})
    landmarks = []
    for row in truth.select(["landmark_id", "views"]).sort_by("landmark_id").to_pylist():
        number = row["landmark_id"]
        if number not in split:
            continue
        clear = {view["image_id"] for view in row["views"] if view["quality"] >= CLEAR}
        mine = [each for each in pictures.get(number, []) if each.image_id in clear - chosen]
        mine.sort(key=lambda each: order_key(seed, "nano view", each.image_id))
        landmarks.append(Shown(world[number], split[number] == "test", tuple(mine)))
    return landmarks


def _pictures(build: BuildView, wanted: set[int]) -> dict[int, list[Picture]]:
    columns = ["image_id", "landmark_id", "status", "source", "offset", "size"]
    rows: list[dict[str, Any]] = build.table("embeddings", "images", columns).to_pylist()
    found: dict[int, list[Picture]] = {}
    for row in rows:
        if row.pop("status") == "ok" and row["landmark_id"] in wanted:
            found.setdefault(row["landmark_id"], []).append(Picture(**row))
    return found
