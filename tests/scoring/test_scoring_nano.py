"""`mgld score` from world to table: a real build, the real embedded encoder, real processes."""

import json
import os
import subprocess
import sys

import pytest

import mgld

COMMAND = [sys.executable, "-c", "from mgld.cli import main; main()"]
LANDMARKS = 12


def run(*arguments, home):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=os.environ | {"HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    root = tmp_path_factory.mktemp("nano")
    flags = ["--source", f"world:{LANDMARKS}", "--encoder", "nano", "--workers", 1]
    sizes = ["--sizes", 4, "--test-size", 4]
    done = run("build", *flags, *sizes, "--out", root / "build", home=root)
    assert done.returncode == 0, done.stderr
    return root / "build"


def test_score_with_nano_repeats_the_scores_of_the_build(build):
    done = run("score", build, "--encoder", "nano", "--json", home=build.parent)
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    loaded = mgld.load(build, cache_dir=str(build.parent / "cache"))
    built = {row["id"]: row for part in loaded.values() for row in part.remove_columns("image")}
    assert body["summary"]["scored"] == len(body["rows"]) == len(built) > 4
    for row in body["rows"]:
        assert row["rank"] == built[row["id"]]["rank"]
        assert row["sim"] == pytest.approx(built[row["id"]]["sim"], abs=1e-5)


def test_a_reader_that_goes_away_is_no_error(build):
    """`mgld subset ... | head`, with the reader gone before the first line."""
    command = [*COMMAND, "subset", str(build), "--method", "hds", "--size", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b""
