"""Run the builds on Ray in which workers and drivers are killed, and record what came of them.

python -m benchmarks.scale.ray_kills benchmarks/results/ray_kills.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from mgld.build.environment import environment
from mgld.files import write_text_atomically

TESTS = "tests/build/test_build_ray_kills.py"


def main() -> None:
    """Run from the command line."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-n", "0", "-m", "slow", TESTS]
        code = subprocess.run([*command, f"--junitxml={report}"]).returncode
        cases = ElementTree.parse(report).iter("testcase")
        builds = {
            case.attrib["name"].removeprefix("test_"): {
                "seconds": round(float(case.attrib["time"]), 1),
                "passed": not len(case),  # a failure or a skip is an element of its own
            }
            for case in cases
        }
    record = {
        "what": "builds on a Ray cluster of two nodes on one machine, workers and drivers killed "
        "by SIGKILL in the middle of a tar; passed: every file and the manifest are those of the "
        "local runner",
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores",
        "exchange": os.environ.get("MGLD_TEST_EXCHANGE", "file://").partition("//")[0] + "//",
        "load_after": os.getloadavg()[0],
        "versions": {**environment(), "ray": version("ray")},
        "builds": builds,
    }
    write_text_atomically(Path(sys.argv[1]), json.dumps(record, indent=1) + "\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
