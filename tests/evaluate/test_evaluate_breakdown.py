"""Groups add up to the run, deciles keep ties together, and the trend is the one that is there."""

import numpy as np
import pytest

from mgld.evaluate import LEVELS, Question, State, Truth
from mgld.evaluate.breakdown import SMALL, Breakdowns, Group, break_down, trends


def _question(row: int, **fields: object) -> Question:
    known: dict[str, object] = {"id": f"q{row}", "landmark_id": row, "text": "?"}
    known |= {"image_sha256": "", "truth": Truth(name=f"Place {row}")}
    return Question.model_validate(known | fields)


def _names(groups: list[Group]) -> list[str]:
    return [group.name for group in groups]


def test_every_list_of_groups_adds_up_to_the_run() -> None:
    rng = np.random.default_rng(1)
    questions = [
        _question(
            row,
            truth=Truth(name="x", label=[None, "lake", "church"][row % 3]),
            natural_or_human_made=["natural", "human-made", None][row % 3],
            rsr=None if row % 7 == 0 else float(rng.random()),
            sim=float(rng.random()),
            images=[None, 1, 5, 6, 50, 51][row % 6],
        )
        for row in range(200)
    ]
    states: list[State] = [*LEVELS, "unscored"]
    levels = [states[int(rng.integers(5))] for _ in questions]
    found = break_down(questions, levels)
    for groups in (found.label, found.natural_or_human_made, found.rsr, found.sim, found.images):
        assert sum(group.metrics.total for group in groups) == 200
        assert sum(group.metrics.unscored for group in groups) == levels.count("unscored")
        assert all(group.small == (group.metrics.scored < SMALL) for group in groups)
    assert _names(found.rsr)[-1] == _names(found.images)[-1] == "(not given)"
    assert set(_names(found.label)) == {"lake", "church", "(not given)"}
    assert _names(found.images)[:-1] == ["1", "2 to 5", "6 to 10", "11 to 50", "51 or more"]
    assert Breakdowns.model_validate_json(found.model_dump_json()) == found


def test_labels_come_by_size() -> None:
    questions = [
        _question(row, truth=Truth(name="x", label="b" if row else "a")) for row in range(3)
    ]
    assert _names(break_down(questions, ["known"] * 3).label) == ["b", "a"]


def test_deciles_are_equal_in_number_where_values_differ() -> None:
    questions = [_question(row, sim=row / 1000) for row in range(100)]
    groups = break_down(questions, ["unknown"] * 100).sim
    assert [group.metrics.total for group in groups] == [10] * 10
    assert groups[0].name == "1: 0.0000 to 0.0090"
    assert groups[9].name == "10: 0.0900 to 0.0990"
    assert all(group.small for group in groups)


def test_equal_values_share_a_decile() -> None:
    """Six of ten at rank 1: they are not dealt out over deciles by the order of the file."""
    questions = [_question(row, rsr=1.0 if row >= 4 else row / 10) for row in range(10)]
    groups = break_down(questions, ["known"] * 10).rsr
    assert [group.metrics.total for group in groups] == [1, 1, 1, 1, 6]
    assert groups[-1].name == "8: 1.0000 to 1.0000"  # mid-rank percentile (4 + 3) / 10


def test_the_number_of_questions_is_not_the_number_of_landmarks() -> None:
    questions = [_question(row, landmark_id=row % 2) for row in range(10)]
    group = break_down(questions, ["known"] * 10).natural_or_human_made[0]
    assert group.metrics.clusters == 2


def test_trend_is_spearmans_rho_with_ties() -> None:
    # scipy.stats.spearmanr gives 0.8599423893285469.
    values = [0.1, 0.1, 0.2, 0.35, 0.35, 0.35, 0.8, 0.9, 0.9, 1.0]
    levels = [LEVELS[3 - score] for score in (0, 1, 0, 1, 2, 1, 3, 2, 3, 3)]
    (found,) = trends([values], levels, [_question(row) for row in range(10)])
    assert found.correlation == pytest.approx(0.8599423893285469)
    assert found.interval is not None
    assert found.interval.low < 0.86 < found.interval.high <= 1


def test_trend_leaves_out_what_has_no_value_or_level() -> None:
    questions = [_question(row) for row in range(6)]
    values = [1.0, 2.0, None, 3.0, 4.0, 9.0]
    levels: list[State] = ["unknown", "unknown", "known", "known", "strongly_known", "unscored"]
    (found,) = trends([values], levels, questions)
    assert found.questions == 4
    assert found.correlation == pytest.approx(0.9486832980505138)  # ranks 1 2 3 4, 1.5 1.5 3 4


@pytest.mark.parametrize("levels", [["known"] * 5, ["unscored"] * 5])
def test_no_trend_where_nothing_varies(levels: list[State]) -> None:
    (found,) = trends([[1.0, 2.0, 3.0, 4.0, 5.0]], levels, [_question(row) for row in range(5)])
    assert found.correlation is None and found.interval is None


def test_the_trends_interval_covers_and_narrows_with_landmarks_not_with_copies() -> None:
    rng = np.random.default_rng(3)
    values = rng.random(300)
    levels = [LEVELS[3 - int(min(3, max(0, 4 * (0.5 * v + 0.5 * rng.random()))))] for v in values]
    questions = [_question(row) for row in range(300)]
    (once,) = trends([list(values)], levels, questions)
    (copied,) = trends([list(values) * 3], levels * 3, questions * 3)
    assert once.interval is not None and copied.interval is not None
    assert copied.correlation == pytest.approx(once.correlation, abs=0.001)
    width = once.interval.high - once.interval.low
    assert copied.interval.high - copied.interval.low == pytest.approx(width, rel=0.1)
    assert once.interval == trends([list(values)], levels, questions)[0].interval  # keyed
    assert once.interval.low > 0


def test_a_level_for_each_question() -> None:
    with pytest.raises(ValueError, match="1 levels for 2 questions"):
        break_down([_question(0), _question(1)], ["known"])
