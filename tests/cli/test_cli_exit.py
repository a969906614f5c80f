"""A command that used Arrow waits a moment before it ends; others end at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import mgld.cli._exit as end
end.time.sleep = lambda seconds: print("waited", seconds)
sys.argv = ["mgld", "status", "--help"]
from mgld.cli import main
main()
"""


@pytest.mark.parametrize("used", [False, True])
def test_it_waits_for_arrow_alone(used: bool) -> None:
    program = ("import pyarrow\n" if used else "") + PROGRAM
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("waited 0.1" in done.stdout) is used
