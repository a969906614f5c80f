"""What single draws say: pass@1, pass@5 and how consistent a model is.

Definition: docs/definitions.md, "Metrics".
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from mgld.evaluate.intervals import Interval, share_interval
from mgld.evaluate.records import DRAWS, Verdict
from mgld.schema import Record


class DrawMetrics(Record):
    """Figures over the draws of the scored questions, each a share of 0 to 1 with its interval.

    pass_at_1: of all draws, those that identify the landmark. pass_at_5: of the questions, those
    with at least one such draw. consistency: of the draws of these questions, those that identify
    (1: always all five, 1/5: always just one); None where there is no such question.
    identified: number of questions with 0, 1, ... 5 identifying draws.
    """

    questions: int
    draws: int = DRAWS
    pass_at_1: float
    pass_at_1_interval: Interval
    pass_at_5: float
    pass_at_5_interval: Interval
    consistency: float | None
    consistency_interval: Interval | None
    identified: list[int]


def draw_metrics(
    verdicts: Sequence[Verdict], *, clusters: Sequence[Hashable] | None = None
) -> DrawMetrics | None:
    """Figures over the draws of a run; None where the judge does not look at each, or none scored.

    With as many draws as k the unbiased estimator of pass@k (Chen et al. 2021, arXiv 2107.03374:
    1 - C(n-c, k) / C(n, k), averaged over questions) is c/n for k = 1, and for k = n whether c > 0.
    A draw without an answer does not identify. ValueError for a draw that cannot be.
    """
    if clusters is not None and len(clusters) != len(verdicts):
        raise ValueError(f"{len(clusters)} clusters for {len(verdicts)} verdicts")
    rows = [row for row, verdict in enumerate(verdicts) if verdict.level != "unscored"]
    hits: list[int] = []
    for row in rows:
        draws = verdicts[row].identified
        if draws is None:
            return None
        if len(set(draws)) != len(draws) or not set(draws) <= set(range(DRAWS)):
            raise ValueError(f"verdict {row}: {draws} are not draws of 0 to {DRAWS - 1}")
        hits.append(len(draws))
    # Without clusters the five draws of a question still belong together.
    groups: list[Hashable] = [row if clusters is None else clusters[row] for row in rows]
    found = [count > 0 for count in hits]
    every = _share_of_draws(hits, groups)
    some = _share_of_draws(
        [count for count in hits if count],
        [group for group, hit in zip(groups, found, strict=True) if hit],
    )
    some_draws = share_interval(found, groups)
    if every is None or some_draws is None:
        return None
    return DrawMetrics(
        questions=len(rows),
        pass_at_1=every[0],
        pass_at_1_interval=every[1],
        pass_at_5=sum(found) / len(found),
        pass_at_5_interval=some_draws,
        consistency=some[0] if some else None,
        consistency_interval=some[1] if some else None,
        identified=[hits.count(count) for count in range(DRAWS + 1)],
    )


def _share_of_draws(hits: list[int], groups: list[Hashable]) -> tuple[float, Interval] | None:
    """The share of identifying draws, and its interval with questions' draws kept together."""
    single = [draw < count for count in hits for draw in range(DRAWS)]
    interval = share_interval(single, [group for group in groups for _ in range(DRAWS)])
    return None if interval is None else (sum(single) / len(single), interval)
