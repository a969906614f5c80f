"""docs/training.md has every key of a recipe and every built-in name, and no other name."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

from pydantic import BaseModel

from eeca_ref.recipe import DataRecipe, EngineRecipe, KeepRecipe, LogRecipe, ModelRecipe, Recipe
from eeca_ref.recipes import recipe_names

TEXT = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")
SECTION = TEXT.split("\n## Recipes\n")[1].split("\n## ")[0]


def expanded(name: str) -> list[str]:
    """`a_{b,c}` to a_b and a_c."""
    pieces = [
        piece[1:-1].split(",") if piece.startswith("{") else [piece]
        for piece in re.split(r"(\{[^}]*\})", name)
    ]
    return ["".join(each) for each in product(*pieces)]


def test_the_built_in_names_are_those_in_the_table() -> None:
    table = SECTION.split("| names | what |")[1]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = [
        name
        for cell in first_cells
        for each in re.findall(r"`([^`]*)`", cell)
        for name in expanded(each)
    ]
    assert sorted(listed) == sorted(name.removeprefix("paper/") for name in recipe_names("paper"))


def test_every_key_is_in_the_table() -> None:
    records: dict[str, type[BaseModel]] = {
        "": Recipe,
        "model.": ModelRecipe,
        "data.": DataRecipe,
        "engine.": EngineRecipe,
        "keep.": KeepRecipe,
        "log.": LogRecipe,
    }
    inner = {each.removesuffix(".") for each in records} | {"optim"}
    keys = [f"{at}{key}" for at, each in records.items() for key in each.model_fields]
    missing = [key for key in keys if key not in inner and f"`{key}`" not in SECTION]
    assert missing == []
