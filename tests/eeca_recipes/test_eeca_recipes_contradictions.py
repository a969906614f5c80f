"""A recipe that contradicts itself is refused when it is built, with all that is wrong."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from eeca_ref.contradictions import contradictions
from eeca_ref.recipe import Recipe
from eeca_ref.recipes import load_recipe

LLAVA = {"kind": "llava", "json_file": "chat.json", "images": {"": "images"}}


def stage3() -> dict[str, Any]:
    return load_recipe("paper/stage3_eeca").model_dump(mode="json")


def stage1() -> dict[str, Any]:
    return load_recipe("paper/stage1_pretrain").model_dump(mode="json")


def changed(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    settings = copy.deepcopy(settings)
    for dotted, value in changes.items():
        *folders, last = dotted.split(".")
        at = settings
        for key in folders:
            at = at[key]
        at[last] = value
    return settings


NO_HR = {"hr": False, "mu_e": 0, "mu_h": 0}

OF_STAGE_3: dict[str, tuple[dict[str, Any], str]] = {
    "losses without the branch": (
        {"model.settings": {"hr": False, "mu_e": 7.32}},
        "L_e (mu_e) looks at the high-resolution tokens, but hr is off",
    ),
    "theta": ({"model.settings.theta": 1.0}, "theta is 1.0, it must be in [0, 1)"),
    "theta below": ({"model.settings.theta": -0.1}, "theta is -0.1"),
    "unknown setting": ({"model.settings.mue": 1.0}, "model.settings.mue is no setting"),
    "text for a number": ({"model.settings.mu_e": "7.32"}, "model.settings.mu_e is '7.32'"),
    "text for a truth": ({"model.settings.hr": "false"}, "model.settings.hr is 'false'"),
    "labels by hand": (
        {"model.settings.hierarchical_labels": ["church"]},
        "the labels are the data's",
    ),
    "parts' own": ({"model.settings.text_config": {}}, "model.settings.text_config is no setting"),
    "queries per tile": (
        {"model.settings.queries_per_tile": True, "model.settings.resampler_queries": 128},
        "128 queries do not divide among 5 sub-images",
    ),
    "batch": (
        {"optim.micro_batch": 10},
        "optim.global_batch 128 does not divide by optim.micro_batch 10",
    ),
    "plain": ({"data.format": "plain"}, "plain leaves questions out"),
    "no such part": (
        {"model.settings": NO_HR, "model.new": [], "train": ["lr_adapter", "resampler"]},
        "train: resampler: there is no HR branch",
    ),
    "no such new part": (
        {"model.settings": NO_HR, "model.new": ["log_tau"], "train": ["lr_adapter"]},
        "model.new: log_tau: there is no HR branch",
    ),
    "idle temperature": (
        {"model.settings.mu_e": 0},
        "train: log_tau learns nothing where mu_e is 0",
    ),
    "idle classifier": (
        {"model.settings.mu_h": 0},
        "train: classifier learns nothing where mu_h is 0",
    ),
    "classifier of no loss": (
        {"model.settings.mu_h": 0, "train": ["lr_adapter", "resampler", "log_tau"]},
        "model.new: classifier: there is none where mu_h is 0",
    ),
    "new classifier of llava": (
        {"data.source": LLAVA, "model.settings": {"mu_e": 0}},
        "model.new: classifier: LLaVA's data has no hierarchical labels",
    ),
    "stays at random": (
        {"train": ["lr_adapter", "classifier", "log_tau"]},
        "resampler begins anew but is not in `train`",
    ),
    "classifier stays at random": (
        {"train": ["lr_adapter", "resampler", "log_tau"]},
        "classifier begins anew but is not in `train`",
    ),
    "rate of nothing": (
        {
            "optim.part_lr": {"language_model": 1e-5},
            "train": ["resampler", "classifier", "log_tau", "lr_adapter"],
        },
        "optim.part_lr of parts that are not trained: language_model",
    ),
    "two beginnings": ({"model.vision": "clip"}, "either `start` or `vision`"),
    "revision of nothing": (
        {"model.revision": {"vision": "main"}},
        "model.revision of what is not given: vision",
    ),
    "temperature that is not new": (
        {"model.settings.log_tau": 1.0, "model.new": ["resampler", "classifier"]},
        "name log_tau in model.new too",
    ),
    "labels of llava": ({"data.source": LLAVA}, "LLaVA's data has no hierarchical labels"),
    "entities of llava": ({"data.source": LLAVA}, "LLaVA's data has no entities"),
    "offload": (
        {"engine.offload": True, "engine.zero_stage": 0, "engine.precision": "fp32"},
        "engine.offload needs engine.zero_stage",
    ),
    "bfloat16 without float32 gradients": (
        {"engine.zero_stage": 0, "engine.precision": "bf16"},
        "engine.zero_stage 0 is for engine.precision fp32",
    ),
    "flash attention": (
        {"engine.attention": "flash_attention_2", "engine.precision": "fp32"},
        "needs engine.precision bf16",
    ),
}
OF_STAGE_1: dict[str, tuple[dict[str, Any], str]] = {
    "no beginning": ({"model.language_model": None}, "both `vision` and `language_model`"),
    "new of new": ({"model.new": ["lr_adapter"]}, "model.new is for a warm start"),
    "defaults count": (
        {"model.settings": {}},
        "mu_e is 7.32, but LLaVA's data has no entities",
    ),
    "resampler at random": (
        {"model.settings.hr": True},
        "resampler begins anew but is not in `train`",
    ),
}
OF_VALUES: dict[str, dict[str, Any]] = {
    "unknown key": {"optim.lrr": 1e-3},
    "no rate": {"optim.lr": 0},
    "infinite rate": {"optim.lr": float("inf")},
    "rate of a part": {"optim.part_lr": {"resampler": -1}},
    "no such part": {"train": ["tower"]},
    "language model anew": {"model.new": ["language_model"]},
    "twice": {"train": ["resampler", "resampler", "lr_adapter", "classifier", "log_tau"]},
    "nothing": {"train": []},
    "betas": {"optim.betas": [0.9, 1.0]},
    "name that leads out": {"name": "../../elsewhere"},
    "absolute name": {"name": "/elsewhere"},
    "prompt of llava": {"data.source": {**LLAVA, "entity_prompt": "training_and_inference"}},
    "no images": {"data.source": {**LLAVA, "images": {}}},
}


@pytest.mark.parametrize("case", OF_STAGE_3)
def test_contradiction_of_stage_3_is_named(case: str) -> None:
    changes, said = OF_STAGE_3[case]
    with pytest.raises(ValueError) as error:
        Recipe.model_validate(changed(stage3(), changes))
    assert said in str(error.value)


@pytest.mark.parametrize("case", OF_STAGE_1)
def test_contradiction_of_stage_1_is_named(case: str) -> None:
    changes, said = OF_STAGE_1[case]
    with pytest.raises(ValueError) as error:
        Recipe.model_validate(changed(stage1(), changes))
    assert said in str(error.value)


@pytest.mark.parametrize("case", OF_VALUES)
def test_wrong_value_is_refused(case: str) -> None:
    with pytest.raises(ValueError):
        Recipe.model_validate(changed(stage3(), OF_VALUES[case]))


def test_all_contradictions_are_named_at_once() -> None:
    changes = {
        "model.settings": {"hr": False, "mu_e": 7.32, "theta": 2.0, "nope": 1},
        "optim.micro_batch": 7,
        "data.format": "plain",
        "optim.part_lr": {"language_model": 1e-5},
        "train": ["lr_adapter"],
    }
    with pytest.raises(ValueError) as error:
        Recipe.model_validate(changed(stage3(), changes))
    for said in (
        "model.settings.nope",
        "theta is 2.0",
        "hr is off",
        "model.new: resampler",
        "optim.part_lr",
        "plain leaves questions out",
        "does not divide",
    ):
        assert said in str(error.value)


def test_a_part_of_weight_zero_may_begin_anew_untrained() -> None:
    changes = {
        "model.settings": {"hr": True, "mu_e": 0, "mu_h": 0},
        "model.new": ["resampler", "log_tau"],
        "train": ["lr_adapter", "resampler", "language_model"],
    }
    assert contradictions(Recipe.model_validate(changed(stage3(), changes))) == []


def test_accumulation_by_the_number_of_processes() -> None:
    optim = load_recipe("paper/stage3_eeca").optim
    assert [optim.accumulation(number) for number in (1, 2, 4, 8)] == [8, 4, 2, 1]
    with pytest.raises(ValueError, match=r"among 3 processes.*processes to 1 or 2 or 4 or 8"):
        optim.accumulation(3)
    with pytest.raises(ValueError, match="among 16 processes"):
        optim.accumulation(16)


def test_what_a_warm_start_does_not_state_is_not_held_against_it() -> None:
    """It is that of `start`, which `eeca check` looks at."""
    stage2 = load_recipe("paper/stage2_instruct").model_dump(mode="json")
    for settings in ({}, {"hr": False}, {"theta": 0.25}):
        recipe = Recipe.model_validate(changed(stage2, {"model.settings": settings}))
        assert contradictions(recipe) == []
