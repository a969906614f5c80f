"""RESULTS.md and conclusions.json from made-up runs: whole, partly run, and not run at all."""

from __future__ import annotations

import csv
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from made_up_runs import LANDMARKS, every_row, levels, record, write_all, write_questions

from benchmarks.nano.__main__ import main
from benchmarks.nano.drawing import BUILD_FILE, draw
from benchmarks.nano.place import Place
from benchmarks.nano.record import ProbeRecord, write_record
from benchmarks.nano.report.dispersion import SEEN, read_dispersion
from benchmarks.nano.report.rows import table_rows
from benchmarks.nano.report.runs import read_runs
from benchmarks.nano.report.write import write_report
from mgld.evaluate.records import Decoding, JudgedBy, ProbeResult, ProbeTable
from mgld.figures import draw_images_per_landmark
from mgld.scoring.dispersion import MEASURES


def report(results: Path, out: Path, remarks: Path | None = None) -> str:
    write_report(results, out / "RESULTS.md", remarks=remarks or out / "none.yaml")
    return (out / "RESULTS.md").read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    return page.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]


def line(text: str, start: str) -> list[str]:
    """The cells of the first row of a table that starts so."""
    (found, *_) = (each for each in text.splitlines() if each.startswith(f"| {start} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Results and report of a miniature in which everything was run."""
    folder = tmp_path_factory.mktemp("whole")
    rows = every_row(0.20) | {"baseline": 0.10, "table1_hds_50k": 0.28, "table3_l_h": 0.25}
    write_all(folder / "results", rows)
    report(folder / "results", folder / "report")
    return folder / "results", folder / "report"


def test_first_the_two_tables_that_matter_and_the_conclusions(whole: tuple[Path, Path]) -> None:
    page = (whole[1] / "RESULTS.md").read_text()
    titles = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert [title.split(":")[0] for title in titles[:3]] == ["Table 1", "Table 3", "Conclusions"]
    assert len(titles) == len(set(titles))
    assert "32 of 32 rows" in page
    # Weights that are not the paper's are said where their rows are shown.
    assert "mu_e is 0.114 and mu_h 0.068, 1/64 of the paper's 7.32" in section(page, "Table 3")
    # And what Table 1's order is on the half that the encoder was not taught.
    assert re.search(r"on the 300 others, which it was not: HDS-50k \d", section(page, "Table 1"))


def test_numbers_of_table_1(whole: tuple[Path, Path]) -> None:
    page = (whole[1] / "RESULTS.md").read_text()
    cells = line(section(page, "Table 1"), "HDS-50k")
    assert cells[1] == "64.1 (+7.9)"
    assert cells[3].startswith("28.0 (")
    assert cells[4].startswith("+18.0 (")
    assert cells[5] == "+180 (+80)"  # 28 of 10; BRS 20 of 10
    assert cells[6:] == ["< 0.0001", "5"]


def test_numbers_of_table_3(whole: tuple[Path, Path]) -> None:
    page = (whole[1] / "RESULTS.md").read_text()
    cells = line(section(page, "Table 3"), "+ L_h")
    assert cells[1] == "8.52 + 7.00 = 15.52 (+1.12)"
    assert cells[3] == "12.5 + 12.5"
    assert cells[5].startswith("+5.0 (")
    assert cells[6].startswith("+15.0 (")
    assert line(section(page, "Table 3"), "Baseline")[-1] == "5"


def test_levels_add_up(whole: tuple[Path, Path]) -> None:
    for number in (1, 2, 3, 4):
        for row in table_rows(read_runs(whole[0]), number):
            assert sum(row.shares.values()) == pytest.approx(1)
            assert row.accuracy is not None
            known = row.shares["strongly_known"] + row.shares["known"]
            assert row.accuracy.effect == pytest.approx(known)
            parts = [(each.effect, each.landmarks) for each in row.by_knowledge.values()]
            assert sum(n for _, n in parts) == LANDMARKS
            mean = sum(share * n for share, n in parts) / LANDMARKS
            assert row.accuracy.effect == pytest.approx(mean)


def test_holm_over_the_rows_of_a_table(whole: tuple[Path, Path]) -> None:
    rows = table_rows(read_runs(whole[0]), 1)
    gains = [row.gain for row in rows if row.gain is not None]
    assert len(gains) == 8
    first = min(gains, key=lambda gain: gain.p)
    assert first.p_holm == pytest.approx(8 * first.p)
    assert all(gain.p <= gain.p_holm <= 1 for gain in gains)


def test_json_says_what_the_page_says(whole: tuple[Path, Path]) -> None:
    found = json.loads((whole[1] / "conclusions.json").read_text())
    page = (whole[1] / "RESULTS.md").read_text()
    claims = [claim for claim in found["claims"] if "ours" not in claim["group"]]
    reproduced = sum(claim["verdict"] == "reproduced" for claim in claims)
    assert f"Of {len(claims)} claims of the paper: {reproduced} reproduced" in page
    row = next(r for r in found["tables"]["table1"] if r["experiment"] == "table1_hds_50k")
    assert row["accuracy"]["effect"] == pytest.approx(0.28)
    assert row["gain"]["relative"]["effect"] == pytest.approx(1.8)
    assert row["gain"]["relative"]["low"] < 1.8 < row["gain"]["relative"]["high"]


def test_which_machine_made_what(whole: tuple[Path, Path]) -> None:
    page = (whole[1] / "RESULTS.md").read_text()
    runs = section(page, "Runs and machines")
    found = read_runs(whole[0]).records
    assert f"All {len(found)} runs" in runs
    assert line(runs, "west: table3_l_h")[1:] == ["hss" + found_size(whole[0]), SEEDS, "81"]


def test_machines_are_told_apart_by_their_processors(tmp_path: Path) -> None:
    write_all(tmp_path, {"table1_hds_25k": 0.2}, seeds=range(1))
    other = record("table1_hss_25k", 0, levels(0.2, seed=0, name="table1_hss_25k"))
    sessions = [{"code": {"commit": None, "dirty": False}, "devices": ["CPU: another"]}]
    other.manifest["sessions"] = sessions
    write_record(other, tmp_path)
    runs = section(report(tmp_path, tmp_path), "Runs and machines")
    assert {line(runs, "1")[1], line(runs, "2")[1]} == {"x86_64, cpu", "x86_64, cpu, CPU: another"}


def test_points_of_a_figure_are_of_the_same_seeds(tmp_path: Path) -> None:
    points = {"fig5_hds_25k": 0.2, "fig5_hds_50k": 0.3, "fig7_theta_0.5": 0.2}
    write_all(tmp_path, points, seeds=range(5))
    write_all(tmp_path, {"fig5_hds_75k": 0.4, "fig7_theta_0.9": 0.3}, seeds=range(3))
    page = report(tmp_path, tmp_path)
    for title, name, column in (
        ("Figure 5", "data-size", "accuracy_seeds"),
        ("Figure 7", "robustness", "seeds"),
    ):
        assert "the seeds that all of them have (0, 1, 2)" in section(page, title)
        with (tmp_path / "figures" / f"{name}.csv").open(encoding="utf-8") as file:
            assert {row[column] for row in csv.DictReader(file)} == {"3"}
    assert "EECA was trained on HDS300 and HSS600" in section(page, "Figure 5")


def test_trainings_are_those_of_the_tables(tmp_path: Path) -> None:
    rows = {"table1_hds_25k": 0.2, "table1_hss_25k": 0.2, "fig5_hds_75k": 0.2}
    write_all(tmp_path, rows, seeds=range(3))
    assert "(2 trainings of stage 3, each with 3 seeds)" in report(tmp_path, tmp_path)


SEEDS = "0, 1, 2, 3, 4 on machine 1"


def found_size(results: Path) -> str:
    """Of the subset that stands for 50k."""
    (run, *_) = read_runs(results).of("table3_l_h").values()
    return (run.subset or "").removeprefix("hss")


def test_what_it_takes_is_said_beside_what_was_aimed_at(tmp_path: Path) -> None:
    write_all(tmp_path, {"table1_hds_25k": 0.2, "table1_hds_50k": 0.2}, seeds=range(2))
    slow = record("table1_hds_50k", 1, levels(0.2, seed=1, name="table1_hds_50k"))
    write_record(slow.model_copy(update={"seconds": {"train": 200.0, "answer": 41.0}}), tmp_path)
    text = section(report(tmp_path, tmp_path), "What it takes")
    assert line(text, "a row of stage 3, seconds")[1:] == [
        "240", "median 81, longest 241", "by 3 of 4 runs",
    ]  # fmt: skip
    parts = line(text, "encoder, language model and a baseline, minutes")
    assert parts[1] == "45" and parts[2].endswith("+ 1.4 = 40.9") and parts[3] == "yes"
    assert "not measured" in line(text, "a row of stage 3 on one GPU, seconds")[2]
    assert line(text, "Tables 1 and 3, 5 seeds, hours")[2] == "not run"


def test_same_records_same_bytes(whole: tuple[Path, Path], tmp_path: Path) -> None:
    report(whole[0], tmp_path)
    files = sorted(path.relative_to(whole[1]) for path in whole[1].rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    for path in files:
        assert (whole[1] / path).read_bytes() == (tmp_path / path).read_bytes()


def test_every_picture_and_link_is_there(whole: tuple[Path, Path]) -> None:
    page = (whole[1] / "RESULTS.md").read_text()
    for link in re.findall(r"\]\((figures/[^)]+)\)", page):
        assert (whole[1] / link).is_file()


def test_nothing_was_run(tmp_path: Path) -> None:
    page = report(tmp_path / "nowhere", tmp_path)
    assert "0 of 32 rows" in page
    assert "0 reproduced" not in page
    assert "29 not run" in page
    assert line(section(page, "Table 1"), "HDS-50k")[3:] == ["not run"] * 5
    assert line(section(page, "Table 1"), "HDS-50k")[2].startswith("HDS")
    assert "No run yet." in page
    assert json.loads((tmp_path / "conclusions.json").read_text())["runs"] == 0


def test_one_table_and_one_seed(tmp_path: Path) -> None:
    rows = {name: share for name, share in every_row().items() if name.startswith("table1")}
    write_all(tmp_path / "results", rows | {"baseline": 0.1}, seeds=range(1))
    page = report(tmp_path / "results", tmp_path)
    assert line(section(page, "Table 1"), "BRS-25k")[-1] == "1"
    # eight rows of Table 1, and the baseline in Tables 2, 3 and 4 (there three times)
    assert "13 of 32 rows" in page
    assert line(section(page, "Table 3"), "+ L_e")[3:] == ["not run"] * 6
    assert line(section(page, "Table 3"), "Baseline")[3] == "5.0 + 5.0"


def test_a_baseline_that_recognises_nothing(tmp_path: Path) -> None:
    write_all(tmp_path / "results", {"baseline": 0.0, "table1_brs_25k": 0.1})
    cells = line(section(report(tmp_path / "results", tmp_path), "Table 1"), "BRS-25k")
    assert cells[5] == "baseline is 0"


def test_gain_is_over_the_own_seeds_baseline(tmp_path: Path) -> None:
    write_questions(tmp_path)
    for seed, before in enumerate((0.10, 0.20, 0.30)):
        write_record(record("baseline", seed, levels(before, seed=seed, name="")), tmp_path)
        given = levels(before + 0.05, seed=seed, name="")
        write_record(record("table1_brs_25k", seed, given), tmp_path)
    (row, *_) = table_rows(read_runs(tmp_path), 1)
    assert row.seeds == [0, 1, 2]
    assert row.gain is not None
    assert row.gain.points.by_seed == pytest.approx([0.05] * 3)
    assert row.gain.relative is not None
    assert row.gain.relative.effect == pytest.approx(0.25)
    write_record(record("table1_brs_25k", 3, "S" * LANDMARKS), tmp_path)
    with pytest.raises(ValueError, match="not recorded"):
        read_runs(tmp_path)


def test_remarks_of_a_person(tmp_path: Path) -> None:
    remarks = tmp_path / "remarks.yaml"
    remarks.write_text("hr_alone: >\n  Because of\n  this.\nknowledge: And that.\n")
    page = report(tmp_path / "nowhere", tmp_path / "out", remarks)
    assert "(HSS-50k)** (not run): Because of this." in page
    assert "And that." in section(page, "How well scores find what the encoder was taught")
    remarks.write_text("no_such_claim: why\n")
    with pytest.raises(ValueError, match="nothing is called no_such_claim"):
        report(tmp_path / "nowhere", tmp_path / "out", remarks)


def test_the_probe_where_it_was_made(tmp_path: Path) -> None:
    tables = [
        ProbeTable(
            subset=subset, questions=100, described_recognised=right,
            described_not_recognised=80 - right, not_described_recognised=0,
            not_described_not_recognised=20, unscored=0, unscored_described=0,
            unscored_recognised=0, misalignment=(80 - right) / 80, interval=(0.1, 0.9),
            lowest=None, highest=None, by_place=50, by_place_not_recognised=10,
        )
        for subset, right in (("test_paper", 60), ("unknown", 4))
    ]  # fmt: skip
    judge = JudgedBy(judge="rule", prompt_hash="0")
    result = ProbeResult(
        model="eeca:out", recognised=judge, described=judge, prompt_versions=["1"],
        decoding=Decoding(), draws=5, made="2026-11-30", version="0", tables=tables,
    )  # fmt: skip
    probe = ProbeRecord(row="baseline", seed=0, encoder="west", model="m" * 64, result=result)
    write_record(probe, tmp_path)
    page = report(tmp_path, tmp_path / "out")
    rows = section(page, "Figure 1")
    assert "| baseline, seed 0 | all | 100 | 80 | 25.0 (10.0 to 90.0) |" in rows
    assert "| baseline, seed 0 | unknown | 100 | 80 | 95.0 (10.0 to 90.0) |" in rows
    assert (tmp_path / "out" / "figures" / "misalignment.png").is_file()
    write_questions(tmp_path)
    other = record("baseline", 0, "U" * LANDMARKS).model_copy(update={"model": "n" * 64})
    write_record(other, tmp_path)
    with pytest.raises(ValueError, match="another model"):
        report(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"questions_sha256": "9" * 64}, "other questions"),
        ({"manifest": {"models": {"start": {"fingerprint": "n" * 64}}}}, "other weights"),
        ({"exact": "0"}, "1 counts"),
    ],
)
def test_records_that_do_not_fit_each_other(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    write_all(tmp_path, {"baseline": 0.1, "table1_hds_25k": 0.2}, seeds=range(1))
    assert len(read_runs(tmp_path).records) == 2
    given = record("table1_hds_25k", 0, levels(0.2, seed=0, name="a"))
    write_record(given.model_copy(update=change), tmp_path)
    with pytest.raises(ValueError, match=why):
        read_runs(tmp_path)


def test_figure_3_by_its_own_numbers(tmp_path: Path) -> None:
    """HDS as claimed, HSS neither, LCS the other way and as claimed."""
    column = np.ones(8)
    rows = [("hds", "within", 0.8), ("hss", "within", 0.7), ("hss", "silhouette", 0.7),
            ("lcs", "within", 0.8), ("lcs", "silhouette", 0.1)]  # fmt: skip
    lines = [
        "subset,measure,records,value,same_categories_low,same_categories_high,same_categories_p"
    ]
    lines += [f"{subset},{measure},900,{value},0.6,0.75,0.01" for subset, measure, value in rows]
    draw_images_per_landmark(column).save(tmp_path / "figures")
    (tmp_path / "figures" / "dispersion.csv").write_text("\n".join(lines) + "\n")
    page = report(tmp_path / "nowhere", tmp_path)
    text = section(page, "Figures 3, 4, 8, 9 and 15")
    assert line(text, "HDS is dispersed within categories")[2:] == [
        "0.800", "0.600 to 0.750", "**reproduced**",
    ]  # fmt: skip
    assert line(text, "HSS is compact within categories")[-1] == "**undecided in miniature**"
    assert line(text, "LCS varies little within categories")[-1] == "**not reproduced**"
    assert line(text, "LCS blurs the borders of categories")[-1] == "**reproduced**"
    assert "Figure 9: images per landmark" in text
    assert "![Histogram of images per landmark" in text
    assert "Not drawn: Figure 3: image vectors of the subsets;" in text
    found = json.loads((tmp_path / "conclusions.json").read_text())["figure3"]
    assert [each["verdict"] for each in found].count("reproduced") == 2


def test_figure_3_was_not_drawn(tmp_path: Path) -> None:
    assert {each.verdict for each in read_dispersion(tmp_path)} == {"not run"}
    assert "Not drawn: Figure 3" in report(tmp_path / "nowhere", tmp_path)


def test_figures_of_another_build_than_the_runs_are_refused(tmp_path: Path) -> None:
    results, figures = tmp_path / "results", tmp_path / "figures"
    write_questions(results)
    report(results, tmp_path)  # none of a build, nothing to refuse
    figures.mkdir(exist_ok=True)
    (figures / "tsne.csv").write_text("of some build")
    for of in (None, "f" * 64, "0" * 64):
        if of is not None:
            (figures / BUILD_FILE).write_text(json.dumps({"questions_sha256": of}))
        if of == "0" * 64:
            report(results, tmp_path)
            continue
        with pytest.raises(ValueError, match=r"tsne are of another build.*draw them anew"):
            report(results, tmp_path)


def test_figures_are_not_said_to_be_of_a_build_that_lacks_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [draw_images_per_landmark(np.ones(8))]
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / BUILD_FILE).write_text("of another build")
    monkeypatch.setattr("mgld.report.figure_files.draw_folder", lambda folder: some)
    with pytest.raises(FileNotFoundError, match="tsne"):
        draw(Place(tmp_path), tmp_path / "figures")
    assert not (tmp_path / "figures" / BUILD_FILE).exists()


def test_every_measure_of_figure_3_is_measured() -> None:
    assert {seen.measure for seen in SEEN} <= set(MEASURES)


def test_knowledge_curve_is_of_the_test_by_tier(whole: tuple[Path, Path]) -> None:
    with (whole[1] / "figures" / "knowledge-curve.csv").open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["model"] == "HDS-50k"]
    assert [(row["group"], row["landmarks"]) for row in rows] == [
        ("never", "300"), ("rarely", "30"), ("sometimes", "90"), ("often", "180"),
    ]  # fmt: skip
    mean = sum(int(row["landmarks"]) * float(row["accuracy"]) for row in rows) / LANDMARKS
    assert mean == pytest.approx(0.28)
    assert "knowledge-curve.svg" in section(
        (whole[1] / "RESULTS.md").read_text(), "What the encoder knew"
    )


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "RESULTS.md"
    here = partial(write_report, tmp_path / "nowhere", out)
    monkeypatch.setattr("benchmarks.nano.report.write.write_report", here)
    done = CliRunner().invoke(main, ["report"])
    assert done.exit_code == 0, done.output
    assert out.is_file()
    assert "Of 29 claims of the paper: 29 not run." in done.output
