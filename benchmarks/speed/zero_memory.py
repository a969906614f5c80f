"""Memory of each ZeRO stage on 1, 2, 4 and 8 GPUs for the paper's setting, and a measured check.

    python -m benchmarks.speed.zero_memory --out benchmarks/results/zero_memory.json

The table is computed (`eeca_ref.training.memory`): Llama-3-8B, ViT-L/14-336, both adapters, all but
the tower trained. The check runs the real engine on CPUs with a small model, 1 and 2 processes,
every stage, and counts the bytes of every tensor there is after the backward pass of the second
step: of parameters, master weights and moments by where they lie, gradients and buffers as the
rest, so that nothing can hide. On a GPU, the largest memory of a whole step is measured by

    python -m benchmarks.speed.zero_memory --gpu
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.speed.zero_memory_engine import PARTS, gpu
from mgld.files import write_text_atomically

DEVICES = (1, 2, 4, 8)
GIB = 2**30
ENGINE = "benchmarks.speed.zero_memory_engine"
GPU_COMMAND = "python -m benchmarks.speed.zero_memory --gpu"


def table(micro_batch: int, positions: int) -> dict[str, Any]:
    """The paper's setting: bytes by stage and number of GPUs, and activations apart."""
    from eeca_ref.config import EecaConfig
    from eeca_ref.training.engine import BUCKET
    from eeca_ref.training.memory import activations, model_states, parameter_counts

    # the paper does not say how many labels there are; each costs 4,097 parameters
    config = EecaConfig(hierarchical_labels=[f"label {number}" for number in range(100)])
    counts = parameter_counts(config, PARTS)
    states = {
        str(stage): {
            str(devices): (
                s := model_states(counts, stage=stage, devices=devices, bucket=BUCKET)
            ).model_dump()
            | {"total": s.total}
            for devices in DEVICES
        }
        for stage in (0, 1, 2, 3)
    }
    shape: dict[str, Any] = {"micro_batch": micro_batch, "positions": positions}
    return {
        "setting": "Llama-3-8B, CLIP ViT-L/14-336 (frozen), LR adapter, resampler, classifier",
        "counts": counts.model_dump(),
        "bucket": BUCKET,
        "model_states": states,
        "activations_estimate": shape
        | {
            "checkpointing": activations(config, **shape),
            "without": activations(config, **shape, checkpointing=False),
        },
    }


def measure(stage: int, processes: int) -> dict[str, Any]:
    """The check, in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "point.json"
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        workers = []
        for rank in range(processes):
            environment = os.environ | {
                "RANK": str(rank),
                "WORLD_SIZE": str(processes),
                "LOCAL_RANK": str(rank),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "CUDA_VISIBLE_DEVICES": "",
                "OMP_NUM_THREADS": "1",
            }
            command = [sys.executable, "-m", ENGINE, str(stage), str(out)]
            workers.append(
                subprocess.Popen(
                    command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
                )
            )
        errors = [each.communicate()[1].decode() for each in workers]
        if any(each.returncode for each in workers):
            raise RuntimeError(f"stage {stage}, {processes} processes:\n" + "\n".join(errors))
        return dict(json.loads(out.read_text()))


def compared(point: dict[str, Any]) -> dict[str, Any]:
    """A measured point beside its formula."""
    from eeca_ref.training.memory import ParameterCounts, model_states

    expected = model_states(
        ParameterCounts.model_validate(point["counts"]),
        stage=point["stage"],
        devices=point["processes"],
        bucket=point["bucket"],
    )
    # stage 2 gives its bucket back at the end of the backward pass, before it is measured
    buckets = 0 if point["stage"] == 2 else expected.buckets
    # in stage 0 the optimizer's parameters are the model's own
    formula = {
        "parameters": expected.parameters,
        "master_weights": expected.master_weights,
        "moments": expected.moments,
        "gradients_and_buckets": expected.gradients + buckets,
    }
    formula["total"] = sum(formula.values())
    return point | {"formula": formula, "ratio": point["bytes"]["total"] / formula["total"]}


def machine() -> dict[str, Any]:
    """CPU and cores."""
    from eeca_ref.training.manifest import device_name

    return {"device": device_name(), "machine": platform.machine(), "cores": os.cpu_count()}


def show(result: dict[str, Any]) -> None:
    """The table and the check, on standard output."""
    computed = result["computed"]
    print(f"{computed['setting']}; GiB on each GPU, activations apart")
    heads = [f"{devices} GPU" for devices in DEVICES]
    print(f"{'stage':<14}" + "".join(f"{head:>8}" for head in heads))
    for stage, row in computed["model_states"].items():
        name = f"ZeRO-{stage}" + (" (fp32)" if stage == "0" else "")
        print(f"{name:<14}" + "".join(f"{cell['total'] / GIB:>8.1f}" for cell in row.values()))
    shape = computed["activations_estimate"]
    print(
        f"activations, estimated, {shape['micro_batch']} samples of {shape['positions']} "
        f"positions: {shape['checkpointing'] / GIB:.1f} with checkpointing, "
        f"{shape['without'] / GIB:.1f} without"
    )
    for point in result["measured"]:
        print(
            f"measured, stage {point['stage']}, {point['processes']} process(es): "
            f"{point['bytes']['total']:,} bytes, formula {point['formula']['total']:,}: "
            f"{point['ratio']:.4f}"
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--micro-batch", type=int, default=16)
    parser.add_argument("--positions", type=int, default=1024)
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    if options.gpu:
        print(json.dumps(gpu(), indent=1))
        return
    result = {
        "what": "bytes of model states by ZeRO stage, and the formula against the real engine",
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "deepspeed", "transformers")},
        "computed": table(options.micro_batch, options.positions),
        "measured": [compared(measure(stage, n)) for stage in range(4) for n in (1, 2)],
        "gpu": {"status": "not measured", "command": GPU_COMMAND},
    }
    show(result)
    if options.out:
        write_text_atomically(options.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
