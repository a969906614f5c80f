"""`mgld submit` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bundle_data import write_run
from click.testing import CliRunner, Result

from mgld.cli import main

WHO = ("--judge", "rule", "--submitter", "Ada")


def call(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["submit", *map(str, arguments)])


def test_prepare_and_validate(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "b.zip"
    made = call("prepare", run, *WHO, "--out", out)
    assert made.exit_code == 0, made.output
    assert "accepted by these checks: 0 errors, 0 warnings" in made.output
    checked = call("validate", out)
    assert checked.exit_code == 0
    assert "accuracy 50.00%" in checked.output
    out.write_bytes(out.read_bytes()[:-50])
    broken = call("validate", out)
    assert broken.exit_code == 1
    assert "files  ERROR    b.zip is no whole zip archive" in broken.output
    as_json = json.loads(call("validate", out, "--json").output)
    assert as_json["findings"][0]["severity"] == "error"


def test_a_name_of_script_tags(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    made = call(
        "prepare", run, *WHO, "--name", "<script>alert(1)</script>", "--out", tmp_path / "b"
    )
    assert made.exit_code == 1
    assert "Error: name: has characters that are not shown in a table (U+003C" in made.output
    assert not (tmp_path / "b").exists()


def test_what_refuses_a_run(tmp_path: Path) -> None:
    assert "is no run" in call("prepare", tmp_path, *WHO, "--out", tmp_path / "b").output
    run = write_run(tmp_path / "run", 20, lambda number, draw: f"same {number}")
    made = call("prepare", run, *WHO, "--out", tmp_path / "b")
    assert made.exit_code == 1
    assert "draws      ERROR    all five draws are the same text" in made.output
    assert not (tmp_path / "b").exists()


def test_accept_needs_records(tmp_path: Path) -> None:
    done = call("verify", tmp_path, "--data", tmp_path, "--judge", "rule", "--accept")
    assert done.exit_code == 2
