"""What makes a row another one: its settings, data, parts and versions, and no word about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.nano import bindings, plan
from benchmarks.nano.bindings import RowBindings, row_bindings
from benchmarks.nano.place import Place

PARTS = (
    "stage1/chat.json",
    "stage2/mix.json",
    "vision/model.safetensors",
    "language_model/model.safetensors",
    "language_model/tokenizer.json",
    "language_model/chat_template.jinja",
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Parts and a build's manifest, as far as rows are bound to them."""
    found = Place(tmp_path)
    for name in PARTS:
        (found.parts / name).parent.mkdir(parents=True, exist_ok=True)
        (found.parts / name).write_text(name)
    (found.parts / "nano.json").write_text(json.dumps({"of": {"pictures": "p"}}))
    found.build.mkdir()
    _write_manifest(found, "d" * 64)
    return found


def _write_manifest(place: Place, sha256: str) -> None:
    files = {"dataset/hds300/train-0.parquet": {"sha256": sha256}, "scores/0.parquet": {}}
    manifest = {"stages": {"dataset": {"shards": {"all": {"files": files}}}}}
    (place.build / "manifest.json").write_text(json.dumps(manifest))


def _bindings(place: Place, questions: str = "q") -> RowBindings:
    (row,) = (each for each in plan.rows(("table1",)) if each.name == "table1_hds_25k")
    return row_bindings(place, row, 0, questions)


def _changed(before: RowBindings, after: RowBindings) -> set[str]:
    return {n for n in ("baseline", "trained", "row") if getattr(before, n) != getattr(after, n)}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_changes_all(place: Place, name: str) -> None:
    before = _bindings(place)
    assert _bindings(place) == before
    (place.parts / name).write_text("another")
    assert _changed(before, _bindings(place)) == {"baseline", "trained", "row"}


def test_data_and_questions_change_what_depends_on_them(place: Place) -> None:
    before = _bindings(place)
    _write_manifest(place, "e" * 64)
    assert _changed(before, _bindings(place)) == {"trained", "row"}
    _write_manifest(place, "d" * 64)
    assert _changed(before, _bindings(place, "other")) == {"row"}


def test_another_rules_subset_changes_its_own_rows_alone(place: Place) -> None:
    row, before = plan.rule_row("25k"), _bindings(place)
    with pytest.raises(RuntimeError, match=r"no .*entropy300.parquet: .* --table rules"):
        row_bindings(place, row, 0, "q")
    place.rules.mkdir()

    def with_records(ids: list[int], **written: Any) -> RowBindings:
        path = place.rules / "entropy300.parquet"
        pq.write_table(pa.table({"landmark_id": ids}), path, **written)
        return row_bindings(place, row, 0, "q")

    mine = with_records([3, 1])
    assert _changed(before, mine) == {"trained", "row"}
    assert with_records([3, 1], compression="none") == mine
    assert _changed(mine, with_records([1, 3])) == {"trained", "row"}
    assert _bindings(place) == before


def test_a_package_changes_all_and_this_project_by_its_own_number(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, there = _bindings(place), bindings.versions()
    monkeypatch.setattr(bindings, "versions", lambda: there | {"mgld": "99"})
    assert _bindings(place) == before
    monkeypatch.setattr(bindings, "versions", lambda: there | {"torch": "99"})
    assert _changed(before, _bindings(place)) == {"baseline", "trained", "row"}


@pytest.mark.parametrize(
    ("of", "change", "wanted"),
    [
        ("table1_hds_25k", {"about": "in other words"}, set()),
        ("stage2_instruct", {"about": "in other words", "name": "other"}, set()),
        ("table1_hds_25k", {"optim": {"lr": 1}}, {"trained", "row"}),
        ("stage1_pretrain", {"optim": {"lr": 1}}, {"baseline", "trained", "row"}),
    ],
)
def test_settings_change_a_row_and_words_about_them_do_not(
    place: Place, monkeypatch: pytest.MonkeyPatch, of: str, change: dict[str, Any], wanted: set[str]
) -> None:
    before = _bindings(place)
    compose: Callable[[str], dict[str, Any]] = plan.compose

    def other(recipe: str) -> dict[str, Any]:
        return compose(recipe) | (change if recipe.endswith(of) else {})

    monkeypatch.setattr(plan, "compose", other)
    (row,) = (each for each in plan.rows(("table1",)) if "table1_hds_25k" in each.stands_for)
    assert _changed(before, row_bindings(place, row, 0, "q")) == wanted
