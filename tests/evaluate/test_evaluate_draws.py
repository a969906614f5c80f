"""pass@1, pass@5 and consistency, by hand."""

from math import comb

import pytest

from mgld.evaluate import State, Verdict
from mgld.evaluate.draws import draw_metrics


def _verdict(identified: list[int] | None, level: State = "unknown") -> Verdict:
    return Verdict(
        level=level, explanation="", judge="rule", prompt_hash="0", identified=identified
    )


def test_by_hand() -> None:
    verdicts = [_verdict(draws) for draws in ([], [0, 1, 2, 3, 4], [2], [0, 4])]
    found = draw_metrics(verdicts)
    assert found is not None
    assert found.pass_at_1 == pytest.approx(8 / 20)
    assert found.pass_at_5 == pytest.approx(3 / 4)
    assert found.consistency == pytest.approx(8 / 15)
    assert found.identified == [1, 1, 1, 0, 0, 1]
    assert found.questions == 4
    interval = found.pass_at_1_interval
    assert interval.low < found.pass_at_1 < interval.high
    assert interval.method == "clustered wilson"


@pytest.mark.parametrize("k", [1, 5])
def test_is_the_unbiased_estimator(k: int) -> None:
    counts = [0, 1, 1, 3, 5, 2, 0]
    found = draw_metrics([_verdict(list(range(count))) for count in counts])
    assert found is not None
    expected = sum(1 - comb(5 - c, k) / comb(5, k) for c in counts) / len(counts)
    assert (found.pass_at_1 if k == 1 else found.pass_at_5) == pytest.approx(expected)


def test_the_draw_that_counts_is_any_not_the_first() -> None:
    """A score that took only the first answer would see nothing here."""
    found = draw_metrics([_verdict([4])] * 3)
    assert found is not None
    assert (found.pass_at_1, found.pass_at_5, found.consistency) == (0.2, 1.0, 0.2)


def test_draws_of_a_question_are_no_five_witnesses() -> None:
    always = draw_metrics([_verdict(list(range(5)))] * 10 + [_verdict([])] * 10)
    assert always is not None
    assert always.pass_at_1_interval.low == pytest.approx(always.pass_at_5_interval.low)
    assert always.consistency == 1.0


def test_unscored_verdicts_are_left_out() -> None:
    verdicts = [_verdict([0]), _verdict(None, "unscored"), _verdict([])]
    found = draw_metrics(verdicts)
    assert found is not None
    assert (found.questions, found.pass_at_5) == (2, 0.5)


def test_none_where_a_judge_does_not_look_at_each_draw() -> None:
    assert draw_metrics([_verdict([0]), _verdict(None, "known")]) is None
    assert draw_metrics([_verdict(None, "unscored")]) is None
    assert draw_metrics([]) is None


def test_nothing_identified() -> None:
    found = draw_metrics([_verdict([])] * 6, clusters=[1, 1, 2, 2, 3, 3])
    assert found is not None
    assert (found.pass_at_1, found.pass_at_5, found.consistency) == (0.0, 0.0, None)
    assert found.pass_at_1_interval.high > 0.2  # six questions about three landmarks say little


@pytest.mark.parametrize("draws", [[5], [-1], [1, 1]])
def test_a_draw_that_cannot_be_is_refused(draws: list[int]) -> None:
    with pytest.raises(ValueError, match="verdict 1"):
        draw_metrics([_verdict([]), _verdict(draws)])


def test_one_cluster_for_each_verdict() -> None:
    with pytest.raises(ValueError, match="2 clusters for 1 verdicts"):
        draw_metrics([_verdict([])], clusters=[1, 2])
