"""`mgld submit prepare`: a graded run as a bundle.

The same run gives the same bytes: rows are in the order of the questions, whatever order they came
in, and nothing of the moment or the machine is put in. What is private stays out: settings of
endpoints, and where the dataset lay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from mgld.evaluate.graded import read_graded, verdicts_of
from mgld.evaluate.grading import QUESTIONS_FILE, read_cases
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.records import Judged
from mgld.evaluate.run_file import load_run
from mgld.evaluate.run_metrics import RunMetrics, run_metrics
from mgld.leaderboard.container import (
    ANSWERS,
    LIMITS,
    MANIFEST,
    METRICS,
    QUESTIONS,
    VERDICTS,
    write_bundle,
)
from mgld.leaderboard.findings import Findings
from mgld.leaderboard.manifest import Submission, dump_manifest, file_hashes
from mgld.leaderboard.validate import Validated, validate_files
from mgld.schema import Record


class About(Record):
    """What a submitter says that the run does not; see `Submission`. name "": the model's id."""

    submitter: str
    name: str = ""
    model_repo: str = ""
    model_revision: str = ""
    url: str = ""
    notes: str = ""


def prepare_bundle(run: Path, judge: str, out: Path, about: About) -> Validated:
    """Make the bundle of a run as `judge` judged it, check it, and write it where nothing is wrong.

    Args:
        run: the folder of a graded run, about all questions of its split.
        judge: whose verdicts, e.g. "rule".
        out: a folder to be made, or a path that ends in .zip.
        about: what the run does not say of its submitter and model.

    Returns:
        The bundle and what was found of it. Where that has errors nothing is written.

    Raises:
        ValueError: no such run or verdicts, questions without a verdict, or `out` is there.
    """
    files = bundle_files(run, judge, about)
    for name, limit in LIMITS.items():
        if len(files[name]) > limit:
            raise ValueError(f"{name} would have {len(files[name]):,} bytes, at most {limit:,}")
    found = Findings()
    found.check("files")
    checked = validate_files(files, found)
    if not found.failed:
        write_bundle(files, out)
    return checked


def bundle_files(run: Path, judge: str, about: About) -> dict[str, bytes]:
    """The files of a run's bundle, by name. Raises as `prepare_bundle`; nothing is checked yet."""
    settings = load_run(run)
    if settings.settings.limit is not None:
        raise ValueError(
            f"{run} was asked only the first {settings.settings.limit:,} questions (--limit): a "
            "submission is about all of them"
        )
    cases = read_cases(run)
    graded = read_graded([run], judge)[0]
    missing = sum(case.question.id not in graded.verdicts for case in cases)
    if missing:
        raise ValueError(
            f"{run}: {missing:,} questions have no verdict of {graded.judge}; "
            f"`mgld grade {run} --judge {graded.judge}` goes on there"
        )
    verdicts = [graded.verdicts[case.question.id] for case in cases]
    files = {
        # Byte for byte: the run's hash of what was asked is of this very file.
        QUESTIONS: (run / QUESTIONS_FILE).read_bytes(),
        ANSWERS: _lines(each for case in cases for each in case.answers),
        VERDICTS: _lines(
            Judged(
                question_id=case.question.id,
                answers_sha256=answers_sha256(case.question, case.answers),
                verdict=verdict,
            )
            for case, verdict in zip(cases, verdicts, strict=True)
        ),
    }
    inputs = hashlib.sha256(repr(sorted(file_hashes({**files, METRICS: b""}).items())).encode())
    metrics = run_metrics(
        [case.question for case in cases],
        [case.answers for case in cases],
        verdicts,
        inputs=inputs.hexdigest(),
    )
    before = _metrics_there(run, judge)
    if before is not None:  # the day on which it was graded, so that the bundle stays the same
        metrics = metrics.model_copy(update={"graded": before.graded, "version": before.version})
    files[METRICS] = (metrics.model_dump_json(indent=1) + "\n").encode()
    try:
        submission = Submission.model_validate(
            {
                **about.model_dump(),
                "name": about.name or settings.model_id,
                "model": settings.model_id,
                "model_identity": settings.model_identity,
                "prompt": settings.settings.prompt,
                "prompt_version": settings.prompt_version,
                "decoding": settings.settings.decoding.model_dump(),
                "seed": settings.settings.seed,
                "dataset": {
                    **settings.dataset.model_dump(),
                    "source": public_source(settings.dataset.source),
                },
                "judge": graded.judge,
                "judge_prompt_hash": graded.prompt_hash,
                "began": settings.began,
                "hardware": settings.hardware,
                "versions": settings.versions,
                "files": file_hashes(files),
            }
        )
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(map(str, what["loc"]))
        raise ValueError(f"{where}: {what['msg'].removeprefix('Value error, ')}") from error
    return {MANIFEST: dump_manifest(submission), **files}


def _metrics_there(run: Path, judge: str) -> RunMetrics | None:
    path = verdicts_of(run, judge)
    slug = path.stem.removeprefix("verdicts-")
    try:
        return RunMetrics.model_validate_json(path.with_name(f"metrics-{slug}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _lines(rows: Iterable[Record]) -> bytes:
    # As ASCII: some readers of lines would also cut at the likes of U+2028.
    return "".join(json.dumps(row.model_dump(mode="json")) + "\n" for row in rows).encode()


def public_source(source: str) -> str:
    """A dataset's source for others: a Hub id; of a folder only its name.

    A path says who and where.
    """
    path = Path(source).expanduser()
    local = path.exists() or path.is_absolute() or source.count("/") != 1
    return path.resolve().name if local else source
