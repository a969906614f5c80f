"""The trainer's own engine with random weights, and the bytes that it holds.

Run by `benchmarks.speed.zero_memory`, as a process of its own:

    python -m benchmarks.speed.zero_memory_engine STAGE OUT.json
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

PARTS = ("lr_adapter", "resampler", "language_model", "classifier", "log_tau")


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


if __name__ == "__main__":
    worker(int(sys.argv[1]), Path(sys.argv[2]))
