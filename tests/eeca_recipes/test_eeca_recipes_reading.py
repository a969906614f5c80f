"""Files of one's own, `--set`, and what YAML does to numbers and keys."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from eeca_ref.recipes import load_recipe
from eeca_ref.recipes.composing import merged
from eeca_ref.recipes.reading import read_yaml


def written(folder: Path, text: str, name: str = "mine.yaml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_a_file_says_what_differs_from_its_base(tmp_path: Path) -> None:
    base = load_recipe("paper/stage3_eeca")
    recipe = load_recipe(
        written(
            tmp_path, "base: paper/stage3_eeca\noptim: {lr: 1e-5}\nmodel: {settings: {theta: 0}}"
        )
    )
    assert (recipe.name, recipe.about) == ("mine", "of paper/stage3_eeca")
    assert recipe.optim == base.optim.model_copy(update={"lr": 1e-5})
    assert recipe.model.settings == {**base.model.settings, "theta": 0}
    assert recipe.data == base.data


def test_another_kind_of_data_replaces_the_whole(tmp_path: Path) -> None:
    text = """
base: nano/stage2_instruct
data:
  source: {kind: mgld, source: out/b, config: hds10}
"""
    recipe = load_recipe(written(tmp_path, text))
    assert recipe.data.source.model_dump(exclude_defaults=True) == {
        "kind": "mgld",
        "source": "out/b",
        "config": "hds10",
    }
    assert merged({"a": {"kind": "x", "b": 1}}, {"a": {"b": 2}}) == {"a": {"kind": "x", "b": 2}}


def test_a_resolved_recipe_is_a_recipe_file(tmp_path: Path) -> None:
    recipe = load_recipe("llava/table3_l_e", ["seed=3"])
    text = yaml.safe_dump(recipe.model_dump(mode="json"))
    assert load_recipe(written(tmp_path, text)) == recipe


def test_sets_are_dotted_keys_with_yaml_values() -> None:
    recipe = load_recipe(
        "nano/stage3_eeca",
        [
            "optim.lr=1e-4",
            "optim.part_lr={resampler: 2.5E-3}",
            "optim.max_steps=null",
            "model.settings.mu_e=1e1",
            "data.source.config=hds67",
            "train=[lr_adapter, resampler, classifier, log_tau]",
            "about=a = b",
        ],
    )
    assert recipe.optim.lr == 1e-4
    assert recipe.optim.part_lr == {"resampler": 2.5e-3}
    assert recipe.model.settings["mu_e"] == 10.0
    assert recipe.data.source.model_dump()["config"] == "hds67"
    assert "language_model" not in recipe.train
    assert recipe.about == "a = b"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("optim.lr", "KEY=VALUE is needed"),
        ("=3", "KEY=VALUE is needed"),
        ("optim..lr=3", "KEY=VALUE is needed"),
        ("data.workers.x=3", "data.workers is 1, it has no keys"),
        ("optim.lr=[1", "--set optim.lr=[1"),
        ("optim.lrate=1", "optim.lrate: unknown key"),
        ("optim.learning_rate=1", "optim.learning_rate: unknown key"),
        ("optim.global_bath=1", "unknown key; is global_batch meant?"),
        ("optim.lr=fast", "optim.lr: "),
        ("data.source.kind=hf", "data.source"),
        ("data.source.json=1", "data.source.json: unknown key"),
        ("model.settings.theta=1", "theta is 1, it must be in [0, 1)"),
    ],
)
def test_a_wrong_set_is_named(given: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        load_recipe("nano/stage3_eeca", [given])
    assert said in str(error.value)


def test_unknown_keys_and_contradictions_are_named_at_once(tmp_path: Path) -> None:
    text = """
base: paper/stage3_eeca
optimizer: {lr: 1}
optim: {lrr: 2, micro_batch: 7}
model: {settings: {theta: 1.5, hr: false}}
"""
    path = written(tmp_path, text)
    with pytest.raises(ValueError) as error:
        load_recipe(path)
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    for problem in ("optimizer: unknown", "optim.lrr: unknown", "theta is 1.5", "hr is off"):
        assert problem in said
    assert "does not divide" in said


def test_what_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no recipe file"):
        load_recipe(str(tmp_path / "none.yaml"))
    with pytest.raises(ValueError, match="close to it: paper/stage3_eeca"):
        load_recipe("paper/stage3_eca")
    with pytest.raises(ValueError, match=r"mine.yaml: base: there is no recipe 'stage3'"):
        load_recipe(written(tmp_path, "base: stage3"))
    with pytest.raises(ValueError, match="base is the name"):
        load_recipe(written(tmp_path, "base: [a, b]"))
    with pytest.raises(ValueError, match="a mapping of settings"):
        load_recipe(written(tmp_path, "- a\n- b"))
    with pytest.raises(ValueError, match=r"mine.yaml, line 2: key lr stands twice"):
        load_recipe(written(tmp_path, "base: nano/stage3_eeca\noptim: {lr: 1, lr: 2}"))
    with pytest.raises(ValueError, match=r"mine.yaml, line 3: expected"):
        load_recipe(written(tmp_path, "a: 1\nb: [1\n"))
    with pytest.raises(ValueError, match=r"model: is missing"):
        load_recipe(written(tmp_path, "name: x"))


def test_numbers_with_an_exponent_are_numbers() -> None:
    made = read_yaml("a: 1e-4\nb: 2.5E3\nc: -1e+2\nd: 1e\ne: e5\nf: 12\ng: 0.5", "here")
    assert made == {"a": 1e-4, "b": 2500.0, "c": -100.0, "d": "1e", "e": "e5", "f": 12, "g": 0.5}
