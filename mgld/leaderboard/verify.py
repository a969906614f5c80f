"""`mgld submit verify`: what maintainers hold against a bundle before it is shown."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgld.evaluate.judges.base import Judge
from mgld.evaluate.questions import open_questions
from mgld.leaderboard.contents import Contents
from mgld.leaderboard.entry import (
    NO_PRINT,
    Entry,
    answer_prints,
    make_entry,
    read_entries,
    save_entry,
)
from mgld.leaderboard.findings import Findings, examples
from mgld.leaderboard.rejudge import Rejudged, rejudge, report
from mgld.leaderboard.validate import Validated, validate_bundle

_REPLAYED = 0.5
"""Share of questions with the very answers of another model, above which they are that model's."""


@dataclass
class Verified:
    """A bundle, what was found of it, and what judging it again came to (None: it was not)."""

    validated: Validated
    rejudged: Rejudged | None = None


def verify_bundle(
    path: Path,
    data: str,
    judge: Judge,
    *,
    revision: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    records: Path | None = None,
    on_start: Callable[[int], None] = lambda total: None,
    on_verdicts: Callable[[int], None] = lambda number: None,
) -> Verified:
    """Validate a bundle, hold its questions against the dataset, and judge its answers again.

    Nothing is judged where the bundle is refused before.

    Args:
        path: the folder or the zip.
        data: the dataset, as for `mgld.load`.
        judge: who judges again; to be recorded it must be the bundle's own.
        revision: a tag or commit of `data`, where that is a Hub id.
        sample: judge only so many questions; None: all.
        seed: draws the sample; a submitter must not know it.
        records: a board's folder; answers that one of its entries has are found.
        on_start: called with the number of questions that are judged.
        on_verdicts: called with the number of verdicts that have come since.

    Returns:
        The bundle, what was found of it, and what judging it again came to.

    Raises:
        FileNotFoundError: there is no such dataset.
        ValueError: the dataset has no questions of that split, or a sample of none is asked for.
        ConnectionError: the Hub does not answer. A judge's own errors come as they are.
    """
    validated = validate_bundle(path)
    found, contents = validated.findings, validated.contents
    if contents is None:
        return Verified(validated)
    found.check("dataset")
    _check_dataset(contents, data, revision, found)
    if records is not None:
        found.check("replayed")
        _check_replayed(contents, validated.id, read_entries(records), found)
    if found.failed:
        return Verified(validated)
    found.check("rejudged")
    on_start(len(contents.questions) if sample is None else min(sample, len(contents.questions)))
    outcome = rejudge(contents, judge, sample=sample, seed=seed, on_verdicts=on_verdicts)
    report(contents, outcome, found)
    return Verified(validated, outcome)


def accept(verified: Verified, records: Path) -> Path:
    """Write the entry of a verified bundle into the board's folder.

    Args:
        verified: what `verify_bundle` gave.
        records: the board's folder, e.g. benchmarks/leaderboard.

    Returns:
        The entry's file.

    Raises:
        ValueError: anything refuses the bundle, or it was not judged again by its own judge.
    """
    contents, outcome = verified.validated.contents, verified.rejudged
    if contents is None or outcome is None or verified.validated.findings.failed:
        raise ValueError("a bundle that is refused is not recorded")
    if outcome.judge != contents.submission.judge:
        raise ValueError(
            f"it was judged by {contents.submission.judge}: verify it with that judge to record it"
        )
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    entry = make_entry(contents, verified.validated.id, outcome, today)
    return save_entry(records, entry, contents.questions)


def _check_dataset(contents: Contents, data: str, revision: str | None, found: Findings) -> None:
    stated = contents.submission.dataset
    asked = open_questions(data, config=stated.config, split=stated.split, revision=revision)
    if asked.identity.questions_sha256 == stated.questions_sha256:
        return
    there = {question.id: question for question in asked.questions}
    here = {question.id: question for question in contents.questions}
    missing = [each for each in there if each not in here]
    strange = [each for each in here if each not in there]
    changed = [each for each in here if each in there and here[each] != there[each]]
    parts = [
        f"{len(ids):,} {what} {examples(ids)}"
        for ids, what in (
            (missing, "questions are left out"),
            (strange, "are not in the dataset"),
            (changed, "have another text or truth"),
        )
        if ids
    ]
    found.error(
        f"the questions are not those of {data}: {'; '.join(parts) or 'their order is another'}"
    )


def _check_replayed(
    contents: Contents, bundle: str, entries: Sequence[Entry], found: Findings
) -> None:
    """Whether another entry has the same answers; the same bundle again, or one of its model."""
    prints = answer_prints(contents.answers)
    own = [place for place, each in enumerate(prints) if each != NO_PRINT]
    asked = contents.submission.dataset.questions_sha256
    for entry in entries:
        if entry.bundle == bundle:
            found.error(f"it is recorded already: {entry.slug}")
        if entry.bundle == bundle or entry.submission.dataset.questions_sha256 != asked:
            continue
        theirs = entry.prints()
        same = sum(prints[place] == theirs[place] for place in own)
        if same <= _REPLAYED * len(own):
            continue
        whose = f"{entry.submission.name} ({entry.submission.model}, {entry.slug})"
        message = f"{same:,} of {len(own):,} questions have the very answers of {whose}"
        if entry.submission.model == contents.submission.model:
            found.warning(f"{message}, the same model")
        else:
            found.error(f"{message}: they are that model's")
