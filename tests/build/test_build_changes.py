"""A rerun remakes exactly what depends on what changed; seen by the files it writes anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from build_source import jpeg, name_of, write_encoder, write_tar

from mgld.build import BuildConfig, BuildError, BuildView, build_dataset
from mgld.build.config import save_config
from mgld.vision.checkpoint import WEIGHTS_FILE

Stamps = dict[str, tuple[int, int]]


def stamps(root: Path) -> Stamps:
    """Inode and modification time of every output: a file written anew has others."""
    return {
        path.relative_to(root).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for stage in BuildView(root).manifest.stages
        for path in (root / stage).rglob("*")
        if path.is_file()
    }


def remade(root: Path, config: BuildConfig, **changes: object) -> set[str]:
    """Files that a build with changed settings writes, by path."""
    before = stamps(root)
    build_dataset(config.model_copy(update=changes), root)
    after = stamps(root)
    return {path for path in after if after[path] != before.get(path)}


def stages_of(paths: set[str]) -> set[str]:
    return {path.partition("/")[0] for path in paths}


def under(root: Path, *starts: str) -> set[str]:
    return {path for path in stamps(root) if path.startswith(starts)}


AFTER_SELECTION = {"selection", "qa", "entities", "scores", "splits", "dataset"}


def test_nothing_changed(copy: Path, config: BuildConfig) -> None:
    manifest = (copy / "manifest.json").read_bytes()
    assert remade(copy, config) == set()
    assert (copy / "manifest.json").read_bytes() == manifest


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"test_size": 8}, {"splits", "dataset"}),
        ({"sizes": [4, 10]}, {"splits", "dataset"}),
        ({"methods": ["hds", "brs"]}, {"splits", "dataset"}),
        ({"chunk": 13}, AFTER_SELECTION),
    ],
)
def test_a_setting_remakes_the_stages_that_depend_on_it(
    copy: Path, config: BuildConfig, changes: dict[str, object], stages: set[str]
) -> None:
    paths = remade(copy, config, **changes)
    assert stages_of(paths) == stages
    # Within these stages no file is left from before.
    assert paths == under(copy, *(f"{stage}/" for stage in stages))


FOLLOWS_NAMES = (
    "embeddings/names-",
    "embeddings/index.",
    "embeddings/sims-",
    *(f"{stage}/" for stage in sorted(AFTER_SELECTION)),
)


def test_another_template_encodes_no_image_again(copy: Path, config: BuildConfig) -> None:
    paths = remade(copy, config, template="a photo of {name}")
    assert paths == under(copy, *FOLLOWS_NAMES)


def test_a_corrected_name_encodes_no_image_again(
    copy: Path, own_source: BuildConfig, tmp_path: Path
) -> None:
    """And what follows from the names is what a build from nothing makes of them."""
    table = Path(own_source.source) / "metadata" / "train_label_to_category.csv"
    before = table.read_text(encoding="utf-8")
    # Last in the catalog's order of names before, first after: every row of names moves.
    table.write_text(before.replace(f"Category:{name_of(9)}\n", "Category:Aa_abbey\n"))
    assert table.read_text(encoding="utf-8") != before
    paths = remade(copy, own_source)
    assert paths == under(copy, "catalog/", *FOLLOWS_NAMES)
    whole = build_dataset(own_source, tmp_path / "whole")
    assert BuildView(copy).manifest.files() == whole.files()


def test_the_seed_remakes_every_draw_and_only_chunks_whose_choice_changed(
    copy: Path, config: BuildConfig
) -> None:
    before = {
        row["landmark_id"]: row for row in BuildView(copy).table("selection", "part").to_pylist()
    }
    paths = remade(copy, config, seed=1)
    after = BuildView(copy).table("selection", "part").to_pylist()
    assert under(copy, "selection/", "qa/", "entities/", "splits/") <= paths
    assert not under(copy, "catalog/", "embeddings/") & paths
    changed = {
        row["landmark_id"] // config.chunk
        for row in after
        if row["chosen"] != before[row["landmark_id"]]["chosen"]
    }
    assert changed
    assert paths & under(copy, "scores/") == {f"scores/part-{n:05d}.parquet" for n in changed}


def test_the_batch_size_remakes_images_but_not_names(copy: Path, config: BuildConfig) -> None:
    paths = remade(copy, config, batch_size=7)
    assert paths >= under(copy, "embeddings/images-")
    assert not paths & under(copy, "catalog/", "embeddings/names-")


def test_another_encoder_remakes_all_but_the_catalog(
    copy: Path, config: BuildConfig, tmp_path: Path
) -> None:
    other = write_encoder(tmp_path / "other", seed=1)
    paths = remade(copy, config, encoder=str(other))
    assert paths == under(copy, "embeddings/", *(f"{stage}/" for stage in AFTER_SELECTION))


def test_the_same_encoder_elsewhere_only_changes_what_the_dataset_says(
    copy: Path, config: BuildConfig, tmp_path: Path
) -> None:
    moved = shutil.copytree(config.encoder, tmp_path / "moved")
    assert stages_of(remade(copy, config, encoder=str(moved))) == {"dataset"}


@pytest.mark.parametrize("by_hand", [False, True])
def test_no_row_names_one_encoder_beside_the_fingerprint_of_another(
    copy: Path, config: BuildConfig, tmp_path: Path, by_hand: bool
) -> None:
    """A stage that needs no encoder still quotes it; also where config.yaml was edited by hand."""
    other = write_encoder(tmp_path / "other", seed=1)
    changed = config.model_copy(update={"encoder": str(other)})
    if by_hand:
        save_config(changed, copy)
    before = stamps(copy)
    with pytest.raises(ValueError, match="needs stage embeddings, which is not complete"):
        build_dataset(changed, copy, stages=["dataset"])
    assert stamps(copy) == before
    # And not at the second try either, when the other encoder's facts are remembered.
    with pytest.raises(ValueError, match="needs stage embeddings, which is not complete"):
        build_dataset(changed, copy, stages=["dataset"])
    assert stamps(copy) == before


def test_later_stages_do_without_an_encoder_that_is_away(
    copy: Path, own_encoder: BuildConfig
) -> None:
    shutil.rmtree(own_encoder.encoder)
    other = own_encoder.model_copy(update={"test_size": 8})
    build_dataset(other, copy, stages=["splits", "dataset"])
    splits = BuildView(copy).table("splits", "records", ["split"])["split"].to_pylist()
    assert splits.count("test") == 8
    with pytest.raises(BuildError, match="no encoder folder"):
        build_dataset(other, copy)


@pytest.fixture
def own_encoder(copy: Path, config: BuildConfig, tmp_path: Path) -> BuildConfig:
    """The configuration with an encoder of one's own, with which the copy is up to date."""
    folder = shutil.copytree(config.encoder, tmp_path / "encoder")
    own = config.model_copy(update={"encoder": str(folder)})
    build_dataset(own, copy)
    return own


