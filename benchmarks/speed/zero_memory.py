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
import gc
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

from mgld.files import write_text_atomically

PARTS = ("lr_adapter", "resampler", "language_model", "classifier", "log_tau")
DEVICES = (1, 2, 4, 8)
GIB = 2**30
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


def small_model(device: str, *, large: bool = False) -> Any:
    """Random weights: nano shapes, or (for a GPU) a language model of 1.2e9 parameters."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig

    from eeca_ref.config import CLIP_L_336, EecaConfig
    from eeca_ref.model import EecaForConditionalGeneration

    small_vision = {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "patch_size": 14,
        "image_size": 28,
    }
    small_text = {
        "vocab_size": 2000,
        "hidden_size": 512,
        "intermediate_size": 1024,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
    }
    large_text = {
        "vocab_size": 128_256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "tie_word_embeddings": True,
    }
    text = LlamaConfig(**(large_text if large else small_text))
    config = EecaConfig(
        vision_config=CLIPVisionConfig(**(CLIP_L_336 if large else small_vision)),
        text_config=text,
        image_token_id=text.vocab_size,
        hierarchical_labels=["church", "lake"],
    )
    torch.manual_seed(0)
    with torch.device(device):
        return EecaForConditionalGeneration(config)


def batch(config: Any, *, rows: int, text: int, device: Any) -> dict[str, Any]:
    """Images with text, two entities and a label each."""
    import torch

    ids = torch.randint(2, config.text_config.vocab_size, (rows, text + 1))
    ids[:, 0] = config.image_token_id
    labels = ids.clone()
    labels[:, : text // 2] = -100
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids, dtype=torch.bool),
        "pixel_values": torch.randn(rows, 3, config.image_size, config.image_size),
        "has_image": torch.ones(rows, dtype=torch.bool),
        "labels": labels,
        "entity_ids": torch.randint(2, config.text_config.vocab_size, (rows, 2, 3)),
        "entity_token_mask": torch.ones(rows, 2, 3, dtype=torch.bool),
        "entity_mask": torch.ones(rows, 2, dtype=torch.bool),
        "class_ids": torch.arange(rows) % 2,
    }
    return {name: each.to(device) for name, each in inputs.items()}


def engine_of(model: Any, world: Any, *, stage: int, precision: str, micro_batch: int) -> Any:
    """The trainer's own engine."""
    from eeca_ref.recipe import Recipe
    from eeca_ref.training.engine import start_engine

    recipe = Recipe.model_validate(
        {
            "name": "zero_memory",
            "model": {"vision": "random", "language_model": "random"},
            "data": {"source": {"kind": "mgld", "source": "none", "config": "hds25k"}},
            "train": PARTS,
            "optim": {
                "lr": 1e-4,
                "global_batch": 2 * micro_batch * world.size,
                "micro_batch": micro_batch,
            },
            "engine": {"zero_stage": stage, "precision": precision},
        }
    )
    return start_engine(model, recipe, world, accumulation=2)


def worker(stage: int, out: Path) -> None:
    """One process of the check; the first writes what it found."""
    import torch

    from eeca_ref.training.distributed import start
    from eeca_ref.training.engine import BUCKET
    from eeca_ref.training.memory import parameter_counts

    torch.set_num_threads(1)
    world = start()
    precision = "bf16" if stage else "fp32"
    model = small_model("cpu").to(torch.bfloat16 if stage else torch.float32)
    counts = parameter_counts(model.config, PARTS)
    engine = engine_of(model, world, stage=stage, precision=precision, micro_batch=2)
    inputs = batch(model.config, rows=2, text=12, device="cpu")
    found: dict[str, int] = {}
    for step in range(2):  # Adam's moments are there after the first
        for micro in range(2):
            engine.backward(engine(**inputs).loss)
            if step and micro:
                found = held_bytes(engine)
            engine.step()
    if world.main:
        point = {"stage": stage, "precision": precision, "processes": world.size}
        elements = counts.trained + counts.trained % 2
        point |= {"counts": counts.model_dump(), "bucket": min(BUCKET, elements), "bytes": found}
        out.write_text(json.dumps(point))
    world.barrier()
    torch.distributed.destroy_process_group()


def held_bytes(engine: Any) -> dict[str, int]:
    """Bytes of all floating-point tensors of this process, by what they are for."""
    import torch

    storages: dict[int, int] = {}
    for thing in gc.get_objects():
        if isinstance(thing, torch.Tensor) and thing.is_floating_point():
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    total = sum(storages.values())

    def of(tensors: list[Any]) -> int:
        held = {each.untyped_storage().data_ptr() for each in tensors}
        return sum(storages.pop(pointer, 0) for pointer in held)

    own = list(engine.module.parameters())
    parameters = of(own + [each.ds_tensor for each in own if hasattr(each, "ds_tensor")])
    adam = engine.basic_optimizer
    moments = of([x for s in adam.state.values() for x in s.values() if torch.is_tensor(x)])
    master = of([each for group in adam.param_groups for each in group["params"]])
    if hasattr(engine.optimizer, "fp32_partitioned_groups_flat"):  # stage 3 swaps them in and out
        master += of(list(engine.optimizer.fp32_partitioned_groups_flat))
    return {
        "parameters": parameters,
        "master_weights": master,
        "moments": moments,
        "gradients_and_buckets": sum(storages.values()),
        "total": total,
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
            command = [sys.executable, "-m", __spec__.name, "--worker", str(stage), str(out)]
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


def gpu() -> dict[str, Any]:
    """Largest memory of a step on one GPU, ZeRO-2, a 1B language model and the real tower."""
    import torch

    from eeca_ref.training.distributed import start
    from eeca_ref.training.engine import BUCKET
    from eeca_ref.training.memory import activations, model_states, parameter_counts

    if not torch.cuda.is_available():
        raise SystemExit("--gpu needs a GPU")
    world = start()
    model = small_model("cuda", large=True).to(torch.bfloat16)
    config = model.config
    counts = parameter_counts(config, PARTS)
    engine = engine_of(model, world, stage=2, precision="bf16", micro_batch=4)
    inputs = batch(config, rows=4, text=200, device=world.device)
    for step in range(2):
        if step:
            torch.cuda.reset_peak_memory_stats()
        for _ in range(2):
            engine.backward(engine(**inputs).loss)
            engine.step()
    positions = config.visual_tokens + 200
    states = model_states(counts, stage=2, devices=1, bucket=BUCKET)
    return {
        "device": torch.cuda.get_device_name(),
        "measured_peak_bytes": torch.cuda.max_memory_allocated(),
        "model_states_bytes": states.total,
        "activations_estimate_bytes": activations(config, micro_batch=4, positions=positions),
        "counts": counts.model_dump(),
        "micro_batch": 4,
        "positions": positions,
    }


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
    parser.add_argument("--worker", nargs=2, metavar=("STAGE", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(int(options.worker[0]), Path(options.worker[1]))
        return
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
