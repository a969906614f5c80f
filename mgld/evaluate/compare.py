"""Runs against each other on the same questions, as the same judge judged them.

Definition: docs/definitions.md, "Metrics".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mgld.evaluate.breakdown import SCORES
from mgld.evaluate.graded import GradedRun
from mgld.evaluate.intervals import Interval, cluster_codes
from mgld.evaluate.judges.drift import changed
from mgld.evaluate.metrics import RECOGNISED, LevelMetrics, level_metrics
from mgld.evaluate.paired import holm, mean_difference, share_difference, sign_flip_p
from mgld.evaluate.records import Question, State
from mgld.schema import Record

_NAMED = 3
"""Questions named as examples where runs differ in what was asked."""


class Effect(Record):
    """Second run minus first, with its interval (None with fewer than two landmarks) and tests.

    p: of the exact paired permutation test. p_holm: the same, adjusted for all pairs of runs.
    """

    difference: float
    interval: Interval | None
    p: float
    p_holm: float


class Change(Record):
    """A question whose level is not the same in both runs."""

    question_id: str
    landmark: str
    first: State
    second: State


class Pair(Record):
    """Two runs on the questions that are scored in both.

    only_first, only_second: questions that only that run recognises. recognised: difference of the
    accuracies; its p is McNemar's exact one where each landmark has one question. level: difference
    of the mean level scores (3 strongly_known ... 0 unknown). Both None where nothing is scored in
    both. changed: largest change of level first.
    """

    first: str
    second: str
    questions: int
    landmarks: int
    unscored: int
    only_first: int
    only_second: int
    recognised: Effect | None
    level: Effect | None
    changed: list[Change]


class RunResult(Record):
    """One run on the compared questions; left_out: its other questions, judged or not."""

    name: str
    metrics: LevelMetrics
    left_out: int


class Comparison(Record):
    """All pairs of runs, on the same `questions` and by the same judge and prompt."""

    judge: str
    prompt_hash: str
    questions: int
    runs: list[RunResult]
    pairs: list[Pair]


def compare_runs(runs: Sequence[GradedRun], *, common: bool = False, seed: int = 0) -> Comparison:
    """Compare two or more runs pair by pair.

    ValueError, saying what differs, where they are not by the same judge with the same prompt, or
    not about the same questions with the same truth; `common` leaves the latter out and counts
    them. `seed` keys the resamples of the level score's interval; tests draw nothing.
    """
    if len(runs) < 2:
        raise ValueError("a comparison needs two runs or more")
    _same_judge(runs)
    ids = _same_questions(runs, common)
    levels = [[run.verdicts[each].level for each in ids] for run in runs]
    questions = [runs[0].questions[each] for each in ids]
    landmarks = [question.landmark_id for question in questions]
    results = [
        RunResult(
            name=run.name,
            metrics=level_metrics(own, clusters=landmarks),
            left_out=len(run.questions) - len(ids),
        )
        for run, own in zip(runs, levels, strict=True)
    ]
    pairs = [
        _pair((runs[a].name, runs[b].name), levels[a], levels[b], questions, seed)
        for a, b in combinations(range(len(runs)), 2)
    ]
    return Comparison(
        judge=runs[0].judge,
        prompt_hash=runs[0].prompt_hash,
        questions=len(ids),
        runs=results,
        pairs=_adjusted(pairs),
    )


def _same_judge(runs: Sequence[GradedRun]) -> None:
    kinds = {(run.judge, run.prompt_hash) for run in runs}
    if len(kinds) > 1:
        each = "; ".join(f"{run.name}: {run.judge}, prompt {run.prompt_hash}" for run in runs)
        raise ValueError(
            f"levels of different judges or prompts are not compared ({each}); "
            "grade all runs with one"
        )
    replied = changed(verdict for run in runs for verdict in run.verdicts.values())
    if replied:
        raise ValueError(
            f"the judge {runs[0].judge} was not one model in all of these verdicts ({replied}): "
            "levels by different models are not compared; name a dated model"
        )


def _same_questions(runs: Sequence[GradedRun], common: bool) -> list[str]:
    """Ids, in the first run's order, of what all runs were asked and judged on."""
    asked = [{each: _asked(question) for each, question in run.questions.items()} for run in runs]
    everywhere = set(asked[0]).intersection(*asked[1:])
    same = {each for each in everywhere if all(own[each] == asked[0][each] for own in asked)}
    judged = set.intersection(*(set(run.verdicts) for run in runs))
    kept = [each for each in runs[0].questions if each in same and each in judged]
    problems = []
    for run in runs:
        if extra := [each for each in run.questions if each not in everywhere]:
            problems.append(f"{run.name} has {_some(extra)} that not all have")
        if missing := [each for each in run.questions if each not in run.verdicts]:
            problems.append(f"{run.name} has no verdict on {_some(missing)}")
    if changed := [each for each in runs[0].questions if each in everywhere - same]:
        problems.append(f"text, image or truth differ for {_some(changed)}")
    if not problems:
        return kept
    if not common:
        raise ValueError(
            f"the runs were not judged on the same questions: {'; '.join(problems)}. "
            f"{len(kept):,} are common to all: --common compares on those"
        )
    if not kept:
        raise ValueError(f"no question is common to all runs: {'; '.join(problems)}")
    return kept


