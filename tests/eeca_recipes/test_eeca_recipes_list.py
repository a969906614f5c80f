"""Every row of the paper has a recipe, and no recipe claims a row that there is not."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from benchmarks.paper.tables import read_tables
from eeca_ref.recipe import Recipe
from eeca_ref.recipes import experiments, load_recipe, recipe_names

KEYS = {1: ("selection", "size"), 2: ("method",), 3: ("method",), 4: ("method", "subset")}
EECA = {"hr": True, "mu_e": 7.32, "mu_h": 4.38}
STAGES = ["stage1_pretrain", "stage2_instruct", "stage3_eeca"]


def settings(recipe: Recipe) -> dict[str, Any]:
    """All that trains, without what it is called."""
    return recipe.model_dump(mode="json", exclude={"name", "about"})


@pytest.mark.parametrize("preset", ["paper", "llava", "nano"])
def test_all_recipes_of_a_preset_agree_with_themselves(preset: str) -> None:
    names = recipe_names(preset)
    assert names[:3] == [f"{preset}/{stage}" for stage in STAGES]
    assert len(set(names)) == len(names)
    for name in names:
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.about
        assert "{preset}" not in recipe.model_dump_json()
        if recipe.model.start is not None:  # of a stage that is a recipe too
            assert recipe.model.start.removeprefix("out/").removesuffix("/model") in names


def test_every_row_of_tables_1_to_4_has_one_recipe_and_nothing_is_left_over() -> None:
    tables = read_tables().printed
    rows = [
        {"table": number, **{key: row[key] for key in keys}}
        for number, keys in KEYS.items()
        for row in tables[number]
    ]
    claimed = [each.paper for each in experiments() if each.paper and "table" in each.paper]
    assert sorted(map(str, claimed)) == sorted(map(str, rows))
    assert len(claimed) == 8 + 4 + 5 + 15


def test_a_table_s_recipe_trains_on_what_its_row_says() -> None:
    of_method = {
        "Data": {"hr": False, "mu_e": 0, "mu_h": 0},
        "HR": {"hr": True, "mu_e": 0, "mu_h": 0},
        "L_e": {"hr": True, "mu_e": 7.32, "mu_h": 0},
        "L_h": EECA,
    }
    for one in experiments():
        if not one.paper or one.paper.get("table") not in (1, 3, 4):
            continue
        recipe = load_recipe(f"paper/{one.name}")
        if one.paper.get("method") == "Baseline":
            assert settings(recipe) == settings(load_recipe("paper/stage2_instruct"))
            continue
        assert recipe.data.source.kind == "mgld"
        if one.paper["table"] == 1:
            wanted = f"{one.paper['selection']}{one.paper['size']}"
        else:
            wanted = str(one.paper.get("subset", "HSS-50k")).replace("-", "")
        assert recipe.data.source.config == wanted.lower()
        method = str(one.paper.get("method", "Data"))
        assert recipe.model.settings == of_method[method]
        assert ("resampler" in recipe.train) == (method != "Data")
        assert ("log_tau" in recipe.train) == (method in ("L_e", "L_h"))
        assert ("classifier" in recipe.train) == (method == "L_h")
        assert recipe.optim.epochs == 1


def test_rows_that_are_one_run_in_the_paper_are_one_recipe() -> None:
    same = [
        ("stage3_eeca", "table3_l_h", "table2_eeca", "fig5_eeca_50k", "fig7_mu_e_7.32"),
        ("stage2_instruct", "table2_baseline", "table3_baseline", "table4_baseline_hds_25k"),
        ("table1_hss_50k", "table3_data"),
        ("table1_hds_25k", "table4_data_hds_25k", "fig5_hds_25k"),
        ("table4_l_h_hds_25k", "fig5_eeca_25k"),
    ]
    for first, *others in same:
        for other in others:
            assert settings(load_recipe(f"paper/{first}")) == settings(
                load_recipe(f"paper/{other}")
            )


def test_the_points_of_figure_5() -> None:
    points = {
        (each.paper["selection"], each.paper["size"]): each.name
        for each in experiments()
        if each.paper and each.paper.get("figure") == 5
    }
    sizes = ("25k", "50k", "75k", "100k", "125k")
    wanted = {(selection, size) for selection in ("HDS", "BRS") for size in sizes}
    assert points.keys() == wanted | {("EECA", "25k"), ("EECA", "50k")}
    for (selection, size), name in points.items():
        source = load_recipe(f"paper/{name}").data.source
        assert source.kind == "mgld"
        assert selection == "EECA" or source.config == f"{selection.lower()}{size}"


def test_figure_7_varies_one_setting_around_its_default() -> None:
    default = settings(load_recipe("paper/stage3_eeca"))
    setting_of = {"mu_e": "mu_e", "theta": "theta", "hr_tokens": "resampler_queries"}
    defaults = {"mu_e": 7.32, "theta": 0.5, "hr_tokens": 128}
    values: dict[str, list[Any]] = {}
    for one in experiments():
        if one.paper and one.paper.get("figure") == 7:
            (which, value) = list(one.paper.items())[1]
            values.setdefault(which, []).append(value)
            made = settings(load_recipe(f"paper/{one.name}"))
            assert made["model"]["settings"].pop(setting_of[which]) == value
            rest = {**default["model"]["settings"]}
            rest.pop(setting_of[which], None)
            assert made == {**default, "model": {**default["model"], "settings": rest}}
    for which, default_value in defaults.items():
        assert default_value in values[which]
        assert len(values[which]) == 5
        assert values[which] == sorted(values[which])


def test_readings_that_are_settings_have_a_recipe() -> None:
    wanted: dict[str, dict[str, Any]] = {
        "reading_tiles_alone": {"hr_source": "tiles"},
        "reading_no_tile_embedding": {"tile_embedding": False},
        "reading_entity_gradient": {"entity_gradient": True},
        "reading_negatives_of_the_batch": {"negatives": "batch"},
        "reading_lm_sum": {"lm_normalisation": "sum"},
        "reading_similarity_dot": {"similarity": "dot"},
        "reading_resampler_depth_6": {"resampler_depth": 6},
        "reading_queries_per_tile": {"hr_source": "tiles", "queries_per_tile": True},
    }
    for name, changes in wanted.items():
        assert load_recipe(f"paper/{name}").model.settings == {**EECA, **changes}
    readings = {each.name for each in experiments() if each.paper is None}
    assert readings >= wanted.keys()
    assert all(name.startswith("reading_") for name in readings)
    for preset in ("paper", "nano"):
        for name in (name for name in readings if "two_epochs" in name):
            twice = load_recipe(f"{preset}/{name}")
            once = load_recipe(f"{preset}/{name.replace('reading_two_epochs', 'table4')}")
            assert twice.data == once.data
            epochs = 2 * once.optim.epochs
            assert twice.optim == once.optim.model_copy(update={"epochs": epochs})
            assert preset == "nano" or epochs == 2
    assert sum("two_epochs" in name for name in readings) == 12


def test_the_resampler_s_warm_up_trains_it_alone_and_is_gone_on_from() -> None:
    warmup = load_recipe("paper/reading_resampler_warmup")
    assert warmup.train == ("resampler",)
    assert warmup.data == load_recipe("paper/stage1_pretrain").data
    assert warmup.model.start == "out/paper/stage2_instruct/model"
    after = load_recipe("paper/reading_resampler_warmup_eeca")
    assert after.model.start == "out/paper/reading_resampler_warmup/model"
    assert "resampler" not in after.model.new


def test_presets_have_table_5_and_llava_s_script() -> None:
    for preset, first_lr in (("paper", 2e-3), ("llava", 1e-3)):
        one, two, three = (load_recipe(f"{preset}/{stage}") for stage in STAGES)
        assert (one.optim.lr, two.optim.lr, three.optim.lr) == (first_lr, 2e-5, 2e-5)
        assert [each.optim.global_batch for each in (one, two, three)] == [256, 128, 128]
        for each in (one, two, three):
            assert (each.optim.epochs, each.optim.weight_decay) == (1, 0)
            assert (each.optim.warmup_ratio, each.optim.clip) == (0.03, None)
            assert (each.engine.zero_stage, each.engine.precision) == (2, "bf16")
            assert [each.optim.accumulation(processes) for processes in (1, 8)] == [8, 1]
        assert (one.data.format, one.data.fit, one.train) == ("plain", "crop", ("lr_adapter",))
        assert (two.data.format, two.data.fit) == ("chat", "pad")
        assert two.model.start == f"out/{preset}/stage1_pretrain/model"


def test_nano_has_its_own_sizes() -> None:
    source = load_recipe("nano/fig5_brs_75k").data.source
    assert source.kind == "mgld"
    assert (source.source, source.config) == ("out/nano/build", "brs900")
    assert load_recipe("nano/fig7_hr_tokens_128").model.settings["resampler_queries"] == 16
    weights = {
        name: {k: load_recipe(f"nano/{name}").model.settings[k] * 64 for k in ("mu_e", "mu_h")}
        for name in ("table3_l_h", "table3_l_e", "fig7_mu_e_29.28")
    }
    assert weights == {
        "table3_l_h": {"mu_e": 7.32, "mu_h": 4.38},
        "table3_l_e": {"mu_e": 7.32, "mu_h": 0},
        "fig7_mu_e_29.28": {"mu_e": 29.28, "mu_h": 4.38},
    }
    assert load_recipe("paper/table3_l_h").model.settings["mu_e"] == 7.32
    # the smallest subset still fills a step
    assert load_recipe("nano/table1_hds_25k").optim.global_batch <= 300


def test_the_base_model_is_of_the_presets_that_have_one() -> None:
    assert "paper/reading_base_eeca" in recipe_names()
    assert "nano/reading_base_eeca" not in recipe_names()
    first = load_recipe("paper/reading_base_stage1").model
    assert first.language_model == "meta-llama/Meta-Llama-3-8B"
    assert first.tokenizer == "meta-llama/Meta-Llama-3-8B-Instruct"


def test_the_files_are_package_data_and_names_are_quick() -> None:
    here = files("eeca_ref.recipes")
    for name in ("paper", "llava", "nano", "experiments"):
        assert (here / f"{name}.yaml").is_file()
    packaging = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '"eeca_ref"' in packaging.split("[tool.hatch.build.targets.wheel]")[1].split("[")[1]
    code = (
        "import sys; from eeca_ref.recipes import recipe_names; recipe_names();"
        "print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
