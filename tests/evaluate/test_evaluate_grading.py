"""From answers to verdicts and metrics: resumable at any byte, bound to the very answers."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from grading_data import TEXTS, MadeUp, answers, by_words, case, question, write_run

from mgld.evaluate.compare import compare_runs
from mgld.evaluate.graded import read_graded, read_rows
from mgld.evaluate.grading import grade_run
from mgld.evaluate.judge_compare import compare_judges
from mgld.evaluate.records import Judged, Verdict
from mgld.evaluate.run_metrics import RunMetrics, run_metrics
from mgld.evaluate.verdict_file import VerdictFile, judge_slug


@pytest.fixture(scope="module")
def graded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve questions judged by words. Do not change it."""
    folder = write_run(tmp_path_factory.mktemp("graded") / "run", 12)
    grade_run(folder, MadeUp(by_words))
    return folder


@pytest.fixture
def run(graded_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(graded_once, tmp_path / "run"))


def rows(folder: Path, slug: str = "made-up") -> list[Judged]:
    return list(read_rows(folder / f"verdicts-{slug}.jsonl", Judged))


def rewrite(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def test_one_verdict_a_question_and_a_number_for_all(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", 12)
    told: list[int] = []
    graded = grade_run(
        folder, MadeUp(by_words), on_start=lambda *n: told.extend(n), on_verdicts=told.append
    )
    assert told == [12, 12, *[1] * 12]
    assert [row.question_id for row in rows(folder)] == [f"q{n:05}" for n in range(12)]
    assert (graded.before, graded.judged) == (0, 12)
    metrics = graded.metrics
    assert metrics.levels.total == 12 and metrics.levels.clusters == 6
    assert metrics.levels.counts["strongly_known"] == 12
    assert metrics.models == ["plain:a"]
    assert metrics.answers == {"ok": 48, "empty": 12}
    assert metrics == RunMetrics.model_validate_json(graded.metrics_path.read_text())
    assert "accuracy 100.00% (12 of 12 scored" in metrics.lines()[0]
    # As others read it.
    (read,) = read_graded([folder])
    assert len(read.verdicts) == 12 and read.judge == "made-up"


def test_a_finished_run_is_not_judged_again(run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    judge = MadeUp(by_words)
    graded = grade_run(run, judge)
    assert (graded.before, graded.judged, judge.asked) == (12, 0, [])
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_resumed_at_any_byte(graded_once: Path, tmp_path: Path) -> None:
    """Wherever a kill cut the file: what is whole stays, the rest is judged, nothing twice."""
    run = Path(shutil.copytree(graded_once, tmp_path / "run"))
    path = run / "verdicts-made-up.jsonl"
    whole = path.read_bytes()
    line = whole.index(b"\n") + 1
    assert len(whole) > 8 * line
    edges = {line * number + step for number in (0, 1, 2, 5, 11) for step in range(-3, 4)}
    for cut in sorted({*range(0, len(whole), 61), len(whole) - 1, len(whole), *edges}):
        if not 0 <= cut <= len(whole):
            continue
        path.write_bytes(whole[:cut])
        judge = MadeUp(by_words)
        grade_run(run, judge)
        assert len(judge.asked) == 12 - whole[:cut].count(b"\n")
        assert path.read_bytes() == whole


CHANGES = {
    "an answer": ("answers.jsonl", {"This is Tower 5,": "That is Tower 5,"}),
    "the truth": ("questions.jsonl", {'"Turm 5"': '"Turm fünf"'}),
    "the question": ("questions.jsonl", {}),
}


@pytest.mark.parametrize("what", ["an answer", "the truth"])
def test_changed_answers_are_judged_again(run: Path, what: str) -> None:
    file, changes = CHANGES[what]
    rewrite(run / file, changes)
    judge = MadeUp(lambda _: "unknown")
    graded = grade_run(run, judge)
    assert judge.asked == ["q00005"]
    assert graded.metrics.levels.counts == {
        "strongly_known": 11, "known": 0, "weakly_unknown": 0, "unknown": 1,
    }  # fmt: skip
    found = rows(run)
    assert len(found) == 13  # append-only: the older verdict is still there
    assert found[-1].answers_sha256 != found[5].answers_sha256
    assert grade_run(run, MadeUp(by_words)).judged == 0


def test_how_answers_were_made_does_not_matter(run: Path) -> None:
    rewrite(run / "answers.jsonl", {"plain:a": "plain:b", "question-1": "question-2"})
    graded = grade_run(run, MadeUp(by_words))
    assert graded.judged == 0
    assert graded.metrics.models == ["plain:b"]  # but the metrics are of the new rows


def test_another_prompt_does_not_mix_with_this_one(run: Path) -> None:
    old = (run / "verdicts-made-up.jsonl").read_bytes()
    judge = MadeUp(lambda _: "known", prompt_hash="p2")
    assert grade_run(run, judge).judged == 12
    assert {row.verdict.prompt_hash for row in rows(run)} == {"p2"}
    # The older verdicts are kept, can be compared, and come back with their prompt.
    assert (run / "verdicts-made-up-p1.jsonl").read_bytes() == old
    assert compare_judges(run, "made-up", "made-up-p1").questions == 12
    assert grade_run(run, MadeUp(by_words)).judged == 0
    assert (run / "verdicts-made-up.jsonl").read_bytes() == old
    assert (run / "metrics-made-up-p2.json").is_file()
    assert grade_run(run, judge).judged == 0


def test_two_judges_do_not_share_a_file(run: Path) -> None:
    judge = MadeUp(by_words, "made up")
    assert judge_slug(judge.id) == judge_slug("made-up")
    with pytest.raises(ValueError, match="has a verdict of 'made-up', not of 'made up'"):
        grade_run(run, judge)


def test_one_process_at_a_time(run: Path) -> None:
    with VerdictFile(run, "made-up", "p1"), pytest.raises(ValueError, match="another process"):
        grade_run(run, MadeUp(by_words))


def test_a_damaged_file_is_not_passed_over(run: Path) -> None:
    path = run / "verdicts-made-up.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{}\n", *lines[3:]]))
    with pytest.raises(ValueError, match="line 4"):
        grade_run(run, MadeUp(by_words))


