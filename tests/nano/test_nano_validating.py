"""Settings on the validation set: what is kept of them, and how the page shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from made_up_runs import MACHINE, write_questions

from benchmarks.nano.__main__ import main
from benchmarks.nano.report.page_sections import validation_line
from benchmarks.nano.report.write import write_report
from benchmarks.nano.validating import FOLDER, ValidationRecord, read_validation


def _record(sets: list[str]) -> ValidationRecord:
    return ValidationRecord(
        row="table2_eeca", seed=0, encoder="west", sets=sets, levels="SKWU" * 25, lm_loss=0.2,
        clipped=0.5, questions_sha256="0" * 64, binding="b",
        machine=MACHINE, manifest={},
    )  # fmt: skip


def test_records_of_other_settings_stand_side_by_side(tmp_path: Path) -> None:
    given = [_record([]), _record(["model.settings.mu_e=0.5"])]
    (tmp_path / FOLDER).mkdir()
    for each in given:
        (tmp_path / FOLDER / each.file).write_text(each.model_dump_json())
    assert sorted(map(str, read_validation(tmp_path))) == sorted(map(str, given))
    assert validation_line(given[1]) == [
        "table2_eeca", "0", "model.settings.mu_e=0.5", "50.0", "50", "0.200",
    ]  # fmt: skip
    mine = write_questions(tmp_path)
    assert len(read_validation(tmp_path, mine)) == 2
    other = mine.model_copy(update={"sha256": {"west": "f" * 64}})
    with pytest.raises(ValueError, match="another build than the runs"):
        read_validation(tmp_path, other)
    write_report(tmp_path, tmp_path / "RESULTS.md", remarks=tmp_path / "none.yaml")
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "| table2_eeca | 0 | model.settings.mu_e=0.5 | 50.0 | 50 | 0.200 |" in page


def test_a_row_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(main, ["validate", "table9"])
    assert result.exit_code == 2 and "no such row: table9" in result.output
