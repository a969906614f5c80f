"""A build folder without an encoder: everything is real but the similarities, which are drawn.

Source, catalog, annotation, splits and subsets come from the project's own code; similarities are
drawn so that landmarks of a world that were taught often stand high, as a build would find.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mgld.annotate import load_annotator
from mgld.build.config import BuildConfig, save_config
from mgld.build.manifest import BuildFacts, FileEntry, Manifest, ShardEntry
from mgld.build.stages.vectors import vector_column
from mgld.gldv2 import decode_image, find_archives, iter_images, read_catalog
from mgld.gldv2.decode import ImageError
from mgld.keyed import generator
from mgld.schema import EntityTask, Facts, QaTask
from mgld.scoring import assign_splits, default_sizes, default_test_size, select
from mgld.world import read_ground_truth

SPREAD = {"never": 0.75, "rare": 0.45, "some": 0.2, "often": 0.03}


def fake_build(source: Path, root: Path, *, encoder: str = "nano") -> Path:
    """Write a build of `source` into `root` and return `root`."""
    catalog = read_catalog(source)
    for name in ("landmarks", "images", "rejects", "names"):
        _write(root, "catalog", name, getattr(catalog, name))
    truth = read_ground_truth(source)
    facts = {} if truth is None else {row["landmark_id"]: row for row in truth.to_pylist()}

    landmark_of = dict(
        zip(*catalog.images.select(["image_id", "landmark_id"]).to_pydict().values(), strict=True)
    )
    images = _read_images(source, landmark_of)
    _write(root, "embeddings", "images-all", pa.Table.from_pylist(images))

    rows = [
        _landmark(source, row, [i for i in images if i["landmark_id"] == row["landmark_id"]],
                  facts.get(row["landmark_id"]), catalog.names["name"].to_pylist())
        for row in catalog.landmarks.to_pylist()
    ]  # fmt: skip
    for stage in ("selection", "qa", "entities", "scores"):
        table = pa.Table.from_pylist([row[stage] for row in rows])
        if stage == "selection":
            table = table.append_column("vector", _vectors(table))
        _write(root, stage, "part-00000", table)
    _splits(root, [row["scores"] | {"name": row["name"]} for row in rows])

    found = {image["image_id"]: image["status"] for image in images}
    statuses = Counter(found.get(image_id, "missing") for image_id in landmark_of)
    manifest = Manifest(
        facts=BuildFacts(encoder_fingerprint="sha256:" + "0" * 64, encoder_dtype="float32",
                         embed_dim=128, annotator_id="template", prompt_version="0"),
    )  # fmt: skip
    manifest.stage("selection").shards["part-00000"] = ShardEntry(
        inputs="", settings="", environment="", rows=len(rows),
        files={"selection/part-00000.parquet": FileEntry(sha256="", bytes=0)},
        counts={"image": dict(statuses)},
    )  # fmt: skip
    manifest.stage("catalog").shards["tables"] = ShardEntry(
        inputs="", settings="", environment="", rows=len(rows),
        files={"catalog/landmarks.parquet": FileEntry(sha256="", bytes=0)},
        counts=catalog.counts(),
    )  # fmt: skip
    manifest.save(root)
    save_config(BuildConfig(source=str(source), encoder=encoder), root)
    return root


def _write(root: Path, stage: str, name: str, table: pa.Table) -> None:
    (root / stage).mkdir(parents=True, exist_ok=True)
    pq.write_table(table, root / stage / f"{name}.parquet")


def _vectors(selection: pa.Table) -> pa.Array:
    """A random unit vector for each landmark that has an image."""
    missing = np.array([status != "ok" for status in selection["status"].to_pylist()])
    vectors = np.random.default_rng(0).normal(size=(len(missing), 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vector_column(vectors.astype(np.float32), missing)


def _read_images(source: Path, landmark_of: dict[str, int]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for shard in find_archives(source):
        for entry in iter_images(source, shard.id):
            status, reason = entry.status, entry.reason
            if status == "ok" and entry.data is not None:
                try:
                    decode_image(entry.data)
                except ImageError as error:
                    status, reason = error.status, error.reason
            rows.append(
                {"image_id": entry.image_id, "landmark_id": landmark_of.get(entry.image_id),
                 "status": status, "reason": reason, "source": entry.source,
                 "offset": entry.offset, "size": entry.size,
                 "sha256": hashlib.sha256(entry.data or b"").hexdigest()}
            )  # fmt: skip
    return rows


def _landmark(source, row, images, truth, names):
    """The rows of one landmark in every stage from selection on."""
    landmark_id, own = row["landmark_id"], row["name"]
    draw = generator(0, "fake", landmark_id)
    readable = [image for image in images if image["status"] == "ok"]
    if not readable:
        status = "no_image" if not images else "no_readable_image"
        return _without_image(row, status, len(images))
    sims = np.sort(draw.uniform(0.1, 0.7, len(readable)))[::-1][:3]
    candidates = [{"image_id": image["image_id"], "sim": float(sim)}
                  for image, sim in zip(readable, sims, strict=False)]  # fmt: skip
    chosen = int(draw.integers(len(candidates)))
    image = readable[chosen]
    n = len(names)
    tier = "some" if truth is None else truth["tier"]
    rank = 1 + int((n - 1) * min(SPREAD[tier] * draw.random() ** 2, 1))
    sim = float(sims[chosen])
    others = [name for name in draw.permutation(names).tolist() if name != own][:10]
    ahead = min(rank - 1, 10)
    near = others[:ahead] + ([own] if rank <= 10 else []) + others[ahead:]
    steps = sim + 0.02 * (rank - 1 - np.arange(10))
    task = QaTask(
        landmark_id=landmark_id, name=own, image_sha256=image["sha256"],
        hierarchical_label=row["hierarchical_label"], supercategory=row["supercategory"],
        natural_or_human_made=row["natural_or_human_made"],
        facts=None if truth is None else Facts(
            **{key: truth[key] for key in Facts.model_fields}),
    )  # fmt: skip
    annotator = load_annotator("template", seed=0)
    qa = annotator.answer([task], lambda _: _bytes(source, image))[0]
    entities = annotator.annotate(
        [EntityTask(qa_task=task, qa=qa)], lambda _: _bytes(source, image)
    )[0]
    return {
        "name": own,
        "selection": _selection(landmark_id, "ok", image, candidates, chosen,
                                len(images), len(readable)),
        "qa": qa.model_dump(),
        "entities": entities.model_dump(),
        "scores": _scores(landmark_id, "ok", image["image_id"], sim, rank,
                          1 - (rank - 1) / max(n - 1, 1), float(draw.normal(0.02, 0.03)),
                          (near + [None] * 10)[:10], np.clip(steps, -1, 1).tolist()),
    }  # fmt: skip


def _bytes(source, image):
    with (source / image["source"]).open("rb") as handle:
        handle.seek(image["offset"])
        return handle.read(image["size"])


def _without_image(row, status, count):
    landmark_id = row["landmark_id"]
    annotated = {"landmark_id": landmark_id, "status": "skipped", "reason": status,
                 "annotator": "template", "prompt_version": ""}  # fmt: skip
    return {
        "name": row["name"],
        "selection": _selection(landmark_id, status, {}, [], None, count, 0),
        "qa": annotated | {"question_id": "", "conversation": []},
        "entities": annotated
        | {"entities": [], "hierarchical_label": None, "aliases": [], "place_hints": []},
        "scores": _scores(landmark_id, status, None, None, None, None, None, [], []),
    }


def _selection(landmark_id, status, image, candidates, chosen, images, readable):
    place = {key: image.get(key) for key in ("image_id", "source", "offset", "size")}
    return {"landmark_id": landmark_id, "status": status, "reason": "", **place,
            "candidates": candidates, "chosen": chosen, "images": images,
            "readable": readable}  # fmt: skip


def _scores(landmark_id, status, image_id, sim, rank, rsr, margin, nearest, nearest_sim):
    return {"landmark_id": landmark_id, "status": status, "image_id": image_id, "sim": sim,
            "rank": rank, "rsr": rsr, "margin": margin, "nearest": nearest,
            "nearest_sim": nearest_sim}  # fmt: skip


def _splits(root: Path, scores: list[dict[str, object]]) -> None:
    rows = [row for row in scores if row["status"] == "ok"]
    ids = np.array([row["landmark_id"] for row in rows], dtype=np.int64)
    splits = assign_splits(ids, [row["name"] for row in rows],
                           test_size=default_test_size(len(rows)), seed=0)  # fmt: skip
    _write(root, "splits", "records", pa.table(
        {"landmark_id": splits.landmark_id, "split": splits.split.tolist(),
         "test_order": splits.test_order, "test_paper": splits.test_paper}))  # fmt: skip
    test = splits.split == "test"
    size = max(default_sizes(int((~test).sum())), default=0)
    columns = {key: np.array([row[key] for row in rows])
               for key in ("sim", "rank", "rsr", "margin")}  # fmt: skip
    subsets = []
    for method in ("hds", "hss", "lcs", "brs"):
        picked = select(*columns.values(), ids, method=method, size=size, exclude=test)
        subsets += [{"method": method, "position": k, "landmark_id": int(ids[row])}
                    for k, row in enumerate(picked)]  # fmt: skip
    schema = pa.schema([("method", pa.string()), ("position", pa.int64()),
                        ("landmark_id", pa.int64())])  # fmt: skip
    _write(root, "splits", "subsets", pa.Table.from_pylist(subsets, schema=schema))
