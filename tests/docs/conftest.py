"""The site, built once for all workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from docs_blocks import ROOT
from filelock import FileLock

sys.path.append(str(ROOT / "tests" / "hub"))  # the Hub on loopback is theirs


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site; building it warns of nothing."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    out, done = shared / "site", shared / "site.done"
    with FileLock(shared / "site.lock"):
        if not done.exists():
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
            env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
            built = subprocess.run(
                command, cwd=ROOT, env=env, capture_output=True, text=True, check=False
            )
            assert built.returncode == 0, built.stderr
            assert "WARNING" not in built.stderr
            done.touch()
    return out
