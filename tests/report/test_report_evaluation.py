"""The page of a graded run as text: its numbers, its data, and nothing in it that could run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import zlib

import pytest
from click.testing import CliRunner
from graded_run import ATTACKS, MadeUp, plain_verdict, write_run
from test_report_page import Page

from mgld.cli import main
from mgld.evaluate.grading import grade_run, read_cases
from mgld.evaluate.judges import Case
from mgld.evaluate.run_metrics import RunMetrics
from mgld.report import evaluation_cases
from mgld.report.evaluation import write_evaluation_figures, write_evaluation_report
from mgld.report.evaluation_cases import case_data
from mgld.report.evaluation_read import read_evaluated
from mgld.report.evaluation_spans import cut_at_span


class ScriptPage(Page):
    """A page whose scripts are not text."""

    def handle_data(self, data):
        if "script" not in self.open:
            super().handle_data(data)


def unpacked(text):
    return json.loads(zlib.decompress(base64.b64decode(text)))


def cases_of(path):
    """The page's data, as its script reads it."""
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="text/plain" id="cases-data">([^<]*)</script>', text)
    return unpacked(data)


@pytest.fixture(params=["run_page", "hostile_run_page"])
def page_path(request):
    return request.getfixturevalue(request.param)


def test_the_page_is_whole(page_path):
    page = ScriptPage(page_path)
    assert len(page.all("h1")) == 1
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert link["href"].startswith("#") and link["href"][1:] in ids
    assert {label["for"] for label in page.all("label")} <= set(ids)
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))


