"""What a person wrote about the numbers, kept apart from them: `benchmarks/nano/remarks.yaml`."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.nano.report.claims import CLAIMS

REMARKS = Path(__file__).parents[1] / "remarks.yaml"


def read_remarks(path: Path = REMARKS) -> dict[str, str]:
    """A claim's id -> why it may be so. Empty where there is no file; ValueError: no such claim."""
    if not path.is_file():
        return {}
    found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    ids = [claim.id for claim in CLAIMS]
    if unknown := sorted(set(found) - set(ids)):
        raise ValueError(f"{path}: no claim {', '.join(unknown)}; there are {', '.join(ids)}")
    return {id: " ".join(str(found[id]).split()) for id in ids if id in found}