def replace_weights(config: BuildConfig, folder: Path) -> os.stat_result:
    """Put other weights of the same size into the encoder; returns what the file was."""
    weights = Path(config.encoder) / WEIGHTS_FILE
    before = weights.stat()
    shutil.copy(write_encoder(folder, seed=1) / WEIGHTS_FILE, weights)
    assert weights.stat().st_size == before.st_size
    return before


def test_nothing_to_do_needs_no_torch(copy: Path, config: BuildConfig) -> None:
    program = "import sys; sys.modules['torch'] = None\nfrom mgld.cli import main; main()"
    command = [sys.executable, "-c", program, "build", "--out", str(copy), "--workers", "1"]
    before = stamps(copy)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("complete\n")
    assert stamps(copy) == before
    (copy / "encoder.json").unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "import of torch halted" in done.stderr  # the encoder is not known without it


def test_an_encoder_replaced_in_its_place_is_noticed(
    copy: Path, own_encoder: BuildConfig, tmp_path: Path
) -> None:
    replace_weights(own_encoder, tmp_path / "other")
    paths = remade(copy, own_encoder)
    assert paths == under(copy, "embeddings/", *(f"{stage}/" for stage in AFTER_SELECTION))


def test_an_encoder_replaced_behind_our_back_never_makes_a_vector(
    copy: Path, own_encoder: BuildConfig, tmp_path: Path
) -> None:
    """Size and time put back; the next run knows."""
    before = replace_weights(own_encoder, tmp_path / "other")
    times = (before.st_atime_ns, before.st_mtime_ns)
    os.utime(Path(own_encoder.encoder) / WEIGHTS_FILE, ns=times)
    (copy / "embeddings" / "images-images_001.tar.parquet").unlink()
    with pytest.raises(BuildError, match="changed while the build ran; run it again"):
        build_dataset(own_encoder, copy)
    paths = remade(copy, own_encoder)
    assert paths == under(copy, "embeddings/", *(f"{stage}/" for stage in AFTER_SELECTION))


