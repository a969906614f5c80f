"""`mgld submit verify`: bundles held against the dataset, judged again, recorded."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from bundle_data import ABOUT, bundle, edit_rows, forged, says, validate, write_run
from grading_data import MadeUp
from hub_build import write_build

from mgld.evaluate.answering import AnswerSettings, answer_questions
from mgld.evaluate.grading import grade_run
from mgld.evaluate.judges import load_judge
from mgld.evaluate.questions import load_questions
from mgld.evaluate.run_file import load_run
from mgld.leaderboard.container import write_bundle
from mgld.leaderboard.entry import NO_PRINT, answer_prints, count, read_entries, read_facts
from mgld.leaderboard.findings import Findings
from mgld.leaderboard.manifest import parse_manifest
from mgld.leaderboard.prepare import bundle_files, prepare_bundle
from mgld.leaderboard.rejudge import Rejudged, rejudge, report
from mgld.leaderboard.verify import Verified, accept, verify_bundle

Files = dict[str, bytes]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with ten test questions. Do not change it."""
    from mgld.hub import export_dataset

    made = write_build(tmp_path_factory.mktemp("verify") / "build")
    export_dataset(made, made / "dataset")
    return made


@pytest.fixture(scope="session")
def run(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers to all ten, of which three are right, graded by the rule. Do not change it."""
    folder = tmp_path_factory.mktemp("run")
    lines = [
        {"question_id": each.id, "draw": draw, "text": f"{_says(each, row)} ({draw} of 5)"}
        for row, each in enumerate(load_questions(build))
        for draw in range(5)
    ]
    made = folder / "made.jsonl"
    made.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    answer_questions(AnswerSettings(model=f"file:{made}", data=str(build)), folder / "run")
    grade_run(folder / "run", load_judge("rule"))
    return folder / "run"


def _says(question: Any, row: int) -> str:
    return f"This is {question.truth.name}." if row < 3 else f"View {row}, which I do not know."


@pytest.fixture(scope="session")
def files(run: Path) -> Files:
    return bundle_files(run, "rule", ABOUT)


def verified(files: Files, build: Path, tmp_path: Path, **options: Any) -> Verified:
    where = tmp_path / f"b{len(list(tmp_path.iterdir()))}"
    write_bundle(files, where)
    return verify_bundle(where, str(build), load_judge("rule"), **options)


def refusals(outcome: Verified) -> list[tuple[str, str]]:
    found = outcome.validated.findings.all
    return [(each.check, each.message) for each in found if each.severity == "error"]


def test_a_good_bundle_is_verified_and_recorded(files: Files, build: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    outcome = verified(files, build, tmp_path, records=board)
    assert refusals(outcome) == []
    assert outcome.rejudged is not None
    assert (outcome.rejudged.questions, outcome.rejudged.same) == (10, 10)
    path = accept(outcome, board)
    (entry,) = read_entries(board)
    assert path == board / "entries" / f"{entry.slug}.json"
    assert entry.numbers == count(
        read_facts(board, entry), entry.outcomes, entry.identified, entry.statuses
    )
    assert entry.numbers.levels.accuracy == 0.3
    assert entry.states().count("strongly_known") == 3
    stated = json.loads(files["metrics.json"])
    assert entry.numbers.levels.model_dump() == stated["levels"]
    assert entry.numbers.breakdowns.model_dump(mode="json") == stated["breakdowns"]
    assert entry.numbers.draws is not None
    assert entry.numbers.draws.model_dump() == stated["draws"]
    assert b"do not know" not in path.read_bytes()
    again = verified(files, build, tmp_path, records=board)
    assert refusals(again) == [("replayed", f"it is recorded already: {entry.slug}")]
    assert again.rejudged is None


def test_someone_elses_bundle_under_another_name(files: Files, build: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    accept(verified(files, build, tmp_path), board)
    renamed = edit_rows(files, "answers.jsonl", lambda rows: [{**r, "model": "mine"} for r in rows])
    stolen = forged(renamed, model="mine", name="Mine")
    stolen = forged({**stolen, "metrics.json": files["metrics.json"].replace(
        b"file:made.jsonl", b"mine")}, model="mine", name="Mine")  # fmt: skip
    assert refusals(verified(stolen, build, tmp_path)) == []  # by itself it is a good bundle
    ((check, message),) = refusals(verified(stolen, build, tmp_path, records=board))
    assert check == "replayed"
    assert "10 of 10 questions have the very answers of Plain A (file:made.jsonl" in message
    other_name = forged(files, name="Plain again")
    assert refusals(verified(other_name, build, tmp_path, records=board)) == []


def test_verdicts_that_a_forger_made_better_with_all_numbers(
    run: Path, build: Path, tmp_path: Path
) -> None:
    """Whole in itself: levels, metrics and hashes fit each other. Only judging again tells."""
    judge = load_judge("rule")
    kind = MadeUp(lambda case: kind.verdict("strongly_known", identified=[0, 1]))
    kind.id, kind.prompt_hash = "rule", judge.prompt_hash
    forged_run = tmp_path / "run"
    forged_run.mkdir()
    for name in ("questions.jsonl", "answers.jsonl", "run.yaml"):
        (forged_run / name).write_bytes((run / name).read_bytes())
    grade_run(forged_run, kind)
    best = bundle_files(forged_run, "rule", ABOUT)
    assert [each for each in validate(best).findings.all if each.severity == "error"] == []
    outcome = verified(best, build, tmp_path)
    ((check, message),) = refusals(outcome)
    assert check == "rejudged"
    assert "7 of 10 levels are others now" in message
    with pytest.raises(ValueError, match="refused is not recorded"):
        accept(outcome, tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_questions_that_are_not_the_datasets(files: Files, build: Path, tmp_path: Path) -> None:
    fewer = bundle(tmp_path / "f", 20, says)
    ((check, message),) = refusals(verified(fewer, build, tmp_path))
    assert check == "dataset"
    assert "10 questions are left out" in message
    assert "20 are not in the dataset" in message


def test_a_question_left_out(run: Path, build: Path, tmp_path: Path) -> None:
    """Rows and counts fit, but the hardest question is gone: the dataset knows."""
    part = tmp_path / "part"
    part.mkdir()
    gone = json.loads((run / "questions.jsonl").read_text().splitlines()[-1])["id"]
    for name in ("questions.jsonl", "answers.jsonl"):
        lines = (run / name).read_text().splitlines(keepends=True)
        (part / name).write_text("".join(line for line in lines if gone not in line))
    manifest = (run / "run.yaml").read_text().replace("questions: 10", "questions: 9")
    (part / "run.yaml").write_text(manifest)
    grade_run(part, load_judge("rule"))
    left = forged(bundle_files(part, "rule", ABOUT))
    assert [each for each in validate(left).findings.all if each.severity == "error"] == []
    ((check, message),) = refusals(verified(left, build, tmp_path))
    assert (check, gone in message) == ("dataset", True)
    assert "1 questions are left out" in message


def test_a_run_with_a_limit_is_no_submission(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 20, limit=20)
    with pytest.raises(ValueError, match=r"only the first 20 questions \(--limit\)"):
        prepare_bundle(run, "rule", tmp_path / "out", ABOUT)
    assert not (tmp_path / "out").exists()


def test_what_is_refused_is_not_written(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 20, lambda number, draw: f"same {number}")
    assert prepare_bundle(run, "rule", tmp_path / "out", ABOUT).findings.failed
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_gives_the_same_bundle_whatever_the_order_of_its_rows(
    run: Path, files: Files, tmp_path: Path
) -> None:
    for name in ("questions.jsonl", "run.yaml", "metrics-rule.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    for name in ("answers.jsonl", "verdicts-rule.jsonl"):
        lines = (run / name).read_bytes().splitlines(keepends=True)
        (tmp_path / name).write_bytes(b"".join(reversed(lines)))
    assert bundle_files(tmp_path, "rule", ABOUT) == files


def test_nothing_private_is_in_it(run: Path, files: Files) -> None:
    text = b"".join(files.values()).decode()
    assert str(run.parent) not in text
    assert "api_key" not in text
    assert "base_url" not in text


def contents(folder: Path, number: int = 40) -> Any:
    return validate(bundle(folder, number)).contents


def test_a_sample_is_drawn_by_its_seed(tmp_path: Path) -> None:
    whole = contents(tmp_path)

    def drawn(sample: int, seed: int) -> list[str]:
        judge = MadeUp(lambda case: "unknown")
        rejudge(whole, judge, sample=sample, seed=seed)
        return judge.asked

    assert drawn(7, 1) == drawn(7, 1)
    assert set(drawn(7, 1)) < set(drawn(9, 1))
    assert drawn(7, 1) != drawn(7, 2)
    assert len(drawn(100, 1)) == 40
    with pytest.raises(ValueError, match="at least one"):
        rejudge(whole, MadeUp(lambda case: "unknown"), sample=0)


def outcome(whole: Any, judge: MadeUp) -> tuple[Rejudged, list[tuple[str, str]]]:
    result, found = rejudge(whole, judge), Findings()
    found.check("rejudged")
    report(whole, result, found)
    return result, [(each.severity, each.message) for each in found.all]


def judged_twice(folder: Path, ups: range, downs: range) -> tuple[Rejudged, list[tuple[str, str]]]:
    """A model judge on 200 questions, two a landmark; it takes back `ups` and gives `downs` now.

    Both are numbers of questions: 2n and 2n + 1 are about landmark n.
    """

    def judge(recognised: range) -> MadeUp:
        return MadeUp(
            lambda case: "known" if int(case.question.id[1:]) in recognised else "unknown",
            id="openai:m:paper", prompt_hash="a" * 64,
        )  # fmt: skip

    whole = validate(bundle(folder, 200, judge=judge(ups))).contents
    return outcome(whole, judge(downs))


@pytest.mark.parametrize(
    ("ups", "downs", "severity"),
    [
        (0, 0, None),
        (1, 0, "warning"),
        (7, 0, "warning"),  # p = 2 / 2^7
        (8, 0, "error"),  # p = 2 / 2^8, with 4 % of the levels
        (10, 0, "error"),
        (9, 1, "warning"),  # p = 2 (1 + 10) / 2^10
        (5, 5, "warning"),
        (0, 10, "warning"),  # stricter than the judge is now: nobody gains by it
        (0, 11, "error"),  # more than 5 %
        (6, 5, "error"),
    ],
)
def test_how_much_a_model_judge_may_change(
    tmp_path: Path, ups: int, downs: int, severity: str | None
) -> None:
    result, found = judged_twice(tmp_path, range(0, 2 * ups, 2), range(100, 100 + 2 * downs, 2))
    assert [each for each, _ in found] == ([severity] if severity else [])
    assert (result.same, len(result.differences)) == (200 - ups - downs, ups + downs)
    assert (result.stated, result.found) == (ups / 200, downs / 200)
    told = f"recognised as stated and not now: {ups}, the reverse: {downs}"
    assert all(told in message for _, message in found)
    one_sided = [message for _, message in found if "chance goes both ways" in message]
    assert len(one_sided) == (ups in (8, 10))
    assert all("(exact sign test by landmark, p = 0.00" in message for message in one_sided)


def test_two_raised_questions_of_a_landmark_are_one_witness(tmp_path: Path) -> None:
    ((severity, message),) = judged_twice(tmp_path, range(10), range(0))[1]
    assert severity == "warning"  # five landmarks: p = 2 / 2^5; of ten by themselves 2 / 2^10
    assert "recognised as stated and not now: 10, the reverse: 0" in message


def test_what_was_unscored_has_no_direction(tmp_path: Path) -> None:
    first = MadeUp(lambda case: "unscored" if case.question.id == "q00003" else "unknown",
        id="openai:m:paper", prompt_hash="a" * 64)  # fmt: skip
    whole = validate(bundle(tmp_path, 200, judge=first)).contents
    second = MadeUp(lambda case: "unknown", id="openai:m:paper", prompt_hash="a" * 64)
    assert outcome(whole, second)[1] == [
        ("warning", "1 of 200 levels are others now (q00003: unscored, now unknown)")
    ]


def test_another_judge_and_another_version(tmp_path: Path) -> None:
    whole = contents(tmp_path)
    ((severity, message),) = outcome(whole, MadeUp(lambda case: "unknown"))[1]
    assert severity == "warning"
    assert "judged by rule, not by made-up: 20 of 40 levels are the same" in message
    ((severity, message),) = outcome(whole, MadeUp(lambda case: "unknown", id="rule"))[1]
    assert severity == "error"
    assert "another version of rule" in message


def test_what_cannot_be_judged_again_says_nothing(tmp_path: Path) -> None:
    result, found = outcome(contents(tmp_path), MadeUp(lambda case: "unscored", id="rule",
        prompt_hash=load_judge("rule").prompt_hash))  # fmt: skip
    assert (result.unscored, result.same, result.differences) == (40, 0, [])
    assert found == [("error", "40 of 40 questions could not be judged again")]


def test_answers_that_many_questions_have_are_no_ones_own(tmp_path: Path) -> None:
    whole = validate(
        bundle(tmp_path, 20, lambda number, draw: f"I do not know {draw}" + "!" * (number == 3))
    ).contents
    assert whole is not None
    prints = answer_prints(whole.answers)
    assert [row for row, each in enumerate(prints) if each != NO_PRINT] == [3]


def test_letters_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 outcomes for 0 questions"):
        count([], "S", None, "ooooo")


def test_a_bundle_is_recorded_after_its_own_judge_alone(
    files: Files, build: Path, tmp_path: Path
) -> None:
    write_bundle(files, tmp_path / "b")
    other = MadeUp(lambda case: "unknown")
    seen = verify_bundle(tmp_path / "b", str(build), other)
    assert refusals(seen) == []
    with pytest.raises(ValueError, match="judged by rule: verify it with that judge to record it"):
        accept(seen, tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_one_verdict_that_is_not_the_rules(tmp_path: Path) -> None:
    """Fewer than an endpoint may change: but the rule is none."""
    rule = load_judge("rule")
    first = MadeUp(lambda case: "unknown", id="rule", prompt_hash=rule.prompt_hash)
    whole = validate(bundle(tmp_path, 40, judge=first)).contents
    second = MadeUp(
        lambda case: "known" if case.question.id == "q00003" else "unknown",
        id="rule", prompt_hash=rule.prompt_hash,
    )  # fmt: skip
    ((severity, message),) = outcome(whole, second)[1]
    assert severity == "error"
    assert message.startswith("1 of 40 levels are others now (q00003: unknown, now known)")


def test_a_run_says_when_and_on_what_it_was_asked(run: Path, files: Files) -> None:
    stated = parse_manifest(files["submission.yaml"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stated.began)
    assert stated.hardware["cpus"] == os.cpu_count()
    assert stated.hardware == load_run(run).hardware


def test_a_bundle_made_later_is_still_of_the_day_of_grading(run: Path, tmp_path: Path) -> None:
    for path in run.iterdir():
        if path.suffix in (".jsonl", ".json", ".yaml"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    metrics = json.loads((tmp_path / "metrics-rule.json").read_text())
    (tmp_path / "metrics-rule.json").write_text(json.dumps({**metrics, "graded": "2026-01-02"}))
    made = json.loads(bundle_files(tmp_path, "rule", ABOUT)["metrics.json"])
    assert made["graded"] == "2026-01-02"
