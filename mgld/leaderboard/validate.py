"""`mgld submit validate`: what can be told of a bundle without dataset, judge or network."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mgld.evaluate.metrics import level_metrics
from mgld.evaluate.run_metrics import RunMetrics, run_metrics
from mgld.leaderboard.container import MANIFEST, BundleError, read_bundle
from mgld.leaderboard.contents import Contents, check_hashes, read_contents
from mgld.leaderboard.findings import Checked, Findings
from mgld.leaderboard.manifest import Submission, bundle_id, parse_manifest
from mgld.leaderboard.plausibility import check_plausibility

_NOT_NUMBERS: Final = frozenset({"graded", "version", "inputs"})
"""Fields of metrics that say when and from which files they were made."""
_MOVING: Final = frozenset({"main", "master", "latest", "head"})
"""Revisions that are other weights tomorrow."""
_TOLERANCE: Final = 1e-9
_SHOWN: Final = 3


@dataclass
class Validated:
    """A bundle and what was found of it; contents: None where it could not be read whole."""

    id: str
    submission: Submission | None
    contents: Contents | None
    findings: Findings

    def checked(self) -> Checked:
        """The outcome, for showing."""
        headline = ""
        if self.contents is not None:
            levels = [verdict.level for verdict in self.contents.verdicts]
            clusters = [question.landmark_id for question in self.contents.questions]
            headline = level_metrics(levels, clusters=clusters).headline()
        return Checked(
            bundle=self.id,
            name=self.submission.name if self.submission else "",
            checks=self.findings.checks,
            findings=self.findings.all,
            headline=headline,
        )


def validate_bundle(path: Path, *, today: datetime.date | None = None) -> Validated:
    """Check a bundle by itself, without dataset, judge or network.

    Args:
        path: the folder or the zip.
        today: what no date of the bundle may come after; None: today, UTC.

    Returns:
        The bundle and what was found of it: whatever is wrong is a finding, never raised.
    """
    found = Findings()
    found.check("files")
    try:
        files = read_bundle(path)
    except BundleError as error:
        found.error(str(error))
        return Validated("", None, None, found)
    return validate_files(files, found, today=today)


def validate_files(
    files: dict[str, bytes], found: Findings, *, today: datetime.date | None = None
) -> Validated:
    """Check a bundle's files, all of which are there."""
    found.check("manifest")
    try:
        submission = parse_manifest(files[MANIFEST])
    except BundleError as error:
        found.error(str(error))
        return Validated("", None, None, found)
    result = Validated(bundle_id(files[MANIFEST]), submission, None, found)
    if not (submission.model_revision or submission.model_identity):
        found.warning("nothing says which weights answered: state --model-revision")
    elif submission.model_repo and submission.model_revision.lower() in _MOVING:
        found.warning(
            f"--model-revision {submission.model_revision} is whatever weights "
            f"{submission.model_repo} has at the time: state the commit, or a tag"
        )
    check_hashes(files, submission, found)
    if found.failed:
        return result
    result.contents = read_contents(files, submission, found)
    if result.contents is None:
        return result
    _check_metrics(result.contents, found)
    check_plausibility(result.contents, today or datetime.datetime.now(datetime.UTC).date(), found)
    return result


def recomputed(contents: Contents) -> RunMetrics:
    """The metrics that the bundle's verdicts come to; ValueError where they are impossible."""
    return run_metrics(
        contents.questions, contents.answers, contents.verdicts, inputs=contents.metrics.inputs
    )


def _check_metrics(contents: Contents, found: Findings) -> None:
    try:
        metrics = recomputed(contents)
    except ValueError as error:
        found.error(f"the verdicts have no metrics: {str(error)[:200]}")
        return
    wrong = differences(contents.metrics.model_dump(), metrics.model_dump())
    if wrong:
        more = f"; and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        found.error(f"not what the verdicts come to: {'; '.join(wrong[:_SHOWN])}{more}")
    if metrics.judge_is_model:
        found.error("the judge is the model under test: it grades itself; take another judge")
    if metrics.judge_changed:
        found.error(
            f"the judge changed under its name ({metrics.judge_changed[:200]}): take a dated id"
        )


def differences(stated: Any, actual: Any, where: str = "") -> list[str]:
    """Where two dumps of metrics differ, in words; numbers within 1e-9 are the same."""
    if isinstance(stated, dict) and isinstance(actual, dict):
        return [
            line
            for key in dict.fromkeys((*stated, *actual))
            if where or key not in _NOT_NUMBERS
            for line in differences(stated.get(key), actual.get(key), f"{where}.{key}")
        ]
    if isinstance(stated, list) and isinstance(actual, list) and len(stated) == len(actual):
        return [
            line
            for place, (one, other) in enumerate(zip(stated, actual, strict=True))
            for line in differences(one, other, f"{where}.{place}")
        ]
    if isinstance(stated, float) and isinstance(actual, float):
        same = abs(stated - actual) <= _TOLERANCE
    else:
        same = stated == actual
    return [] if same else [f"{where[1:]} is {str(stated)[:60]}, it should be {str(actual)[:60]}"]
