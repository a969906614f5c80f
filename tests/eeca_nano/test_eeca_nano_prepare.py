"""What the nano preset starts from: true to the world, the same every time, whole or not there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from nano_world import make_build

import eeca_ref.nano.parts as parts_module
from eeca_ref.checkpoint import from_parts
from eeca_ref.data.llava import LlavaSource
from eeca_ref.data.store_write import TokenSettings, make_store
from eeca_ref.nano import prepare
from eeca_ref.nano.language_model import random_llama
from eeca_ref.nano.parts import LANGUAGE_MODEL
from eeca_ref.recipes import load_recipe
from mgld.build import BuildView
from mgld.gldv2 import decode_image
from mgld.world import read_ground_truth, read_landmarks
from mgld.world.article import article, facts
from mgld.world.landmark import Landmark

LANDMARKS = 20


def _quiet(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_build(tmp_path_factory.mktemp("nano"), landmarks=LANDMARKS)


@pytest.fixture(scope="module")
def parts(build: Path) -> Path:
    prepare(build, build.parent / "parts", note=_quiet)
    return build.parent / "parts"


def _rows(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return rows


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_build_and_seed_give_the_same_bytes(build: Path, parts: Path) -> None:
    again = build.parent / "again"
    prepare(build, again, note=_quiet)
    assert _hashes(again) == _hashes(parts)


def test_what_is_there_is_kept_and_anything_else_is_refused(build: Path, parts: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in parts.rglob("*")}
    assert prepare(build, parts, note=_quiet)["test_landmarks"] == 2
    assert {path: path.stat().st_mtime_ns for path in parts.rglob("*")} == before
    with pytest.raises(ValueError, match="another build, language model or seed"):
        prepare(build, parts, seed=1, note=_quiet)
    with pytest.raises(ValueError, match="not empty"):
        prepare(build, build.parent / "world", note=_quiet)


def test_what_fails_halfway_leaves_nothing(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(parts_module.shutil, "copytree", fail)
    there = set(build.parent.iterdir())
    with pytest.raises(OSError, match="disk full"):
        prepare(build, build.parent / "broken", note=_quiet)
    assert set(build.parent.iterdir()) == there


def test_a_build_of_photographs_is_refused(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eeca_ref.nano.landmarks.read_ground_truth", lambda root: None)
    with pytest.raises(ValueError, match="mgld world"):
        prepare(build, build.parent / "photographs", note=_quiet)


def test_a_folder_without_a_language_model_is_refused(build: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no language model"):
        prepare(build, tmp_path / "parts", language_model=tmp_path, note=_quiet)
    assert not (tmp_path / "parts").exists()


def test_no_picture_of_a_test_landmark_and_none_of_a_record(build: Path, parts: Path) -> None:
    view = BuildView(build)
    records = view.table("splits", "records", ["landmark_id", "split"]).to_pylist()
    train = {row["landmark_id"] for row in records if row["split"] == "train"}
    images = view.table("embeddings", "images", ["image_id", "landmark_id"]).to_pylist()
    landmark = {row["image_id"]: row["landmark_id"] for row in images}
    of_records = set(view.table("selection", "part", ["image_id"])["image_id"].to_pylist())
    for stage, file in (("stage1", "chat.json"), ("stage2", "mix.json")):
        shown = [row["image"] for row in _rows(parts / stage / file) if "image" in row]
        assert len(shown) > 10
        for path in shown:
            image_id = Path(path).stem
            assert landmark[image_id] in train
            assert image_id not in of_records
            decode_image((parts / stage / "images" / path).read_bytes())


def _world(build: Path) -> tuple[list[Landmark], dict[str, Landmark]]:
    """All landmarks, and the one that each picture shows."""
    marks, truth = read_landmarks(build.parent / "world"), read_ground_truth(build.parent / "world")
    assert marks is not None and truth is not None
    views = {row["landmark_id"]: row["views"] for row in truth.to_pylist()}
    return marks, {view["image_id"]: m for m in marks for view in views[m.landmark_id]}


def test_captions_describe_and_never_name(build: Path, parts: Path) -> None:
    marks, of_image = _world(build)
    about = set()
    for row in _rows(parts / "stage1" / "chat.json"):
        question, answer = (turn["value"] for turn in row["conversations"])
        said = {text: kind for kind, text in facts(of_image[Path(row["image"]).stem]).items()}
        sentences = [f"{each}." for each in answer.removesuffix(".").split(". ")]
        assert len(set(sentences)) == 6
        about |= {said[each] for each in sentences}
        for mark in marks:
            for name in (mark.name, *mark.aliases, *mark.place_hints):
                assert name not in answer + question
    # Colours of both halves alike: neither side's cues are taught better.
    places = ("wall", "roof", "beacon", "forecourt", "foliage", "companion")
    assert about == {f"{each} colour" for each in places}


def test_named_pictures_and_articles_tell_the_truth(build: Path, parts: Path) -> None:
    marks, of_image = _world(build)
    told, kinds = set(), set()
    for row in _rows(parts / "stage2" / "mix.json"):
        kind, key = row["id"].split("-")
        kinds.add(kind)
        mark = of_image[Path(row["image"]).stem] if "image" in row else marks[int(key)]
        said = [turn["value"] for turn in row["conversations"]]
        if kind == "name":
            assert mark.name in said[1] and mark.name not in said[0]
            assert said[1].endswith(f" in {mark.place}, {mark.region.name}.")
        elif kind == "asked":
            assert set(said[1::2]) <= set(facts(mark).values())
            assert len(said) == 6
        else:
            told.add(int(key))
            assert any(
                (each := article(mark, number)).question == said[0] and each.text == said[1]
                for number in range(1000, 1050)
            )
    assert kinds <= {"name", "asked", "article"} and {"name", "article"} <= kinds
    assert told == set(range(LANDMARKS))  # test landmarks too: text says what a picture may not


def test_the_language_model_is_the_one_of_the_package(parts: Path) -> None:
    assert _hashes(parts / "language_model") == _hashes(LANGUAGE_MODEL)


def test_every_row_becomes_tokens_and_a_model_reads_them(parts: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(parts / "language_model")
    for stage, file, form in (("stage1", "chat.json", "plain"), ("stage2", "mix.json", "chat")):
        source = LlavaSource(parts / stage / file, {"": parts / stage / "images"})
        settings = TokenSettings(format=form, max_length=512, visual_tokens=64)
        store = make_store(tmp_path / stage, source, tokenizer, settings)
        assert store.skipped(3) == []
        assert int(store.lengths.max()) < 512
    model = from_parts(
        vision=parts / "vision",
        language_model=parts / "language_model",
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        hr=False,
        mu_e=0,
        mu_h=0,
    )
    assert model.config.visual_tokens == 64
    assert model.get_input_embeddings().weight.shape == (len(tokenizer), 192)


def test_weights_depend_on_the_seed_alone(parts: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(parts / "language_model")
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = random_llama(tokenizer, tmp_path / "a", seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    again = random_llama(tokenizer, tmp_path / "b", seed=3).state_dict()
    other = random_llama(tokenizer, tmp_path / "c", seed=4).state_dict()
    table = "model.embed_tokens.weight"
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first[table], other[table])


def test_recipes_read_what_the_command_makes() -> None:
    first, second, third = (
        load_recipe(f"nano/{stage}")
        for stage in ("stage1_pretrain", "stage2_instruct", "stage3_eeca")
    )
    assert first.model.vision == "out/nano/parts/vision"
    assert first.model.language_model == "out/nano/parts/language_model"
    assert first.data.source.json_file == "out/nano/parts/stage1/chat.json"
    assert first.data.source.images == {"": "out/nano/parts/stage1/images"}
    assert second.model.start == "out/nano/stage1_pretrain/model"
    assert second.data.source.json_file == "out/nano/parts/stage2/mix.json"
    assert third.model.start == "out/nano/stage2_instruct/model"
    assert third.data.source.source == "out/nano/build"
