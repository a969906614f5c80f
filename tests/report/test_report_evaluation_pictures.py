"""Pictures on the page of a graded run: the very ones that were asked about, within a limit."""

from __future__ import annotations

import base64
import io
import re

from PIL import Image
from test_report_evaluation import ScriptPage, cases_of

from mgld.report import evaluation_pictures
from mgld.report.evaluation import write_evaluation_report
from mgld.report.evaluation_pictures import read_pictures, thumbnail
from mgld.report.evaluation_read import read_evaluated


def asked(folder):
    found = read_evaluated(folder)
    return [case.question for case in found.cases], found.run.dataset


def test_every_case_has_its_picture(pictured_run, pictured_page):
    text = pictured_page.read_text(encoding="utf-8")
    shown = dict(re.findall(r'<script type="text/plain" id="picture-(\d+)">([^<]+)</script>', text))
    assert sorted(map(int, shown)) == list(range(10))
    questions, _ = asked(pictured_run)
    assert [case["id"] for case in cases_of(pictured_page)] == [each.id for each in questions]
    assert Image.open(io.BytesIO(base64.b64decode(shown["0"]))).size == (64, 48)
    assert "This page has no pictures" not in ScriptPage(pictured_page).words


def test_whose_a_picture_is_stands_below_it(pictured_run):
    import mgld

    questions, dataset = asked(pictured_run)
    found = read_pictures(questions, dataset)
    rows = {row["id"]: row for row in mgld.load(dataset.source, "eval", split="test")}
    assert not found.drawn
    for question in questions:
        row = rows[question.id]
        assert found.credits[question.id][0] == row["author"]
        link = found.credits[question.id][3]
        assert link in (None, row["source_url"])


def test_a_thumbnail_is_small():
    buffer = io.BytesIO()
    Image.new("RGBA", (3000, 1200), "red").save(buffer, "PNG")
    small = Image.open(io.BytesIO(base64.b64decode(thumbnail(buffer.getvalue()))))
    assert small.size == (256, 102) and small.format == "JPEG"


def test_another_picture_than_was_asked_about_is_not_shown(pictured_run):
    questions, dataset = asked(pictured_run)
    questions[3] = questions[3].model_copy(update={"image_sha256": "0" * 64})
    found = read_pictures(questions, dataset)
    assert sorted(found.jpegs) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert found.problems == {"it is not the picture that was asked about": 1}


def test_a_dataset_that_is_gone_is_said_and_the_page_goes_on(pictured_run, tmp_path):
    questions, dataset = asked(pictured_run)
    gone = dataset.model_copy(update={"source": str(tmp_path / "gone")})
    found = read_pictures(questions, gone)
    assert found.jpegs == {} and sum(found.problems.values()) == 10


def test_pictures_have_a_limit_that_the_page_states(pictured_run, monkeypatch, tmp_path):
    one = len(read_pictures(*asked(pictured_run)).jpegs[0])
    monkeypatch.setattr(evaluation_pictures, "MAX_CHARACTERS", 3 * one)
    write_evaluation_report(pictured_run, "rule", tmp_path / "page.html", images=True)
    words = ScriptPage(tmp_path / "page.html").words
    shown = int(re.search(r"(\d+) have their picture; those of the last (\d+)", words)[1])
    assert 2 <= shown <= 4
    assert f"{shown} have their picture; those of the last {10 - shown} would" in words
