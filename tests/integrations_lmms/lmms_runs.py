"""Several runs of lmms-eval in one process, which spares its start: `python lmms_runs.py RUNS OUT`.

RUNS: JSON, a list of {"env": {...}, "task": ..., and arguments of `simple_evaluate`}. OUT: JSON, of
each run its results with the samples, or {"error": ...}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from lmms_data import TASKS
from lmms_eval.evaluator import simple_evaluate
from lmms_eval.tasks import TaskManager


def run(env: dict[str, str], task: str, **arguments: Any) -> dict[str, Any]:
    os.environ.update(env)
    tasks = TaskManager(include_path=str(TASKS), include_defaults=False)
    try:
        results = simple_evaluate(tasks=[task], task_manager=tasks, bootstrap_iters=0, **arguments)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"results": results["results"][task], "samples": results["samples"][task]}


if __name__ == "__main__":
    runs, out = map(Path, sys.argv[1:])
    found = [run(**each) for each in json.loads(runs.read_text())]
    out.write_text(json.dumps(found, default=str))
