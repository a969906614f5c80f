"""Write a world in GLDv2's own layout, so that the rest of the program cannot tell the difference.

OUT/metadata/train.csv  train_label_to_category.csv  train_label_to_hierarchical.csv
             train_attribution.csv
OUT/train/images_NNN.tar            members a/b/c/<id>.jpg
OUT/md5sum/train/md5.images_NNN.txt
OUT/ground_truth.parquet            what only a procedural world can know
"""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mgld.files import atomic_path, write_text_atomically
from mgld.keyed import generator
from mgld.processes import stay_with_parent
from mgld.world.curriculum import taught_code_views, taught_views, tier
from mgld.world.landmark import Landmark, make_landmark
from mgld.world.scene import render
from mgld.world.views import make_view

IMAGES_PER_TAR = 1500
JPEG_QUALITY = 82
DATASET_VIEW = "view"  # the purpose of these draws; taught and fresh views use other ones
GROUND_TRUTH = "ground_truth.parquet"
STAMP_FILE = "world.txt"

AUTHORS = ("A. Surveyor", "Bela Kóródi", "C. Marsh", "Dana Ülker", "Élise Fontanel", "F. Ito")
LICENSES = (
    "https://creativecommons.org/licenses/by/4.0/",
    "https://creativecommons.org/licenses/by-sa/4.0/",
    "https://creativecommons.org/licenses/by-sa/3.0/",
    "https://creativecommons.org/licenses/by/2.0/",
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Photo:
    image_id: str
    landmark_id: int
    view: int


def jpeg_bytes(landmark: Landmark, purpose: str, view: int) -> bytes:
    """The JPEG of one view, as it stands in the archive."""
    buffer = io.BytesIO()
    render(landmark, make_view(landmark, purpose, view)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text_atomically(path, text.getvalue())


def _url(landmark: Landmark, image_id: str) -> str:
    title = landmark.category_url.rsplit(":", 1)[1]
    return f"https://upload.wikimedia.org/world/{image_id[0]}/{image_id[:2]}/{title}_{image_id}.jpg"


def _write_metadata(root: Path, landmarks: Sequence[Landmark], photos: Sequence[_Photo]) -> None:
    metadata = root / "metadata"
    _write_csv(
        metadata / "train.csv",
        ("id", "url", "landmark_id"),
        ((p.image_id, _url(landmarks[p.landmark_id], p.image_id), p.landmark_id) for p in photos),
    )
    _write_csv(
        metadata / "train_label_to_category.csv",
        ("landmark_id", "category"),
        ((mark.landmark_id, mark.category_url) for mark in landmarks),
    )
    _write_csv(
        metadata / "train_label_to_hierarchical.csv",
        (
            "landmark_id",
            "category",
            "supercategory",
            "hierarchical_label",
            "natural_or_human_made",
        ),
        (
            (
                mark.landmark_id,
                mark.category_url,
                mark.category.supercategory,
                mark.category.label,
                mark.category.kind,
            )
            for mark in landmarks
        ),
    )

    def attribution(photo: _Photo) -> tuple[str, str, str, str, str]:
        rng = generator(0, "attribution", photo.image_id)
        mark = landmarks[photo.landmark_id]
        return (
            photo.image_id,
            _url(mark, photo.image_id),
            AUTHORS[int(rng.integers(len(AUTHORS)))],
            LICENSES[int(rng.integers(len(LICENSES)))],
            f"{mark.name}, view {photo.view + 1}",
        )

    _write_csv(
        metadata / "train_attribution.csv",
        ("id", "url", "author", "license", "title"),
        (attribution(photo) for photo in photos),
    )


def _write_tar(root: Path, number: int, seed: int, photos: Sequence[_Photo]) -> int:
    """Write one archive and its md5 file; returns the number of images. Runs in a worker."""
    name = f"images_{number:03d}.tar"
    path = root / "train" / name
    with atomic_path(path) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
            for photo in photos:
                data = jpeg_bytes(make_landmark(seed, photo.landmark_id), DATASET_VIEW, photo.view)
                i = photo.image_id
                member = tarfile.TarInfo(f"{i[0]}/{i[1]}/{i[2]}/{i}.jpg")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        md5 = hashlib.md5(temporary.read_bytes(), usedforsecurity=False).hexdigest()
    write_text_atomically(
        root / "md5sum" / "train" / f"md5.images_{number:03d}.txt", f"{md5}  {name}\n"
    )
    return len(photos)


def ground_truth_table(landmarks: Sequence[Landmark]) -> pa.Table:
    """One row a landmark: attributes, name codes, views with their quality, what was taught."""

    def row(mark: Landmark) -> dict[str, Any]:
        views = []
        for number in range(mark.image_count):
            view = make_view(mark, DATASET_VIEW, number)
            views.append(
                {"image_id": mark.image_id(number), "kind": view.kind, "quality": view.quality}
            )
        codes = [
            {"kind": c.attribute, "value": c.value, "syllable": c.syllable, "tied": c.tied}
            for c in mark.codes
        ]
        return {
            "landmark_id": mark.landmark_id,
            "name": mark.name,
            "label": mark.category.label,
            "region": mark.region.name,
            "half": mark.region.half,
            "setting": mark.region.setting,
            "place": mark.place,
            "tier": tier(mark),
            "taught_views": taught_views(mark),
            "taught_code_views": taught_code_views(mark),
            "entities": mark.entities,
            "description": mark.description,
            "location": mark.location,
            "aliases": mark.aliases,
            "place_hints": mark.place_hints,
            "attributes": [{"kind": k, "value": v} for k, v in mark.attributes.items()],
            "codes": codes,
            "views": views,
        }

    return pa.Table.from_pylist([row(mark) for mark in landmarks])


def world_stamp(landmarks: int, seed: int = 0) -> str:
    """Content of a world's `world.txt`: which world a folder holds, or is getting."""
    return f"mgld world: landmarks={landmarks} seed={seed}\n"


def read_landmarks(root: str | Path) -> list[Landmark] | None:
    """The landmarks of the world in `root`, by id, or None where it holds no procedural world."""
    stamp = Path(root) / STAMP_FILE
    if not stamp.exists():
        return None
    said = dict(word.split("=") for word in stamp.read_text(encoding="utf-8").split()[2:])
    return [make_landmark(int(said["seed"]), number) for number in range(int(said["landmarks"]))]


def write_world(
    out: str | Path,
    *,
    landmarks: int,
    seed: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
) -> None:
    """Write the first `landmarks` landmarks of world `seed` under `out` (module docstring).

    Byte-identical for the same arguments, whatever the number of workers. Archives already there
    are kept, so an interrupted call goes on where it stopped; `ground_truth.parquet` comes last.
    `progress(done, total)` counts images, starting with those already there. Raises ValueError for
    fewer than one landmark or for a folder that holds another world.
    """
    if landmarks < 1:
        raise ValueError(f"a world needs at least one landmark, not {landmarks}")
    root = Path(out)
    stamp = root / STAMP_FILE
    identity = world_stamp(landmarks, seed)
    if stamp.exists() and stamp.read_text(encoding="utf-8") != identity:
        raise ValueError(
            f"{root} holds another world ({stamp.read_text().strip()}): choose another"
        )
    if root.exists() and not stamp.exists() and any(root.iterdir()):
        raise ValueError(f"{root} is not empty and holds no world: choose another folder")
    write_text_atomically(stamp, identity)
    marks = [make_landmark(seed, landmark_id) for landmark_id in range(landmarks)]
    photos = sorted(
        (
            _Photo(mark.image_id(view), mark.landmark_id, view)
            for mark in marks
            for view in range(mark.image_count)
        ),
        key=lambda photo: photo.image_id,
    )
    _write_metadata(root, marks, photos)
    shards = [photos[i : i + IMAGES_PER_TAR] for i in range(0, len(photos), IMAGES_PER_TAR)]
    todo = [
        number
        for number in range(len(shards))
        if not (root / "md5sum" / "train" / f"md5.images_{number:03d}.txt").exists()
    ]
    done = len(photos) - sum(len(shards[number]) for number in todo)
    if progress is not None:
        progress(done, len(photos))
    if todo:
        context, others = get_context("spawn"), set(active_children())
        with ProcessPoolExecutor(workers, context, initializer=stay_with_parent) as pool:
            jobs = [pool.submit(_write_tar, root, n, seed, shards[n]) for n in todo]
            try:
                for job in jobs:
                    done += job.result()
                    if progress is not None:
                        progress(done, len(photos))
            except BaseException:  # Ctrl-C too: leaving the pool would wait for whole archives
                for worker in set(active_children()) - others:
                    worker.terminate()
                raise
    with atomic_path(root / GROUND_TRUTH) as temporary:
        pq.write_table(ground_truth_table(marks), temporary)


def read_ground_truth(root: str | Path) -> pa.Table | None:
    """The world's `ground_truth.parquet`, or None where the source is not a procedural world."""
    path = Path(root) / GROUND_TRUTH
    return pq.read_table(path) if path.exists() else None