def _asked(question: Question) -> tuple[object, ...]:
    """What makes a question the same one; scores and counts beside it may be made anew."""
    return question.landmark_id, question.text, question.image_sha256, question.truth


def _some(ids: list[str]) -> str:
    """`4 questions (a, b, c, ...)`."""
    names = ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
    return f"{len(ids):,} question{'s' if len(ids) > 1 else ''} ({names})"


def _pair(
    names: tuple[str, str],
    first: list[State],
    second: list[State],
    questions: list[Question],
    seed: int,
) -> Pair:
    """Everything about two runs; p-values are not adjusted yet."""
    rows = [
        row for row, both in enumerate(zip(first, second, strict=True)) if "unscored" not in both
    ]
    codes = cluster_codes([questions[row].landmark_id for row in rows], len(rows))
    right_first, right_second = (
        np.array([own[row] in RECOGNISED for row in rows], dtype=bool) for own in (first, second)
    )
    recognised = right_second.astype(np.int64) - right_first.astype(np.int64)
    level = np.array([SCORES[second[row]] - SCORES[first[row]] for row in rows], dtype=np.int64)
    changed = [
        Change(
            question_id=questions[row].id,
            landmark=questions[row].truth.name,
            first=first[row],
            second=second[row],
        )
        for _, row in sorted((-abs(int(step)), row) for step, row in zip(level, rows, strict=True))
        if first[row] != second[row]
    ]
    return Pair(
        first=names[0],
        second=names[1],
        questions=len(rows),
        landmarks=len(set(codes.tolist())),
        unscored=len(first) - len(rows),
        only_first=int(np.sum(recognised < 0)),
        only_second=int(np.sum(recognised > 0)),
        recognised=_effect(
            recognised, codes, lambda: share_difference(right_first, right_second, codes)
        ),
        level=_effect(level, codes, lambda: mean_difference(level, codes, seed)),
        changed=changed,
    )


def _effect(
    differences: NDArray[np.int64],
    codes: NDArray[np.int64],
    interval: Callable[[], Interval | None],
) -> Effect | None:
    if not len(differences):
        return None
    p = sign_flip_p(differences, codes)
    return Effect(difference=float(np.mean(differences)), interval=interval(), p=p, p_holm=p)


def _adjusted(pairs: list[Pair]) -> list[Pair]:
    """The pairs with Holm's adjustment, over all pairs, of each of the two tests."""
    for test in ("recognised", "level"):
        rows = [row for row, pair in enumerate(pairs) if getattr(pair, test) is not None]
        effects: list[Effect] = [getattr(pairs[row], test) for row in rows]
        for row, effect, p in zip(rows, effects, holm([e.p for e in effects]), strict=True):
            new = effect.model_copy(update={"p_holm": p})
            pairs[row] = pairs[row].model_copy(update={test: new})
    return pairs
