"""Judges with a model in the role of the grader: our prompts, our reading, nobody by omission."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inspect_data import Mock, answers, grader, levels, numbers, output, run

from mgld.evaluate.judges.base import Case
from mgld.evaluate.questions import open_questions
from mgld.evaluate.records import Answer, Verdict


def says(question: Any, number: int) -> str:
    return f"A picture of {question.truth.name}, {number}."


def test_nobody_grades_itself_by_omission(build: Path, tmp_path: Path) -> None:
    mock = Mock(build, says)
    log = run(build, mock, tmp_path, task={"judge": "paper"}, limit=2)
    assert log.status == "error" and log.error is not None
    assert "grader" in log.error.message
    assert not mock.asked  # nothing was paid for


@pytest.mark.parametrize("protocol", ["paper", "strict"])
def test_verdicts_are_those_of_mgld_grade(build: Path, tmp_path: Path, protocol: str) -> None:
    """The same replies by way of inspect and of the ledger of `mgld grade`: the same verdicts."""
    from grading_data import chat, verdict_on

    valid = {
        "paper": '{"explanation": "As it says.", "level": "known"}',
        "strict": json.dumps(
            {
                **{
                    f"response_{n}": {"span": "A picture of", "verdict": "hints"}
                    for n in range(1, 6)
                },
                "explanation": "",
            }
        ),
    }[protocol]
    replies = [valid, f"Here it is: {valid} I hope it helps", "Level: known", "[]", valid[:-9]]
    asked: list[Any] = []
    questions = {each.id: each for each in open_questions(build, limit=5).questions}
    of = dict(zip(questions, replies, strict=True))

    def reply_to(text: str) -> str:
        names = {f"name: {json.dumps(each.truth.name)}\n": id for id, each in questions.items()}
        (found,) = (id for name, id in names.items() if name in text)
        return of[found]

    log = run(
        build,
        Mock(build, says),
        tmp_path / "logs",
        task={"judge": protocol},
        limit=5,
        model_roles={"grader": grader(reply_to, asked)},
    )
    assert numbers(log)["unscored"] == levels(log).count("unscored") == 3
    for number, sample in enumerate(log.samples or []):
        rows = tuple(Answer.model_validate(row) for row in answers(log)[str(sample.id)])
        case = Case(questions[str(sample.id)], rows)
        ours = verdict_on(
            case, f"m:{protocol}", tmp_path / f"{number}.sqlite", chat(of[str(sample.id)])
        )
        found = Verdict.model_validate(sample.scores["knowledge_level"].metadata["verdict"])
        known = {"judge": ours.judge, "answered_by": ours.answered_by, "date": ours.date}
        assert found.judge == f"inspect:mockllm/judge:{protocol}"
        assert found.model_copy(update=known).model_dump() == ours.model_dump()
    for messages, config in asked:
        assert config.response_schema.name == f"judge_{protocol}_reply"
        assert (config.temperature, config.max_tokens) == (0.0, 2048)
        assert len(messages) == 2 and "identifies" in messages[0].text


def test_a_grader_that_fails_moves_no_level(build: Path, tmp_path: Path) -> None:
    said = iter(
        [output("no", "content_filter"), output(""), output('{"explanation": "x"', "max_tokens")]
    )
    log = run(
        build,
        Mock(build, says),
        tmp_path,
        task={"judge": "paper"},
        limit=3,
        model_roles={"grader": grader(lambda text: next(said))},
    )
    assert levels(log) == ["unscored"] * 3
    found = numbers(log)
    assert "accuracy" not in found and found["unscored_share"] == 1.0
    reasons = [each.scores["knowledge_level"].reason for each in log.samples or [] if each.scores]
    assert sorted(reason.split(":")[0] for reason in reasons if reason) == [
        "cut off at max_output_tokens; no valid reply",
        "no reply",
        "refused",
    ]


def test_silence_asks_no_grader(build: Path, tmp_path: Path) -> None:
    log = run(
        build,
        Mock(build, lambda question, number: ""),
        tmp_path,
        task={"judge": "strict"},
        limit=1,
        model_roles={"grader": grader(lambda text: pytest.fail("asked"))},
    )
    assert levels(log) == ["unknown"]


def test_a_grader_that_is_the_model_is_said(
    build: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mock = Mock(build, lambda question, number: "")
    (model,) = (mock.model(),)
    run(build, mock, tmp_path, task={"judge": "paper"}, limit=1, model_roles={"grader": model})
    assert "it grades itself" in caplog.text
