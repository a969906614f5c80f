"""What `mgld submit validate` finds in a bundle, and that a good one passes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from bundle_data import bundle, edit_rows, errors, forged, validate, warnings
from grading_data import MadeUp, question

from mgld.evaluate.records import Decoding
from mgld.leaderboard.validate import differences

Files = dict[str, bytes]


def only(files: Files, check: str, *words: str) -> None:
    """One error, of this check, with these words in it."""
    ((found, message),) = errors(files)
    assert found == check
    assert all(word in message for word in words), message


def test_a_good_bundle_passes_every_check(good: Files) -> None:
    checked = validate(good)
    assert checked.findings.all == []
    assert checked.findings.checks == [
        "files", "manifest", "hashes", "questions", "answers", "verdicts", "metrics", "unscored",
        "draws", "copied", "timing",
    ]  # fmt: skip
    assert checked.checked().headline.startswith("accuracy 50.00% (20 of 40 scored;")
    assert checked.checked().lines()[-1] == "accepted by these checks: 0 errors, 0 warnings"


@pytest.mark.parametrize("name", ["questions.jsonl", "answers.jsonl", "verdicts.jsonl"])
def test_a_changed_file_is_not_the_one_that_is_stated(good: Files, name: str) -> None:
    changed = {**good, name: good[name].replace(b"q00007", b"q00008", 1)}
    found = errors(changed)
    assert {check for check, _ in found} == {"hashes"}
    assert name in found[0][1]


def test_numbers_that_the_verdicts_do_not_come_to(good: Files) -> None:
    metrics = json.loads(good["metrics.json"])
    metrics["levels"]["accuracy"] = 0.99
    changed = forged({**good, "metrics.json": json.dumps(metrics).encode()})
    only(changed, "metrics", "levels.accuracy is 0.99, it should be 0.5")


def test_a_verdict_that_is_made_better_changes_the_numbers(good: Files) -> None:
    def better(rows: list[dict[str, Any]]) -> None:
        rows[0]["verdict"]["level"] = "strongly_known"

    only(edit_rows(good, "verdicts.jsonl", better), "metrics", "levels.recognised is 20")


def test_answers_that_were_put_in_after_they_were_judged(good: Files) -> None:
    def replace(rows: list[dict[str, Any]]) -> None:
        rows[0]["text"] = "This is Tower 0."

    only(edit_rows(good, "answers.jsonl", replace), "verdicts", "1 verdicts", "(q00000)")


@pytest.mark.parametrize(
    ("name", "edit", "check", "words"),
    [
        ("answers.jsonl", lambda rows: rows[:-1], "answers", "1 of 40 questions have fewer than 5"),
        ("answers.jsonl", lambda rows: [*rows[1:], rows[1]], "answers", "is there twice"),
        ("answers.jsonl", lambda rows: [*rows, rows[0]], "answers", "more than the 200 rows"),
        ("answers.jsonl", lambda rows: [{**rows[0], "draw": 5}, *rows[1:]], "answers", "0 to 4"),
        (
            "answers.jsonl",
            lambda rows: [{**rows[0], "question_id": "other"}, *rows[1:]],
            "answers",
            "no question here",
        ),
        (
            "answers.jsonl",
            lambda rows: [{**rows[0], "model": "plain:b"}, *rows[1:]],
            "answers",
            "another model",
        ),
        (
            "answers.jsonl",
            lambda rows: [{**rows[0], "decoding": {"temperature": 0.0}}, *rows[1:]],
            "answers",
            "another decoding",
        ),
        (
            "answers.jsonl",
            lambda rows: [{**rows[0], "prompt_version": "question-2"}, *rows[1:]],
            "answers",
            "another prompt_version",
        ),
        ("answers.jsonl", lambda rows: [{"x": 1}, *rows[1:]], "answers", "line 1"),
        (
            "answers.jsonl",
            lambda rows: [{**rows[0], "text": "x" * 100_001}, *rows[1:]],
            "answers",
            "100,001 characters",
        ),
        ("questions.jsonl", lambda rows: rows[:-1], "questions", "39 questions; the run was asked"),
        ("questions.jsonl", lambda rows: [*rows[1:], rows[1]], "questions", "there twice"),
        ("verdicts.jsonl", lambda rows: rows[1:], "verdicts", "1 questions have no verdict"),
        ("verdicts.jsonl", lambda rows: [*rows[1:], rows[1]], "verdicts", "has two verdicts"),
        (
            "verdicts.jsonl",
            lambda rows: [{**rows[0], "question_id": "other"}, *rows[1:]],
            "verdicts",
            "no question here",
        ),
        (
            "verdicts.jsonl",
            lambda rows: [
                {**rows[0], "verdict": {**rows[0]["verdict"], "judge": "kind"}},
                *rows[1:],
            ],
            "verdicts",
            "judged by kind",
        ),
    ],
)
def test_rows_that_do_not_fit(good: Files, name: str, edit: Any, check: str, words: str) -> None:
    only(edit_rows(good, name, edit), check, words)


def test_a_cut_file(good: Files) -> None:
    only(forged({**good, "answers.jsonl": good["answers.jsonl"][:-9]}), "answers", "is cut")


def test_a_part_of_the_test_split_is_no_submission(good: Files) -> None:
    manifest = {"source": "d", "config": "hds25k", "split": "train", "questions": 40}
    found = errors(forged(good, dataset={**manifest, "questions_sha256": "x", "content": "c"}))
    assert found == [("questions", "asked about split train of hds25k: submissions are about test "
                      "or test_paper of eval")]  # fmt: skip


@pytest.mark.parametrize(("config", "split"), [("full", "test"), ("eval", "train")])
def test_another_config_or_split(good: Files, config: str, split: str) -> None:
    dataset = {"source": "d", "config": config, "split": split, "questions": 40, "content": "c"}
    only(forged(good, dataset={**dataset, "questions_sha256": "x"}), "questions", split, config)


def test_questions_that_the_run_was_not_asked(good: Files) -> None:
    def easier(rows: list[dict[str, Any]]) -> None:
        rows[0]["truth"]["label"] = "castle"

    changed = edit_rows(good, "questions.jsonl", easier)
    asked = hashlib.sha256(good["questions.jsonl"]).hexdigest()
    stated = hashlib.sha256(changed["questions.jsonl"]).hexdigest()
    manifest = changed["submission.yaml"].replace(
        f"questions_sha256: {stated}".encode(), f"questions_sha256: {asked}".encode()
    )
    only({**changed, "submission.yaml": manifest}, "hashes", "not what the run was asked")


def test_what_else_a_reader_must_know(good: Files) -> None:
    dataset = {"source": "d", "config": "eval", "split": "test", "questions": 40}
    files = forged(good, prompt="entities-given", dataset={**dataset, "questions_sha256": "x"})
    assert errors(files) == []
    prompt, revision = (message for _, message in warnings(files))
    assert "asked with the prompt entities-given" in prompt
    assert "the dataset's revision is not stated" in revision


def test_more_than_half_a_percent_unscored_is_refused(tmp_path: Path) -> None:
    def judge(unscored: int) -> MadeUp:
        return MadeUp(
            lambda case: "unscored" if int(case.question.id[1:]) < unscored else "unknown",
            prompt_hash="a" * 64,
        )

    assert errors(bundle(tmp_path / "one", 200, judge=judge(1))) == []  # 0.5 %
    only(bundle(tmp_path / "two", 200, judge=judge(2)), "unscored", "2 of 200", "1.00%")


def test_a_judge_that_grades_itself_or_changed(tmp_path: Path) -> None:
    itself = MadeUp(lambda case: "unknown", id="openai:m:strict", prompt_hash="a" * 64)
    only(bundle(tmp_path / "a", 20, model="openai:m", judge=itself), "metrics", "grades itself")
    changed = MadeUp(lambda case: changed.verdict(
        "unknown", answered_by=f"m-{int(case.question.id[1:]) % 2}"), prompt_hash="a" * 64,
    )  # fmt: skip
    only(bundle(tmp_path / "b", 20, judge=changed), "metrics", "changed under its name")


@pytest.mark.parametrize("text", ["A tower, I believe, of grey stone.", "word " * 20])
def test_draws_that_are_one_text(tmp_path: Path, text: str) -> None:
    files = bundle(tmp_path / "one", 20, lambda number, draw: f"{text} {number}")
    only(files, "draws", "all five draws are the same text", "at temperature 0.7")


def test_long_answers_are_seldom_the_same_by_chance(tmp_path: Path) -> None:
    def says(number: int, draw: int) -> str:
        return f"{'word ' * 20} {number} {draw if number % 5 < 2 else ''}"

    only(bundle(tmp_path, 40, says), "draws", "24 of 40 questions with answers of 20 words or more")


def test_a_model_that_is_often_certain_is_a_warning(tmp_path: Path) -> None:
    files = bundle(tmp_path, 40, lambda number, draw: f"Tower {number}, {draw * (number % 3 == 0)}")
    assert errors(files) == []
    ((check, message),) = warnings(files)
    assert check == "draws"
    assert "26 of 40" in message


def test_at_temperature_0_draws_are_one_and_say_so(tmp_path: Path) -> None:
    files = bundle(tmp_path, 20, lambda number, draw: "same", decoding=Decoding(temperature=0.0))
    assert errors(files) == []
    assert "temperature 0" in warnings(files)[0][1]


def test_draws_with_one_seed_are_one_draw(tmp_path: Path) -> None:
    only(bundle(tmp_path, 20, answer={"seed": 7}), "draws", "20 questions have draws with one seed")


def _told(number: int) -> str:
    words = ("north", "south", "east", "west", "upper", "lower", "inner", "outer")
    return " ".join(f"{words[number * place % 8]}{number}{place}" for place in range(1, 12))


def test_answers_that_have_the_ground_truths_words(tmp_path: Path) -> None:
    def asked(number: int) -> Any:
        return question(number, answer=f"Tower {number} in Nordvik: {_told(number)}.")

    def copies(upto: int) -> Any:
        return lambda number, draw: (
            f"It is {draw} {_told(number)}" if number < upto and draw == 3 else f"none {draw}"
        )

    assert errors(bundle(tmp_path / "0", 100, copies(0), asked=asked)) == []
    few = bundle(tmp_path / "1", 100, copies(1), asked=asked)
    assert errors(few) == []
    assert "1 questions have an answer with 8 words" in warnings(few)[0][1]
    only(bundle(tmp_path / "9", 100, copies(9), asked=asked), "copied", "9 questions", "was seen")


def test_a_name_of_many_words_is_no_copy(tmp_path: Path) -> None:
    def name(number: int) -> str:
        return f"{_told(number)} Tower {number}"

    files = bundle(
        tmp_path, 30, lambda number, draw: f"This is {name(number)}, {draw}.",
        asked=lambda number: question(number, name=name(number), answer=f"{name(number)}."),
    )  # fmt: skip
    assert [each for each in warnings(files) if each[0] == "copied"] == []
    assert errors(files) == []


def test_answers_that_are_errors_are_a_warning(tmp_path: Path) -> None:
    files = bundle(tmp_path, 20, lambda number, draw: "", answer={"status": "error", "reason": "x"},
        judge=MadeUp(lambda case: "unknown", prompt_hash="a" * 64))  # fmt: skip
    assert errors(files) == []
    assert warnings(files) == [
        ("unscored", "100 answers are errors: `mgld answer --retry-errors` asks again")
    ]


def test_wording_that_many_truths_share_is_no_copy(tmp_path: Path) -> None:
    shared = "The picture shows a tower on the market square of the old town"
    files = bundle(
        tmp_path, 30, lambda number, draw: f"{shared} {draw}",
        asked=lambda number: question(number, answer=f"{shared} of Nordvik"),
    )  # fmt: skip
    assert [each for each in warnings(files) if each[0] == "copied"] == []
    assert errors(files) == []


def test_dates_are_in_the_order_in_which_things_happen(good: Files) -> None:
    only(forged(good, began="2099-01-01T00:00:00Z"), "timing", "answers were begun (2099-01-01)")
    assert "not stated" in warnings(forged(good, began=""))[0][1]


def test_what_nobody_can_identify_is_a_warning(good: Files) -> None:
    files = forged(good, model_identity={}, model_revision="")
    assert errors(files) == []
    assert "--model-revision" in warnings(files)[0][1]


@pytest.mark.parametrize("revision", ["main", "master", "latest", "HEAD"])
def test_a_revision_that_moves_names_no_weights(good: Files, revision: str) -> None:
    files = forged(good, model_repo="me/model", model_revision=revision)
    assert errors(files) == []
    ((check, message),) = warnings(files)
    assert check == "manifest"
    assert message.startswith(f"--model-revision {revision} is whatever weights me/model has")


@pytest.mark.parametrize(
    "about",
    [
        {"model_repo": "me/model", "model_revision": "0123abc"},
        {"model_repo": "me/model", "model_revision": "v1-main"},
        {"model_repo": "me/model", "model_revision": ""},  # the run's own identity says it
        {"model_repo": "", "model_revision": "latest"},  # of no repository: it moves nothing here
    ],
)
def test_other_revisions_are_no_warning(good: Files, about: dict[str, str]) -> None:
    assert validate(forged(good, **about)).findings.all == []


def test_differences_names_the_place() -> None:
    assert differences({"a": [1.0, {"b": 2}]}, {"a": [1.0 + 1e-12, {"b": 3}]}) == [
        "a.1.b is 2, it should be 3"
    ]
    assert differences({"graded": 1, "a": {"graded": 1}}, {"graded": 2, "a": {"graded": 2}}) == [
        "a.graded is 1, it should be 2"
    ]
    assert len(differences({"a": float("nan")}, {"a": 1.0})) == 1
