"""Wrong folders, damaged sources, full disks, two builds at once: an error that says what to do."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

import pytest
from build_process import start_build
from build_source import write_source, write_tar

from mgld.build import (
    BuildConfig,
    BuildError,
    BuildView,
    build_dataset,
    build_status,
    load_config,
    verify_build,
)
from mgld.build import shards as shards_module
from mgld.build.folder import locked
from mgld.build.manifest import STAGE_NAMES


def with_source(config: BuildConfig, source: Path) -> BuildConfig:
    return config.model_copy(update={"source": str(source)})


def test_a_folder_that_is_no_build_is_refused_and_left_alone(
    config: BuildConfig, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="is not empty and is no build"):
        build_dataset(config, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ValueError, match="is a file"):
        build_dataset(config, tmp_path / "thesis.tex")
    with pytest.raises(FileNotFoundError, match="is not a build folder"):
        BuildView(tmp_path)


def test_no_source_or_no_images(config: BuildConfig, source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        build_dataset(with_source(config, tmp_path / "nowhere"), tmp_path / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no train_label_to_category\.csv"):
        build_dataset(with_source(config, tmp_path / "empty"), tmp_path / "b")
    shutil.copytree(source / "metadata", tmp_path / "tables" / "metadata")
    with pytest.raises(FileNotFoundError, match="holds no images"):
        build_dataset(with_source(config, tmp_path / "tables"), tmp_path / "c")
    # The same folder goes on once the source is there.
    build_dataset(config, tmp_path / "c", stages=["catalog"])


def test_a_malformed_table_names_the_file_and_the_column(
    config: BuildConfig, source: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(source, tmp_path / "source")
    (own / "metadata" / "train.csv").write_text("identifier;url\n1;2\n")
    with pytest.raises(BuildError, match=r"catalog/tables: .*train\.csv.*landmark_id") as first:
        build_dataset(with_source(config, own), tmp_path / "build")
    assert "goes on" not in str(first.value)  # from nothing
    (own / "metadata" / "train.csv").write_text("id,url,landmark_id\nzz,u,1\n")
    with pytest.raises(BuildError, match="0 usable images; rows were rejected because: image id"):
        build_dataset(with_source(config, own), tmp_path / "build")


def test_an_archive_cut_in_the_middle(config: BuildConfig, tmp_path: Path) -> None:
    source = write_source(tmp_path / "source")
    tar = source / "train" / "images_001.tar"
    os.truncate(tar, tar.stat().st_size // 2)
    build_dataset(with_source(config, source), tmp_path / "build")
    status = build_status(tmp_path / "build")
    assert status.complete
    assert all(balance.balanced for balance in status.balances)
    images = next(b for b in status.balances if b.what == "images of the catalog").parts
    assert images["missing"] > 2
    members = next(stage for stage in status.stages if stage.stage == "embeddings").counts["row"]
    assert members["truncated_archive"] == 1
    rows = BuildView(tmp_path / "build").table("embeddings", "images")
    reasons = dict(zip(rows["status"].to_pylist(), rows["reason"].to_pylist(), strict=True))
    assert reasons["truncated_archive"]


def test_no_readable_image_at_all(config: BuildConfig, tmp_path: Path) -> None:
    source = write_source(tmp_path / "source")
    shutil.rmtree(source / "train")
    write_tar(source / "train" / "images_000.tar", [("a/b/c/README.txt", b"x")])
    with pytest.raises(
        BuildError, match=r"(?s)no landmark has a readable image.*Finished shards are kept"
    ):
        build_dataset(with_source(config, source), tmp_path / "build")


def test_settings_that_cannot_be(config: BuildConfig, finished: BuildView, copy: Path) -> None:
    too_large = config.model_copy(update={"sizes": [4, 34]})  # of 40 - 6, but two have no image
    with pytest.raises(BuildError, match="a subset of 34 was asked for, but there are 32"):
        build_dataset(too_large, copy)
    build_dataset(config, copy)
    assert BuildView(copy).manifest.files() == finished.manifest.files()
    for settings, message in [
        ({"source": "world:0"}, "setting source"),
        ({"source": "x", "sizes": [0]}, "subset sizes must be positive"),
        ({"source": "x", "template": "photo"}, "must contain"),
        ({"source": "x", "methods": ["hds", "hds"]}, "each once"),
        ({"source": "x", "encodr": "nano"}, "setting encodr"),
    ]:
        with pytest.raises(ValueError, match=message):
            load_config(None, settings)
    with pytest.raises(ValueError, match="no stage scoers"):
        build_dataset(config, copy, stages=["scoers"])


@pytest.mark.parametrize(
    ("changes", "stages", "error"),
    [
        ({"source": "{tmp}/sourec"}, STAGE_NAMES, FileNotFoundError),
        ({"source": "{tmp}/empty"}, STAGE_NAMES, FileNotFoundError),
        ({"encoder": "./nowhere"}, STAGE_NAMES, BuildError),
        ({"encoder": "./nowhere"}, ["dataset"], BuildError),
        ({"encoder": "./nowhere", "source": "world:3"}, STAGE_NAMES, BuildError),
        ({"annotator": "no-such"}, STAGE_NAMES, BuildError),
        ({"seed": 5}, ["splits"], ValueError),
        ({"source": "{tmp}/other"}, ["splits"], ValueError),
    ],
)
def test_a_refused_call_leaves_a_finished_build_finished(
    config: BuildConfig,
    copy: Path,
    tmp_path: Path,
    changes: dict[str, str],
    stages: list[str],
    error: type[Exception],
) -> None:
    (tmp_path / "empty").mkdir()
    other = shutil.copytree(config.source, tmp_path / "other")
    write_tar(other / "train" / "images_002.tar", [])
    filled = {k: v.replace("{tmp}", str(tmp_path)) if k == "source" else v
              for k, v in changes.items()}  # fmt: skip
    before = {name: (copy / name).read_bytes() for name in ("config.yaml", "manifest.json")}
    with pytest.raises(error):
        build_dataset(config.model_copy(update=filled), copy, stages=stages)
    assert {name: (copy / name).read_bytes() for name in before} == before
    assert not (copy / "source").exists()
    assert build_status(copy).complete


def test_a_first_call_that_fails_is_remembered_and_can_be_mended(
    config: BuildConfig, tmp_path: Path
) -> None:
    root = tmp_path / "build"
    with pytest.raises(FileNotFoundError):
        build_dataset(with_source(config, tmp_path / "sourec"), root)
    assert not build_status(root).complete
    (root / "config.yaml").unlink()  # as a kill between the first two files leaves it
    build_dataset(config, root, stages=["catalog"])
    assert BuildView(root).config == config


def test_only_another_world_makes_room_for_a_world(config: BuildConfig, tmp_path: Path) -> None:
    def world(landmarks: int) -> BuildConfig:
        return config.model_copy(update={"source": f"world:{landmarks}"})

    root = tmp_path / "build"
    source = root / "source"
    build_dataset(world(3), root, stages=["catalog"])
    build_dataset(world(4), root, stages=["catalog"])
    assert BuildView(root).table("catalog", "landmarks").num_rows == 4
    assert "landmarks=4" in (source / "world.txt").read_text()
    # What a kill may leave while the first file of a world is written is no obstacle ...
    shutil.rmtree(source)
    source.mkdir()
    (source / ".world.txt.123.tmp").write_text("mgl")
    build_dataset(world(4), root, stages=["catalog"])
    assert sorted(path.name for path in source.glob(".*")) == [".complete"]
    # ... but what is no world is somebody's.
    shutil.rmtree(source)
    source.mkdir()
    (source / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="holds no world"):
        build_dataset(world(4), root, stages=["catalog"])
    assert [path.name for path in source.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": [4, 35]}, "a subset of 35 was asked for: 40 landmarks less 6 test records"),
        (
            {"sizes": [4, 37], "test_size": None},
            "40 landmarks less 4 test records leave at most 36",
        ),
        ({"sizes": None, "test_size": 41}, "the test is too large: 40 landmarks less 41"),
    ],
)
def test_sizes_that_no_catalog_can_fill_are_refused_before_encoding(
    config: BuildConfig, copy: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    too_large = config.model_copy(update=changes)
    with pytest.raises(ValueError, match=message):
        build_dataset(too_large, tmp_path / "new")
    assert BuildView(tmp_path / "new").manifest.stages.keys() == {"catalog"}
    with pytest.raises(ValueError, match=message):
        build_dataset(too_large, copy)
    assert build_status(copy).complete  # under the settings it was made with


def test_a_source_one_level_too_deep_names_the_right_one(
    config: BuildConfig, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=f"did you mean {re.escape(str(source))}\\?"):
        build_dataset(with_source(config, source / "train"), tmp_path / "build")


def test_an_encoder_that_is_not_there_says_how_to_get_it(
    config: BuildConfig, tmp_path: Path
) -> None:
    nowhere = config.model_copy(update={"encoder": "./nowhere"})
    with pytest.raises(BuildError, match="no encoder folder") as refused:
        build_dataset(nowhere, tmp_path / "build")
    assert "goes on" not in str(refused.value)  # the same command would not
    assert not (tmp_path / "build" / "source.json").exists()  # refused before the source was read


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_one_line(
    config: BuildConfig, tmp_path: Path, device: str
) -> None:
    with pytest.raises(
        BuildError, match=r"no device 'gpu'|no CUDA device here|no cuda:99"
    ) as refused:
        build_dataset(config.model_copy(update={"device": device}), tmp_path / "build")
    assert refused.value.details == ""  # no traceback
    assert "goes on" not in str(refused.value)
    assert not (tmp_path / "build" / "source.json").exists()


def test_a_second_build_in_the_same_folder_is_refused(config: BuildConfig, tmp_path: Path) -> None:
    root = tmp_path / "build"
    with locked(root):
        with pytest.raises(ValueError, match="another build is running"):
            build_dataset(config, root)
        process = start_build(config, root)  # and in a process of its own
        process.join()
        assert process.exitcode == 1
        assert not (root / "manifest.json").exists()
    process = start_build(config, root)
    process.join()
    assert process.exitcode == 0


@pytest.mark.parametrize("where", ["shard", "manifest"])
def test_a_full_disk(
    config: BuildConfig,
    finished: BuildView,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """The disk fills up while an image shard, or the manifest after it, is flushed."""
    root = tmp_path / "build"
    module = shards_module if where == "shard" else __import__("mgld.files", fromlist=["os"])
    real = os.fsync
    calls = 0

    def fsync(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(module, "os", _Os(fsync))
    with pytest.raises(
        OSError, match=r"no space left on the disk of .* run the same command again"
    ):
        build_dataset(config, root)
    monkeypatch.undo()
    assert calls > 12
    # A shard may be in its place and not yet recorded; a recorded one is always whole.
    assert {bad.problem for bad in verify_build(root).bad} <= {"not in the manifest"}
    assert not [path for path in root.rglob("*") if path.name.endswith(".tmp")]
    build_dataset(config, root)
    assert BuildView(root).manifest == finished.manifest


class _Os:
    """The os module with another fsync."""

    def __init__(self, fsync: object) -> None:
        self.fsync = fsync

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)


def test_a_source_that_changes_during_a_build_is_an_error_in_the_row(
    config: BuildConfig, source: Path, copy: Path, tmp_path: Path
) -> None:
    """qa reads the chosen image again: other bytes are no longer what was chosen."""
    own = shutil.copytree(source, tmp_path / "source")
    moved = with_source(config, own)
    build_dataset(moved, copy)
    view = BuildView(copy)
    chosen = view.table("selection", "part").to_pylist()[0]
    path = own / chosen["source"]
    data = bytearray(path.read_bytes())
    data[chosen["offset"] + 200] ^= 0xFF
    stat = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # unnoticed by size and time
    (copy / "qa" / "part-00000.parquet").unlink()
    build_dataset(moved, copy, stages=["qa"])
    row = BuildView(copy).table("qa", "part").to_pylist()[0]
    assert (row["status"], row["reason"]) == (
        "error",
        "the chosen image changed since it was embedded",
    )


def test_verify_finds_what_was_changed(copy: Path) -> None:
    assert verify_build(copy).ok
    scores = copy / "scores" / "part-00001.parquet"
    data = bytearray(scores.read_bytes())
    data[len(data) // 2] ^= 1
    scores.write_bytes(data)
    (copy / "qa" / "part-00000.parquet").unlink()
    shutil.copy(copy / "splits" / "records.parquet", copy / "splits" / "more.parquet")
    found = verify_build(copy)
    assert not found.ok
    assert {(bad.file, bad.problem) for bad in found.bad} == {
        ("scores/part-00001.parquet", "changed"),
        ("qa/part-00000.parquet", "missing"),
        ("splits/more.parquet", "not in the manifest"),
    }


def test_verify_by_rebuilding(copy: Path) -> None:
    found = verify_build(copy, rebuild=True)
    assert found.ok and found.rebuilt
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
