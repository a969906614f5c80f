"""`mgld.load` and `datasets.load_dataset` on the folder, with the real libraries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hub_build import LANDMARKS, SIZES, TEST, jpeg, landmark_name, write_build

import mgld
from mgld.build.read import BuildView
from mgld.hub import export_dataset, list_outputs, write_card

Load = Callable[..., Any]


def _metadata(folder: Path) -> dict[str, Any]:
    header = (folder / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    metadata: dict[str, Any] = yaml.safe_load(header)
    return metadata


def test_full_has_both_splits_and_images_decode(
    exported: tuple[Path, Path], load_here: Load
) -> None:
    build, _ = exported
    full = load_here(build)  # a build folder stands for its dataset
    assert {name: len(rows) for name, rows in full.items()} == {
        "train": LANDMARKS - 1 - TEST,
        "test": TEST,
    }
    row = full["train"][2]
    assert row["landmark_id"] == 3 and row["landmark_name"] == "Château de Schœneck"
    assert row["image"].size == (64, 48) and row["image"].mode == "RGB"
    names = {row["landmark_name"] for row in full["train"]}
    assert {landmark_name(each) for each in (4, 5, 7)} <= names
    assert full["train"][0]["license"] is None


def test_every_config_of_the_card_loads(exported: tuple[Path, Path], tmp_path: Path) -> None:
    from datasets import get_dataset_config_names, load_dataset

    _, folder = exported
    names = get_dataset_config_names(str(folder))
    subsets = [f"{method}{size}" for method in ("hds", "hss", "lcs", "brs") for size in SIZES]
    assert sorted(names) == sorted(["full", "eval", "names", *subsets])
    for name in names:
        loaded = load_dataset(str(folder), name, cache_dir=str(tmp_path))
        if name in subsets:
            assert loaded["train"].num_rows == int(name[3:])
    # Without a config the default is full.
    assert load_dataset(str(folder), cache_dir=str(tmp_path))["test"].num_rows == TEST


def test_eval_is_in_the_fixed_order(exported: tuple[Path, Path], load_here: Load) -> None:
    _, folder = exported
    test = load_here(folder, "eval", split="test")
    paper = load_here(folder, "eval", split="test_paper")
    assert len(paper) == TEST // 2
    assert test["landmark_id"][: len(paper)] == paper["landmark_id"][:]
    order = pq.read_table(folder.parent / "splits" / "records.parquet").to_pylist()
    expected = sorted(
        (row["test_order"], row["landmark_id"]) for row in order if row["split"] == "test"
    )
    assert test["landmark_id"][:] == [landmark_id for _, landmark_id in expected]
    assert test[1]["question"] == "What is this, 18?"
    assert test[1]["answer"].startswith("Abbey of Varn 18")


def test_names_hold_every_candidate(exported: tuple[Path, Path], load_here: Load) -> None:
    _, folder = exported
    names = load_here(folder, "names", split="train")
    assert len(names) == LANDMARKS  # also that of the landmark without an image
    assert dict(zip(names["name"], names["landmark_ids"], strict=True))["金閣寺"] == [4]


def test_streaming_and_columns(exported: tuple[Path, Path], load_here: Load) -> None:
    _, folder = exported
    stream = load_here(folder, "hds20", split="train", streaming=True)
    first = next(iter(stream))
    assert first["landmark_id"] == 1 and first["image"].size == (64, 48)
    assert sum(1 for _ in stream) == 20
    narrow = load_here(folder, "hds20", split="train", columns=["landmark_name", "rsr"])
    assert narrow.column_names == ["landmark_name", "rsr"]
    stream = load_here(folder, "hds20", split="train", streaming=True, columns=["rank"])
    assert next(iter(stream)) == {"rank": 2}


def test_a_larger_subset_starts_with_the_smaller(
    exported: tuple[Path, Path], load_here: Load
) -> None:
    _, folder = exported
    rows = {
        size: load_here(folder, f"lcs{size}", split="train", columns=["landmark_id"])[
            "landmark_id"
        ][:]
        for size in SIZES
    }
    assert rows[40][:10] == rows[10] and rows[40][:20] == rows[20]


def test_thousands_have_one_name(build: Path, load_here: Load) -> None:
    export_dataset(build, build / "dataset")
    card = build / "dataset" / "README.md"
    card.write_text(card.read_text().replace("config_name: hds40", "config_name: hds1k"))
    for name in ("hds1k", "hds1000"):
        assert load_here(build, name, split="train").num_rows == 40


def test_an_unknown_config_lists_what_is_there(
    exported: tuple[Path, Path], load_here: Load
) -> None:
    with pytest.raises(ValueError, match=r"no config 'hds25k' .* full, eval, names, hds10, hds20"):
        load_here(exported[1], "hds25k")


def test_an_unknown_split_or_column_lists_what_is_there(
    exported: tuple[Path, Path], load_here: Load
) -> None:
    for stream in (False, True):
        with pytest.raises(ValueError, match=r"only train; .*test records are in full and eval"):
            load_here(exported[1], "hds10", split="test", streaming=stream)
        with pytest.raises(ValueError, match=r"has no split 'dev', only train, test$"):
            load_here(exported[1], split="dev", streaming=stream)
        with pytest.raises(ValueError, match=r"no column 'nope', 'sin'; there are: id, image, .*"):
            load_here(exported[1], columns=["nope", "sim", "sin"], streaming=stream)
    assert load_here(exported[1], split="test[:2]").num_rows == 2
    assert load_here(exported[1], "hds10", split="all").num_rows == 10


def test_a_folder_written_anew_is_not_served_from_the_cache(
    build: Path, load_here: Load, tmp_path: Path
) -> None:
    export_dataset(build, build / "dataset")
    before = load_here(build, "full", split="train")[0]["image"].tobytes()
    write_build(build, image=lambda landmark_id: jpeg(landmark_id + 1000))
    export_dataset(build, build / "dataset")
    after = load_here(build, "full", split="train")[0]["image"].tobytes()
    assert before != after


def test_two_folders_of_one_name_and_size_are_not_confused(
    build: Path, load_here: Load, tmp_path: Path
) -> None:
    """datasets' cache looks at neither path nor content: only the card tells these two apart."""
    view, infos, sims = BuildView(build), [], []
    for place, sign in (("one", 1.0), ("two", -1.0)):
        folder = tmp_path / place / "dataset"
        export_dataset(build, folder)
        path = folder / "full" / "train-00000-of-00001.parquet"
        table = pq.read_table(path)
        column = table.schema.get_field_index("sim")
        changed = pa.array([sign * sim for sim in table["sim"].to_pylist()])
        table = table.set_column(column, table.schema.field(column), changed)
        pq.write_table(table, path, use_dictionary=False, compression=None)
        write_card(view, list_outputs(view), folder, folder / "README.md")
        infos.append(_metadata(folder)["dataset_info"])
        sims.append(list(load_here(folder, "full", split="train")["sim"]))
    assert infos[0] == infos[1]  # same rows, same bytes: nothing else differs between the cards
    assert sims[1] == [-sim for sim in sims[0]]


