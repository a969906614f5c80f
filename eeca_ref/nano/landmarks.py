"""Landmarks of a build with what only a procedural world knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mgld.build import BuildView
from mgld.keyed import order_key
from mgld.world import read_ground_truth

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
class Landmark:
    """A landmark of the build.

    `test`: its record is in the test split. `pictures`: its clear views but the one of its record,
    in a keyed order; empty for a test landmark, so that nothing can show one.
    """

    landmark_id: int
    name: str
    place: str
    region: str
    description: str
    location: str
    attributes: dict[str, str]
    test: bool
    pictures: tuple[Picture, ...]


def read_landmarks(build: BuildView, seed: int) -> list[Landmark]:
    """The landmarks of a finished build that are records, by id. `seed` keys the views' order.

    ValueError: the build's source is no procedural world. FileNotFoundError: an unfinished build.
    """
    truth = read_ground_truth(build.source_root())
    if truth is None:
        raise ValueError(
            f"{build.root} was not built from a procedural world, so nothing is known of its "
            "pictures: make one with `mgld world` and `mgld build --encoder nano`"
        )
    records = build.table("splits", "records", ["landmark_id", "split"]).to_pylist()
    split = {row["landmark_id"]: row["split"] for row in records}
    chosen = set(build.table("selection", "part", ["image_id"])["image_id"].to_pylist())
    pictures = _pictures(build, {key for key, name in split.items() if name != "test"})
    landmarks = []
    for row in truth.sort_by("landmark_id").to_pylist():
        number = row["landmark_id"]
        if number not in split:
            continue
        clear = {view["image_id"] for view in row["views"] if view["quality"] >= CLEAR}
        mine = [each for each in pictures.get(number, []) if each.image_id in clear - chosen]
        landmarks.append(
            Landmark(
                landmark_id=number,
                name=row["name"],
                place=row["place"],
                region=row["region"],
                description=row["description"],
                location=row["location"],
                attributes={each["kind"]: each["value"] for each in row["attributes"]},
                test=split[number] == "test",
                pictures=tuple(
                    sorted(mine, key=lambda each: order_key(seed, "nano view", each.image_id))
                ),
            )
        )
    return landmarks


def _pictures(build: BuildView, wanted: set[int]) -> dict[int, list[Picture]]:
    columns = ["image_id", "landmark_id", "status", "source", "offset", "size"]
    rows: list[dict[str, Any]] = build.table("embeddings", "images", columns).to_pylist()
    found: dict[int, list[Picture]] = {}
    for row in rows:
        if row.pop("status") == "ok" and row["landmark_id"] in wanted:
            found.setdefault(row["landmark_id"], []).append(Picture(**row))
    return found
