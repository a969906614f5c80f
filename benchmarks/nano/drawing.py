"""The figures of the build and of one row's answers: Figures 3, 4, 8, 9 and 15 of RESULTS.md.

They need pictures and vectors, so that they are drawn where those lie, once, and are kept with the
page; all other figures are drawn from the records each time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from benchmarks.nano.data import questions_of
from benchmarks.nano.place import Place
from benchmarks.nano.plan import rows
from benchmarks.nano.record import Questions
from mgld.figures import Drawing
from mgld.files import write_text_atomically

FIGURES: Final = Path(__file__).parent / "figures"
BUILD_FILE: Final = "build.json"
"""In the folder of the figures: of which build they are."""
ANSWERS: Final = "table1_hds_50k"
SEED: Final = 0
"""The row and seed whose answers Figure 15 shows."""
DRAWN: Final = {
    "tsne": "Figure 3: image vectors of the subsets",
    "dispersion": "Figure 3, measured",
    "categories": "Figure 4: categories in each subset",
    "gldv2-tables": "Figure 8: tables of the source",
    "images-per-landmark": "Figure 9: images per landmark",
    "top-three": "One image of the three most similar",
    "level-examples": "Figure 15: answers at each level (HDS-50k, seed 0)",
}
"""Names of their files, in the order of the page."""


def draw(place: Place, out: Path = FIGURES) -> list[Path]:
    """Draw them all; the files. FileNotFoundError: what one of them needs is not there; then the
    folder is not said to be of this build, as some of its figures may be of another."""
    from mgld.report.figure_files import draw_folder

    (row,) = (row for row in rows() if row.name == ANSWERS)
    (out / BUILD_FILE).unlink(missing_ok=True)
    found, lacking = [], set(DRAWN)
    for source in (place.build, place.answers(SEED, row)):
        for each in draw_folder(source):
            if isinstance(each, Drawing) and each.name in DRAWN:
                found += each.save(out)
                lacking.discard(each.name)
    if lacking:
        raise FileNotFoundError(
            f"not drawn, for want of what they show: {', '.join(sorted(lacking))}"
        )
    of = {"questions_sha256": questions_of([place]).sha256[place.half]}
    write_text_atomically(out / BUILD_FILE, json.dumps(of) + "\n")
    return found


def require_build(figures: Path, questions: Questions | None) -> None:
    """ValueError: figures of the build are not sure to be of that of the runs, whose `questions`
    these are."""
    there = [name for name in DRAWN if (figures / f"{name}.csv").is_file()]
    if questions is None or not there:
        return
    path = figures / BUILD_FILE
    of = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if of.get("questions_sha256") != questions.sha256.get("west"):
        raise ValueError(
            f"{figures}: {', '.join(there)} are of another build than the runs, or of none that "
            "is known; draw them anew (python -m benchmarks.nano figures)"
        )
