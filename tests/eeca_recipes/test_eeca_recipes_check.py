"""`eeca check`: what is wrong with files, data and steps, before the first step."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "eeca_training"))
from training_tiny import llava_data, make_llava, make_mgld, make_parts, recipe

from eeca_ref.checking import Checked, check
from eeca_ref.recipe import Recipe

Changed = Callable[..., Checked]
LR_ONLY = {"hr": False, "mu_e": 0, "mu_h": 0, "max_sequence_length": 100}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    make_parts(folder)
    make_mgld(folder / "mgld")
    make_llava(folder / "llava")
    return folder


@pytest.fixture
def look(parts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Changed:
    """Check the tiny recipe with changes, offline."""
    # datasets keys its cache by the folder's last name, and read the environment long ago
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def looked(world_size: int | None = None, **changes: Any) -> Checked:
        made = Recipe.model_validate(recipe(parts, **changes))
        return check(made, world_size=world_size)

    return looked


@pytest.fixture(scope="module")
def stage2(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without the HR branch and its processor, as a stage leaves them."""
    from eeca_ref.assembling import build_model, image_settings, label_vocabulary, load_tokenizer
    from eeca_ref.processing import EecaProcessor

    made = Recipe.model_validate(
        recipe(
            parts,
            data__source=llava_data(parts),
            model__settings=LR_ONLY,
            train=["lr_adapter", "language_model"],
        )
    )
    tokenizer = load_tokenizer(made)
    model = build_model(made, tokenizer, label_vocabulary(made, ()))
    folder = tmp_path_factory.mktemp("stage2") / "model"
    model.save_pretrained(folder)
    settings = image_settings(made, model.config)
    EecaProcessor.of(
        model.config, tokenizer, image_mean=settings.mean, image_std=settings.std
    ).save_pretrained(folder)
    return folder


def of_stage2(folder: Path, **more: Any) -> dict[str, Any]:
    settings = {
        "hr": True,
        "mu_e": 7.32,
        "mu_h": 4.38,
        "resampler_queries": 6,
        "resampler_heads": 2,
        "resampler_head_dim": 8,
    }
    new = ["resampler", "classifier", "log_tau"]
    return {"start": str(folder), "new": new, "settings": settings, **more}


def test_what_can_be_trained_is_counted(look: Changed) -> None:
    checked = look(world_size=1)
    assert checked.ok, checked.text()
    assert checked.settings["visual_tokens"] == 4 + 6
    wanted = {
        "rows": 40,
        "samples": 40,
        "with an image": 40,
        "images missing": 0,
        "steps": 5,
        "of them warm-up": 1,
        "left out of an epoch": 0,
        "without entities": 10,
        "with one entity": 10,
        "classes": 3,
        "without a known label": 10,
        "tokenized": 40,
        "truncated": 0,
    }
    assert wanted.items() <= checked.counts.items()
    assert 16 <= checked.counts["images decoded"] <= 40
    assert any("L_e is 0 for 10 images without entities and 10" in n for n in checked.notes)
    text = checked.text()
    assert "visual_tokens 10" in text
    assert text.endswith("ready to train")


def test_steps_are_those_that_are_trained(look: Changed) -> None:
    counts = look(optim__epochs=2, data__validation=6, optim__global_batch=16).counts
    assert (counts["steps"], counts["left out of an epoch"]) == (4, 2)
    few = look(optim__max_steps=3).counts  # a fifth of them, rounded up
    assert (few["steps"], few["of them warm-up"]) == (3, 1)
    none = look(data__validation=33)
    assert "7 samples to train on after 33 held out" in none.problems[0]
    assert none.text().endswith("1 problem")


def test_a_batch_that_the_processes_do_not_divide(look: Changed) -> None:
    assert look(world_size=1, optim__micro_batch=4).ok
    assert look(world_size=2, optim__micro_batch=4).ok
    checked = look(world_size=3, optim__micro_batch=4)
    assert "does not divide among 3 processes" in checked.problems[0]


def test_missing_checkpoints_are_named_with_what_gets_them(look: Changed, parts: Path) -> None:
    checked = look(model__vision="openai/no-such-clip", model__language_model="out/x/y/model")
    said = "\n".join(checked.problems)
    assert "hf download openai/no-such-clip" in said
    assert "model.language_model: there is no folder out/x/y/model" in said
    assert checked.counts["steps"] == 5  # the data is looked at all the same


def test_a_checkpoint_that_is_not_whole(look: Changed, parts: Path, tmp_path: Path) -> None:
    shutil.copytree(parts / "language_model", tmp_path / "lm")
    (tmp_path / "lm/model.safetensors").unlink()
    checked = look(model__language_model=str(tmp_path / "lm"))
    assert "model.language_model: " in checked.problems[0]
    assert "model.safetensors is not there" in checked.problems[0]
    (tmp_path / "empty").mkdir()
    assert "no config.json" in look(model__vision=str(tmp_path / "empty")).problems[0]


