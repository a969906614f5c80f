"""Which rule teaches best: from made-up runs of which it is known."""

from __future__ import annotations

from pathlib import Path

from made_up_runs import write_all

from benchmarks.nano.plan import rule_row
from benchmarks.nano.report.best_rule import budgets
from benchmarks.nano.report.page_rules import rules_section
from benchmarks.nano.report.runs import read_runs

ENTROPY = {size: rule_row(size).name for size in ("25k", "50k", "75k")}


def _cells(text: str, start: str) -> list[str]:
    (found,) = (each for each in text.splitlines() if each.startswith(f"| {start} |"))
    return [cell.strip() for cell in found.strip("|").split("|")][1:]


def _section(folder: Path) -> str:
    return rules_section(budgets(read_runs(folder)))


def test_the_best_is_bold_and_the_near_are_named(tmp_path: Path) -> None:
    rows = {
        "table1_hds_25k": 0.3, ENTROPY["25k"]: 0.35,
        "table1_hds_50k": 0.4, ENTROPY["50k"]: 0.3,
        "fig5_hds_75k": 0.3, ENTROPY["75k"]: 0.301,
    }  # fmt: skip
    write_all(tmp_path, rows, seeds=range(3), luck=0.1)
    text = _section(tmp_path)
    entropy, hds = _cells(text, "lowest entropy"), _cells(text, "HDS")
    assert entropy[0].startswith("**35.0") and hds[1].startswith("**40.0")
    assert not hds[0].startswith("**") and entropy[3:] == ["-", "-"]
    less = _cells(text, "lowest entropy - HDS, points")
    assert less[0].startswith("+5.0 (+") and less[1].startswith("-10.0 (-") and less[3] == "not run"
    near = text.partition("includes 0): ")[2].rstrip(".").split("; ")
    assert near[:3] == ["25k: none", "50k: none", "75k: HDS"]


def test_all_of_a_budget_are_of_the_same_seeds(tmp_path: Path) -> None:
    rows = {"table1_hds_25k": 0.3, ENTROPY["25k"]: 0.35}
    write_all(tmp_path, rows, seeds=range(3))
    write_all(tmp_path, {"table1_hds_25k": 0.9}, seeds=range(3, 5))
    text = _section(tmp_path)
    assert _cells(text, "HDS")[0].startswith("30.0")
    assert _cells(text, "lowest entropy")[0].startswith("**35.0")
    assert _cells(text, "lowest entropy - HDS, points")[0].startswith("+5.0")
    assert _cells(text, "seeds")[:2] == ["3", "0"]


def test_too_little_for_a_best_one(tmp_path: Path) -> None:
    few, one = tmp_path / "few", tmp_path / "one"
    write_all(few, {"table1_hds_25k": 0.3, ENTROPY["25k"]: 0.35}, seeds=range(2))
    write_all(one, {"table1_hds_25k": 0.3}, seeds=range(3))
    for folder in (few, one):
        text = _section(folder)
        assert _cells(text, "HDS")[0].startswith("30.0")
        assert "to name a best one" in text and "Not told apart" not in text


def test_nothing_was_trained(tmp_path: Path) -> None:
    write_all(tmp_path, {}, seeds=range(1))
    text = _section(tmp_path)
    assert _cells(text, "HDS") == ["-"] * 5 and text.endswith("to name a best one.")
