"""Holding a judge against labels: the record, the card, the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from grading_data import MadeUp, write_run

from mgld.cli import main
from mgld.cli._judge_text import show_calibration
from mgld.evaluate.attacked import attack_judge
from mgld.evaluate.calibrate import calibrate
from mgld.evaluate.calibration import load_sets
from mgld.evaluate.grading import read_cases
from mgld.evaluate.human_labels import HumanLabel, write_labels
from mgld.evaluate.judge_card import card_text
from mgld.evaluate.judges import load_judge
from mgld.evaluate.judges.shown import answers_sha256
from mgld.evaluate.records import LEVELS, Verdict

CARD = Path(__file__).parents[2] / "cards" / "judge-rule.md"
LABELS = {each.id: each.level for each in load_sets()}


def knows_all(case):
    return LABELS[case.question.id]


def csv_of(tmp_path, rows, name="labels.csv"):
    path = tmp_path / name
    path.write_text("question_id,level,labeller,note\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_a_judge_that_gives_every_label_agrees_with_all() -> None:
    found = calibrate(MadeUp(knows_all))
    assert found.agreement.quadratic_kappa == found.agreement.exact == 1.0
    assert found.disagreements == []
    assert (found.too_high, found.too_low) == (0, 0)
    assert found.recognised_labels == found.recognised_judge == pytest.approx(0.5, abs=0.1)
    assert all(kind.right == kind.items for kind in found.kinds)
    assert found.landmarks < len(LABELS)
    assert (found.judge, found.prompt_hash, found.labels) == ("made-up", "p1", "builtin")


def test_a_lenient_judge_is_seen() -> None:
    def one_better(case):
        return LEVELS[max(0, LEVELS.index(knows_all(case)) - 1)]

    found = calibrate(MadeUp(one_better))
    assert found.too_low == 0
    assert found.too_high == sum(level != "strongly_known" for level in LABELS.values())
    assert found.recognised_judge > found.recognised_labels + 0.2


def test_unscored_is_counted_apart_and_listed_first() -> None:
    lost = sorted(LABELS)[:8]
    wrong = sorted(LABELS)[8]

    def says(case):
        if case.question.id in lost:
            return "unscored"
        level = knows_all(case)
        return LEVELS[3 - LEVELS.index(level)] if case.question.id == wrong else level

    found = calibrate(MadeUp(says))
    assert found.agreement.unscored == 8
    assert sum(map(sum, found.agreement.matrix)) == len(LABELS) - 8
    assert [each.question_id for each in found.disagreements] == [*lost, wrong]
    assert found.disagreements[0].explanation
    # A kind's share is of all its sets: what is not scored is not right.
    assert sum(kind.items - kind.right for kind in found.kinds) > 0


def test_a_judge_that_breaks_its_promise_is_no_result(monkeypatch) -> None:
    class Silent(MadeUp):
        def judge(self, cases, on_verdict):
            super().judge(cases[1:], on_verdict)

    class Twice(MadeUp):
        def judge(self, cases, on_verdict):
            super().judge(cases, lambda row, verdict: on_verdict(0, verdict))

    with pytest.raises(RuntimeError, match="verdicts on"):
        calibrate(Silent(knows_all))
    with pytest.raises(RuntimeError, match="second verdict"):
        calibrate(Twice(knows_all))


def test_labels_of_people_about_a_run(tmp_path) -> None:
    cases = read_cases(write_run(tmp_path / "run", 6))
    rows = [f"q0000{k},strongly_known,Ada," for k in range(5)]
    rows += [f"q0000{k},strongly_known,Bo,sure" for k in range(4)] + ["q00004,unknown,Bo,"]
    found = calibrate(
        MadeUp(lambda case: "known"), csv_of(tmp_path, rows), cases=cases
    )  # fmt: skip
    assert (found.labels, found.labellers, found.tied) == ("labels.csv", 2, ["q00004"])
    assert found.agreement.items == 4
    assert found.agreement.matrix[0] == [0, 4, 0, 0]
    assert found.disagreements[0].why == "sure"
    assert found.people[0].agreement.items == 5
    assert found.kinds == []


def test_a_label_about_nothing_or_about_other_answers_is_refused(tmp_path) -> None:
    folder = write_run(tmp_path / "run", 3)
    judge = MadeUp(lambda case: "known")
    with pytest.raises(ValueError, match=r"labels\.csv, line 3: there is no question 'q9'"):
        calibrate(
            judge, csv_of(tmp_path, ["q00000,known,,", "q9,known,,"]), cases=read_cases(folder)
        )
    case = read_cases(folder)[1]
    label = HumanLabel(
        "q00001", "known", "Ada", "", answers_sha256(case.question, case.answers), 2
    )  # fmt: skip
    path = tmp_path / "bound.csv"
    path.write_text(write_labels([label]))
    assert calibrate(judge, path, cases=read_cases(folder)).agreement.exact == 1.0
    write_run(folder, 3, texts=("Other.", "", "", "", ""))
    with pytest.raises(ValueError, match=r"line 2: q00001 was labelled with other answers"):
        calibrate(judge, path, cases=read_cases(folder))
    assert judge.asked == ["q00001"]  # nothing was judged, or paid, for labels that do not fit


def test_the_card_says_it_all_and_takes_no_markup_from_data(monkeypatch) -> None:
    def says(case):
        if case.question.id == sorted(LABELS)[0]:
            return Verdict(
                level="unscored",
                explanation="",
                reason="<script>x</script> | [a](javascript:b)\n# Heading `code`",
                judge="made-up",
                prompt_hash="p1",
            )
        return knows_all(case)

    found = calibrate(MadeUp(says))
    text = card_text(found, None)
    assert "`made-up`" in text
    assert "The labels are ours, not a panel's" in text
    assert "Not measured" in text
    assert "1 (0.6%)" in text
    assert "<script" not in text.replace("\\<script", "")
    assert "\n# Heading" not in text
    assert "$" not in text
    for level in LEVELS:
        assert level.replace("_", " ") in text


def test_as_whom_and_when_a_judge_replied_is_on_the_card(capsys) -> None:
    """Replies may be old ones of a ledger, by a model that is another by now."""

    def says(case):
        name = "m-2" if case.question.id == sorted(LABELS)[0] else "m-1"
        return judge.verdict(knows_all(case), answered_by=name, date="2026-01-31")

    judge = MadeUp(says)
    found = calibrate(judge)
    text = card_text(found, None)
    assert (
        "| replied | as m-1, m-2, replies of 2026-01-31 to 2026-01-31; this judge changed" in text
    )
    show_calibration(found, 0)
    assert (
        "replies of 2026-01-31 to 2026-01-31\nnote: this judge changed" in capsys.readouterr().out
    )
    assert "| replied" not in card_text(calibrate(MadeUp(knows_all)), None)


def test_the_card_of_peoples_labels(tmp_path) -> None:
    rows = [f"{id},{level},{who}," for id, level in LABELS.items() for who in ("A|B", "C")]
    text = card_text(calibrate(MadeUp(knows_all), csv_of(tmp_path, rows)), None)
    assert "Agreement between people" in text
    assert "A\\|B and C" in text
    assert "by 2 people" in text
    assert "labels are ours" not in text


def test_attacks_are_part_of_the_card() -> None:
    judge = MadeUp(lambda case: "known" if "null" in case.answers[0].text else "unknown")
    attacked = attack_judge(judge, 2)
    assert attacked.report.questions == 2
    assert attacked.constant["null"] == 1.0
    assert attacked.constant["I don't know."] == 0.0
    text = card_text(calibrate(MadeUp(knows_all)), attacked)
    assert f"of {attacked.report.trials:,} trials" in text
    assert "100.0%" in text


def run(*arguments):
    return CliRunner().invoke(main, ["judge", *map(str, arguments)], catch_exceptions=False)


def test_the_command_prints_and_writes(tmp_path) -> None:
    card = tmp_path / "cards" / "judge-rule.md"
    result = run("calibrate", "--judge", "rule", "--card", card, "--attacks", 1)
    assert result.exit_code == 0
    assert "its labels are ours" in result.output
    assert "quadratic kappa" in result.output
    assert "label strongly known: strongly known" in result.output
    assert "# Judge card: `rule`" in card.read_text()
    found = json.loads(run("calibrate", "--judge", "rule", "--json").output)
    assert found["judge"] == "rule"
    assert found["agreement"]["unscored"] == 0


def test_the_command_takes_a_csv_about_a_run(tmp_path) -> None:
    folder = write_run(tmp_path / "run", 4)
    path = csv_of(tmp_path, [f"q0000{k},strongly_known,Ada," for k in range(4)])
    result = run("calibrate", "--judge", "rule", "--labels", path, "--run", folder)
    assert result.exit_code == 0, result.output
    assert "labels.csv, 1 labeller" in result.output
    missing = run("calibrate", "--judge", "rule", "--labels", path)
    assert missing.exit_code == 1
    assert "line 2: there is no question 'q00000'" in missing.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--judge", "nobody"], 1, "no judge is called 'nobody'"),
        (["--judge", "rule", "--labels", "absent.csv"], 1, "absent.csv"),
        (["--judge", "rule", "--run", "x"], 2, "--run goes with --labels"),
        (["--judge", "rule", "--attacks", "3"], 2, "--attacks goes with --card"),
        ([], 2, "Missing option '--judge'"),
    ],
)
def test_wrong_usage_is_said(arguments, code, said) -> None:
    result = run("calibrate", *arguments)
    assert result.exit_code == code
    assert said in result.output


def test_terminals_are_not_obeyed(tmp_path, monkeypatch) -> None:
    path = csv_of(tmp_path, [f"{next(iter(LABELS))},known,Ada,\x1b[31mred\x07"])
    result = run("calibrate", "--judge", "rule", "--labels", path)
    assert result.exit_code == 0
    assert "\x1b" not in result.output


def test_the_attack_command() -> None:
    result = run("attack", "--judge", "rule", "--questions", 1)
    assert result.exit_code == 0
    assert "raised a verdict: " in result.output
    assert "always 'null': accuracy 0.0%" in result.output
    found = json.loads(run("attack", "--judge", "rule", "--questions", 1, "--json").output)
    assert found["report"]["questions"] == 1


def test_the_rule_judge_reaches_what_it_must_and_its_card_says_what_it_reaches() -> None:
    found = calibrate(load_judge("rule"))
    assert found.agreement.quadratic_kappa >= 0.8
    card = CARD.read_text(encoding="utf-8")
    again = (
        "write it again: mgld judge calibrate --judge rule --attacks 20 --card cards/judge-rule.md"
    )
    for said in (
        found.prompt_hash,
        found.labels_sha256,
        f"**{found.agreement.quadratic_kappa:.3f}**",
        f"worse: {found.too_low}.",
    ):
        assert said in card, again
    assert "Attacks that worked" not in card