def test_its_only_script_is_its_own(page_path):
    page = ScriptPage(page_path)
    text = page_path.read_text(encoding="utf-8")
    running = [attributes for attributes in page.all("script") if "type" not in attributes]
    assert len(running) == 1
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "'unsafe-inline'" not in policy.split("script-src")[1]
    assert not {"iframe", "link", "object", "embed", "base", "b", "img"} & {
        tag for tag, attributes in page.elements if attributes or tag != "b"
    }
    for tag, attributes in page.elements:
        for name in attributes:
            assert not name.startswith("on"), (tag, name)
    assert not re.search(r"url\((?!#)|@import", text)
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch("):
        assert word not in script


def test_nothing_is_lost_or_changed_on_the_way(run_folder, run_page):
    found = read_evaluated(run_folder)
    for row, (case, verdict, shown) in enumerate(
        zip(found.cases, found.verdicts, cases_of(run_page), strict=True)
    ):
        assert shown["id"] == case.question.id and shown["level"] == verdict.level, row
        assert ["".join(each.get("text", [])) for each in shown["answers"]] == [
            answer.text for answer in case.answers
        ]
        assert shown.get("explanation", "") == verdict.explanation
        assert shown.get("reason", "") == verdict.reason
        marks = [each.get("mark") for each in shown["answers"]]
        assert [k for k, mark in enumerate(marks) if mark == "identifies"] == (
            verdict.identified or []
        )
    first = cases_of(run_page)[0]["answers"][0]
    assert first["text"] == ["This is ", "Tower 0", "."]  # the judge wrote "tower 0"


def test_attacks_are_data_to_the_letter(hostile_run_page):
    shown = cases_of(hostile_run_page)
    for row, case in enumerate(shown):
        longest = evaluation_cases.CUTS[0]
        for draw, answer in enumerate(case["answers"]):
            text = ATTACKS[(row + draw) % len(ATTACKS)]
            if "status" in answer:
                assert answer["status"] == "error"
            elif len(text) > longest:
                assert "".join(answer["text"]).startswith(text[:longest] + "… (5,000 more")
            else:
                assert "".join(answer["text"]) == text
    page = ScriptPage(hostile_run_page)
    assert "{{ 997 * 991 }}" in page.words and str(997 * 991) not in page.words
    assert "<b>evil</b></script>" in page.words and "<i>judge</i></script>" in page.words
    assert "longer than 4,000 characters were cut" in page.words


def test_the_headline_says_what_it_rests_on(run_folder, run_page):
    metrics = RunMetrics.model_validate_json((run_folder / "metrics-made-up.json").read_bytes())
    levels, words = metrics.levels, ScriptPage(run_page).words
    assert levels.unscored == 4
    share = f"{100 * levels.accuracy:.1f} %"
    assert f"recognises {share}: {levels.recognised} of {levels.scored} scored" in words
    assert f"4 of 40 ({100 * levels.unscored_share:.1f} %) could not be scored" in words
    assert f"{100 * levels.worst:.1f} % (all wrong) and {100 * levels.best:.1f} %" in words
    assert f"Judged by made-up, prompt {'p' * 16}, on {metrics.graded}" in words
    assert "no reply" in words and "a stand-in" not in words.lower()
    for name in ("pass_at_1", "pass_at_5", "consistency"):
        assert f"{100 * getattr(metrics.draws, name):.1f} %" in words


def test_a_judge_of_all_five_has_no_draw_figures(tmp_path):
    folder = write_run(tmp_path / "run", 8)
    grade_run(folder, MadeUp(lambda row, case: {"level": "known", "explanation": "so"}))
    write_evaluation_report(folder, None, tmp_path / "page.html")
    words = ScriptPage(tmp_path / "page.html").words
    assert "there is no pass@1" in words and "recognises 100.0 %: 8 of 8" in words


def test_where_nothing_is_scored_there_is_no_accuracy(tmp_path):
    folder = write_run(tmp_path / "run", 3)
    judge = MadeUp(lambda row, case: {"level": "unscored", "explanation": "", "reason": "refused"})
    grade_run(folder, judge)
    write_evaluation_report(folder, None, tmp_path / "page.html")
    words = ScriptPage(tmp_path / "page.html").words
    assert "None of 3 questions could be scored, so there is no accuracy" in words
    assert "0.0 %" not in words.split("Single cases")[0]


def test_the_stand_in_is_named_for_what_it_is(tmp_path):
    folder = write_run(tmp_path / "run", 3, model="standin:nano")
    grade_run(folder, MadeUp(plain_verdict))
    write_evaluation_report(folder, None, tmp_path / "page.html")
    assert "A stand-in, not a vision-language model." in ScriptPage(tmp_path / "page.html").words


def test_a_page_of_other_answers_is_refused(run_folder, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    answers = (folder / "answers.jsonl").read_text()
    (folder / "answers.jsonl").write_text(answers.replace("A tower.", "A spire.", 1))
    with pytest.raises(ValueError, match="`mgld grade` makes them anew"):
        write_evaluation_report(folder, None, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
    shutil.copy(run_folder / "answers.jsonl", folder)
    metrics = folder / "metrics-made-up.json"
    metrics.write_text(metrics.read_text().replace('"inputs": "', '"inputs": "0'))
    with pytest.raises(ValueError, match=r"no metrics .* --judge made-up"):
        write_evaluation_report(folder, None, tmp_path / "page.html")
    metrics.unlink()
    with pytest.raises(ValueError, match=r"no metrics .* --judge made-up"):
        write_evaluation_report(folder, None, tmp_path / "page.html")
    with pytest.raises(ValueError, match="no folder of a run"):
        write_evaluation_report(tmp_path, None, tmp_path / "page.html")


def test_several_judges_are_never_mixed(run_folder, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    other = MadeUp(lambda row, case: {"level": "unknown", "explanation": "harsh"}, id="harsh:one")
    grade_run(folder, other)
    with pytest.raises(ValueError, match="several judges"):
        write_evaluation_report(folder, None, tmp_path / "page.html")
    write_evaluation_report(folder, "harsh:one", tmp_path / "page.html")
    words = ScriptPage(tmp_path / "page.html").words
    assert "recognises 0.0 %: 0 of 40" in words
    assert "not a ranking" in words and "made-up" in words


def test_texts_are_cut_where_the_page_would_get_too_large(run_folder, monkeypatch):
    import random

    letters = random.Random(0)
    noise = [
        "".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(3_000)) for _ in range(5)
    ]
    found = read_evaluated(run_folder)
    cases = [
        Case(
            case.question,
            tuple(each.model_copy(update={"text": noise[each.draw]}) for each in case.answers),
        )
        for case in found.cases
    ]
    whole = case_data(cases, found.verdicts)
    assert whole.longest == 4_000 and whole.shortened == 0
    monkeypatch.setattr(evaluation_cases, "MAX_CHARACTERS", len(whole.text) // 3)
    less = case_data(cases, found.verdicts)
    assert len(less.text) <= len(whole.text) // 3
    assert less.longest < 3_000 and less.shortened == 5 * len(cases)
    assert "more characters)" in unpacked(less.text)[0]["answers"][0]["text"][0]


@pytest.mark.parametrize(
    ("text", "span", "parts"),
    [
        ("It is the Eiffel Tower!", "eiffel  tower.", ["It is the ", "Eiffel Tower", "!"]),
        ("Saint Peter’s", "'Saint Peter's'", ["", "Saint Peter’s", ""]),
        ("This is A (B).", "This is A (B).", ["", "This is A (B)", "."]),
        ("nothing", "elsewhere", ["nothing"]),
        ("a.*b", ".*", ["a.*b"]),
        ("x (.*) yes", "(.*) yes", ["x ", "(.*) yes", ""]),
        ("no span", "", ["no span"]),
    ],
)  # fmt: skip
def test_spans_are_found_as_judges_quote(text, span, parts):
    assert cut_at_span(text, span) == parts
    assert "".join(parts) == text


def test_the_command_knows_a_run(run_folder, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    figures = tmp_path / "figures"
    done = CliRunner().invoke(main, ["report", str(folder), "--figures", str(figures)])
    assert done.exit_code == 0, done.output
    assert (folder / "report.html").is_file()
    assert {path.suffix for path in figures.iterdir()} == {".svg", ".png", ".csv"}
    assert (figures / "levels.csv").read_text().startswith('"level","questions","share"')
    assert CliRunner().invoke(main, ["report", str(folder), "--images"]).exit_code == 1
    wrong = CliRunner().invoke(main, ["report", str(tmp_path), "--judge", "rule"])
    assert wrong.exit_code == 2 and "--judge and --images are for runs" in wrong.output


def test_grading_ends_with_the_page_and_writes_it_once(tmp_path):
    folder = write_run(tmp_path / "run", 6)
    page = folder / "report.html"
    done = CliRunner().invoke(main, ["grade", str(folder), "--judge", "rule"])
    assert done.exit_code == 0, done.output
    assert f"report: {page}" in done.output
    assert "recognises 100.0 %: 6 of 6" in ScriptPage(page).words
    page.write_text(page.read_text(encoding="utf-8") + "<!-- as it was -->", encoding="utf-8")
    CliRunner().invoke(main, ["grade", str(folder), "--judge", "rule"])
    assert page.read_text(encoding="utf-8").endswith("<!-- as it was -->")
    answers = (folder / "answers.jsonl").read_text()
    (folder / "answers.jsonl").write_text(answers.replace("This is Tower 0.", "No idea."))
    CliRunner().invoke(main, ["grade", str(folder), "--judge", "rule"])
    assert "recognises 83.3 %: 5 of 6" in ScriptPage(page).words


def test_figures_show_their_numbers(run_folder, tmp_path):
    paths = write_evaluation_figures(run_folder, None, tmp_path)
    assert {path.stem for path in paths} == {
        "levels", "identified", "levels-rsr", "levels-sim", "levels-images",
    }  # fmt: skip
    rows = (tmp_path / "levels-rsr.csv").read_text().splitlines()
    assert len(rows) == 11 and len(read_cases(run_folder)) == 40
    assert sum(int(row.split(",")[1]) for row in rows[1:]) == 36


def test_the_same_run_gives_the_same_page(run_folder, run_page, tmp_path):
    write_evaluation_report(run_folder, "made-up", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == run_page.read_bytes()
