"""What tests run in processes of their own: `python training_jobs.py FOLDER`, or under torchrun.

Several jobs share a start, which costs more than they do.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any


def weights_hash(folder: Path) -> str:
    """Of the weights of a saved model."""
    from safetensors import safe_open

    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in sorted(tensors.keys()):
                digest.update(name.encode())
                digest.update(tensors.get_tensor(name).float().numpy().tobytes())
    return digest.hexdigest()


def train(job: dict[str, Any]) -> dict[str, Any]:
    """The log of a run and the hash of its weights; of one that stopped, the error."""
    from eeca_ref.recipe import Recipe
    from eeca_ref.training.log import read_log
    from eeca_ref.training.run import train as run

    out = Path(job["out"])
    try:
        result = run(Recipe.model_validate(job["recipe"]), out, resume=job.get("resume", True))
    except (ValueError, ArithmeticError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    log = read_log(out / "log.jsonl")
    return {
        "done_before": result.done_before,
        "steps": [line for line in log if line["kind"] == "step"],
        "log": read_log(out / "log.jsonl", times=False),
        "weights": weights_hash(out / "model"),
    }


JOBS = {"train": train}


def main(folder: Path) -> None:
    import os

    results = []
    for job in json.loads((folder / "jobs.json").read_text()):
        results.append(JOBS[job.get("job", "train")](job))
    if os.environ.get("RANK", "0") == "0":
        (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
