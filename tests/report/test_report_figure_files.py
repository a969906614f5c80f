"""`mgld figures`: all that a folder supports, as files, and what the others need."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from graded_run import pictured_run

from mgld.build.read import BuildView
from mgld.cli import main
from mgld.figures import BUILD_FIGURES, NARROW, BuildData, Drawing, LackingError, tsne_sample
from mgld.report.build_pictures import draw_build_top_three
from mgld.report.evaluation_read import read_evaluated
from mgld.report.examples import selections
from mgld.report.figure_files import NotDrawn, draw_folder
from mgld.report.run_pictures import draw_run_examples, pick

OF_A_WORLD = [*BUILD_FIGURES, "top-three"]


@pytest.fixture(scope="module")
def pictured(tmp_path_factory):
    """A graded run with pictures of photographs."""
    return pictured_run(tmp_path_factory.mktemp("pictured"))


def run(*arguments):
    return CliRunner().invoke(main, ["figures", *map(str, arguments)])


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_figure_of_a_build_is_three_files_the_same_each_time(world_build, tmp_path):
    first, again = (run(world_build, "--out", tmp_path / name) for name in "ab")
    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    files = sorted((tmp_path / "a").iterdir())
    assert {path.name for path in files} == {
        f"{name}.{suffix}" for name in OF_A_WORLD for suffix in ("svg", "png", "csv")
    }
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    lines = first.output.splitlines()
    assert {line.removeprefix("figure: ") for line in lines if line.startswith("figure: ")} == {
        str(path) for path in files
    }
    lacking = [line for line in lines if line.startswith("not drawn: ")]
    assert [line.split(" needs ")[0].removeprefix("not drawn: ") for line in lacking] == [
        "levels", "level-examples", "data-size", "robustness",
    ]  # fmt: skip
    assert len(lines) == len(files) + len(lacking)


def test_the_map_has_the_builds_own_vectors_labels_and_subsets(world_build):
    data = BuildData(BuildView(world_build))
    table = data.view.table("selection", "part", ["landmark_id", "vector"]).to_pylist()
    vector_of = {row["landmark_id"]: row["vector"] for row in table}
    ids = data.records.landmark_id.tolist()
    assert np.array_equal(data.vectors, np.array([vector_of[i] for i in ids], dtype=np.float32))
    rows = BUILD_FIGURES["tsne"](data, NARROW).data.to_pylist()
    shown = tsne_sample(data.records.landmark_id, data.records.subsets)
    assert [row["landmark_id"] for row in rows] == data.records.landmark_id[shown].tolist()
    label_of = dict(zip(ids, data.records.label, strict=True))
    assert all(row["category"] == label_of[row["landmark_id"]] for row in rows)
    for method, mask in data.records.subsets.items():
        assert sum(row[method] for row in rows) == mask.sum() > 0


def test_vectors_follow_the_records_whatever_the_order_of_the_table(world_build, tmp_path):
    import pyarrow.parquet as pq

    shutil.copytree(world_build, tmp_path / "build")
    path = tmp_path / "build" / "selection" / "part-00000.parquet"
    table = pq.read_table(path, partitioning=None)
    order = np.random.default_rng(0).permutation(table.num_rows)
    pq.write_table(table.take(order), path)
    moved = BuildData(BuildView(tmp_path / "build")).vectors
    assert np.array_equal(moved, BuildData(BuildView(world_build)).vectors)


def test_the_tables_figure_has_the_counts_of_the_manifest(world_build):
    data = BuildData(BuildView(world_build))
    counts = data.view.manifest.stages["catalog"].shards["tables"].counts
    rows = BUILD_FIGURES["gldv2-tables"](data, NARROW).data.to_pylist()
    assert len(rows) == 4
    for row in rows:
        assert row["rows"] == counts[row["file"]]["rows"]
        assert row["unreferred"] in (None, 0)


def test_the_candidates_are_those_of_the_build(world_build):
    data = BuildData(BuildView(world_build))
    landmarks = data.view.table("catalog", "landmarks", ["landmark_id", "name"]).to_pydict()
    names = dict(zip(landmarks["landmark_id"], landmarks["name"], strict=True))
    drawing = draw_build_top_three(data, NARROW)
    wanted = [
        (each.name, k, c.image_id, c.sim, c.chosen)
        for each in selections(data.view, names)
        for k, c in enumerate(each.candidates, start=1)
    ]
    assert len(wanted) >= 6
    assert [
        (row["landmark"], row["place"], row["image_id"], row["sim"], row["chosen"])
        for row in drawing.data.to_pylist()
    ] == wanted
    # drawings of a program are nobody's; each has its pixels
    assert set(drawing.data["credit"].to_pylist()) == {""}
    assert all(axis.images for axis in drawing.figure.axes)


def test_photographs_are_credited(hostile_build):
    drawing = draw_build_top_three(BuildData(BuildView(hostile_build)), NARROW)
    assert all(", " in credit for credit in drawing.data["credit"].to_pylist())


def test_hostile_metadata_stays_text(hostile_build, tmp_path):
    result = run(hostile_build, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "not drawn: known-unknown needs to know what the encoder was taught" in result.output
    for path in tmp_path.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "onerror=" not in text.replace("&", "") or "<img" not in text


def test_a_half_done_build_has_the_figures_of_what_is_there(world_build, tmp_path):
    shutil.copytree(world_build, tmp_path / "build")
    for stage in ("scores", "selection", "splits"):
        shutil.rmtree(tmp_path / "build" / stage)
    found = list(draw_folder(tmp_path / "build"))
    assert [each.name for each in found if isinstance(each, Drawing)] == [
        "images-per-landmark", "gldv2-tables",
    ]  # fmt: skip
    lacking = {each.name: each.needs for each in found if isinstance(each, NotDrawn)}
    assert "a stage that has not run" in lacking["tsne"]
    assert "mgld build" in lacking["top-three"]


def test_a_build_too_small_for_a_map_says_so(world_build):
    data = BuildData(BuildView(world_build))
    few = {method: np.arange(len(data.records)) < 4 for method in data.records.subsets}
    object.__setattr__(data.records, "subsets", few)
    with pytest.raises(LackingError, match="at least 5 records"):
        BUILD_FIGURES["tsne"](data, NARROW)
    object.__setattr__(data.records, "subsets", {})
    with pytest.raises(LackingError, match="too small for any"):
        BUILD_FIGURES["dispersion"](data, NARROW)


def test_every_figure_of_a_run(run_folder, tmp_path):
    result = run(run_folder, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert {path.stem for path in tmp_path.iterdir()} == {
        "levels", "identified", "levels-rsr", "levels-sim", "levels-images", "level-examples",
    }  # fmt: skip
    assert "not drawn: what the dataset holds needs the folder of a build" in result.output
    assert "pictures in level-examples needs the folder of the dataset (the run" in result.output
    rows = rows_of(tmp_path / "level-examples.csv")
    found = read_evaluated(run_folder)
    level_of = {c.question.id: v.level for c, v in zip(found.cases, found.verdicts, strict=True)}
    text_of = {(c.question.id, a.draw): a.text for c in found.cases for a in c.answers}
    assert len({row["level"] for row in rows}) == 4
    assert len(rows) == 20
    for row in rows:
        assert level_of[row["question_id"]] == row["level"]
        assert text_of[row["question_id"], int(row["draw"])] == row["answer"]
    known = [row for row in rows if row["level"] == "known"]
    assert [row["mark"] for row in known] == ["identifies", "", "", "", ""]
    assert known[0]["words"].lower().startswith("tower ")


def test_an_example_is_one_whose_words_the_judge_quotes(run_folder):
    found = read_evaluated(run_folder)
    silent = [
        verdict.model_copy(update={"spans": {}}) if row < 36 else verdict
        for row, verdict in enumerate(found.verdicts)
    ]
    chosen = {level: case.question.id for case, _, level in pick(found.cases, silent)}
    assert chosen["strongly_known"] == "q00036"
    assert list(chosen) == ["strongly_known", "known", "weakly_unknown", "unknown"]


def test_pictures_of_a_run_are_shown_with_whose_they_are(pictured):
    drawing = draw_run_examples(read_evaluated(pictured), width=NARROW)
    assert all(axis.images for axis in drawing.figure.axes)
    assert all(drawing.data["credit"].to_pylist())


def test_no_dataset_is_fetched_for_pictures(pictured, tmp_path, monkeypatch):
    import mgld

    shutil.copytree(pictured, tmp_path / "run")
    path = tmp_path / "run" / "run.yaml"
    text = path.read_text(encoding="utf-8")
    source = read_evaluated(pictured).run.dataset.source
    assert source in text
    path.write_text(text.replace(source, "owner/on-the-hub"), encoding="utf-8")
    monkeypatch.setattr(mgld, "load", lambda *_, **__: pytest.fail("it loads a dataset"))
    result = run(tmp_path / "run", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    said = "pictures in level-examples needs the folder of the dataset (owner/on-the-hub)"
    assert f"not drawn: {said}" in result.output
    assert (tmp_path / "out" / "level-examples.png").is_file()


def test_a_run_of_which_nothing_is_scored(run_folder, tmp_path):
    from graded_run import MadeUp, write_run

    from mgld.evaluate.grading import grade_run

    grade_run(
        write_run(tmp_path / "run", 3),
        MadeUp(lambda row, case: {"level": "unscored", "explanation": "", "reason": "gone"}),
    )
    result = run(tmp_path / "run", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "not drawn: levels needs a question that the judge could score" in result.output
    assert "not drawn: level-examples needs a question that the judge could score" in result.output


def test_wrong_folders_and_wrong_usage_have_their_exit_codes(world_build, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run(tmp_path / "empty", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Error:" in result.output
    assert not (tmp_path / "out").exists()
    assert run(world_build, "--judge", "rule", "--out", tmp_path / "out").exit_code == 2
    assert run(world_build).exit_code == 2
