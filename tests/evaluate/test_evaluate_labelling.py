"""What is put on the labelling page, without a browser."""

from __future__ import annotations

import json
import re

import pytest
from answer_data import settings
from click.testing import CliRunner
from grading_data import case, write_run

from mgld.cli import main
from mgld.evaluate.answering import answer_questions
from mgld.evaluate.calibration import load_sets
from mgld.evaluate.labelling import builtin_cases, choose_cases, write_labelling_page

HOSTILE = '</script><script>document.title="owned"</script><!-- ]]> \u2028 & <img src=x onerror=x>'


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_answers_cannot_leave_their_place(tmp_path) -> None:
    path = tmp_path / "page.html"
    write_labelling_page([case(3, [HOSTILE] * 5, name=HOSTILE)], path, title=HOSTILE)
    text = path.read_text(encoding="utf-8")
    assert len(re.findall(r"<script", text)) == 2
    assert "onerror" in text
    assert "<img" not in text
    data = data_of(path)
    assert data["title"] == data["items"][0]["name"] == HOSTILE
    assert data["items"][0]["answers"][0]["text"] == HOSTILE


def test_only_its_own_script_may_run(tmp_path) -> None:
    path = tmp_path / "page.html"
    write_labelling_page([case()], path, title="")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', path.read_text())[1]
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert "unsafe-inline'; script" in policy  # of styles alone
    assert policy.count("unsafe-inline") == 1


def test_our_levels_are_not_on_the_page_of_the_builtin_set(tmp_path) -> None:
    path = tmp_path / "page.html"
    write_labelling_page(builtin_cases(), path, title="built-in")
    items = data_of(path)["items"]
    assert len(items) == len(load_sets())
    assert not {"level", "why", "kinds"} & set(items[0])
    assert all(each.why not in path.read_text(encoding="utf-8") for each in load_sets()[:5])


def test_missing_answers_are_named_as_such(tmp_path) -> None:
    given = case(1, ["x", " ", "", "y" * 50_000, "z"])
    failed = given.answers[4].model_copy(
        update={"status": "error", "reason": "timeout", "text": ""}
    )  # fmt: skip
    given = type(given)(given.question, (*given.answers[:4], failed))
    write_labelling_page([given], tmp_path / "page.html", title="")
    shown = data_of(tmp_path / "page.html")["items"][0]["answers"]
    assert [each["none"] for each in shown] == [
        "", "empty answer", "empty answer", "", "failed: timeout"
    ]  # fmt: skip
    assert shown[3]["text"].endswith(" [cut]")
    assert len(shown[3]["text"]) < 21_000


def test_the_draw_is_keyed() -> None:
    every = builtin_cases()
    a = choose_cases(every, 20, seed=1)
    assert a == choose_cases(list(reversed(every)), 20, seed=1)
    assert a != choose_cases(every, 20, seed=2)
    assert choose_cases(every, 5, seed=1) == a[:5]
    assert len(choose_cases(every, None)) == len(every)


def test_a_picture_that_cannot_be_read_is_said(tmp_path) -> None:
    def read_image(question_id):
        raise OSError("gone")

    write_labelling_page([case()], tmp_path / "page.html", title="", read_image=read_image)
    item = data_of(tmp_path / "page.html")["items"][0]
    assert (item["image"], item["problem"]) == ("", "no picture: gone")
    with pytest.raises(ValueError, match="nothing to label"):
        write_labelling_page([], tmp_path / "none.html", title="")
    assert not (tmp_path / "none.html").exists()


def test_a_run_shows_the_pictures_it_was_asked_about(tmp_path, answer_build, plugin) -> None:
    answer_questions(settings(answer_build, limit=2), tmp_path / "run")
    assert run(tmp_path / "run", "--out", tmp_path / "a.html").exit_code == 0
    items = data_of(tmp_path / "a.html")["items"]
    assert len(items) == 2
    assert all(item["image"].startswith("data:image/jpeg;base64,") for item in items)


def run(*arguments):
    return CliRunner().invoke(main, ["judge", "label", *map(str, arguments)])


def test_the_command(tmp_path) -> None:
    result = run("builtin", "--out", tmp_path / "a.html", "--limit", 12)
    assert result.exit_code == 0, result.output
    data = data_of(tmp_path / "a.html")
    assert len(data["items"]) == 12
    assert data["title"] == f"The built-in calibration set: 12 of {len(load_sets())} questions"
    folder = write_run(tmp_path / "run", 3)
    assert run(folder, "--out", tmp_path / "b.html").exit_code == 0
    assert data_of(tmp_path / "b.html")["title"] == "run: 3 questions"
    nothing = run(tmp_path, "--out", tmp_path / "c.html")
    assert nothing.exit_code == 1
    assert "no folder of a run" in nothing.output
