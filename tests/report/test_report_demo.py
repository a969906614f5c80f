"""`mgld demo` end to end with the shipped encoder, in small."""

from __future__ import annotations

import re

from click.testing import CliRunner

from mgld.cli import main
from mgld.evaluate.answering import AnswerSettings
from mgld.evaluate.records import Decoding
from mgld.report.demo_evaluation import MODEL, TEMPERATURE, is_outdated


def demo(out, *arguments):
    return CliRunner().invoke(
        main, ["demo", "--out", str(out), "--landmarks", "16", "--workers", "1", *arguments]
    )


def test_demo_builds_shows_and_says_how_to_load(tmp_path):
    import mgld

    out = tmp_path / "demo"
    first = demo(out)
    assert first.exit_code == 0, first.output
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "of 16 landmarks" in page
    assert "Known against unknown landmarks" in page
    assert str(out / "report.html") in first.output

    folder, config = re.search(r'mgld\.load\("([^"]+)", "([^"]+)"', first.output).groups()
    records = mgld.load(folder, config, split="train")
    assert len(records) == int(config.removeprefix("hds"))
    assert records[0]["rsr"] >= records[-1]["rsr"]
    # The page names the same subset.
    assert f"<code>{config}</code>" in page

    # A stand-in answered the test questions, and the page leads to what came of it.
    evaluation = out / "evaluation" / "report.html"
    answers = evaluation.read_text(encoding="utf-8")
    assert "A stand-in, not a vision-language model." in answers
    assert "What a model recognises" in page and 'href="evaluation/report.html"' in page
    assert "no vision-language model" in page
    assert "standin:nano (a stand-in" in first.output and str(evaluation) in first.output
    assert "Generating" not in first.output  # a library's own bars

    # What it tells and does not see has a page of its own.
    probe = out / "probe" / "report.html"
    assert "not by sight" in probe.read_text(encoding="utf-8")
    assert 'href="probe/report.html"' in page and f"probe    {probe}" in first.output
    assert re.search(r"\(\d+ of [1-9]\d* landmarks that it describes", first.output)

    manifest = (out / "manifest.json").read_bytes()
    again = demo(out)
    assert again.exit_code == 0, again.output
    assert "embeddings/images: 1 shards up to date" in again.output
    assert (out / "manifest.json").read_bytes() == manifest
    assert "draws up to date" in again.output
    assert evaluation.read_text(encoding="utf-8") == answers

    same = AnswerSettings(model=MODEL, data=str(out), decoding=Decoding(temperature=TEMPERATURE))
    assert not is_outdated(evaluation.parent, same)
    assert is_outdated(evaluation.parent, same.model_copy(update={"seed": 1}))
    card = out / "dataset" / "README.md"
    card.write_text(card.read_text().replace("sha256:", "sha256:0"), encoding="utf-8")
    assert is_outdated(evaluation.parent, same)


def test_demo_refuses_a_folder_that_is_something_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    result = demo(tmp_path)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_somebody_elses_run_is_not_removed(pictured_run):
    asked = AnswerSettings(model=MODEL, data="elsewhere", seed=5)
    assert not is_outdated(pictured_run, asked)


def test_demo_of_no_landmarks_is_wrong_usage(tmp_path):
    assert demo(tmp_path / "x", "--landmarks", "0").exit_code == 2
