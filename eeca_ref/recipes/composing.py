"""A preset's stage and an experiment's changes, put together."""

from __future__ import annotations

import copy
import re
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import Field

from eeca_ref.recipes.reading import read_yaml
from mgld.schema import Record

PRESETS = ("paper", "llava", "nano")


class Experiment(Record):
    """One entry of `experiments.yaml`, for all presets.

    Attributes:
        name: behind the preset's in a recipe's name.
        about: what it is; None: from `paper`.
        paper: the row of a table, or the point of a figure, that it is; None: a reading.
        stage: of the preset, what it begins from.
        variant: named changes that several experiments share.
        subset: config of MGLD in the paper's sizes, such as "hds25k".
        hr_tokens: queries of the resampler in the paper's sizes.
        epochs_times: the stage's epochs, so many times over.
        change: settings of its own.
        presets: those that have it.
    """

    name: str
    about: str | None = None
    paper: dict[str, str | int | float] | None = None
    stage: str = "stage3_eeca"
    variant: str | None = None
    subset: str | None = Field(None, pattern=r"^(hds|hss|lcs|brs)\d+k$")
    hr_tokens: int | None = None
    epochs_times: int = 1
    change: dict[str, Any] = Field(default_factory=dict)
    presets: tuple[str, ...] = PRESETS

    @property
    def described(self) -> str:
        """`about`, or the row of the paper in words: "Table 3: HR"."""
        if self.about is not None or self.paper is None:
            return self.about or ""
        (kind, number), *row = self.paper.items()
        values = ", ".join(
            f"{key.replace('_', ' ')} {value}" if isinstance(value, int | float) else value
            for key, value in row
        )
        return f"{'Table' if kind == 'table' else 'Fig.'} {number}: {values}"


class Preset(Record):
    """Three stages, and what stands in the place of the paper's sizes in experiments."""

    base: str | None = None
    stages: dict[str, dict[str, Any]]
    sizes: dict[str, int] = Field(default_factory=dict)
    hr_tokens: dict[int, int] = Field(default_factory=dict)
    mu_times: float = 1.0

    def subset(self, config: str) -> str:
        """This preset's config for one of the paper's."""
        method, size = re.fullmatch(r"([a-z]+)(\d+k)", config).groups()  # type: ignore[union-attr]
        return f"{method}{self.sizes.get(size, size)}"


def recipe_names(preset: str | None = None) -> list[str]:
    """Names of the built-in recipes, of one preset or of all: stages first, as the paper has them.

    ValueError: no such preset.
    """
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    return [
        f"{each}/{name}"
        for each in PRESETS
        if preset in (None, each)
        for name in [
            *_preset(each).stages,
            *(one.name for one in experiments() if each in one.presets),
        ]
    ]


def recipe_about(name: str) -> str:
    """The line about one of `recipe_names`, without building it."""
    return str(compose(name).get("about", ""))


@cache
def experiments() -> tuple[Experiment, ...]:
    """The list, in its order."""
    return tuple(Experiment.model_validate(each) for each in _list()["experiments"])


def compose(name: str) -> dict[str, Any]:
    """The settings of one of `recipe_names`."""
    preset_name, _, rest = name.partition("/")
    preset = _preset(preset_name)
    if rest in preset.stages:
        settings = preset.stages[rest]
    else:
        (one,) = (each for each in experiments() if each.name == rest)
        settings = {**preset.stages[one.stage], "about": one.described}
        if one.variant is not None:
            settings = merged(settings, _list()["variants"][one.variant])
        if one.subset is not None:
            settings = merged(settings, _at("data.source.config", preset.subset(one.subset)))
        if one.hr_tokens is not None:
            queries = preset.hr_tokens.get(one.hr_tokens, one.hr_tokens)
            settings = merged(settings, _at("model.settings.resampler_queries", queries))
        epochs = settings["optim"].get("epochs", 1) * one.epochs_times
        settings = merged(settings, _at("optim.epochs", epochs))
        settings = merged(settings, one.change)
    settings = _weighed(settings, preset.mu_times)
    named: dict[str, Any] = _with_preset(settings, preset_name)
    return {"name": name, **named}


def merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`settings` with `changes`: mappings are merged, all else is replaced.

    A mapping of another `kind` replaces the whole one, as its keys are others.
    """
    result = copy.deepcopy(settings)
    for key, value in changes.items():
        old = result.get(key)
        if not (isinstance(old, dict) and isinstance(value, dict)) or (
            "kind" in value and value["kind"] != old.get("kind")
        ):
            result[key] = copy.deepcopy(value)
        else:
            result[key] = merged(old, value)
    return result


def _weighed(settings: dict[str, Any], times: float) -> dict[str, Any]:
    """The paper's weights of L_e and L_h, so many times over."""
    model = settings["model"]["settings"]
    return merged(settings, _at("model.settings", {k: model[k] * times for k in ("mu_e", "mu_h")}))


def _at(dotted: str, value: Any) -> dict[str, Any]:
    for key in reversed(dotted.split(".")):
        value = {key: value}
    return dict(value)


def _with_preset(value: Any, preset: str) -> Any:
    """Texts with the preset's name in the place of `{preset}`."""
    if isinstance(value, dict):
        return {key: _with_preset(each, preset) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_preset(each, preset) for each in value]
    return value.replace("{preset}", preset) if isinstance(value, str) else value


@cache
def _preset(name: str) -> Preset:
    own = Preset.model_validate(_data(f"{name}.yaml"))
    if own.base is None:
        return own
    stages = merged(_preset(own.base).stages, own.stages)
    return own.model_copy(update={"stages": stages})


@cache
def _list() -> dict[str, Any]:
    return _data("experiments.yaml")


def _data(name: str) -> dict[str, Any]:
    text = (files("eeca_ref.recipes") / name).read_text(encoding="utf-8")
    return read_yaml(text, name)
