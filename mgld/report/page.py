"""The page: numbers, pictures and figures of a build put into one HTML file."""

from __future__ import annotations

import datetime
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

import mgld
from mgld.build.read import BuildView
from mgld.figures import NARROW, WIDE, Drawing, ScoredRecords, draw_build, read_records
from mgld.figures.axes import rsr_text
from mgld.figures.style import DARK, METHOD_COLOUR, METHOD_RULE, THEME
from mgld.files import write_text_atomically
from mgld.report.captions import caption
from mgld.report.examples import Example, Selection, Step, examples, ladder, selections
from mgld.report.pictures import Album
from mgld.report.words import number, percent, plural, signed
from mgld.vision.spec import public_encoder

# A data table under a figure is for reading; the long ones are in the CSV files.
LONGEST_TABLE = 40
TITLES = {
    "hierarchical_label": "category",
    "share_first_1": "first",
    "share_first_10": "in first 10",
    "share_first_100": "in first 100",
    "share_first": "own name first",
    "auc_against_never": "AUC against never",
    "cumulative_share": "share up to here",
    "median_rsr": "median RSR",
    "rank_q25": "rank, lower quartile",
    "rank_q75": "rank, upper quartile",
}


@dataclass(frozen=True)
class Plot:
    """A figure on the page: the same drawing for wide and narrow screens, caption, table."""

    name: str
    title: str
    caption: str
    wide: str
    narrow: str
    columns: list[str]
    rows: list[list[str]]


def write_report(build_dir: str | Path, out_file: str | Path) -> None:
    """Write the report of a finished build to `out_file`: one HTML page that needs nothing else.

    The same build gives the same page but for the date in its footer; the code that loads the
    build names the folder as `build_dir` does. FileNotFoundError where
    `build_dir` is not a build or one of its stages has not run.
    """
    view = BuildView(build_dir)
    context = _context(view, Path(build_dir)) | {"evaluation": _evaluation(view, Path(out_file))}
    text = (
        environment()
        .get_template("page.html")
        .render(context, written=datetime.date.today().isoformat())
    )
    write_text_atomically(Path(out_file), text)


def write_figures(build_dir: str | Path, folder: str | Path) -> list[Path]:
    """Write every figure of a build as SVG, PNG and CSV into `folder`; the files written."""
    drawings = draw_build(BuildView(build_dir))
    return [path for drawing in drawings for path in drawing.save(Path(folder))]


