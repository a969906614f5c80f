"""CITATION.cff is what the Citation File Format asks for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from package_files import ROOT

SCHEMA = "vendor.citation-file-format"


def _check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMA, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_valid() -> None:
    done = _check(ROOT / "CITATION.cff")
    assert done.returncode == 0, done.stdout


def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    wrong = tmp_path / "CITATION.cff"
    wrong.write_text(text.replace("license: Apache-2.0", "license: Apache"), encoding="utf-8")
    done = _check(wrong)
    assert done.returncode == 1
    assert "license" in done.stdout
