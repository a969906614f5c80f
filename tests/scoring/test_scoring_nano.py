"""`mgld score` from world to table: a real build, the real embedded encoder, real processes."""

import json
import os
import subprocess
import sys

import pytest

import mgld

COMMAND = [sys.executable, "-c", "from mgld.cli import main; main()"]


def run(*arguments, home):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=os.environ | {"HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_score_with_nano_repeats_the_scores_of_the_build(nano_build, tmp_path):
    done = run("score", nano_build, "--encoder", "nano", "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    loaded = mgld.load(nano_build, cache_dir=str(tmp_path / "cache"))
    built = {row["id"]: row for part in loaded.values() for row in part.remove_columns("image")}
    assert body["summary"]["scored"] == len(body["rows"]) == len(built) > 4
    for row in body["rows"]:
        assert row["rank"] == built[row["id"]]["rank"]
        assert row["sim"] == pytest.approx(built[row["id"]]["sim"], abs=1e-5)


def test_a_reader_that_goes_away_is_no_error(nano_build):
    """`mgld subset ... | head`, with the reader gone before the first line."""
    command = [*COMMAND, "subset", str(nano_build), "--method", "hds", "--size", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b""
