"""What a person wrote about the numbers, kept apart from them: `benchmarks/nano/remarks.yaml`."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.nano.report.claims import CLAIMS

REMARKS = Path(__file__).parents[1] / "remarks.yaml"
SECTIONS = ("summary", "figure3", "knowledge")
"""Parts of the page that may have a remark, too; the summary stands before the first table."""


def read_remarks(path: Path = REMARKS) -> dict[str, str]:
    """A claim's or section's name -> what was written. Empty: no file; ValueError: no such name."""
    if not path.is_file():
        return {}
    found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    ids = [*(claim.id for claim in CLAIMS), *SECTIONS]
    if unknown := sorted(set(found) - set(ids)):
        raise ValueError(
            f"{path}: nothing is called {', '.join(unknown)}; there are {', '.join(ids)}"
        )
    return {id: " ".join(str(found[id]).split()) for id in ids if id in found}