def environment(*packages: str) -> Any:
    """Jinja2 that escapes everything and stops at a missing value.

    packages: whose templates are found besides those of `mgld.report`.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(each) for each in (*packages, "mgld.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "signed": signed}
    environment.globals |= {"plural": plural, "rsr_text": rsr_text, "position": _position}
    return environment


def _context(view: BuildView, build_dir: Path) -> dict[str, Any]:
    """Everything the template shows."""
    from markupsafe import Markup

    records = read_records(view)
    images = view.table("catalog", "images", ["author", "license"])
    names = dict(
        zip(
            *view.table("catalog", "landmarks", ["landmark_id", "name"]).to_pydict().values(),
            strict=True,
        )
    )
    shown = (ladder(view, records), selections(view, names), examples(view, records))
    wide = draw_build(view, records, width=WIDE)
    narrow = draw_build(view, records, width=NARROW)
    funnel = next(drawing for drawing in wide if drawing.name == "funnel").data.to_pylist()
    procedural = is_procedural(view)
    return {
        "album": Album(view, _image_ids(*shown), procedural=procedural),
        "style": Markup(style_sheet()),
        "ladder": shown[0],
        "selections": shown[1],
        "examples": shown[2],
        "records": records,
        "headline": _headline(records),
        "rules": METHOD_RULE,
        "funnel": funnel,
        "largest": {
            unit: max(row["count"] for row in funnel if row["unit"] == unit)
            for unit in {row["unit"] for row in funnel}
        },
        "totals": {row["unit"]: row["count"] for row in reversed(funnel)},
        "rejects": view.table("catalog", "rejects", ["reason"]).num_rows,
        "plots": [
            plot(w, n, caption(w)) for w, n in zip(wide, narrow, strict=True) if w.name != "funnel"
        ],
        "test": int(records.test.sum()),
        "config": view.config,
        "encoder": public_encoder(view.config.encoder),
        "facts": view.manifest.facts,
        "procedural": procedural,
        "untaught": view.config.encoder == "nano" and not procedural,
        "credited": any(column.null_count < len(column) for column in images.columns),
        "folder": build_dir.as_posix(),
        "version": mgld.__version__,
    }  # fmt: skip


def is_procedural(view: BuildView) -> bool:
    """Whether the source is a world drawn by a program."""
    from mgld.world import read_ground_truth

    return read_ground_truth(view.source_root()) is not None


def _evaluation(view: BuildView, out_file: Path) -> dict[str, Any] | None:
    """The evaluation in the build's own folder, which the demo makes: its address and headline.

    probe: address of that of the same model, None where there is none.
    """
    from mgld.report.demo_evaluation import FOLDER, PROBE_FOLDER
    from mgld.report.evaluation_read import read_evaluated

    page = view.root / FOLDER / "report.html"
    if not page.is_file():
        return None
    try:
        metrics = read_evaluated(page.parent, "rule").metrics
    except (OSError, ValueError):
        return None  # half done, or somebody's own: this page is about the build
    probe = view.root / PROBE_FOLDER / "report.html"
    return {
        "address": _address(page, out_file),
        "metrics": metrics,
        "probe": _address(probe, out_file) if probe.is_file() else None,
    }


def _address(page: Path, out_file: Path) -> str:
    """Of `page` in a link of `out_file`."""
    return quote(Path(os.path.relpath(page.resolve(), out_file.resolve().parent)).as_posix())


def _headline(records: ScoredRecords) -> dict[str, float]:
    """Share of own names in first place, and the median rank; zeros for an empty build."""
    if len(records) == 0:
        return {"first": 0.0, "median": 0.0}
    return {"first": float(np.mean(records.rank == 1)), "median": float(np.median(records.rank))}


def _image_ids(
    steps: list[Step], choices: list[Selection], shown: dict[str, list[Example]]
) -> set[str]:
    ids = {step.image_id for step in steps}
    ids |= {example.image_id for group in shown.values() for example in group}
    return ids | {candidate.image_id for choice in choices for candidate in choice.candidates}


def plot(wide: Drawing, narrow: Drawing, caption: str) -> Plot:
    """Both drawings as SVG text, and the data as a table where it is short enough to read."""
    from markupsafe import Markup

    small = wide is narrow  # of which the page shows the narrow drawing only
    data = wide.data if wide.data.num_rows <= LONGEST_TABLE else wide.data.slice(0, 0)
    return Plot(
        name=wide.name,
        title=wide.title,
        caption=caption,
        # Safe: written by ElementTree, which escapes every label.
        wide=Markup("" if small else wide.svg(prefix=f"{wide.name}-w")),
        narrow=Markup(narrow.svg(prefix=f"{wide.name}-n")),
        columns=[TITLES.get(name, name.replace("_", " ")) for name in data.column_names],
        rows=[
            [_cell(name, value) for name, value in row.items()] for row in data.to_pylist()
        ],
    )  # fmt: skip


def _cell(column: str, value: object) -> str:
    """A table cell as text: shares as percentages, no value as a dash."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if "share" in column:
            return percent(value, 1)
        return number(value) if "rank" in column else f"{value:.4f}"
    return str(value)


def _position(rank: int, names: int) -> float:
    """Where a rank stands on a logarithmic ruler from 1 (0 %) to `names` (100 %)."""
    return 100 * math.log(rank) / math.log(names) if names > 1 else 0.0


def style_sheet(*more: str) -> str:
    """The page's CSS, with the colours that the figures use; `more`: further templates of CSS."""
    from importlib.resources import files

    light = "".join(f"{variable}:{colour};" for colour, variable in THEME.items())
    dark = "".join(f"{THEME[colour]}:{shade};" for colour, shade in DARK.items())
    methods = "".join(f"--{method}:{colour};" for method, colour in METHOD_COLOUR.items())
    folder = files("mgld.report") / "templates"
    css = "".join((folder / name).read_text(encoding="utf-8") for name in ("page.css", *more))
    return (
        f":root{{color-scheme:light dark;{light}{methods}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{css}"
    )
