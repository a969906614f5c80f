"""Recipes: presets, one list of experiments, and files of one's own.

A built-in recipe is "PRESET/NAME", of a preset (`paper`, `llava`, `nano`) and a stage or an
experiment (`experiments.yaml`). A file may begin with `base: PRESET/NAME` and say what differs.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eeca_ref.recipe import Recipe
from eeca_ref.recipes.composing import (
    Experiment,
    compose,
    experiments,
    merged,
    recipe_about,
    recipe_names,
)
from eeca_ref.recipes.reading import apply_sets, build_recipe, read_yaml

__all__ = ["Experiment", "experiments", "load_recipe", "recipe_about", "recipe_names"]


def load_recipe(spec: str, sets: Sequence[str] = ()) -> Recipe:
    """The recipe of a file or of a built-in name, with settings changed.

    spec: a YAML file, which may say `base: PRESET/NAME`, or such a name. sets: "optim.lr=1e-4",
    dotted keys and YAML values.

    FileNotFoundError: no such file. ValueError naming every problem, with its file and key.
    """
    if spec.endswith((".yaml", ".yml")) or (spec not in recipe_names() and Path(spec).is_file()):
        settings = _of_file(Path(spec))
    else:
        settings = _built_in(spec)
    return build_recipe(apply_sets(settings, sets), spec)


def _of_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no recipe file {path}")
    own = read_yaml(path.read_text(encoding="utf-8"), str(path))
    base = own.pop("base", None)
    if base is None:
        return {"name": path.stem, **own}
    if not isinstance(base, str):
        raise ValueError(f"{path}: base is the name of one recipe, such as paper/stage3_eeca")
    settings = {**_built_in(base, f"{path}: base: "), "name": path.stem, "about": f"of {base}"}
    return merged(settings, own)


def _built_in(name: str, where: str = "") -> dict[str, Any]:
    names = recipe_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"; close to it: {', '.join(near)}" if near else ""
        raise ValueError(
            f"{where}there is no recipe {name!r} and no such file{hint} (`eeca recipes` lists them)"
        )
    return compose(name)
