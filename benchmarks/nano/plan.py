"""Which rows the miniature has: the paper's, each training once, and those of our own study.

The rows and points of Tables 1 to 4 and Figs. 5 and 7 are experiments of
`eeca_ref/recipes/experiments.yaml`. Several are one and the same training ("HSS-25k" of Table 1 is
the "Data" row of Table 4): such a training is one row here, called by the first of them. Ours are
the same trainings as Figure 5's, on subsets that another rule chose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from eeca_ref.config import EecaConfig
from eeca_ref.recipes.composing import Experiment, compose, experiments
from mgld.evaluate.answer_prompts import PromptName
from mgld.scoring.sizes import parse_config_name

PRESET: Final = "nano"
BASELINE: Final = "baseline"
PARTS: Final = ("table1", "table2", "table3", "table4", "fig5", "fig7", "swap", "rules")
HEADLINE: Final = ("table1", "table3")
"""What comes first, with five seeds."""
SEEDS: Final = {part: 5 if part in HEADLINE else 3 for part in PARTS}
SWAPPED: Final = ("table1_hds_50k", "table1_brs_50k", "table1_lcs_50k")
"""What is trained with the second encoder, too: HDS and LCS must change places."""
RULE: Final = "entropy"
"""The rule of selection that is trained on beside the paper's: of those that `knowledge` compares,
the one whose small subsets are purest in landmarks that were taught often."""
PAPER_SIZES: Final = ("25k", "50k", "75k", "100k", "125k")
"""Of subsets, in Figure 5."""


@dataclass(frozen=True)
class Row:
    """One training and how it is asked.

    name: the experiment that it is called by, or "baseline", or such a name with "+entities" where
    the same training is asked with entities in the question. stands_for: all experiments that it
    is. recipe: of the built-in recipes, None for a baseline, whose stages 1 and 2 are two. prompt:
    of the test's questions. rule: which chose as many records as the recipe's own subset
    has; None: it trains on that.
    """

    name: str
    stands_for: tuple[str, ...]
    recipe: str | None
    prompt: PromptName = "question"
    rule: str | None = None

    @property
    def trained_as(self) -> str:
        """The row whose model this one asks."""
        return self.name.partition("+")[0]


def rows(parts: tuple[str, ...] = PARTS) -> list[Row]:
    """The rows that the parts of the paper want, the baseline first, in the order of the list.

    parts: of PARTS; "swap" adds nothing here, as its rows are `SWAPPED` with the second encoder.
    """
    found: dict[str, Row] = {}
    for one in experiments():
        if one.paper is None or PRESET not in one.presets:
            continue
        key, row = _row(one)
        if key in found:
            stands_for = (*found[key].stands_for, one.name)
            row = Row(found[key].name, stands_for, found[key].recipe, found[key].prompt)
        found[key] = row
    chosen = [
        row
        for row in (*found.values(), *map(rule_row, PAPER_SIZES))
        if row.name == BASELINE or any(each.startswith(parts) for each in row.stands_for)
    ]
    return sorted(chosen, key=lambda row: row.name != BASELINE)


def rule_row(size: str) -> Row:
    """The point of Figure 5 with `RULE` in the place of HDS. size: of `PAPER_SIZES`."""
    name = f"rules_{RULE}_{size}"
    return Row(name, (name,), f"{PRESET}/fig5_hds_{size}", rule=RULE)


def swapped() -> list[Row]:
    """The rows of the second encoder, its baseline first."""
    return [row for row in rows() if row.name in (BASELINE, *SWAPPED)]


def subset_of(row: Row) -> str | None:
    """The config that a row trains on, e.g. "hds300"; None for a baseline."""
    if row.recipe is None:
        return None
    config = str(compose(row.recipe)["data"]["source"]["config"])
    return config if row.rule is None else f"{row.rule}{parse_config_name(config)[1]}"


def settings_of(recipe: str) -> dict[str, Any]:
    """A built-in recipe without what is said about it, which changes no number."""
    settings: dict[str, Any] = compose(recipe)
    return {key: value for key, value in settings.items() if key not in ("name", "about")}


def _row(one: Experiment) -> tuple[str, Row]:
    """An experiment's row, and what rows that are the same have in common."""
    settings = settings_of(f"{PRESET}/{one.name}")
    asked = settings["data"]["source"].pop("entity_prompt", "none")
    prompt: PromptName = "question" if asked == "none" else "entities-given"
    if one.stage == "stage2_instruct":
        name = BASELINE if prompt == "question" else f"{BASELINE}+entities"
        return f"{BASELINE} {prompt}", Row(name, (one.name,), None, prompt)
    # What is said and what is silently the same: theta 0.5 is the default, 16 queries stage 1's.
    first = compose(f"{PRESET}/stage1_pretrain")["model"]["settings"]
    model = {"theta": EecaConfig.theta, **first, **settings["model"]["settings"]}
    trained = {**settings, "model": {**settings["model"], "settings": model}, "asked": asked}
    key = f"{json.dumps(trained, sort_keys=True)} {prompt}"
    return key, Row(one.name, (one.name,), f"{PRESET}/{one.name}", prompt)
