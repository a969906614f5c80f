"""The check of the paper's tables: what it finds, and that nothing in them can change unnoticed."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from benchmarks.paper.cells import cells, counts_for_gain, whole_count
from benchmarks.paper.check import EXPECTED, differences, main, outcome
from benchmarks.paper.claims import findings
from benchmarks.paper.tables import COUNTED, TABLES, read_tables

SHARED = Path(__file__).resolve().parents[2].parent / "shared/paper"
STATED = yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))


def _rows(number: int) -> list[list[str]]:
    with (TABLES / f"table{number}.csv").open(newline="") as handle:
        return list(csv.reader(handle))


def _changed(folder: Path, number: int, row: int, column: int, text: str) -> Path:
    """A copy of the tables with one cell replaced."""
    if not folder.exists():
        shutil.copytree(TABLES, folder)
    rows = _rows(number)
    rows[row][column] = text
    with (folder / f"table{number}.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return folder


def _restore(folder: Path, number: int) -> None:
    shutil.copy(TABLES / f"table{number}.csv", folder)


def test_everything_is_as_stated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "90 of 94 checks agree" in said
    assert said.count("DISAGREES") == 4
    assert "NOT AS EXPECTED" not in said
    assert main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["as_expected"] and found["new"] == []
    assert [each["kind"] for each in found["findings"]] == (
        ["disagreement"] * 2 + ["open"] * 2 + ["unsupported"] * 3
    )


def test_what_disagrees_is_tables_4s_first_row_and_nothing_else() -> None:
    assert {cell.id for cell in cells(read_tables()) if not cell.agrees} == {
        f"table4/{subset}/Data/{what}"
        for subset in ("HDS-25k", "HSS-25k")
        for what in ("accuracy", "over baseline")
    }


def test_the_findings_by_hand() -> None:
    named = {each.name: each for each in findings(read_tables())}
    assert "18 of 18 rows" in named["size of the test set"].shows
    data = named["+ 25k Data"].numbers
    assert data["HDS-25k Table 7"] == "12.96 (324)"  # 182 + 142
    assert data["HSS-25k Table 7"] == "12.16 (304)"  # 169 + 135
    assert data["HSS-25k gain by Table 7"] == data["HSS-25k gain in Table 1"] == "40.1"
    assert named["order of the losses"].numbers == {
        "cells": 6,
        "agree by label": 6,
        "agree by place": 2,
    }
    assert "3 of 3" in named["epochs"].shows
    known = named["VE-Known against random"].numbers
    assert known["HSS-25k"] == known["BRS-25k"] == "40.1 (304)"
    prompt = named["entity prompt at inference only"].numbers
    assert prompt["Entity Prompt (Inference Only)"] == "7.80"  # 4.56 + 3.24
    assert prompt["Baseline"] == "8.68"
    branch = named["HR branch alone"].numbers
    assert str(branch["HSS-25k HR Branch"]).startswith("+1.68")  # 346 - 304 of 2,500
    assert branch["HSS-25k L_e"] == "+0.56 points"  # 360 - 346


def test_gains_invert_to_one_whole_count_or_none() -> None:
    assert counts_for_gain("40.1", 217) == [304]  # 87 / 217 = 40.09 %
    assert counts_for_gain("64.1", 217) == [356]
    assert counts_for_gain("40.3", 217) == []  # 305 would be 40.6
    assert whole_count("19.52") == 488
    assert whole_count("19.50") is None


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("number", [6, 7])
def test_any_count_that_changes_is_noticed(number: int, step: int, tmp_path: Path) -> None:
    rows = _rows(number)
    tried = 0
    for row in range(1, len(rows)):
        for column in range(2, 2 + len(COUNTED)):
            text = str(int(rows[row][column]) + step)
            folder = _changed(tmp_path / "tables", number, row, column, text)
            assert differences(outcome(read_tables(folder)), STATED), (number, row, column)
            tried += 1
    assert tried == 4 * (len(rows) - 1)


def test_a_count_that_changes_level_is_noticed(tmp_path: Path) -> None:
    """Row sums stay right; weakly_unknown and unknown are printed nowhere else."""
    folder = tmp_path / "tables"
    rows = _rows(7)
    _changed(folder, 7, 5, 4, str(int(rows[5][4]) + 1))
    changed = (folder / "table7.csv").read_text().replace("1951", "1950")
    (folder / "table7.csv").write_text(changed)
    assert read_tables(folder).of("HDS-25k", "L_e").total == 2500
    new = differences(outcome(read_tables(folder)), STATED)
    assert new == [
        "sums by level > table7 > unknown: found 25772, expected 25773",
        "sums by level > table7 > weakly_unknown: found 2596, expected 2595",
    ]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_any_printed_number_that_changes_is_noticed(number: int, tmp_path: Path) -> None:
    """Its last digit one up or down."""
    rows = _rows(number)
    folder, tried = tmp_path / "tables", 0
    for row in range(1, len(rows)):
        for column, text in enumerate(rows[row]):
            if "." not in text:
                continue
            for last in (int(text[-1]) - 1, int(text[-1]) + 1):
                changed = text[:-1] + str(last % 10)
                _changed(folder, number, row, column, changed)
                assert differences(outcome(read_tables(folder)), STATED), (row, column, changed)
                tried += 1
    assert tried > 10


def test_something_new_ends_with_1_and_says_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _changed(tmp_path / "tables", 6, 2, 2, "188")
    assert main([], folder) == 1
    said = capsys.readouterr().out
    assert "NOT AS EXPECTED: cells that disagree > table6/HSS-50k/Data/sum" in said
    assert main(["--json"], folder) == 1
    assert not json.loads(capsys.readouterr().out)["as_expected"]
    _restore(folder, 6)
    assert main([], folder) == 0


def test_the_record_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    record = (TABLES.parent / "README.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() in record


@pytest.mark.skipif(not (SHARED / "tables").is_dir(), reason="no ../shared/paper here")
def test_the_transcription_is_the_papers() -> None:
    """Every number of ours stands in the other transcription, in the same order."""

    def numbers(rows: list[list[str]], columns: list[int]) -> list[list[float]]:
        return [[float(row[column]) for column in columns] for row in rows[1:]]

    def theirs(name: str) -> list[list[str]]:
        with (SHARED / "tables" / f"{name}.csv").open(newline="") as handle:
            return list(csv.reader(handle))

    table1 = [[row[0], row[1], row[2]] for row in _rows(1)[1:]]
    assert sorted(table1) == sorted(row[1:] for row in theirs("table1_selection")[1:])
    for number, name, ours, others in (
        (2, "table2_entity_prompt", [1, 2], [1, 2]),
        (3, "table3_ablation", [1, 3, 5], [1, 2, 3]),
        (6, "table6_ablation_counts", [2, 3, 4, 5], [1, 2, 3, 4]),
        (7, "table7_generalizability_counts", [2, 3, 4, 5], [2, 3, 4, 5]),
    ):
        assert numbers(_rows(number), ours) == numbers(theirs(name), others)
    flat = [value for row in numbers(theirs("table4_generalizability"), [1, 2, 3]) for value in row]
    assert [row[0] for row in numbers(_rows(4), [2])] == flat


@pytest.mark.skipif(not (SHARED / "beyond-sight.txt").is_file(), reason="no ../shared/paper here")
def test_the_transcription_stands_in_the_papers_text() -> None:
    """Row by row as the text has it, parentheses too."""
    text = (SHARED / "beyond-sight.txt").read_text(encoding="utf-8").replace("–", "-")
    text = "".join(text.split())

    def cell(value: str, change: str) -> str:
        return f"{value}({change})" if change else value

    lines = ["".join(row[2:]) for number in (6, 7) for row in _rows(number)[1:]]
    lines += [row[0] + row[1] + row[2] for row in _rows(2)[1:]]
    lines += ["".join(cell(row[i], row[i + 1]) for i in (1, 3, 5)) for row in _rows(3)[1:]]
    for rows, width in ((_rows(1)[1:], 2), (_rows(4)[1:], 3)):
        for first in range(0, len(rows), width):
            group = rows[first : first + width]
            lines.append("".join(cell(row[2], row[3]) for row in group))
    lines = ["".join(line.split()) for line in lines]
    assert len(lines) == 18 + 4 + 5 + 4 + 5
    assert [line for line in lines if line not in text] == []
