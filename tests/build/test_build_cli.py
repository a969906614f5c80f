"""`mgld build`, `mgld status`, `mgld verify` as a user runs them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from build_process import start_command
from build_source import write_encoder
from click.testing import CliRunner, Result

from mgld.build import BuildConfig, BuildError, BuildStoppedError, BuildView, build_dataset
from mgld.build.manifest import STAGE_NAMES, Manifest
from mgld.cli import main
from mgld.cli.build import STAGES


def mgld(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_two_workers_make_what_one_makes(
    finished: BuildView, config: BuildConfig, tmp_path: Path
) -> None:
    driver = start_command(config, tmp_path / "build", workers=2)
    out, said = driver.communicate(timeout=240)
    assert driver.returncode == 0, said
    assert (tmp_path / "build" / "manifest.json").read_bytes() == (
        finished.root / "manifest.json"
    ).read_bytes()
    assert out.endswith("complete\n")
    assert "embeddings/images: 5/5 shards, 118 rows" in said


def test_the_command_line_knows_the_stages() -> None:
    """Its own list, so that `--help` imports no build."""
    assert STAGES == STAGE_NAMES


def test_status_as_json_reconciles(finished: BuildView) -> None:
    result = mgld("status", finished.root, "--json")
    assert result.exit_code == 0
    status = json.loads(result.output)
    assert status["complete"]
    assert {stage["stage"] for stage in status["stages"]} == set(finished.manifest.stages)
    for balance in status["balances"]:
        assert balance["balanced"]
        assert balance["total"] == sum(balance["parts"].values())


def test_status_says_each_balance_in_words(finished: BuildView) -> None:
    output = mgld("status", finished.root).output
    assert "116 images of the catalog = 1 damaged + 2 missing + 113 ok: balanced" in output
    assert "40 landmarks of the catalog = 1 no_image + 1 no_readable_image + 38 ok" in output
    assert "NOT BALANCED" not in output
    assert "embeddings  12 done; " in output
    assert ", 3 errors\n" in output
    assert "qa          3 done; 40 rows\n" in output  # no word of no errors
    assert "records in each subset: 4, 8\n" in output


def test_status_orders_subsets_by_size(copy: Path, config: BuildConfig) -> None:
    build_dataset(config.model_copy(update={"sizes": [9, 12, 4]}), copy)
    assert "records in each subset: 4, 9, 12\n" in mgld("status", copy).output


def test_a_build_with_nothing_done(config: BuildConfig, tmp_path: Path) -> None:
    nowhere = config.model_copy(update={"encoder": "./nowhere"})
    with pytest.raises(BuildError):
        build_dataset(nowhere, tmp_path)
    output = mgld("status", tmp_path).output
    assert "catalog     not started; 0 rows\n" in output
    assert "embeddings  waiting for the stage before; 0 rows\n" in output
    result = mgld("verify", tmp_path)
    assert result.exit_code == 1
    assert "nothing built yet" in result.stderr
    assert "checked" not in result.output


def test_a_stopped_build_says_what_is_left_and_how_to_complete_it(copy: Path) -> None:
    """As Ctrl-C leaves it, with half the images encoded."""
    manifest = Manifest.load(copy)
    shards = manifest.stage("embeddings").shards
    for shard in [name for name in shards if name.startswith(("images-", "sims-"))][:-6]:
        del shards[shard]
    for stage in STAGES[2:]:
        del manifest.stages[stage]
        shutil.rmtree(copy / stage)
    manifest.save(copy)
    output = mgld("status", copy).output
    assert re.search(r"^embeddings  .*\d missing, in progress; ", output, re.MULTILINE)
    assert "selection   waiting for the stage before; 0 rows\n" in output
    result = mgld("report", copy)
    assert result.exit_code == 1
    assert f"the build in {copy} is not complete" in result.stderr
    assert f"`mgld build --out {copy}` completes it" in result.stderr


def test_status_tells_when_a_sum_does_not_come_out(copy: Path) -> None:
    manifest = copy / "manifest.json"
    text = manifest.read_text().replace('"missing": 1', '"missing": 0')
    manifest.write_text(text)
    output = mgld("status", copy).output
    assert "116 images of the catalog = 1 damaged + 0 missing + 113 ok: NOT BALANCED" in output


def test_status_without_the_source(finished: BuildView, copy: Path) -> None:
    settings = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(settings.replace(finished.config.source, "/nowhere"))
    assert mgld("status", copy).output.endswith("complete\n")


def test_a_build_goes_on_with_its_own_settings(copy: Path, config: BuildConfig) -> None:
    result = mgld("build", "--out", copy, "--workers", "1", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["complete"]
    assert BuildView(copy).config == config


def test_flags_win_over_the_file(copy: Path, config: BuildConfig) -> None:
    result = mgld("build", "--out", copy, "--config", copy / "config.yaml", "--workers", "1",
                  "--sizes", "5,3", "--test-size", "4", "--seed", "2")  # fmt: skip
    assert result.exit_code == 0
    found = BuildView(copy).config
    assert (found.sizes, found.test_size, found.seed) == ([3, 5], 4, 2)
    assert found.chunk == config.chunk


def test_verify_exit_codes(copy: Path) -> None:
    assert mgld("verify", copy).exit_code == 0
    (copy / "catalog" / "names.parquet").write_bytes(b"PAR1")
    result = mgld("verify", copy, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["bad"] == [{"file": "catalog/names.parquet", "problem": "changed"}]


def test_a_rebuild_that_fails_says_so_as_a_build_does(
    copy: Path, config: BuildConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = write_encoder(tmp_path / "own", seed=0)
    build_dataset(config.model_copy(update={"encoder": str(encoder)}), copy)
    encoder.rename(tmp_path / "away")
    result = mgld("verify", copy, "--rebuild", "--workers", "1")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "Error: encoder" in result.stderr
    assert "no encoder folder" in result.stderr

    def stopped(*_: object, **__: object) -> None:
        raise BuildStoppedError("stopped; finished shards are kept")

    monkeypatch.setattr("mgld.build.verify_build", stopped)
    result = mgld("verify", copy, "--rebuild")
    assert isinstance(result.exception, SystemExit)
    assert (result.exit_code, result.stderr) == (1, "Error: stopped; finished shards are kept\n")


def test_a_bug_keeps_its_traceback(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("mgld.build.verify_build", broken)
    result = mgld("verify", copy)
    assert isinstance(result.exception, RuntimeError)


def test_wrong_usage_is_2_and_wrong_input_is_1(tmp_path: Path, source: Path) -> None:
    new = tmp_path / "new"
    assert mgld("build", "--out", new).exit_code == 2
    assert mgld("build", "--out", new, "--source", source, "--stage", "x").exit_code == 2
    assert mgld("build", "--out", new, "--source", source, "--sizes", "a").exit_code == 2
    assert mgld("build", "--out", new, "--source", source, "--workers", "0").exit_code == 2
    for arguments in (
        ["build", "--out", new, "--source", "world:none"],
        ["build", "--out", source, "--source", source],
        ["build", "--out", new, "--source", source, "--encoder", "./no", "--workers", "1"],
        ["status", tmp_path],
        ["verify", tmp_path],
    ):
        result = mgld(*arguments)
        assert result.exit_code == 1, arguments
        assert result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
