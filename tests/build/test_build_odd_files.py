"""Odd files in a source: copies that compete, names that are no names, images larger than memory.

Whatever lies there, the build ends, every image is accounted for, and memory stays bounded.
"""

from __future__ import annotations

import base64
import io
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from build_source import image_id, jpeg, members, write_source, write_tar

from mgld.build import BuildConfig, BuildStatus, BuildView, build_dataset, build_status
from mgld.build.stages.encoder import drop_encoder, loaded_encoder
from mgld.gldv2 import DecodedImage, decode_image, iter_images
from mgld.report.pictures import QUALITY, Album
from mgld.scoring.rescore import rescore
from mgld.vision import load_encoder

BATCH = 5


def with_source(config: BuildConfig, source: Path, **changes: Any) -> BuildConfig:
    return config.model_copy(update={"source": str(source), **changes})


def balanced(root: Path) -> BuildStatus:
    status = build_status(root)
    assert status.complete
    assert all(balance.balanced for balance in status.balances), status.balances
    return status


def parts(status: BuildStatus, what: str) -> dict[str, int]:
    return next(balance for balance in status.balances if balance.what == what).parts


class Alive:
    """Counts decoded images that are in memory at the same time."""

    def __init__(self) -> None:
        self.total = self.now = self.most = 0

    def decode(self, data: bytes, *, short_side: int) -> DecodedImage:
        decoded = decode_image(data, short_side=short_side)
        weakref.finalize(decoded.image, self.let_go)
        self.total += 1
        self.now += 1
        self.most = max(self.most, self.now)
        return decoded

    def let_go(self) -> None:
        self.now -= 1


