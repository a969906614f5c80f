"""`mgld compare`: what may be compared, what comes out, and what is said when it may not."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mgld.cli import main
from mgld.evaluate import LEVELS, Answer, Decoding, Judged, Question, State, Truth, Verdict
from mgld.evaluate.compare import Comparison, compare_runs
from mgld.evaluate.graded import GradedRun, read_graded
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.records import DRAWS
from mgld.evaluate.verdict_file import judge_slug

ALL_KNOWN: list[State] = ["known"] * 12


def _question(row: int, landmark: int | None = None, name: str | None = None) -> Question:
    return Question(
        id=f"q{row}",
        landmark_id=row if landmark is None else landmark,
        text="What is this?",
        image_sha256="0",
        truth=Truth(name=name or f"Place {row}"),
    )


def _verdict(level: State, judge: str = "rule", prompt_hash: str = "h1") -> Verdict:
    return Verdict(level=level, explanation="", judge=judge, prompt_hash=prompt_hash)


def _run(name: str, levels: list[State], **changed: Question) -> GradedRun:
    questions = {f"q{row}": _question(row) for row in range(len(levels))} | changed
    verdicts = {f"q{row}": _verdict(level) for row, level in enumerate(levels)}
    return GradedRun(name, "rule", "h1", questions, verdicts)


def _write(folder: Path, levels: list[State], judge: str = "rule", prompt_hash: str = "h1") -> Path:
    folder.mkdir(exist_ok=True)
    questions = [_question(row) for row in range(len(levels))]
    _save(folder, questions, levels, judge, prompt_hash)
    return folder


def _save(
    folder: Path, questions: list[Question], levels: list[State], judge: str, prompt_hash: str
) -> None:
    """A run in which every question has five answers, and a verdict on them."""
    answers, judged = [], []
    for question, level in zip(questions, levels, strict=True):
        own = [
            Answer(
                question_id=question.id,
                draw=draw,
                text=f"answer {draw}",
                status="ok",
                model="m",
                prompt_version="p",
                decoding=Decoding(),
            )
            for draw in range(DRAWS)
        ]
        answers += own
        judged.append(
            Judged(
                question_id=question.id,
                answers_sha256=answers_sha256(question, own),
                verdict=_verdict(level, judge, prompt_hash),
            )
        )
    for name, rows in (
        ("questions", questions),
        ("answers", answers),
        (f"verdicts-{judge_slug(judge)}", judged),
    ):
        lines = [row.model_dump_json() + "\n" for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines))


def _mgld(*arguments: object) -> str:
    done = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


def test_two_runs_by_hand() -> None:
    first: list[State] = ["unknown"] * 6 + ["known"] * 4 + ["weakly_unknown"] * 2
    second: list[State] = ["strongly_known"] * 6 + ["known"] * 4 + ["unknown", "unscored"]
    found = compare_runs([_run("a", first), _run("b", second)])
    (pair,) = found.pairs
    assert (pair.questions, pair.unscored, pair.landmarks) == (11, 1, 11)
    assert (pair.only_first, pair.only_second) == (0, 6)
    assert pair.recognised is not None and pair.level is not None
    assert pair.recognised.difference == pytest.approx(6 / 11)
    assert pair.recognised.p == pair.recognised.p_holm == pytest.approx(2 / 2**6)
    assert pair.level.difference == pytest.approx((6 * 3 - 1) / 11)
    assert pair.level.p == pytest.approx(4 / 2**7)  # totals of 17 or more: +-18 +-1
    assert [change.question_id for change in pair.changed] == [f"q{i}" for i in range(6)] + ["q10"]
    assert pair.changed[0].first == "unknown" and pair.changed[0].second == "strongly_known"
    # The whole run stays in the run's own figures, with the unscored one shown.
    assert [run.metrics.unscored for run in found.runs] == [0, 1]
    assert found.runs[1].metrics.worst == pytest.approx(10 / 12)


def test_a_run_against_itself() -> None:
    levels: list[State] = [*LEVELS, *LEVELS]
    (pair,) = compare_runs([_run("a", levels), _run("b", levels)]).pairs
    assert pair.recognised is not None and pair.level is not None
    assert (pair.recognised.difference, pair.recognised.p) == (0.0, 1.0)
    assert (pair.level.difference, pair.level.p) == (0.0, 1.0)
    assert pair.changed == []


def test_holm_is_over_all_pairs() -> None:
    runs = [_run(name, [level] * 12) for name, level in zip("abc", LEVELS[1:], strict=True)]
    pairs = compare_runs(runs).pairs
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    p = 2 / 2**12
    recognised = [pair.recognised for pair in pairs]
    assert [e.p for e in recognised if e] == pytest.approx([p, p, 1.0])
    assert [e.p_holm for e in recognised if e] == pytest.approx([3 * p, 3 * p, 1.0])
    assert [pair.level.p_holm for pair in pairs if pair.level] == pytest.approx([3 * p] * 3)


def test_questions_about_one_landmark_stay_together() -> None:
    same = {f"q{row}": _question(row, landmark=row // 4) for row in range(12)}
    unknown: list[State] = ["unknown"] * 12
    (pair,) = compare_runs([_run("a", unknown, **same), _run("b", ALL_KNOWN, **same)]).pairs
    assert pair.landmarks == 3
    assert pair.recognised is not None
    assert pair.recognised.p == pytest.approx(2 / 2**3)


@pytest.mark.parametrize(
    ("judge", "prompt_hash"), [("openai:some-model", "h1"), ("rule", "another prompt")]
)
def test_levels_of_different_judges_are_never_compared(judge: str, prompt_hash: str) -> None:
    a, b = _run("a", ALL_KNOWN), _run("b", ALL_KNOWN)
    other = GradedRun("b", judge, prompt_hash, b.questions, b.verdicts)
    for common in (False, True):
        with pytest.raises(ValueError, match=f"different judges.*{judge}, prompt {prompt_hash}"):
            compare_runs([a, other], common=common)


def test_different_questions_are_refused_with_what_differs() -> None:
    a = _run("a", ALL_KNOWN)
    b = _run("b", ALL_KNOWN[:10], q3=_question(3, name="Elsewhere"), q99=_question(99))
    with pytest.raises(ValueError) as error:
        compare_runs([a, b])
    said = str(error.value)
    assert "a has 2 questions (q10, q11) that not all have" in said
    assert "b has 1 question (q99) that not all have" in said
    assert "b has no verdict on 1 question (q99)" in said
    assert "text, image or truth differ for 1 question (q3)" in said
    assert "9 are common to all" in said
    found = compare_runs([a, b], common=True)
    assert found.questions == found.pairs[0].questions == 9
    assert [run.left_out for run in found.runs] == [3, 2]


def test_scores_beside_a_question_do_not_make_it_another() -> None:
    rescored = {"q0": _question(0).model_copy(update={"sim": 0.3, "rsr": 1.0, "images": 4})}
    compare_runs([_run("a", ALL_KNOWN), _run("b", ALL_KNOWN, **rescored)])


def test_nothing_common_and_nothing_scored() -> None:
    a = _run("a", ALL_KNOWN)
    b = GradedRun("b", "rule", "h1", {"z": _question(50)}, {"z": _verdict("known")})
    with pytest.raises(ValueError, match="no question is common"):
        compare_runs([a, b], common=True)
    (pair,) = compare_runs([a, _run("b", ["unscored"] * 12)]).pairs
    assert (pair.questions, pair.unscored, pair.recognised, pair.level) == (0, 12, None, None)
    with pytest.raises(ValueError, match="two runs"):
        compare_runs([a])


def test_command_prints_and_gives_json(tmp_path: Path) -> None:
    a = _write(tmp_path / "a", ["unknown"] * 11 + ["unscored"])
    b = _write(tmp_path / "b", ALL_KNOWN)
    said = _mgld(a, b, "--top", "2")
    assert "12 questions, judged by rule (prompt h1)" in said
    assert "b - a: accuracy: difference +100.00 points" in said
    assert "p 0.0010; only first / second 0 / 11" in said  # 2 / 2**11
    assert "unscored 1; accuracy with those 0.00 % to 8.33 %" in said
    assert "b - a: unscored in either and left out: 1" in said
    assert "changed from a to b: 11, here 2" in said
    assert said.count("unknown -> known") == 2
    found = Comparison.model_validate(json.loads(_mgld(a, b, "--json")))
    assert len(found.pairs[0].changed) == 11


def test_names_cannot_reach_the_terminal(tmp_path: Path) -> None:
    levels: dict[str, State] = {"a": "known", "b": "unknown"}
    for name, level in levels.items():
        (tmp_path / name).mkdir()
        question = _question(0, name="\x1b[2JEvil\nplace")
        _save(tmp_path / name, [question], [level], "rule", "h1")
    said = _mgld(tmp_path / "a", tmp_path / "b")
    assert "\x1b" not in said
    assert "?[2JEvil?place" in said


def test_the_judge_that_all_have_is_taken_and_several_are_asked_about(tmp_path: Path) -> None:
    a, b = (_write(tmp_path / name, ALL_KNOWN) for name in "ab")
    _write(b, ALL_KNOWN, judge="other")
    assert read_graded([a, b])[1].judge == "rule"
    with pytest.raises(ValueError, match=r"a has no verdicts of other .*it has: rule"):
        read_graded([a, b], "other")
    _write(a, ALL_KNOWN, judge="other")
    with pytest.raises(ValueError, match="choose with --judge other or rule"):
        read_graded([a, b])
    assert {run.judge for run in read_graded([a, b], "other")} == {"other"}
    c = _write(tmp_path / "c", ALL_KNOWN, judge="third")
    with pytest.raises(ValueError, match="no judge judged all"):
        read_graded([a, c])
    done = CliRunner().invoke(main, ["compare", str(a), str(tmp_path)])
    assert done.exit_code == 1 and "questions.jsonl" in done.output
    assert CliRunner().invoke(main, ["compare", str(a)]).exit_code == 2


def test_damaged_files_are_named_and_torn_ends_are_not_rows(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", ALL_KNOWN)
    path = folder / "verdicts-rule.jsonl"
    whole = path.read_text()
    path.write_text(whole[:-20])  # killed while it wrote the last row
    (run,) = read_graded([folder], "rule")
    assert len(run.verdicts) == 11
    path.write_text(whole.replace('"q5"', '"q500"'))
    with pytest.raises(ValueError, match="question q500 was not asked"):
        read_graded([folder], "rule")
    path.write_text(whole.replace('"known"', '"correct"', 1))
    with pytest.raises(ValueError, match=r"verdicts-rule\.jsonl, line 1: verdict\.level"):
        read_graded([folder], "rule")
    path.write_text(whole.replace('"h1"', '"h2"', 1))
    with pytest.raises(ValueError, match="one judge and prompt expected"):
        read_graded([folder], "rule")
    path.write_text("")
    with pytest.raises(ValueError, match=r"found none; `mgld grade"):
        read_graded([folder], "rule")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("answers.jsonl", '"answer 3"', '"another answer"'),
        ("questions.jsonl", '"Place 2"', '"Elsewhere"'),
    ],
)
def test_verdicts_on_other_answers_are_none(
    name: str, before: str, after: str, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "a", ALL_KNOWN)
    assert len(read_graded([folder])[0].verdicts) == 12
    path = folder / name
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(ValueError, match=r"1 verdicts are about other answers.*mgld grade"):
        read_graded([folder])


def test_a_judge_may_be_named_by_its_id(tmp_path: Path) -> None:
    a, b = (_write(tmp_path / name, ALL_KNOWN, judge="openai:m-1:strict") for name in "ab")
    assert "judged by openai:m-1:strict" in _mgld(a, b, "--judge", "openai:m-1:strict")
    assert "judged by openai:m-1:strict" in _mgld(a, b, "--judge", "openai-m-1-strict")


def test_a_judge_may_be_named_as_one_writes_it(tmp_path: Path) -> None:
    """`mgld grade --judge openai:m` makes verdicts of `openai:m:paper`."""
    for written, id in (
        ("openai:m", "openai:m:paper"),
        ("majority:rule, openai:m", "majority:rule,openai:m:paper"),
        ("rule-first:openai:m", "rule-first:openai:m:paper"),
    ):
        a, b = (_write(tmp_path / name, ALL_KNOWN, judge=id) for name in "ab")
        assert f"judged by {id}" in _mgld(a, b, "--judge", written)


def test_a_judge_that_has_not_judged_is_none_to_choose_from(tmp_path: Path) -> None:
    """As after a call without a key, or when the judge's prompt has changed."""
    a, b = (_write(tmp_path / name, ALL_KNOWN) for name in "ab")
    for folder in (a, b):
        (folder / "verdicts-openai-m-paper.jsonl").write_text("")
        (folder / "verdicts-openai-n-paper.jsonl").write_text('{"question_id": "q0", "answ')
        now = folder / "verdicts-rule.jsonl"
        aside = folder / "verdicts-rule-0123456789abcdef.jsonl"
        aside.write_text(now.read_text().replace('"h1"', '"0123456789abcdef"'))
    assert {(run.judge, run.prompt_hash) for run in read_graded([a, b])} == {("rule", "h1")}
    old = read_graded([a, b], "rule-0123456789abcdef")
    assert {run.prompt_hash for run in old} == {"0123456789abcdef"}
    with pytest.raises(ValueError, match="found none"):
        read_graded([a, b], "openai:m")


def test_a_later_verdict_replaces_an_earlier_one(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", ["unscored"] + ["known"] * 2)
    path = folder / "verdicts-rule.jsonl"
    first = path.read_text().splitlines()[0]
    with path.open("a") as handle:
        handle.write(first.replace("unscored", "known") + "\n")
    (run,) = read_graded([folder], "rule")
    assert [verdict.level for verdict in run.verdicts.values()] == ["known"] * 3


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = []
    for parent in "xy":
        (tmp_path / parent).mkdir()
        folders.append(_write(tmp_path / parent / "run", ALL_KNOWN))
    assert [run.name for run in read_graded(folders)] == [str(folder) for folder in folders]
