"""Records validated by the package every-eval-ever: its types, its schema, its own command."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from test_integrations_eee_export import NAMED, export, read

WHY = "every-eval-ever is not in this environment: `make test` runs these in .venv-inspect"
pytest.importorskip("every_eval_ever", reason=WHY)


def validate(out: Path) -> subprocess.CompletedProcess[str]:
    paths = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    command = [sys.executable, "-m", "every_eval_ever", "validate", "--format", "json", *paths]
    return subprocess.run(command, cwd=out, capture_output=True, text=True, check=False)


def test_its_own_command_finds_nothing(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(run, out, *NAMED)
    done = validate(out)
    assert done.returncode == 0, done.stdout + done.stderr
    reports = json.loads(done.stdout)
    reports = reports["results"] if isinstance(reports, dict) else reports
    assert len(reports) == 2
    assert not any(each.get("errors") or each.get("warnings") for each in reports)


def test_its_own_command_would_find_it(run: Path, tmp_path: Path) -> None:
    """That it finds nothing says something: a row less, another model, a score out of bounds."""
    out = tmp_path / "out"
    export(run, out, *NAMED)
    path, record, _ = read(out)
    samples = path.with_name(f"{path.stem}_samples.jsonl")
    whole = samples.read_text()
    samples.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    assert "total_rows does not match" in validate(out).stdout
    samples.write_text(whole.replace('"tests/made-up:v1"', '"tests/other"'))
    assert "samples model_id values" in validate(out).stdout
    samples.write_text(whole)
    record["evaluation_results"][1]["score_details"]["score"] = 1.5
    path.write_text(json.dumps(record))
    assert "is outside" in validate(out).stdout


def test_its_json_schemas(run: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    export(run, tmp_path / "out", *NAMED)
    _, record, rows = read(tmp_path / "out")
    schemas = files("every_eval_ever") / "schemas"
    of_record = json.loads((schemas / "eval.schema.json").read_text())
    of_row = json.loads((schemas / "instance_level_eval.schema.json").read_text())
    assert of_record["version"] == of_row["version"] == record["schema_version"]
    jsonschema.Draft7Validator(of_record).validate(record)
    for row in rows:
        jsonschema.Draft7Validator(of_row).validate(row)