def test_missing_rows_are_noticed(build: Path, load_here: Load) -> None:
    from datasets.exceptions import NonMatchingSplitsSizesError

    export_dataset(build, build / "dataset")
    path = build / "dataset" / "full" / "train-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(NonMatchingSplitsSizesError):
        load_here(build)


def test_a_path_with_blanks_and_accents(
    exported: tuple[Path, Path], load_here: Load, tmp_path: Path
) -> None:
    folder = shutil.copytree(exported[1], tmp_path / "Données d'été 1")
    assert load_here(folder, "hds10", split="train").num_rows == 10


def test_folders_that_are_no_dataset(
    tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match="dataset is not finished"):
        mgld.load(build)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        mgld.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        mgld.load("./nowhere")
    with pytest.raises(FileNotFoundError, match="there is no folder bild"):
        mgld.load("bild")
    monkeypatch.chdir(build.parent.parent)
    with pytest.raises(FileNotFoundError, match=f"there is no folder {build.parent.name}/bild"):
        mgld.load(f"{build.parent.name}/bild")  # a typing error beside a folder, no Hub id
    with pytest.raises(FileNotFoundError, match="holds no dataset"):
        mgld.load(tmp_path)
    (tmp_path / "README.md").write_text("# A project\n")
    with pytest.raises(ValueError, match="lists no configs"):
        mgld.load(tmp_path)
    with pytest.raises(ValueError, match="has no revision"):
        mgld.load(build, revision="v1")