@pytest.fixture
def own_source(config: BuildConfig, tmp_path: Path) -> BuildConfig:
    """The configuration with a source of one's own, same names, sizes, times and bytes."""
    source = shutil.copytree(config.source, tmp_path / "source")
    return config.model_copy(update={"source": str(source)})


def test_a_moved_or_touched_source_remakes_nothing(copy: Path, own_source: BuildConfig) -> None:
    assert remade(copy, own_source) == set()
    os.utime(Path(own_source.source) / "train" / "images_001.tar")
    assert remade(copy, own_source) == set()


def test_a_changed_archive_is_noticed_and_the_others_stay(
    copy: Path, own_source: BuildConfig
) -> None:
    remade(copy, own_source)
    tar = Path(own_source.source) / "train" / "images_000.tar"
    write_tar(tar, [("0/0/0/0000000000000000.jpg", jpeg(77))])
    paths = remade(copy, own_source)
    assert paths & under(copy, "embeddings/", "catalog/") == {
        "embeddings/images-images_000.tar.parquet",
        "embeddings/sims-images_000.tar.parquet",
    }
    assert under(copy, "selection/") <= paths


def test_a_removed_archive_leaves_no_rows_behind(copy: Path, own_source: BuildConfig) -> None:
    (Path(own_source.source) / "train" / "images_002.tar").unlink()
    paths = remade(copy, own_source)
    assert not (copy / "embeddings" / "images-images_002.tar.parquet").exists()
    assert not paths & under(copy, "embeddings/")
    sources = BuildView(copy).table("selection", "part", ["source"])["source"].to_pylist()
    assert "train/images_002.tar" not in sources


def test_licences_do_not_make_images_be_encoded_again(copy: Path, own_source: BuildConfig) -> None:
    table = Path(own_source.source) / "metadata" / "train_attribution.csv"
    table.write_text(table.read_text().replace("Zoë", "Zoe"))
    assert stages_of(remade(copy, own_source)) == {"catalog", "dataset"}


def test_a_lost_file_is_made_again(copy: Path, config: BuildConfig) -> None:
    (copy / "embeddings" / "images-images_001.tar.parquet").unlink()
    assert remade(copy, config) == {"embeddings/images-images_001.tar.parquet"}


def test_a_stray_file_in_a_stage_is_no_data(copy: Path, config: BuildConfig) -> None:
    shutil.copy(copy / "qa" / "part-00000.parquet", copy / "qa" / "part-00009.parquet")
    assert remade(copy, config) == set()
    assert not (copy / "qa" / "part-00009.parquet").exists()


def test_stage_by_stage_and_what_status_says_of_it(
    copy: Path, config: BuildConfig, tmp_path: Path
) -> None:
    from mgld.build import build_status

    other = config.model_copy(update={"seed": 3})
    with pytest.raises(ValueError, match="needs stage catalog, which is not complete"):
        build_dataset(other, tmp_path / "new", stages=["selection"])
    build_dataset(other, copy, stages=["selection"])
    status = build_status(copy)
    states = {stage.stage: stage for stage in status.stages}
    assert not status.complete
    assert (states["selection"].done, states["selection"].stale) == (3, 0)
    assert states["qa"].stale == 3
    assert states["dataset"].waiting
    with pytest.raises(ValueError, match="needs stage qa, which is not complete"):
        build_dataset(other, copy, stages=["splits"])