def test_a_tokenizer_without_a_chat_template(look: Changed, parts: Path, tmp_path: Path) -> None:
    shutil.copytree(parts / "language_model", tmp_path / "lm")
    (tmp_path / "lm/chat_template.jinja").unlink()
    checked = look(model__tokenizer=str(tmp_path / "lm"))
    assert any("has no chat template" in each for each in checked.problems)


def test_images_must_say_how_they_are_normalised(
    look: Changed, parts: Path, tmp_path: Path
) -> None:
    shutil.copytree(parts / "vision", tmp_path / "vision")
    (tmp_path / "vision/preprocessor_config.json").unlink()
    checked = look(model__vision=str(tmp_path / "vision"))
    assert any("image_mean" in each for each in checked.problems)


def test_data_that_is_not_there(look: Changed, parts: Path) -> None:
    source = {"kind": "mgld", "source": str(parts / "mgld"), "config": "hds25k"}
    assert look(data__source=source).problems[0].startswith("data: ")
    checked = look(
        data__source={**llava_data(parts), "json_file": "none.json"},
        model__settings=LR_ONLY,
        train=["lr_adapter"],
    )
    assert "data: there is no file none.json" in checked.problems


def test_images_that_are_missing_or_unreadable_are_counted(
    look: Changed, parts: Path, tmp_path: Path
) -> None:
    shutil.copytree(parts / "llava/images", tmp_path / "images")
    (tmp_path / "images/1.png").unlink(missing_ok=True)
    (tmp_path / "images/2.png").write_bytes(b"no image")
    source = {**llava_data(parts), "images": {"": str(tmp_path / "images")}}
    about = {"model__settings": LR_ONLY, "train": ["lr_adapter"], "optim__micro_batch": 1}
    checked = look(data__source=source, **about)
    assert checked.ok, checked.text()
    assert checked.counts["images missing"] == 1
    assert checked.counts["left out of an epoch"] == 23 % 8
    assert any("1 image of 16 not there, such as 1.png" in each for each in checked.notes)
    assert any("images cannot be read, such as 2.png" in each for each in checked.notes)
    (tmp_path / "none").mkdir()
    nowhere = look(data__source={**source, "images": {"": str(tmp_path / "none")}}, **about)
    assert any("does data.source name the right folders" in each for each in nowhere.problems)


def test_rows_that_are_no_samples_are_counted(look: Changed, parts: Path, tmp_path: Path) -> None:
    rows = json.loads((parts / "llava/chat.json").read_text())
    rows[0]["conversations"].pop()
    rows[3]["conversations"][1]["value"] = "written out <|eot|> here"
    (tmp_path / "chat.json").write_text(json.dumps(rows))
    checked = look(
        data__source={**llava_data(parts), "json_file": str(tmp_path / "chat.json")},
        model__settings=LR_ONLY,
        train=["lr_adapter"],
    )
    assert checked.ok, checked.text()
    assert (checked.counts["rows"], checked.counts["samples"]) == (24, 23)
    assert any("1 row skipped as no_answer (such as row000" in each for each in checked.notes)
    assert any("1 of the first 23 samples skipped (such as row003" in n for n in checked.notes)


def test_answers_beyond_the_context_are_counted(look: Changed) -> None:
    settings = {
        "max_sequence_length": 50,
        "resampler_queries": 6,
        "resampler_heads": 2,
        "resampler_head_dim": 8,
    }
    checked = look(model__settings=settings)
    assert 0 < checked.counts["truncated"] < 40
    assert checked.counts["longest, in positions"] == 50
    assert any("model.settings.max_sequence_length 50" in each for each in checked.notes)
    tight = look(model__settings={**settings, "max_sequence_length": 12})
    assert any("none of 40 rows is a sample" in each for each in tight.problems)


