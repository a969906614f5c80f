"""A graded run as the page of its evaluation needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mgld.evaluate.answering import RUN_FILE, AnswerRun, load_run
from mgld.evaluate.graded import read_graded, read_rows, shared_judge, verdicts_of
from mgld.evaluate.grading import ANSWERS_FILE, QUESTIONS_FILE, metrics_inputs, read_cases
from mgld.evaluate.judges import Case
from mgld.evaluate.records import Judged, Verdict
from mgld.evaluate.run_metrics import RunMetrics


@dataclass(frozen=True)
class Evaluated:
    """The cases of a run with one judge's verdicts, both in the order of the questions.

    run: None where answers came without a `run.yaml`. others: metrics of further judges on the same
    run, by id, as far as they are of the files as they are now.
    """

    folder: Path
    cases: list[Case]
    verdicts: list[Verdict]
    metrics: RunMetrics
    run: AnswerRun | None
    others: list[RunMetrics]


def is_run(folder: Path) -> bool:
    """Whether `folder` is a run's, made by `mgld answer`."""
    return (folder / QUESTIONS_FILE).is_file() and (folder / ANSWERS_FILE).is_file()


def is_report_of(page: Path, metrics: RunMetrics) -> bool:
    """Whether `page` is the report of these very metrics, which it states at its beginning."""
    try:
        with page.open("rb") as handle:
            return metrics.inputs.encode() in handle.read(2_000)
    except FileNotFoundError:
        return False


def read_evaluated(folder: Path, judge: str | None = None) -> Evaluated:
    """Read a graded run. judge: whose verdicts; None: those of the only one there is.

    ValueError: no run, no such judge or several to choose from, a damaged file, or metrics that are
    not of the answers and verdicts as they lie there now.
    """
    path = verdicts_of(folder, judge or shared_judge([folder]))
    metrics = _current_metrics(folder, path)
    if metrics is None:
        (graded,) = read_graded([folder], judge)  # says it where more than the metrics is amiss
        raise ValueError(
            f"{folder}: there are no metrics of what {path.name} and the answers hold now; "
            f"`mgld grade {folder} --judge {graded.judge}` makes them"
        )
    cases = read_cases(folder)
    # Metrics of these very files: every case has a verdict on these very answers.
    last = {judged.question_id: judged.verdict for judged in read_rows(path, Judged)}
    verdicts = [last[case.question.id] for case in cases]
    found = (_current_metrics(folder, other) for other in sorted(folder.glob("verdicts-*.jsonl")))
    others = [each for each in found if each is not None and each.judge != metrics.judge]
    run = load_run(folder) if (folder / RUN_FILE).is_file() else None
    return Evaluated(folder, cases, verdicts, metrics, run, others)


def _current_metrics(folder: Path, verdicts: Path) -> RunMetrics | None:
    slug = verdicts.stem.removeprefix("verdicts-")
    try:
        found = RunMetrics.model_validate_json((folder / f"metrics-{slug}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return found if found.inputs == metrics_inputs(folder, verdicts) else None
