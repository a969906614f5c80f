"""The page of a graded run: headline, levels, breakdowns, and its cases to leaf through."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mgld
from mgld.evaluate.records import LEVELS
from mgld.figures.levels import LEVEL_COLOUR, UNSCORED_COLOUR, level_words
from mgld.files import write_text_atomically
from mgld.report.evaluation_cases import CaseData, case_data
from mgld.report.evaluation_figures import draw_run, run_plots
from mgld.report.evaluation_pictures import MAX_CHARACTERS, Pictures, read_pictures
from mgld.report.evaluation_read import Evaluated, read_evaluated
from mgld.report.page import environment, style_sheet
from mgld.report.viewer import viewer_script

if TYPE_CHECKING:
    from mgld.evaluate.breakdown import Breakdowns, Group, Trend

TOP_GROUPS = 12
"""Rows of a breakdown that stand open; the others are behind a fold."""
STATUS_WORDS = {"ok": "answered", "refused": "refused", "error": "error", "empty": "empty"}


@dataclass(frozen=True)
class Follows:
    """Whether the level goes with a value, as a trend says it. word: up, down, none, unknown."""

    title: str
    trend: Trend
    word: str


def write_evaluation_report(
    run: str | Path, judge: str | None, out: str | Path, *, images: bool = False
) -> None:
    """Write the page of a graded run to `out`: one HTML file that loads nothing.

    judge: whose verdicts, by id; None: the only one's. images: with a thumbnail of each question's
    picture out of the dataset, up to a limit that the page states.

    Raises what `read_evaluated` raises.
    """
    found = read_evaluated(Path(run), judge)
    pictures = Pictures()
    if images:
        if found.run is None:
            raise ValueError(f"{run} has no run.yaml, which says where its pictures are")
        pictures = read_pictures([case.question for case in found.cases], found.run.dataset)
    text = (
        environment()
        .get_template("evaluation.html")
        .render(_context(found, pictures, images), written=datetime.date.today().isoformat())
    )
    write_text_atomically(Path(out), text)


def write_evaluation_figures(run: str | Path, judge: str | None, folder: str | Path) -> list[Path]:
    """Write every figure of a graded run as SVG, PNG and CSV into `folder`; the files written."""
    drawings = draw_run(read_evaluated(Path(run), judge).metrics)
    return [path for drawing in drawings for path in drawing.save(Path(folder))]


def _context(found: Evaluated, pictures: Pictures, images: bool) -> dict[str, Any]:
    """Everything the template shows."""
    from markupsafe import Markup

    metrics = found.metrics
    data = case_data(found.cases, found.verdicts, pictures.credits)
    return {
        "metrics": metrics,
        "levels": metrics.levels,
        "model": ", ".join(metrics.models),
        "standin": any(model.startswith("standin:") for model in metrics.models),
        "landmarks": len({case.question.landmark_id for case in found.cases}),
        "draws": metrics.draws,
        "level_names": LEVELS,
        "words": level_words,
        "plots": run_plots(metrics),
        "follows": follows(metrics.breakdowns),
        "groups": _groups(found),
        "top": TOP_GROUPS,
        "labels": _values(found.metrics.breakdowns.label),
        "made": _values(found.metrics.breakdowns.natural_or_human_made),
        "others": found.others,
        "run": found.run,
        "answers": answer_counts(metrics.answers),
        "data": data,
        "facts": _facts(found, data),
        "pictures": pictures,
        "pictures_asked": images,
        "pictures_limit": MAX_CHARACTERS // 1_000_000,
        "style": Markup(level_colours() + style_sheet("viewer.css", "evaluation.css")),
        **viewer_script("cases.js", "evaluation.js"),
        "version": mgld.__version__,
    }


def level_colours() -> str:
    """The levels' colours as CSS variables."""
    levels = {level.replace("_", "-"): colour for level, colour in LEVEL_COLOUR.items()}
    levels["unscored"] = UNSCORED_COLOUR
    return ":root{" + "".join(f"--l-{name}:{colour};" for name, colour in levels.items()) + "}\n"


def follows(broken: Breakdowns) -> list[Follows]:
    """The trends with the value that each is about, in words a heading can take."""
    trends = {
        "RSR": broken.rsr_trend,
        "Sim": broken.sim_trend,
        "images of the landmark": broken.images_trend,
    }
    return [
        Follows(title, trend, _word(trend)) for title, trend in trends.items() if trend.questions
    ]


def answer_counts(answers: Mapping[str, int]) -> list[tuple[str, int]]:
    """Draws by status, the status in words."""
    return [(STATUS_WORDS.get(status, status), count) for status, count in answers.items()]


def _word(trend: Trend) -> str:
    if trend.correlation is None or trend.interval is None:
        return "unknown"
    if trend.interval.low > 0:
        return "up"
    return "down" if trend.interval.high < 0 else "none"


def _groups(found: Evaluated) -> list[tuple[str, str, list[Group]]]:
    """(heading, name of the filter that its rows set, groups) of what is broken down as tables."""
    broken = found.metrics.breakdowns
    tables = [
        ("Natural or human-made", "made", broken.natural_or_human_made),
        ("Hierarchical label", "label", broken.label),
    ]
    return [
        (heading, field, groups)
        for heading, field, groups in tables
        if any(group.name != "(not given)" for group in groups)
    ]


def _values(groups: list[Group]) -> list[tuple[str, int]]:
    return sorted((group.name, group.metrics.total) for group in groups)


def _facts(found: Evaluated, data: CaseData) -> list[tuple[str, str]]:
    """What the run was, as rows of words and values."""
    metrics, run = found.metrics, found.run
    rows = [("judge", metrics.judge), ("prompt hash", metrics.prompt_hash)]
    if metrics.answered_by:
        rows.append(("it replied as", _counts(metrics.answered_by)))
    if metrics.first_reply:
        span = sorted({metrics.first_reply, metrics.last_reply})
        rows.append(("dates of its replies", " to ".join(span)))
    if metrics.decided_by:
        rows.append(("decided by", _counts(metrics.decided_by)))
    rows += [("graded", f"{metrics.graded}, by mgld {metrics.version}"),
             ("model", ", ".join(metrics.models))]  # fmt: skip
    if run is not None:
        rows += [(name.replace("_", " "), str(value)) for name, value in run.model_identity.items()]
        where = run.dataset
        rows += [
            ("dataset", f"{where.source}, {where.config}/{where.split}"
             + (f" at {where.revision}" if where.revision else "")),
            ("content of the dataset", where.content or "not stated"),
            ("questions' hash", f"sha256:{where.questions_sha256}"),
            ("prompt", run.prompt_version),
            ("decoding", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value
                                   in run.settings.decoding.model_dump().items()
                                   if value is not None)),
            ("seed", str(run.settings.seed)),
            ("versions", ", ".join(f"{name} {value}" for name, value in run.versions.items())),
        ]  # fmt: skip
    return rows


def _counts(values: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in values.items())
