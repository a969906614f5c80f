"""The rule judge on sets of answers: levels, missing draws, what is unscored, explanations."""

import pytest

from mgld.evaluate import rule_judge
from mgld.evaluate.judges import Case, load_judge
from mgld.evaluate.judges.rule import rule_hash
from mgld.evaluate.records import Answer, Decoding, Question, Truth, Verdict

RIGHT = "This is the Eiffel Tower."
WRONG = "This is Tokyo Tower."
PLACE = "A tower in Paris."
VAGUE = "A tower."


def level(*answers: str | None) -> str:
    return rule_judge("Eiffel Tower", list(answers), hints=["Paris"]).level


def test_levels_count_identifications() -> None:
    assert level(RIGHT, RIGHT, WRONG, WRONG, VAGUE) == "strongly_known"
    assert level(WRONG, VAGUE, PLACE, "", RIGHT) == "known"
    assert level(WRONG, VAGUE, PLACE, "", "") == "weakly_unknown"
    assert level(WRONG, VAGUE, "", "", "") == "unknown"


def test_missing_answers_count_for_nothing() -> None:
    assert level(RIGHT, None, None, None, None) == "known"
    assert level(RIGHT) == "known"
    assert level(RIGHT, RIGHT, None, None, None) == "strongly_known"
    assert level(None, None, VAGUE, None, None) == "unknown"
    explanation = rule_judge("Eiffel Tower", [RIGHT, None]).explanation
    assert "4 of 5 answers are missing" in explanation


def test_no_answer_at_all_is_unscored() -> None:
    for answers in ([], [None] * 5):
        verdict = rule_judge("Eiffel Tower", answers)
        assert verdict.level == "unscored"
        assert verdict.reason


def test_more_than_five_answers_and_no_name_are_refused() -> None:
    with pytest.raises(ValueError, match="6 answers"):
        rule_judge("Eiffel Tower", [VAGUE] * 6)
    with pytest.raises(ValueError, match="no name"):
        rule_judge(" ", [VAGUE])


def test_the_explanation_quotes_what_was_said() -> None:
    explanation = rule_judge("Eiffel Tower", [VAGUE, RIGHT, PLACE], hints=["Paris"]).explanation
    assert 'Answer 2 names it: "This is the Eiffel Tower."' in explanation
    assert 'Answer 3 hints at it, right place ("Paris"): "A tower in Paris."' in explanation


def _case(*answers: tuple[int, str, str], question: str = "What is this?") -> Case:
    return Case(
        Question(
            id="q",
            landmark_id=1,
            text=question,
            image_sha256="0",
            truth=Truth(name="Eiffel Tower", place_hints=["Paris"]),
        ),
        tuple(
            Answer.model_validate(
                {
                    "question_id": "q",
                    "draw": draw,
                    "text": text,
                    "status": status,
                    "model": "m",
                    "prompt_version": "p",
                    "decoding": Decoding(),
                }
            )
            for draw, text, status in answers
        ),
    )


def _judge(case: Case) -> Verdict:
    verdicts: list[Verdict] = []
    load_judge("rule").judge([case], lambda index, verdict: verdicts.append(verdict))
    assert len(verdicts) == 1
    return verdicts[0]


def test_failed_draws_are_missing_and_refused_ones_say_nothing() -> None:
    failed = _case(*[(draw, "", "error") for draw in range(5)])
    assert _judge(failed).level == "unscored"
    refused = _case(*[(draw, "", "refused") for draw in range(5)])
    assert _judge(refused).level == "unknown"
    some = _case((0, RIGHT, "ok"), (1, "", "error"), (2, "", "error"))
    assert _judge(some).level == "known"
    assert _judge(_case()).level == "unscored"


def test_a_draw_counts_once_and_a_sixth_not_at_all() -> None:
    assert _judge(_case((0, RIGHT, "ok"), (0, RIGHT, "ok"))).level == "known"
    assert _judge(_case((0, VAGUE, "ok"), (5, RIGHT, "ok"), (6, RIGHT, "ok"))).level == "unknown"
    assert _judge(_case((3, RIGHT, "ok"), (4, RIGHT, "ok"))).identified == [3, 4]


def test_a_question_that_names_the_landmark_cannot_be_scored() -> None:
    verdict = _judge(_case((0, RIGHT, "ok"), question="Do you know the landmark Eiffel Tower?"))
    assert verdict.level == "unscored"
    assert "question" in verdict.reason


def test_verdicts_name_the_judge_and_its_rules() -> None:
    verdict = _judge(_case((0, RIGHT, "ok")))
    assert verdict.judge == load_judge("rule").id == "rule"
    assert verdict.prompt_hash == load_judge("rule").prompt_hash == rule_hash()
    assert len(rule_hash()) == 64


def test_it_is_deterministic() -> None:
    case = _case((0, RIGHT, "ok"), (1, PLACE, "ok"), (2, WRONG, "ok"))
    assert _judge(case) == _judge(case)


def test_an_unknown_judge_is_an_error() -> None:
    with pytest.raises(ValueError):
        load_judge("ruler")
