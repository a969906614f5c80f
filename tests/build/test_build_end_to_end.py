"""A whole build of a small source in which everything that can be wrong with images is wrong."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.compute as pc
from build_source import IMAGES_EACH, LANDMARKS, NO_IMAGE, UNREADABLE, image_id

import mgld
from mgld.build import BuildView, build_status
from mgld.build.status import count_errors
from mgld.files import sha256_file
from mgld.scoring import sim_rsr


def image_rows(finished: BuildView) -> list[dict[str, Any]]:
    """Rows of all archives in order, without vectors, each with its `sim` from the step of it."""
    rows = finished.table("embeddings", "images").drop_columns("vector").to_pylist()
    sims = finished.table("embeddings", "sims").to_pylist()
    return [row | sim for row, sim in zip(rows, sims, strict=True)]


def test_every_image_and_landmark_is_accounted_for(finished: BuildView) -> None:
    status = build_status(finished.root)
    assert status.complete
    assert all(balance.balanced for balance in status.balances)
    by_what = {balance.what: balance for balance in status.balances}
    listed = (LANDMARKS - 2) * IMAGES_EACH + 2
    images = by_what["images of the catalog"]
    assert images.total == listed
    assert images.parts == {"ok": listed - 3, "damaged": 1, "missing": 2}
    landmarks = by_what["landmarks of the catalog"]
    assert landmarks.total == LANDMARKS
    assert landmarks.parts == {"ok": LANDMARKS - 2, "no_image": 1, "no_readable_image": 1}
    members = by_what["members of the archives"].parts
    assert members == {
        "images of the catalog": listed - 2,
        "further copies": 2,
        "not of the catalog": 2,
    }
    assert by_what["rows of train.csv"].parts == {"accepted": listed, "rejected": 1}


def test_every_member_has_a_row_and_its_bytes_can_be_read_again(finished: BuildView) -> None:
    table = finished.table("embeddings", "images")
    rows = image_rows(finished)
    assert Counter(row["status"] for row in rows) == {
        "ok": 114,
        "damaged": 2,
        "unlisted": 1,
        "not_an_image_name": 1,
    }
    for row, vector in zip(rows, table["vector"].to_pylist(), strict=True):
        assert (vector is not None) == (row["sim"] is not None) == (row["status"] == "ok")
        assert row["reason"] or row["status"] == "ok"
        if row["sha256"] is not None:
            data = finished.image_bytes(row["source"], row["offset"], row["size"])
            assert hashlib.sha256(data).hexdigest() == row["sha256"]
    unlisted = next(row for row in rows if row["status"] == "unlisted")
    assert unlisted["landmark_id"] is None


def test_similarities_have_the_rows_of_the_vectors(finished: BuildView) -> None:
    images = {path.name for path in (finished.root / "embeddings").glob("images-*")}
    sims = {path.name for path in (finished.root / "embeddings").glob("sims-*")}
    assert len(images) == 5
    assert sims == {name.replace("images-", "sims-", 1) for name in images}
    ids = finished.table("embeddings", "images", ["image_id"])
    assert ids.equals(finished.table("embeddings", "sims", ["image_id"]))
    balances = {balance.what: balance for balance in build_status(finished.root).balances}
    assert balances["members given a similarity"].parts == {"no_vector": 4, "ok": 114}


def test_sim_is_the_exact_sum_with_the_own_name(finished: BuildView) -> None:
    names = finished.table("embeddings", "names")
    vector_of = dict(zip(names["name"].to_pylist(), names["vector"].to_pylist(), strict=True))
    landmarks = finished.table("catalog", "landmarks", ["landmark_id", "name"]).to_pylist()
    name_of = {row["landmark_id"]: row["name"] for row in landmarks}
    vectors = finished.table("embeddings", "images")["vector"].to_pylist()
    for row, vector in zip(image_rows(finished), vectors, strict=True):
        if row["status"] == "ok":
            own = vector_of[name_of[row["landmark_id"]]]
            products = [a * b for a, b in zip(vector, own, strict=True)]
            assert row["sim"] == math.fsum(products)


def test_selection_keeps_the_three_best_and_one_of_them(finished: BuildView) -> None:
    best: dict[str, dict[str, Any]] = {}
    for row in image_rows(finished):  # archives in order: the first good copy of an image counts
        if row["status"] == "ok" and row["image_id"] not in best:
            best[row["image_id"]] = row
    of_landmark: dict[int, list[dict[str, Any]]] = {}
    for row in best.values():
        of_landmark.setdefault(row["landmark_id"], []).append(row)
    rows = {row["landmark_id"]: row for row in finished.table("selection", "part").to_pylist()}
    assert list(rows) == list(range(LANDMARKS))
    for landmark_id, good in of_landmark.items():
        good.sort(key=lambda row: (-row["sim"], row["image_id"]))
        row = rows[landmark_id]
        expected = [{"image_id": g["image_id"], "sim": g["sim"]} for g in good[:3]]
        assert row["candidates"] == expected
        chosen = best[row["candidates"][row["chosen"]]["image_id"]]
        for column in ("image_id", "source", "offset", "size", "sha256"):
            assert row[column] == chosen[column]
        assert row["readable"] == len(good)
        vectors = finished.table("embeddings", "images").filter(
            pc.equal(finished.table("embeddings", "images")["sha256"], row["sha256"])
        )
        assert row["vector"] == vectors["vector"][0].as_py()
    assert rows[NO_IMAGE]["status"] == "no_image"
    assert rows[UNREADABLE]["status"] == "no_readable_image"
    assert rows[UNREADABLE]["reason"] == "of its 2 images: 1 damaged, 1 missing"
    assert rows[UNREADABLE]["vector"] is None


def test_an_image_damaged_in_one_archive_is_taken_from_the_next(finished: BuildView) -> None:
    copies = [row for row in image_rows(finished) if row["image_id"] == image_id(1, 0)]
    assert [row["status"] for row in copies] == ["damaged", "ok"]
    row = finished.table("selection", "part").to_pylist()[1]
    assert row["readable"] == IMAGES_EACH


def test_scores_are_those_of_the_oracle(finished: BuildView) -> None:
    names = finished.table("embeddings", "names")
    all_names = names["name"].to_pylist()
    matrix = np.array(names["vector"].to_pylist(), np.float32)
    selection = [r for r in finished.table("selection", "part").to_pylist() if r["status"] == "ok"]
    name_of = {
        row["landmark_id"]: row["name"]
        for row in finished.table("catalog", "landmarks").to_pylist()
    }
    oracle = sim_rsr(
        np.array([row["vector"] for row in selection], np.float32),
        matrix,
        np.array([all_names.index(name_of[row["landmark_id"]]) for row in selection]),
        backend="oracle",
    )
    rows = {row["landmark_id"]: row for row in finished.table("scores", "part").to_pylist()}
    assert rows[NO_IMAGE]["status"] == rows[UNREADABLE]["status"] == "skipped"
    assert rows[NO_IMAGE]["sim"] is None
    for i, chosen in enumerate(selection):
        row = rows[chosen["landmark_id"]]
        assert (row["sim"], row["rank"]) == (oracle.sim[i], oracle.rank[i])
        assert (row["rsr"], row["margin"]) == (oracle.rsr[i], oracle.margin[i])
        assert row["nearest"] == [all_names[n] for n in oracle.nearest[i]]
        assert row["nearest_sim"] == oracle.nearest_sim[i].tolist()
        assert row["image_id"] == chosen["image_id"]


def test_annotations_have_one_row_a_landmark(finished: BuildView) -> None:
    for stage in ("qa", "entities"):
        rows = finished.table(stage, "part").to_pylist()
        assert [row["landmark_id"] for row in rows] == list(range(LANDMARKS))
        assert [row["status"] for row in rows[-2:]] == ["skipped", "skipped"]
        assert all(row["annotator"] == "template" for row in rows)
        assert {row["status"] for row in rows[:-2]} == {"ok"}


def test_splits_and_subsets(finished: BuildView) -> None:
    records = {r["landmark_id"]: r for r in finished.table("splits", "records").to_pylist()}
    assert len(records) == LANDMARKS - 2
    assert sum(row["split"] == "test" for row in records.values()) == 6
    assert records[4]["split"] == records[5]["split"]  # the same name
    subsets = finished.table("splits", "subsets").to_pylist()
    for method in ("hds", "hss", "lcs", "brs"):
        mine = [row for row in subsets if row["method"] == method]
        assert [row["position"] for row in mine] == list(range(8))
        assert all(records[row["landmark_id"]]["split"] == "train" for row in mine)


def test_the_dataset_loads(finished: BuildView, tmp_path: Path) -> None:
    folder = str(finished.root / "dataset")
    full = datasets.load_dataset(folder, "full", cache_dir=str(tmp_path))
    assert (len(full["train"]), len(full["test"])) == (LANDMARKS - 8, 6)
    row = full["train"][0]
    assert row["image"].size == (40, 30)
    assert row["license"] == "CC BY-SA 4.0"
    assert len(mgld.load(finished.root, "hds4", split="train")) == 4


def test_the_manifest_holds_the_hash_of_every_file(finished: BuildView) -> None:
    on_disk = {
        path.relative_to(finished.root).as_posix()
        for path in finished.root.rglob("*")
        if path.is_file() and len(path.relative_to(finished.root).parts) > 1
    }
    files = finished.manifest.files()
    assert set(files) == on_disk
    for path, entry in files.items():
        assert entry.sha256 == sha256_file(finished.root / path)


def test_the_manifest_holds_no_path_of_this_machine(finished: BuildView) -> None:
    text = (finished.root / "manifest.json").read_text()
    assert finished.config.encoder.startswith("/")
    for path in (finished.root, finished.config.source, finished.config.encoder):
        assert str(path) not in text
        assert str(Path(path).parent) not in text
    stated = json.loads(text)["stages"]["dataset"]["settings"]["files"]["encoder"]
    assert stated == Path(finished.config.encoder).name


def test_status_counts_what_failed_in_each_stage(finished: BuildView) -> None:
    """One malformed row; two damaged copies and a README; a landmark with no image, one unreadable.

    The member that the catalog does not list did not fail.
    """
    errors = {stage.stage: stage.errors for stage in build_status(finished.root).stages}
    assert errors.pop("catalog") == 1
    assert errors.pop("embeddings") == 3
    assert errors.pop("selection") == 2
    assert set(errors.values()) == {0}
    annotated = {"landmark": {"ok": 5, "error": 2, "refused": 3, "skipped": 7}}
    assert count_errors("qa", annotated) == count_errors("entities", annotated) == 5
    assert count_errors("scores", {"landmark": {"ok": 5, "skipped": 7}}) == 0
    assert count_errors("selection", {}) == count_errors("embeddings", {}) == 0
