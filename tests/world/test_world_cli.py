"""`mgld world` on the command line."""

from pathlib import Path

from click.testing import CliRunner

from mgld.cli import main


def test_writes_a_world_and_says_what_next(tmp_path: Path) -> None:
    out = tmp_path / "w"
    result = CliRunner().invoke(main, ["world", str(out), "--landmarks", "3", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert (out / "ground_truth.parquet").exists()
    assert f"mgld build --source {out}" in result.output


def test_bad_calls(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["world", str(tmp_path), "--landmarks", "0"]).exit_code == 2
    (tmp_path / "mine.txt").write_text("x")
    result = CliRunner().invoke(main, ["world", str(tmp_path), "--landmarks", "1"])
    assert result.exit_code == 1
    assert "not empty" in result.output