@pytest.mark.parametrize("repo", [None, "someone/data"])
def test_an_unreachable_hub_is_said_so(tmp_path: Path, repo: str | None) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
        "MGLD_REPO": "other/set" if repo is None else "",
    }
    code = f"import mgld\ntry:\n mgld.load({repo!r})\nexcept OSError as error:\n print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    name = repo or "other/set"
    assert done.stdout.startswith(f"there is no local folder {name}, and ")
    assert f"{name!r}" in done.stdout and "MGLD_REPO" in done.stdout


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_dataset_named_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    import datasets

    asked: list[Any] = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kw: asked.append(args))
    monkeypatch.delenv("MGLD_REPO", raising=False)
    if value is not None:
        monkeypatch.setenv("MGLD_REPO", value)
    with pytest.raises(ValueError, match=r"give a build or dataset folder .* set MGLD_REPO"):
        mgld.load()
    assert asked == []
    monkeypatch.setenv("MGLD_REPO", "other/set")
    mgld.load()
    assert asked == [("other/set", "full")]


def test_the_card_is_valid_and_honest(exported: tuple[Path, Path]) -> None:
    from huggingface_hub import DatasetCard

    text = (exported[1] / "README.md").read_text(encoding="utf-8")
    card = DatasetCard(text)
    assert card.data.license == "other" and card.data.to_dict()["license_name"]
    assert card.data.size_categories == ["n<1K"]
    assert card.data.source_datasets == ["extended|google-landmarks-v2"]
    header = yaml.safe_load(text.split("---\n")[1])
    assert [config["config_name"] for config in header["configs"] if config.get("default")] == [
        "full"
    ]
    counted = {
        info["config_name"]: {split["name"]: split["num_examples"] for split in info["splits"]}
        for info in header["dataset_info"]
    }
    assert counted["full"] == {"train": LANDMARKS - 1 - TEST, "test": TEST}
    assert counted["brs40"] == {"train": 40}
    assert "filled into templates" in text and "not a model's" in text
    assert "Left out: 1 with status `no_readable_image`" in text
    assert "12 of 59 rows have no\nlicence and 6 have no author" in text
    assert "$" not in text.split("---\n", 2)[2]  # every blank of the template was filled


@pytest.mark.parametrize(
    ("model", "file", "published"),
    [("", "my-encoder", "my-encoder"), ("ViT-B-32:", "w.pt", "ViT-B-32:w.pt")],
)
def test_where_the_encoder_lay_is_not_published(
    tmp_path: Path, model: str, file: str, published: str
) -> None:
    build = write_build(tmp_path / "build", encoder=f"{model}{tmp_path / 'secret' / file}")
    export_dataset(build, tmp_path / "out")
    row = pq.read_table(tmp_path / "out/eval/test-00000-of-00001.parquet").to_pylist()[0]
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert row["encoder"] == published and f"`{published}`" in text
    for public in (text, str(row)):
        assert str(tmp_path) not in public and "secret" not in public


def test_a_world_says_that_it_is_none_of_the_real_one(build: Path, tmp_path: Path) -> None:
    (build.parent / "source" / "ground_truth.parquet").write_bytes(b"")
    export_dataset(build, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "procedural stand-in" in text and "extended|google-landmarks-v2" not in text
