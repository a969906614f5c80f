"""The headline: shares of levels, accuracy, and what unscored questions do to it (nothing good)."""

import pytest

from mgld.evaluate import LEVELS, LevelMetrics, level_metrics

BASELINE = ["strongly_known"] * 103 + ["known"] * 114 + ["weakly_unknown"] * 145
BASELINE += ["unknown"] * 2138


def test_the_papers_baseline() -> None:
    found = level_metrics(BASELINE)
    assert (found.total, found.scored, found.unscored) == (2500, 2500, 0)
    assert list(found.counts) == list(LEVELS)
    assert list(found.counts.values()) == [103, 114, 145, 2138]
    assert found.shares["strongly_known"] == pytest.approx(0.0412)
    assert found.shares["known"] == pytest.approx(0.0456)
    assert found.recognised == 217
    assert found.accuracy == pytest.approx(0.0868)
    assert found.worst == found.best == found.accuracy
    assert found.accuracy_interval is not None
    assert (found.accuracy_interval.low, found.accuracy_interval.high) == pytest.approx(
        (0.076387971, 0.098479913)
    )
    assert found.clusters is None
    assert found.headline() == (
        "accuracy 8.68% (217 of 2,500 scored; 95 % interval 7.64% to 9.85%); unscored 0"
    )


def test_unscored_is_no_level_and_stands_in_the_headline() -> None:
    found = level_metrics(["known", "unknown", "unscored", "unscored"])
    assert (found.total, found.scored, found.unscored, found.unscored_share) == (4, 2, 2, 0.5)
    assert found.accuracy == 0.5
    assert (found.worst, found.best) == (0.25, 0.75)
    assert sum(found.counts.values()) == 2
    assert "unscored 2 of 4 (50.00%)" in found.headline()
    assert "between 25.00% and 75.00%" in found.headline()


@pytest.mark.parametrize("level", LEVELS)
def test_a_judge_that_fails_cannot_prove_more(level: str) -> None:
    """Whatever level an unscored answer would have had, the bounds hold the accuracy it gives."""
    rest = ["known"] * 3 + ["unknown"] * 9
    truth, failed = level_metrics([*rest, level]), level_metrics([*rest, "unscored"])
    assert truth.accuracy is not None and failed.worst is not None and failed.best is not None
    assert failed.worst <= truth.accuracy <= failed.best
    assert failed.worst < failed.best


@pytest.mark.parametrize("levels", [[], ["unscored"] * 3])
def test_nothing_scored_is_no_accuracy_not_zero(levels: list[str]) -> None:
    found = level_metrics(levels, clusters=list(range(len(levels))))
    assert found.accuracy is None and found.accuracy_interval is None
    assert set(found.shares.values()) == set(found.share_intervals.values()) == {None}
    assert found.headline() == f"accuracy -: none of {len(levels)} scored"
    if levels:
        assert (found.worst, found.best, found.unscored_share) == (0.0, 1.0, 1.0)
    else:
        assert found.worst is found.best is found.unscored_share is None


@pytest.mark.parametrize("state", ["Known", "partially_known", "", "correct", None])
def test_another_word_is_refused(state: str) -> None:
    with pytest.raises(ValueError, match="level 1"):
        level_metrics(["known", state])


def test_clusters_widen_and_are_counted() -> None:
    levels = ["known"] * 20 + ["unknown"] * 80
    by_landmark = level_metrics(levels, clusters=[row // 4 for row in range(100)])
    alone = level_metrics(levels)
    assert by_landmark.clusters == 25
    for wide, narrow in (
        (by_landmark.accuracy_interval, alone.accuracy_interval),
        (by_landmark.share_intervals["unknown"], alone.share_intervals["unknown"]),
    ):
        assert wide is not None and narrow is not None
        assert wide.low < narrow.low < narrow.high < wide.high
    with pytest.raises(ValueError, match="1 clusters for 2 levels"):
        level_metrics(["known", "known"], clusters=[1])


def test_goes_through_json_whole() -> None:
    for levels in (BASELINE, ["unscored"]):
        found = level_metrics(levels)
        assert LevelMetrics.model_validate_json(found.model_dump_json()) == found