def test_no_more_than_one_whole_image_waits_for_its_batch(
    config: BuildConfig,
    source: Path,
    finished: BuildView,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """64 small files that decode to the pixel limit took 16 GB as a batch of whole images."""
    alive = Alive()
    monkeypatch.setattr("mgld.build.stages.image_vectors.decode_image", alive.decode)
    build_dataset(with_source(config, source), tmp_path / "build", stages=["catalog", "embeddings"])
    assert alive.total > 100
    assert alive.most <= 2  # the one at hand, and the one before it until it is let go
    again = Alive()
    monkeypatch.setattr("mgld.gldv2.decode_image", again.decode)
    rescore(finished.root, encoder=config.encoder)
    assert again.total == 38
    assert again.most <= 2


def test_vectors_are_those_of_the_same_batches_of_whole_images(
    config: BuildConfig, source: Path, tmp_path: Path
) -> None:
    """Bit for bit what `encode_images` gives for the shard's readable images, in their order."""
    import torch

    view_root = tmp_path / "build"
    small = with_source(config, source, batch_size=BATCH)
    build_dataset(small, view_root, stages=["catalog", "embeddings"])
    rows = BuildView(view_root).table("embeddings", "images-images_001.tar").to_pylist()
    data = [entry.data for entry in iter_images(source, "images_001.tar")]
    encoder = load_encoder(config.encoder, device="cpu")
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        images = [
            decode_image(data[i] or b"").image
            for i, row in enumerate(rows)
            if row["status"] == "ok"
        ]
        vectors = encoder.encode_images(images, batch_size=BATCH)
    finally:
        torch.set_num_threads(before)
    made = [row["vector"] for row in rows if row["status"] == "ok"]
    assert len(made) > 4 * BATCH
    assert np.array_equal(np.array(made, np.float32), vectors)


@pytest.mark.parametrize("batch_size", [5, 64])
def test_threads_that_prepare_images_change_no_byte(
    batch_size: int, config: BuildConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged images, duplicates that stand in for them and unlisted ones included."""
    source = write_source(tmp_path / "source")
    copies = [b"\xff\xd8\xff damaged", b"<html>", jpeg(2), jpeg(3)]
    members = [(f"a/{image_id(0, 2)}.jpg", data) for data in copies] * 3
    write_tar(source / "train" / "images_009.tar", members)
    made = []
    for threads in (0, 3):
        drop_encoder()
        monkeypatch.setattr("mgld.vision.openclip.preparing_threads", lambda _, n=threads: n)
        root = tmp_path / f"build-{threads}"
        settings = with_source(config, source, batch_size=batch_size)
        made.append(build_dataset(settings, root, stages=["catalog", "embeddings"]))
        assert loaded_encoder(settings).threads == threads
    drop_encoder()
    assert made[0].files() == made[1].files()
    assert any("images_009" in path for path in made[0].files())


def test_odd_names_and_folders_called_a_tar_do_not_end_a_build(
    config: BuildConfig, tmp_path: Path
) -> None:
    source = write_source(tmp_path / "source")
    train = source / "train"
    (train / "f" / "ill\udcff.txt").write_bytes(b"x")
    (train / "f" / "ill\udcfe").mkdir()
    (train / "f" / "ill\udcfe" / f"{image_id(0, 2)}.jpg").write_bytes(jpeg(2))
    (train / "ill\udcfd.tar").write_bytes(b"x")
    (train / "album.tar").mkdir()
    (train / "album.tar" / "inside.txt").write_bytes(b"x")
    (train / "nowhere.tar").symlink_to("gone.tar")
    build_dataset(with_source(config, source), tmp_path / "build")
    status = balanced(tmp_path / "build")
    members_of = next(s for s in status.stages if s.stage == "embeddings").counts["row"]
    assert members_of["unsafe_path"] == 2
    assert members_of["not_an_archive"] == 2
    rows = BuildView(tmp_path / "build").table("embeddings", "images-loose").to_pylist()
    assert [row["source"] for row in rows] == [
        "train/album.tar",
        "train/ill\\udcfd.tar",
        "train/nowhere.tar",
    ]
    assert all(row["reason"] for row in rows)


def test_an_image_that_lies_loose_is_found(config: BuildConfig, tmp_path: Path) -> None:
    source = write_source(tmp_path / "source")
    missing = image_id(0, 2)
    (source / "train" / f"{missing}.jpg").write_bytes(jpeg(2))
    build_dataset(with_source(config, source), tmp_path / "build")
    status = balanced(tmp_path / "build")
    assert parts(status, "images of the catalog")["missing"] == 1  # of landmark 39
    rows = BuildView(tmp_path / "build").table("embeddings", "images-loose").to_pylist()
    assert [(row["image_id"], row["status"]) for row in rows] == [(missing, "ok")]


def test_a_good_copy_behind_a_damaged_one_in_the_same_tar(
    config: BuildConfig, tmp_path: Path
) -> None:
    source = write_source(tmp_path / "source")
    wanted = image_id(0, 2)
    copies = [b"\xff\xd8\xff damaged", b"<html>", jpeg(2), jpeg(3)]
    write_tar(source / "train" / "images_009.tar", [(f"a/{wanted}.jpg", data) for data in copies])
    build_dataset(with_source(config, source), tmp_path / "build")
    status = balanced(tmp_path / "build")
    assert parts(status, "images of the catalog")["missing"] == 1
    view = BuildView(tmp_path / "build")
    rows = view.table("embeddings", "images-images_009.tar").to_pylist()
    assert [row["status"] for row in rows] == ["damaged", "not_an_image", "ok", "duplicate"]
    good = rows[2]
    assert view.image_bytes(good["source"], good["offset"], good["size"]) == jpeg(2)
    selected = view.table("selection", "part").to_pylist()[0]
    assert selected["readable"] == 3
    assert wanted in [candidate["image_id"] for candidate in selected["candidates"]]


def test_the_report_shows_the_copy_that_counts(config: BuildConfig, tmp_path: Path) -> None:
    """Every image has another, different copy in a later place."""
    source = write_source(tmp_path / "source")
    first = {Path(path).stem: data for path, data in members()}
    for number, image in enumerate(first):
        (source / "train" / f"{image}.jpg").write_bytes(jpeg(50_000 + number))
    build_dataset(with_source(config, source), tmp_path / "build")
    view = BuildView(tmp_path / "build")
    rows = view.table("selection", "part").to_pylist()[3:12]  # 0 to 2 have copies of their own
    ids = {candidate["image_id"] for row in rows for candidate in row["candidates"]}
    assert len(ids) == 27
    album = Album(view, ids, procedural=False)
    for row in rows:
        data = view.image_bytes(row["source"], row["offset"], row["size"])
        assert album.picture(row["image_id"], 40).src == thumbnail(data)
    for image in ids:
        assert album.picture(image, 40).src == thumbnail(first[image])


def thumbnail(data: bytes) -> str:
    """The data address of a picture that is small enough as it is."""
    buffer = io.BytesIO()
    decode_image(data).image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
