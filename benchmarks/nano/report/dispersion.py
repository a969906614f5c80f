"""What the paper reads off Figure 3, by the numbers behind that figure."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from benchmarks.nano.report.verdicts import Verdict
from mgld.schema import Record


@dataclass(frozen=True)
class Seen:
    """What the paper reads off Figure 3: a measure of a subset, and to which side of random."""

    id: str
    says: str
    subset: str
    measure: str
    side: Literal["above", "below"]


SEEN: Final = (
    Seen("hds_dispersed", "HDS is dispersed within categories", "hds", "within", "above"),
    Seen("hss_compact", "HSS is compact within categories", "hss", "within", "below"),
    Seen(
        "hss_separated",
        "HSS separates categories better than chance",
        "hss",
        "silhouette",
        "above",
    ),
    Seen("lcs_alike", "LCS varies little within categories", "lcs", "within", "below"),
    Seen("lcs_blurred", "LCS blurs the borders of categories", "lcs", "silhouette", "below"),
)


class Measured(Record):
    """One of them, measured. low, high: the middle 95 % of random records of the same categories in
    the same numbers; records: of the subset. Everything is None where the figure was not drawn.
    """  # fmt: skip

    id: str
    says: str
    measure: str
    records: int | None
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: Verdict


def read_dispersion(figures: Path) -> list[Measured]:
    """Figure 3's claims by the figure's own data, `figures/dispersion.csv`."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    path = figures / "dispersion.csv"
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as handle:
            rows = {(row["subset"], row["measure"]): row for row in csv.DictReader(handle)}
    return [_measured(each, rows.get((each.subset, each.measure))) for each in SEEN]


def _measured(seen: Seen, row: dict[str, str] | None) -> Measured:
    named = {"id": seen.id, "says": seen.says, "measure": seen.measure}
    columns = ("value", "same_categories_low", "same_categories_high", "same_categories_p")
    found = [float(row[name]) if row and row[name] else None for name in columns]
    value, low, high, p = found
    verdict: Verdict = "not run"
    if value is not None and low is not None and high is not None:
        side = "above" if value > high else "below" if value < low else ""
        verdict = "reproduced" if side == seen.side else "not reproduced"
        verdict = verdict if side else "undecided in miniature"
    records = int(row["records"]) if row else None
    return Measured(**named, records=records, value=value, low=low, high=high, p=p, verdict=verdict)