# What judges may do wrong


def test_a_judge_that_stops_keeps_what_it_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 12)

    def says(judged):
        if judged.question.id == "q00007":
            raise OSError("the line is dead")
        return by_words(judged)

    with pytest.raises(OSError, match="the line is dead"):
        grade_run(run, MadeUp(says))
    assert len(rows(run)) == 7
    assert not (run / "metrics-made-up.json").exists()  # no numbers of half a run
    assert grade_run(run, MadeUp(by_words)).judged == 5


def test_metrics_never_speak_of_other_verdicts(run: Path) -> None:
    """A run that is judged again and stopped leaves no headline of what was there before."""
    rewrite(run / "answers.jsonl", CHANGES["an answer"][1])
    with pytest.raises(ZeroDivisionError):
        grade_run(run, MadeUp(lambda _: 1 // 0))
    assert not (run / "metrics-made-up.json").exists()


def test_a_judge_that_forgets_a_question(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 3)
    judge = MadeUp(by_words)
    judge.judge = lambda cases, on_verdict: MadeUp(by_words).judge(cases[:2], on_verdict)
    with pytest.raises(RuntimeError, match="gave no verdict on 1"):
        grade_run(run, judge)


def test_a_judge_that_speaks_twice(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 1)
    judge = MadeUp(by_words)

    def twice(cases, on_verdict):
        MadeUp(by_words).judge(cases, on_verdict)
        MadeUp(by_words).judge(cases, on_verdict)

    judge.judge = twice
    with pytest.raises(KeyError):
        grade_run(run, judge)
    assert len(rows(run)) == 1


def test_a_judge_that_calls_itself_otherwise(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 1)
    judge = MadeUp(lambda _: MadeUp(str, "another").verdict("known"))
    with pytest.raises(ValueError, match="has a verdict of 'another'"):
        grade_run(run, judge)


# Unscored


@pytest.fixture
def half_broken(tmp_path: Path) -> Path:
    """Twelve questions, four of them unscored, the others known."""
    run = write_run(tmp_path / "run", 12)
    grade_run(run, MadeUp(lambda c: "unscored" if int(c.question.id[1:]) % 3 == 0 else "known"))
    return run


def test_unscored_is_in_the_headline_and_raises_nothing(half_broken: Path) -> None:
    metrics = grade_run(half_broken, MadeUp(by_words)).metrics
    levels = metrics.levels
    assert (levels.total, levels.scored, levels.unscored) == (12, 8, 4)
    assert (levels.worst, levels.best) == (8 / 12, 1.0)
    line = metrics.lines()[0]
    assert "unscored 4 of 12 (33.33%)" in line and "between 66.67% and 100.00%" in line
    assert metrics.unscored == {"broken": 4}
    assert "unscored: 4 broken" in metrics.lines()


def test_unscored_ones_are_judged_again_only_if_asked(half_broken: Path) -> None:
    assert grade_run(half_broken, MadeUp(by_words)).judged == 0
    judge = MadeUp(by_words)
    graded = grade_run(half_broken, judge, retry_unscored=True)
    assert judge.asked == ["q00000", "q00003", "q00006", "q00009"]
    assert graded.metrics.levels.unscored == 0
    assert len(rows(half_broken)) == 16
    assert grade_run(half_broken, MadeUp(by_words), retry_unscored=True).judged == 0


# The run


def test_failed_draws_are_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 2, ["", "", "", "", ""], status="error", reason="HTTP 500")
    metrics = grade_run(run, MadeUp(by_words)).metrics
    assert metrics.answers == {"error": 10}
    assert any("10 of 10 answers are errors" in line for line in metrics.lines())


@pytest.mark.parametrize("missing", [1, 5])
def test_a_run_with_missing_draws_is_not_graded(tmp_path: Path, missing: int) -> None:
    run = write_run(tmp_path / "run", 3)
    lines = (run / "answers.jsonl").read_text().splitlines(keepends=True)
    (run / "answers.jsonl").write_text("".join(lines[:-missing]))
    with pytest.raises(ValueError, match=r"1 of 3 questions have fewer than 5 answers \(q00002"):
        grade_run(run, MadeUp(by_words))


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no questions\.jsonl"):
        grade_run(tmp_path, MadeUp(by_words))
    run = write_run(tmp_path / "run", 2)
    lines = (run / "answers.jsonl").read_text()
    for extra, problem in [
        (answers(9)[0], "not asked"),
        (answers(1)[0], "a second draw 0"),
        (answers(1)[0].model_copy(update={"draw": 5}), "not of 0 to 4"),
    ]:
        (run / "answers.jsonl").write_text(f"{lines}{extra.model_dump_json()}\n")
        with pytest.raises(ValueError, match=problem):
            grade_run(run, MadeUp(by_words))
    (run / "questions.jsonl").write_text("")
    with pytest.raises(ValueError, match="no question"):
        grade_run(run, MadeUp(by_words))


# Who judged, and when


def metrics_of(verdicts: list[Verdict], model: str = "plain:a") -> RunMetrics:
    number = range(len(verdicts))
    said = [answers(n, model=model) for n in number]
    return run_metrics([question(n) for n in number], said, verdicts, inputs="")


def test_a_judge_that_changed_under_its_name_is_seen() -> None:
    judge = MadeUp(str, "openai:gpt-4.1:paper")
    verdicts = [
        judge.verdict("known", answered_by=f"gpt-4.1-{day}", date=f"2026-0{n + 1}-01")
        for n, day in enumerate(["2025-04-14", "2025-04-14", "2026-10-01"])
    ]
    metrics = metrics_of(verdicts)
    assert metrics.answered_by == {"gpt-4.1-2025-04-14": 2, "gpt-4.1-2026-10-01": 1}
    assert (metrics.first_reply, metrics.last_reply) == ("2026-01-01", "2026-03-01")
    assert metrics.prompt_hash == "p1" and len(metrics.graded) == 10
    assert any("changed under its name" in note for note in metrics.notes())
    assert not metrics_of(verdicts[:2]).notes()


@pytest.mark.parametrize(
    ("judge", "model", "itself"),
    [
        ("openai:gpt-4.1:paper", "openai:gpt-4.1", True),
        ("majority:rule,openai:gpt-4.1:strict", "openai:gpt-4.1", True),
        ("rule-first:openai:gpt-4.1:paper", "openai:gpt-4.1", True),
        ("openai:gpt-4.1:paper", "openai:gpt-4.1-mini", False),
        ("openai:gpt-4.1:paper", "hf:gpt-4.1", False),
        ("rule", "openai:gpt-4.1", False),
    ],
)
def test_a_model_that_grades_itself_is_seen(judge: str, model: str, itself: bool) -> None:
    metrics = metrics_of([MadeUp(str, judge).verdict("known")], model)
    assert metrics.judge_is_model is itself
    assert any("grades itself" in note for note in metrics.notes()) is itself


def test_results_of_different_judges_are_not_compared(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    for path in other.glob("*made-up.json*"):
        path.unlink()
    grade_run(other, MadeUp(by_words, prompt_hash="p2"))
    with pytest.raises(ValueError, match="different judges or prompts"):
        compare_runs(read_graded([run, other]))


def test_names_of_files() -> None:
    assert judge_slug("rule") == "rule"
    assert judge_slug("openai:gpt-4.1-2025-04-14:strict") == "openai-gpt-4.1-2025-04-14-strict"
    assert judge_slug("openai:../../etc/passwd:paper") == "openai-..-..-etc-passwd-paper"
    long = [judge_slug("majority:" + ",".join(f"openai:m{n}{x}" for n in range(40))) for x in "ab"]
    assert len(set(long)) == 2 and all(len(each) <= 100 for each in long)


def test_one_judge_by_two_models_is_not_compared(run: Path, tmp_path: Path) -> None:
    """The same undated id on both sides, but what replied is not the same any more."""
    for folder, model in ((run, "gpt-4.1-2025-04-14"), (tmp_path / "other", "gpt-4.1-2026-10-01")):
        if folder != run:
            write_run(folder, 12)
        judge = MadeUp(str, "openai:gpt-4.1:paper")
        judge.says = lambda _, judge=judge, model=model: judge.verdict("known", answered_by=model)
        grade_run(folder, judge)
    with pytest.raises(ValueError, match="was not one model in all of these verdicts"):
        compare_runs(read_graded([run, tmp_path / "other"], "openai-gpt-4.1-paper"))


# Judges compared


def test_judges_compared(run: Path) -> None:
    levels = ["unknown", "known", "weakly_unknown", "unscored"] + ["strongly_known"] * 8
    grade_run(run, MadeUp(lambda c: levels[int(c.question.id[1:])], "other:judge"))
    found = compare_judges(run, "made-up", "other:judge")
    assert (found.questions, found.not_in_both) == (12, 0)
    assert found.agreement.matrix[0] == [8, 1, 1, 1] and found.agreement.unscored == 1
    assert found.agreement.exact == pytest.approx(8 / 11)
    assert [(d.question_id, d.first, d.second) for d in found.differences] == [
        ("q00000", "strongly_known", "unknown"),
        ("q00002", "strongly_known", "weakly_unknown"),
        ("q00001", "strongly_known", "known"),
        ("q00003", "strongly_known", "unscored"),
    ]
    assert found.differences[0].landmark == "Tower 0"
    assert found.differences[-1].second_explanation.startswith("broken")
    assert found.second.levels.accuracy == pytest.approx(9 / 11)


def test_judges_that_cannot_be_compared(run: Path) -> None:
    with pytest.raises(ValueError, match=r"no verdicts of rule .*it has: made-up"):
        compare_judges(run, "made-up", "rule")
    with pytest.raises(ValueError, match="are the same verdicts"):
        compare_judges(run, "made-up", "made-up")
    grade_run(run, MadeUp(by_words, "b"))
    rewrite(run / "answers.jsonl", CHANGES["an answer"][1])
    grade_run(run, MadeUp(by_words, "b"))
    with pytest.raises(ValueError, match="judged different answers to q00005"):
        compare_judges(run, "made-up", "b")


def test_the_draws_of_a_case_are_in_order(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 2)
    path = run / "answers.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    seen: Counter[tuple[int, ...]] = Counter()

    def says(judged):
        seen[tuple(answer.draw for answer in judged.answers)] += 1
        return "known"

    grade_run(run, MadeUp(says))
    assert seen == {(0, 1, 2, 3, 4): 2}


def test_rows_are_json(run: Path) -> None:
    first = json.loads((run / "verdicts-made-up.jsonl").read_text().splitlines()[0])
    assert first.keys() == {"question_id", "answers_sha256", "verdict"}
    assert case().answers[0].text == TEXTS[0].format(n=7)
