"""What a log says of a build: a few plain lines, the first of them at once."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from mgld.build import BuildConfig, BuildView, build_dataset
from mgld.build import progress as progress_module
from mgld.build.progress import BarProgress, LineProgress


def lines_of(config: BuildConfig, root: Path, stages: list[str]) -> list[str]:
    out = io.StringIO()
    build_dataset(config, root, stages=stages, progress=LineProgress(out))
    return out.getvalue().splitlines()


def test_a_world_is_announced_counted_and_then_there(config: BuildConfig, tmp_path: Path) -> None:
    own = config.model_copy(update={"source": "world:12"})
    first, second, *others = lines_of(own, tmp_path / "build", ["catalog"])
    images = BuildView(tmp_path / "build").table("catalog", "images").num_rows
    assert first == f"source/world: {images} images to draw"
    assert second.startswith(f"source/world: {images}/{images} images (")
    assert second.endswith(" s, done")
    assert [line.partition(":")[0] for line in others] == ["source/hash", "catalog/tables"]
    again = lines_of(own, tmp_path / "build", ["catalog"])
    assert again == ["source/hash: 3 shards up to date", "catalog/tables: 1 shards up to date"]


def test_an_interrupted_world_counts_what_is_left(
    config: BuildConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mgld.world.write.IMAGES_PER_TAR", 50)
    own = config.model_copy(update={"source": "world:12"})
    lines_of(own, tmp_path / "build", ["catalog"])
    images = BuildView(tmp_path / "build").table("catalog", "images").num_rows
    source = tmp_path / "build" / "source"
    (source / ".complete").unlink()
    for left in [*source.rglob("md5.images_001.txt"), *source.rglob("images_001.tar")]:
        left.unlink()
    first, second, *_ = lines_of(own, tmp_path / "build", ["catalog"])
    assert images > 100
    assert first == "source/world: 50 images to draw"
    assert second.startswith("source/world: 50/50 images (")


def test_a_long_step_says_something_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now))
    out = io.StringIO()
    progress = LineProgress(out)
    progress.start("embeddings/images", 2, 2)
    for _ in range(100):
        now += 0.25
        progress.rows(64)
    progress.shard()
    progress.end()
    assert out.getvalue().splitlines() == [
        "embeddings/images: 0/2 shards, 2,560 rows (256/s), 10.0 s",
        "embeddings/images: 0/2 shards, 5,120 rows (256/s), 20.0 s",
        "embeddings/images: 1/2 shards, 6,400 rows (256/s), 25.0 s, done",
    ]


def test_a_line_says_how_long_the_shards_that_are_left_will_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("mgld.build.progress.time.monotonic", lambda: now)
    out = io.StringIO()
    progress = LineProgress(out)
    progress.start("scores/part", 5, 9)
    now = 6.0
    progress.rows(100)
    progress.shard()
    now = 12.0
    progress.rows(100)
    assert out.getvalue() == ("scores/part: 1/5 shards, 200 rows (17/s), 12.0 s, about 48 s left\n")


def test_drawing_counts_images_of_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now))
    out = io.StringIO()
    progress = LineProgress(out)
    progress.start("source/world", 4000, 4000, "images")
    for images in (1500, 1500, 1000):
        now += 10
        progress.rows(images)
    progress.end()
    assert out.getvalue().splitlines() == [
        "source/world: 1,500/4,000 images (150/s), 10.0 s",
        "source/world: 3,000/4,000 images (150/s), 20.0 s",
        "source/world: 4,000/4,000 images (133/s), 30.0 s",
        "source/world: 4,000/4,000 images (133/s), 30.0 s, done",
    ]


def test_a_bar_counts_images_too() -> None:
    out = io.StringIO()
    with BarProgress(out) as progress:
        progress.start("source/world", 3000, 4500, "images")
        progress.rows(1500)
    assert "3000/4500 images" in out.getvalue()
