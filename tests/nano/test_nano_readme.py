"""RESULTS.md is what the records say, and the README's first screen what RESULTS.md says."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.nano.report.write import write_report

ROOT = Path(__file__).parents[2]


def test_the_readme_shows_table_1_as_the_results_have_it() -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = shown.partition("<!-- from RESULTS.md -->")[2].partition("<!-- end -->")[0]
    results = (ROOT / "benchmarks/nano/RESULTS.md").read_text(encoding="utf-8").splitlines()
    lines = [line for line in shown.splitlines() if line]
    assert [line for line in lines if line not in results] == [], "copy them from RESULTS.md"
    assert [line.split()[1] for line in lines if line.startswith("| ")][1:] == [
        f"{subset}-{size}" for subset in ("BRS", "LCS", "HSS", "HDS") for size in ("25k", "50k")
    ]
    assert any(line.startswith("Baseline (before the landmark data): ") for line in lines)


def test_the_page_is_what_the_records_say(tmp_path: Path) -> None:
    stored = ROOT / "benchmarks/nano"
    shutil.copytree(stored / "figures", tmp_path / "figures")  # those of the build are found there
    write_report(stored / "results", tmp_path / "RESULTS.md")
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert page == (stored / "RESULTS.md").read_text(encoding="utf-8"), (
        "make it anew: python -m benchmarks.nano report"
    )
