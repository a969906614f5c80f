"""A bundle's answers judged again by the maintainers' judge: all, or a keyed sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mgld.evaluate.intervals import cluster_codes
from mgld.evaluate.judges.base import Case, Judge
from mgld.evaluate.metrics import RECOGNISED
from mgld.evaluate.paired import sign_flip_p
from mgld.evaluate.records import State, Verdict
from mgld.keyed import order_key
from mgld.leaderboard.contents import Contents
from mgld.leaderboard.findings import EXAMPLES, Findings
from mgld.schema import Record

MAX_CHANGED: Final = 0.05
"""Share of levels that a model judge may give otherwise the second time: no endpoint is exact."""
ONE_SIDED: Final = 0.01
"""An endpoint's chance raises as many questions as it lowers: below this p-value it was not chance.

Two-sided and exact, by landmark; eight landmarks that are all raised have 0.008, seven 0.016.
"""


class Difference(Record):
    """A question whose level is another one now."""

    question_id: str
    stated: State
    found: State


class Rejudged(Record):
    """What judging again came to.

    judge, prompt_hash: who judged now. questions: how many were judged again, of `total`; seed:
    what drew them. same: those with the stated level; unscored: those that only now have none, and
    say nothing. stated, found: accuracy among the others.
    """

    judge: str
    prompt_hash: str
    questions: int
    total: int
    seed: int
    same: int
    unscored: int
    stated: float | None
    found: float | None
    differences: list[Difference]


def rejudge(
    contents: Contents,
    judge: Judge,
    *,
    sample: int | None = None,
    seed: int = 0,
    on_verdicts: Callable[[int], None] = lambda number: None,
) -> Rejudged:
    """Judge the answers again, or those of `sample` questions drawn by the seed.

    ValueError for a sample of none. Raises as the judge does where it cannot go on.
    """
    cases = [
        Case(question, answers)
        for question, answers in zip(contents.questions, contents.answers, strict=True)
    ]
    rows = _drawn(cases, sample, seed)
    verdicts: dict[int, Verdict] = {}

    def take(number: int, verdict: Verdict) -> None:
        verdicts[rows[number]] = verdict
        on_verdicts(1)

    judge.judge([cases[row] for row in rows], take)
    stated = {row: contents.verdicts[row].level for row in rows}
    found = {row: verdicts[row].level for row in rows}
    lost = [row for row in rows if found[row] == "unscored" and stated[row] != "unscored"]
    told = [row for row in rows if row not in set(lost)]
    return Rejudged(
        judge=judge.id,
        prompt_hash=judge.prompt_hash,
        questions=len(rows),
        total=len(cases),
        seed=seed,
        same=sum(stated[row] == found[row] for row in told),
        unscored=len(lost),
        stated=_accuracy([stated[row] for row in told]),
        found=_accuracy([found[row] for row in told]),
        differences=[
            Difference(question_id=cases[row].question.id, stated=stated[row], found=found[row])
            for row in told
            if stated[row] != found[row]
        ],
    )


def report(contents: Contents, outcome: Rejudged, found: Findings) -> None:
    """What judging again says of the bundle, as findings of the check "rejudged"."""
    submission, changed = contents.submission, len(outcome.differences)
    told = outcome.questions - outcome.unscored
    named = "; ".join(
        f"{each.question_id}: {each.stated}, now {each.found}"
        for each in outcome.differences[:EXAMPLES]
    )
    ups, downs, p_value = _direction(contents, outcome)
    message = f"{changed:,} of {told:,} levels are others now ({named}{_more(changed)})"
    if ups or downs:
        message += f"; recognised as stated and not now: {ups:,}, the reverse: {downs:,}"
    if outcome.unscored:
        say = found.error if outcome.unscored > MAX_CHANGED * outcome.questions else found.warning
        say(f"{outcome.unscored:,} of {outcome.questions:,} questions could not be judged again")
    if outcome.judge != submission.judge:
        agreed = f"{outcome.same:,} of {told:,} levels are the same"
        found.warning(
            f"judged by {submission.judge}, not by {outcome.judge}: {agreed}; results of the two "
            "are never ranked together"
        )
    elif outcome.prompt_hash != submission.judge_prompt_hash:
        found.error(
            f"judged by another version of {submission.judge} (prompt "
            f"{submission.judge_prompt_hash[:12]}..., here {outcome.prompt_hash[:12]}...): "
            f"{message}; grade the run with this mgld and prepare it again"
        )
    elif changed and submission.judge == "rule":
        found.error(f"{message}: the rule says the same each time, these are not its verdicts")
    elif changed > MAX_CHANGED * told:
        found.error(f"{message}: more than {MAX_CHANGED:.0%} is no chance of an endpoint")
    elif ups > downs and p_value < ONE_SIDED:
        found.error(
            f"{message}: an endpoint's chance goes both ways (exact sign test by landmark, "
            f"p = {p_value:.2g}); grade the run again, once, and hand in what comes of it"
        )
    elif changed:
        found.warning(message)


def _direction(contents: Contents, outcome: Rejudged) -> tuple[int, int, float]:
    """Questions recognised only as stated, and only now, of those scored twice; the test's p."""
    landmarks = {question.id: question.landmark_id for question in contents.questions}
    moved = [
        (landmarks[each.question_id], (each.found in RECOGNISED) - (each.stated in RECOGNISED))
        for each in outcome.differences
        if "unscored" not in (each.stated, each.found)
    ]
    steps = [step for _, step in moved]
    codes = cluster_codes([landmark for landmark, _ in moved], len(moved))
    return steps.count(-1), steps.count(1), sign_flip_p(steps, codes)


def _drawn(cases: Sequence[Case], sample: int | None, seed: int) -> list[int]:
    if sample is not None and sample < 1:
        raise ValueError("a sample has at least one question")
    rows = range(len(cases))
    ordered = sorted(rows, key=lambda row: order_key(seed, "rejudge", cases[row].question.id))
    return sorted(ordered[:sample])


def _accuracy(states: Sequence[State]) -> float | None:
    scored = [state for state in states if state != "unscored"]
    return sum(state in RECOGNISED for state in scored) / len(scored) if scored else None


def _more(count: int) -> str:
    return "; ..." if count > EXAMPLES else ""
