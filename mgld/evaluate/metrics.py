"""The headline of a run: counts and shares of the levels, and accuracy with its interval.

Definition: docs/definitions.md, "Metrics"; paper, section 3.1.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from mgld.evaluate.intervals import Interval, share_interval
from mgld.evaluate.records import LEVELS, Level, State
from mgld.schema import Record

RECOGNISED: Final[frozenset[State]] = frozenset({"strongly_known", "known"})
"""The levels that count as correct in the paper's accuracy."""
_STATES: Final[frozenset[str]] = frozenset((*LEVELS, "unscored"))


class LevelMetrics(Record):
    """Counts and shares of the knowledge levels of one run, or of a group of its questions.

    Shares and intervals are of the scored ones, in [0, 1]; where nothing is scored they are None.

    Attributes:
        total: questions; scored + unscored.
        scored: those with a level.
        unscored: those without.
        unscored_share: unscored / total.
        recognised: strongly known or known.
        accuracy: recognised / scored.
        accuracy_interval: 95 %.
        worst: the accuracy if all unscored ones were wrong.
        best: the accuracy if all unscored ones were right.
        counts: for each level.
        shares: for each level.
        share_intervals: 95 %, for each level.
        clusters: number of landmarks among the scored, None where they were not given.
    """

    total: int
    scored: int
    unscored: int
    unscored_share: float | None
    recognised: int
    accuracy: float | None
    accuracy_interval: Interval | None
    worst: float | None
    best: float | None
    counts: dict[Level, int]
    shares: dict[Level, float | None]
    share_intervals: dict[Level, Interval | None]
    clusters: int | None

    def headline(self) -> str:
        """One line: accuracy with denominator and interval, and what could not be scored."""
        if self.accuracy is None or self.accuracy_interval is None:
            return f"accuracy -: none of {self.total:,} scored"
        low, high = self.accuracy_interval.low, self.accuracy_interval.high
        line = (
            f"accuracy {self.accuracy:.2%} ({self.recognised:,} of {self.scored:,} scored; "
            f"95 % interval {low:.2%} to {high:.2%}); unscored {self.unscored:,}"
        )
        if not self.unscored:
            return line
        return (
            f"{line} of {self.total:,} ({self.unscored_share:.2%}), "
            f"with them accuracy is between {self.worst:.2%} and {self.best:.2%}"
        )


def level_metrics(
    levels: Sequence[str], *, clusters: Sequence[Hashable] | None = None
) -> LevelMetrics:
    """Count the levels of a run (paper, section 3.1; docs/definitions.md, "Metrics").

    Args:
        levels: one of LEVELS or "unscored" for each question.
        clusters: the landmark of each question; intervals then allow for questions that share one.

    Returns:
        Counts, shares, accuracy and intervals.

    Raises:
        ValueError: another word, naming where it stands, or not one cluster for each level.
    """
    for row, level in enumerate(levels):
        if level not in _STATES:
            raise ValueError(f"level {row}: {level!r} is none of {', '.join(sorted(_STATES))}")
    if clusters is not None and len(clusters) != len(levels):
        raise ValueError(f"{len(clusters)} clusters for {len(levels)} levels")
    scored = [row for row, level in enumerate(levels) if level != "unscored"]
    groups = None if clusters is None else [clusters[row] for row in scored]
    counts: dict[Level, int] = dict.fromkeys(LEVELS, 0)
    intervals: dict[Level, Interval | None] = {}
    for level in LEVELS:
        hits = [levels[row] == level for row in scored]
        counts[level] = sum(hits)
        intervals[level] = share_interval(hits, groups)
    right = [levels[row] in RECOGNISED for row in scored]
    total, unscored, recognised = len(levels), len(levels) - len(scored), sum(right)
    return LevelMetrics(
        total=total,
        scored=len(scored),
        unscored=unscored,
        unscored_share=_ratio(unscored, total),
        recognised=recognised,
        accuracy=_ratio(recognised, len(scored)),
        accuracy_interval=share_interval(right, groups),
        worst=_ratio(recognised, total),
        best=_ratio(recognised + unscored, total),
        counts=counts,
        shares={level: _ratio(count, len(scored)) for level, count in counts.items()},
        share_intervals=intervals,
        clusters=None if groups is None else len(set(groups)),
    )


def _ratio(count: int, of: int) -> float | None:
    return count / of if of else None