def test_losses_without_anything_to_tell_apart(look: Changed, parts: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shutil.copytree(parts / "mgld", tmp_path / "mgld")
    path = tmp_path / "mgld/tiny/train-0.parquet"
    table = pq.read_table(path)
    rows = [
        {**row, "entities": row["entities"][:1], "hierarchical_label": "church"}
        for row in table.to_pylist()
    ]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    said = "\n".join(
        look(
            data__source={"kind": "mgld", "source": str(tmp_path / "mgld"), "config": "tiny"}
        ).problems
    )
    assert "no image has 2 entities or more: L_e would be 0" in said
    assert "1 class and 40 images of one leave L_h nothing" in said


def test_a_warm_start_that_fits(look: Changed, stage2: Path) -> None:
    checked = look(model=of_stage2(stage2))
    assert checked.ok, checked.text()
    assert checked.settings["hr"] is True
    assert checked.settings["max_sequence_length"] == 100  # the earlier stage's


def test_a_warm_start_says_all_that_does_not_fit(look: Changed, stage2: Path) -> None:
    from eeca_ref.checkpoint import warm_start

    model = of_stage2(stage2, new=["resampler", "log_tau"])
    checked = look(model=model)
    said = "\n".join(checked.problems)
    assert "classifier: not in the checkpoint" in said
    assert "resampler" not in said
    with pytest.raises(ValueError, match="classifier: not in the checkpoint"):
        warm_start(
            stage2,
            new=["resampler", "log_tau"],
            hierarchical_labels=["a", "b"],
            **model["settings"],
        )


def test_a_warm_start_of_nothing_says_to_train_the_stage_before(look: Changed) -> None:
    checked = look(model=of_stage2(Path("out/none/stage2/model")))
    assert "a stage begins with the model of the stage before it" in checked.problems[0]


def test_the_model_that_is_built_is_the_one_that_was_checked(look: Changed, stage2: Path) -> None:
    import torch

    from eeca_ref.assembling import build_model, label_vocabulary, load_tokenizer

    parts = ["resampler", "classifier", "log_tau"]
    checked = look(model=of_stage2(stage2), train=parts)
    tokenizer = load_tokenizer(checked.recipe)
    labels = label_vocabulary(checked.recipe, ["lake", None, "church", "lake"])
    assert labels.labels == ("church", "lake")
    before = torch.get_rng_state()
    models = [build_model(checked.recipe, tokenizer, labels) for _ in range(2)]
    assert torch.equal(before, torch.get_rng_state())
    for name, value in models[0].state_dict().items():
        assert torch.equal(value, models[1].state_dict()[name]), name
    trained = {name.split(".")[0] for name, p in models[0].named_parameters() if p.requires_grad}
    assert trained == set(parts)
    again = checked.recipe.model_copy(update={"seed": 1})
    other = build_model(again, tokenizer, labels)
    assert not torch.equal(other.classifier.weight, models[0].classifier.weight)
    assert torch.equal(other.lr_adapter[0].weight, models[0].lr_adapter[0].weight)


def test_labels_of_a_classifier_that_goes_on_are_its_own(
    look: Changed, stage2: Path, tmp_path: Path
) -> None:
    from eeca_ref.assembling import build_model, label_vocabulary, load_tokenizer

    first = look(model=of_stage2(stage2)).recipe
    model = build_model(first, load_tokenizer(first), label_vocabulary(first, ["z", "church"]))
    model.save_pretrained(tmp_path / "stage3")
    load_tokenizer(first).save_pretrained(tmp_path / "stage3")
    shutil.copy(stage2 / "processor_config.json", tmp_path / "stage3")
    start = of_stage2(tmp_path / "stage3", new=[])
    checked = look(model=start)
    assert checked.ok, checked.text()
    assert checked.counts["classes"] == 2
    assert checked.counts["without a known label"] == 30
    assert label_vocabulary(checked.recipe, ["a"]).labels == ("church", "z")

    more = {**start, "settings": {**start["settings"], "resampler_queries": 8}}
    assert any("resampler: of another shape" in each for each in look(model=more).problems)
    less = {**start, "settings": {"hr": False, "mu_e": 0, "mu_h": 0}}
    said = look(model=less, train=["lr_adapter", "language_model"]).problems
    assert any("log_tau, resampler: saved, but this model has no place" in each for each in said)

    (tmp_path / "stage3/model.safetensors").unlink()
    (once,) = look(model=start).problems
    assert "model.safetensors is not there" in once


def test_an_image_token_that_the_start_does_not_have(
    look: Changed, stage2: Path, tmp_path: Path
) -> None:
    shutil.copytree(stage2, tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    config["image_token_id"] += 1
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    said = look(model=of_stage2(tmp_path / "model")).problems
    assert any("name the tokenizer that it was trained with" in each for each in said)


def test_images_are_prepared_as_recipe_and_checkpoint_say(look: Changed, stage2: Path) -> None:
    from eeca_ref.assembling import image_settings, load_tokenizer, model_config
    from eeca_ref.data.labels import LabelVocabulary

    for changes in ({}, {"model": of_stage2(stage2)}):
        made = look(data__fit="crop", **changes).recipe
        config = model_config(made, load_tokenizer(made), LabelVocabulary(["any"]))
        settings = image_settings(made, config)
        assert (settings.size, settings.fit) == (32, "crop")
        assert (settings.mean, settings.std) == ((0.5,) * 3, (0.25,) * 3)


def test_no_labels_where_their_loss_has_no_weight(look: Changed, stage2: Path) -> None:
    from eeca_ref.assembling import label_vocabulary

    start = of_stage2(stage2, new=["resampler", "log_tau"])
    start["settings"]["mu_h"] = 0
    checked = look(model=start, train=["lr_adapter", "resampler", "log_tau"])
    assert checked.ok, checked.text()
    assert "classes" not in checked.counts
    assert label_vocabulary(checked.recipe, ["church", "lake"]).labels == ()
