"""The dataset's files: what is planned, what is written, and that it is always the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hub_build import LANDMARKS, SIZES, TEST, jpeg, landmark_name, write_build

from mgld.build.read import BuildView
from mgld.files import sha256_file
from mgld.hub import config_files, export_dataset, list_outputs, outputs, write_output


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rewrite(path: Path, change: Any) -> None:
    rows = pq.read_table(path)
    values = change(rows.to_pylist())
    pq.write_table(type(rows).from_pylist(values, rows.schema), path)


def test_same_input_gives_the_same_bytes(build: Path, tmp_path: Path) -> None:
    export_dataset(build, tmp_path / "one")
    export_dataset(build, tmp_path / "two")
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    # Again over an older export, with a file that is no longer part of the dataset.
    stale = tmp_path / "one" / "subsets" / "hds" / "hds9999-00000-of-00001.parquet"
    stale.write_bytes(b"old")
    export_dataset(build, tmp_path / "one")
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_every_record_is_in_full_once(exported: tuple[Path, Path]) -> None:
    build, _ = exported
    configs = config_files(list_outputs(BuildView(build)))
    counted = Counter(
        landmark_id
        for files in configs["full"].values()
        for file in files
        for landmark_id in file.landmark_ids
    )
    assert len(counted) == LANDMARKS - 1  # one has no readable image
    assert set(counted.values()) == {1}


def test_subsets_are_nested_without_a_row_written_twice(exported: tuple[Path, Path]) -> None:
    build, folder = exported
    every = list_outputs(BuildView(build))
    configs = config_files(every)
    for method in ("hds", "hss", "lcs", "brs"):
        rows = [
            [each for file in configs[f"{method}{size}"]["train"] for each in file.landmark_ids]
            for size in SIZES
        ]
        assert [len(each) for each in rows] == SIZES
        assert rows[2][:10] == rows[0] and rows[2][:20] == rows[1]
        on_disk = (folder / "subsets" / method).glob("*.parquet")
        assert sum(pq.read_metadata(path).num_rows for path in on_disk) == max(SIZES)


def test_files_and_row_groups_keep_their_limits(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = len(jpeg(1)) + outputs.ROW_TEXT_BYTES
    monkeypatch.setattr(outputs, "SHARD_BYTES", 11 * row)
    monkeypatch.setattr(outputs, "GROUP_BYTES", 4 * row)
    files = config_files(export_dataset(build, tmp_path / "out"))["full"]["train"]
    assert len(files) == 5
    assert sum(file.rows for file in files) == LANDMARKS - 1 - TEST
    ids = []
    for file in files:
        with (tmp_path / "out" / file.path).open("rb") as handle:
            parquet = pq.ParquetFile(handle)
            assert parquet.metadata.num_row_groups == len(file.row_groups) > 1
            ids += parquet.read(columns=["landmark_id"])["landmark_id"].to_pylist()
    assert ids == sorted(ids)


def test_an_image_larger_than_a_file_gets_a_file_of_its_own(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "SHARD_BYTES", 10)
    files = config_files(list_outputs(BuildView(build)))["full"]["test"]
    assert [file.row_groups for file in files] == [(1,)] * TEST


def test_rows_join_what_the_stages_say(exported: tuple[Path, Path]) -> None:
    _, folder = exported
    rows = pq.read_table(folder / "full" / "train-00000-of-00001.parquet").to_pylist()
    by_id = {row["landmark_id"]: row for row in rows}
    row = by_id[5]
    assert row["id"] == f"{5:016x}" and row["image"]["path"] == f"{5:016x}.jpg"
    assert row["image"]["bytes"] == jpeg(5)
    assert row["landmark_name"] == landmark_name(5)
    assert row["hierarchical_label"] == "church"
    assert row["hierarchical_label_gldv2"] == "monastery"
    assert row["landmark_images"] == 6
    assert (row["sim"], row["rank"], row["margin"]) == (0.1 + 5 / 1000, 6, -5 / 100)
    assert row["conversation"][0] == {"role": "user", "content": "What is this, 5?"}
    assert row["encoder"] == "nano" and row["encoder_fingerprint"] == "sha256:abc"
    assert (row["prompt_version"], row["entity_prompt_version"]) == (
        "template-qa",
        "template-entities",
    )
    # What the source does not say stays null.
    assert by_id[1]["license"] is None and by_id[1]["author"] is None
    assert by_id[2]["hierarchical_label_gldv2"] is None


def test_written_as_datasets_would(exported: tuple[Path, Path]) -> None:
    _, folder = exported
    path = folder / "full" / "train-00000-of-00001.parquet"
    metadata = pq.read_metadata(path)
    assert b"huggingface" in metadata.metadata
    assert json.loads(metadata.metadata[b"content_defined_chunking"])["max_chunk_size"] == 1 << 20
    image = next(
        metadata.row_group(0).column(index)
        for index in range(metadata.num_columns)
        if metadata.row_group(0).column(index).path_in_schema == "image.bytes"
    )
    assert image.compression == "UNCOMPRESSED"  # JPEG does not compress
    assert image.has_offset_index and image.has_column_index  # the page index


def test_a_changed_source_image_is_refused(build: Path, tmp_path: Path) -> None:
    image = next((build.parent / "source").rglob(f"{1:016x}.jpg"))
    data = bytearray(image.read_bytes())
    data[-3] ^= 1
    image.write_bytes(data)
    with pytest.raises(ValueError, match=r"0000000000000001 .* the source has changed"):
        export_dataset(build, tmp_path / "out")
    # Nothing half-written, and no card, so the folder does not load.
    assert list((tmp_path / "out").rglob("*.*")) == []


def test_the_source_can_be_named(build: Path, tmp_path: Path) -> None:
    moved = (build.parent / "source").rename(tmp_path / "moved")
    with pytest.raises(OSError, match="source"):
        export_dataset(build, tmp_path / "out")
    export_dataset(build, tmp_path / "out", moved)
    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.parametrize("stage", ["qa", "entities", "scores"])
def test_a_split_of_unfinished_records_is_refused(build: Path, tmp_path: Path, stage: str) -> None:
    def refuse(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | ({"status": "refused"} if row["landmark_id"] == 7 else {}) for row in rows]

    rewrite(build / stage / "part-00000.parquet", refuse)
    with pytest.raises(ValueError, match=f"landmark 7, but its {stage} row has status 'refused'"):
        export_dataset(build, tmp_path / "out")


def test_a_missing_row_is_named(build: Path, tmp_path: Path) -> None:
    rewrite(
        build / "qa" / "part-00000.parquet",
        lambda rows: [row for row in rows if row["landmark_id"] != 7],
    )
    with pytest.raises(ValueError, match="qa/part has no row for landmark_id 7"):
        export_dataset(build, tmp_path / "out")


def test_a_subset_larger_than_what_was_cut_is_refused(build: Path) -> None:
    with pytest.raises(ValueError, match=r"hds subset of 41 .* holds 40"):
        list_outputs(BuildView(build), sizes=[10, 41])


def test_without_test_records_there_is_no_eval(build: Path, tmp_path: Path) -> None:
    def all_train(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"split": "train", "test_order": -1, "test_paper": False} for row in rows]

    rewrite(build / "splits" / "records.parquet", all_train)
    configs = config_files(export_dataset(build, tmp_path / "out"))
    assert "eval" not in configs and list(configs["full"]) == ["train"]


def test_one_file_can_be_made_alone(
    exported: tuple[Path, Path], build: Path, tmp_path: Path
) -> None:
    _, folder = exported
    view = BuildView(build)
    output = next(each for each in list_outputs(view) if each.path.startswith("subsets/lcs/lcs20"))
    write_output(view, output, tmp_path / "alone.parquet")
    assert sha256_file(tmp_path / "alone.parquet") == sha256_file(folder / output.path)


MEMORY = """
import resource, sys
from pathlib import Path
from mgld.build.read import BuildView
from mgld.hub import list_outputs, outputs, write_output
outputs.GROUP_BYTES = 4_000_000
view = BuildView(sys.argv[1])
files = {file.path.split("-")[0]: file for file in list_outputs(view)}
for name in ("subsets/hds/hds10", "full/train"):  # 5 MB, then 25 MB of images
    write_output(view, files[name], Path(sys.argv[2]) / "out.parquet")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def noise(landmark_id: int) -> bytes:
        import numpy as np

        return np.random.default_rng(landmark_id).bytes(1_500_000)

    build = write_build(tmp_path / "build", image=noise)
    command = [sys.executable, "-c", MEMORY, str(build), str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    small, large = (int(line) for line in done.stdout.split())  # KiB; 15 MB and 73 MB of images
    assert large - small < 20_000, f"peak grew by {(large - small) / 1e3:.0f} MB"
