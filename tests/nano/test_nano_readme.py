"""The README's first screen shows what RESULTS.md says, word for word."""

from __future__ import annotations

from pathlib import Path

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
