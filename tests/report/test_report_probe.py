"""The page of a misalignment probe as text: its numbers, its data, nothing in it that could run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil

import pytest
from click.testing import CliRunner
from graded_run import ATTACKS
from probed import EVIL, SUBSETS
from test_report_evaluation import ScriptPage, cases_of

from mgld.cli import main
from mgld.evaluate.records import ProbeResult
from mgld.report.probe import write_probe_report


def result_of(folder):
    return ProbeResult.model_validate_json((folder / "probe.json").read_bytes())


@pytest.fixture(params=["probe_page", "hostile_probe_page"])
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
    assert page_path.stat().st_size < 2_000_000


def test_its_only_script_is_its_own(page_path):
    page = ScriptPage(page_path)
    text = page_path.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert len([one for one in page.all("script") if "type" not in one]) == 1
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert not {"iframe", "link", "object", "embed", "base", "img", "u"} & {
        tag for tag, _ in page.elements
    }
    assert not any(name.startswith("on") for _, found in page.elements for name in found)
    assert not re.search(r"url\((?!#)|@import", text)
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch("):
        assert word not in script


def test_numbers_judges_and_bounds_stand_on_it(probe_folder, probe_page):
    words, result = ScriptPage(probe_page).words, result_of(probe_folder)
    assert [table.subset for table in result.tables] == list(SUBSETS)
    shown = 0
    for table in result.tables:
        told = table.described_recognised + table.described_not_recognised
        if table.misalignment is None:
            continue
        shown += 1
        low, high = (f"{100 * end:.1f} %" for end in table.interval)
        assert (
            f"{table.subset}: {100 * table.misalignment:.1f} % misaligned: "
            f"{table.described_not_recognised} of {told} described (95 % interval {low} to {high})"
        ) in words
        if table.unscored:
            assert f"{100 * table.lowest:.1f} % to {100 * table.highest:.1f} %" in words
    assert shown and any(table.unscored for table in result.tables)
    assert "judged by <u>j</u></script>, prompt " + "p" * 16 in words
    assert "Recognised: judged by seer" in words
    run = json.loads((probe_folder / "hds10/text/questions.jsonl").open().readline())
    assert run["text"].startswith("Do you know the landmark")


def test_the_cases_are_those_of_the_files(probe_folder, probe_page):
    files = []
    for subset in SUBSETS:
        for line in (probe_folder / subset / "misaligned.jsonl").open(encoding="utf-8"):
            files.append((subset, json.loads(line)))
    shown = cases_of(probe_page)
    assert len(shown) == len(files) > 3
    for each, (subset, row) in zip(shown, files, strict=True):
        assert (each["subset"], each["id"], each["name"], each["level"]) == (
            subset, row["question_id"], row["landmark"], row["level"],
        )  # fmt: skip
        assert [one.get("mark") for one in each["told"]] == [
            None, "describes", None, "describes", None,
        ]  # fmt: skip
        assert "".join(each["told"][1]["text"]) == row["told"]
        assert each["told"][1]["text"][1] == "in Solmere"
        assert "".join(each["answers"][0]["text"]) == row["seen"]
        assert each["answers"][2]["mark"] == "hints"
        assert each["answers"][2]["text"][1] == "A building"
        assert each["why"].endswith("is told")
    # A landmark in two subsets has its picture once.
    text = probe_page.read_text(encoding="utf-8")
    pictures = re.findall(r'id="picture-(\d+)">', text)
    assert len(pictures) == len({each["id"] for each in shown}) < len(shown)
    for number, each in enumerate(shown):
        assert str(each.get("picture", number)) in pictures


def test_attacks_are_data_to_the_letter(hostile_probe_page):
    shown = cases_of(hostile_probe_page)
    assert len(shown) == 20
    said = {"".join(one.get("text", [])) for each in shown for one in each["told"]}
    assert {text for text in ATTACKS if len(text) < 4_000} <= said
    assert all(each["answers"][4]["reason"] == ATTACKS[0] for each in shown)
    page = ScriptPage(hostile_probe_page)
    assert EVIL in page.words and f"<i>{EVIL}</i>" in page.words
    assert str(997 * 991) not in page.words
    assert ATTACKS[0] in page.words  # as whom a judge replied


def test_the_commands_write_it(probe_folder, tmp_path):
    folder = tmp_path / "probe"
    shutil.copytree(probe_folder, folder)
    figures = tmp_path / "figures"
    done = CliRunner().invoke(main, ["report", str(folder), "--figures", str(figures)])
    assert done.exit_code == 0, done.output
    assert f"report: {folder / 'report.html'}" in done.output
    assert {path.name for path in figures.iterdir()} >= {
        "misalignment.svg", "misalignment.csv", "probe-table-1.png", "probe-table-3.csv",
    }  # fmt: skip
    wrong = CliRunner().invoke(main, ["report", str(folder), "--judge", "rule"])
    assert wrong.exit_code == 2 and "are for runs" in wrong.output
    again = (folder / "report.html").read_bytes()
    CliRunner().invoke(main, ["report", str(folder)])
    assert (folder / "report.html").read_bytes() == again


def test_a_result_of_other_verdicts_is_refused(probe_folder, tmp_path):
    folder = tmp_path / "probe"
    shutil.copytree(probe_folder, folder)
    described = folder / "hds20" / "text" / "described.jsonl"
    whole = described.read_text(encoding="utf-8")
    described.write_text(whole.replace('"described"', '"not_described"', 1), encoding="utf-8")
    with pytest.raises(ValueError, match="other verdicts than lie there now"):
        write_probe_report(folder, tmp_path / "page.html")
    described.write_text(whole.replace("p" * 16, "q" * 16), encoding="utf-8")
    with pytest.raises(ValueError, match="other verdicts than lie there now"):
        write_probe_report(folder, tmp_path / "page.html")
    described.write_text(whole, encoding="utf-8")
    (folder / "probe.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="is no result of a probe"):
        write_probe_report(folder, tmp_path / "page.html")
    (folder / "probe.json").unlink()
    with pytest.raises(ValueError, match="no folder of a finished probe"):
        write_probe_report(folder, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_without_the_dataset_it_has_no_pictures_and_says_so(probe_folder, tmp_path):
    folder = tmp_path / "probe"
    shutil.copytree(probe_folder, folder)
    for run in folder.rglob("run.yaml"):
        text = run.read_text(encoding="utf-8")
        build = str(probe_folder.parent / "build")
        assert build in text
        run.write_text(text.replace(build, str(tmp_path / "gone")), encoding="utf-8")
    write_probe_report(folder, tmp_path / "page.html")
    assert (
        "picture-" not in (tmp_path / "page.html").read_text(encoding="utf-8").split("<script")[0]
    )
    assert "not shown: " in ScriptPage(tmp_path / "page.html").words
