"""A recipe whose parts and data are a few kilobytes, and runs of it in processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

HERE = Path(__file__).parent
WORDS = [
    "the",
    "a",
    "lake",
    "near",
    "church",
    "blue",
    "walls",
    "in",
    "front",
    "lime",
    "roof",
    "tower",
]
PHRASES = ["blue walls", "lime roof", "gold beacon", "the lake"]
LABELS = ["church", "lake", None, "mountain"]
SPECIAL = ["<|bos|>", "<|head|>", "<|tail|>", "<|eot|>"]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|head|>' + m['role'] + '<|tail|>' + m['content'] | trim + '<|eot|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|head|>assistant<|tail|>' }}{% endif %}"
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("conversation", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("entities", pa.list_(pa.string())),
        ("hierarchical_label", pa.string()),
    ]
)


def prepare(folder: Path) -> None:
    """Parts, tied parts and data of all runs."""
    make_parts(folder)
    make_parts(folder / "tied", tied=True)
    make_mgld(folder / "mgld")
    make_llava(folder / "llava")


def make_parts(folder: Path, *, tied: bool = False) -> None:
    """`vision`, `language_model` with its tokenizer: random, three and two layers."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        CLIPVisionConfig,
        CLIPVisionModel,
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        patch_size=8,
        image_size=16,
    )
    CLIPVisionModel(vision).save_pretrained(folder / "vision")
    (folder / "vision/preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]})
    )
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" ".join(WORDS)], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=SPECIAL[0], eos_token=SPECIAL[3]
    )
    tokenizer.chat_template = TEMPLATE
    text = LlamaConfig(
        vocab_size=320,
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        bos_token_id=0,
        eos_token_id=3,
        tie_word_embeddings=tied,
    )
    LlamaForCausalLM(text).save_pretrained(folder / "language_model")
    tokenizer.save_pretrained(folder / "language_model")


def make_mgld(folder: Path, *, rows: int = 40) -> None:
    """A dataset folder with a config `tiny`: images, zero to three entities, a label or none."""
    (folder / "tiny").mkdir(parents=True)
    records = []
    for number in range(rows):
        rng = np.random.default_rng(number)
        entities = [PHRASES[(number + k) % 4] for k in range(number % 4)]
        records.append(
            {
                "id": f"record{number:03d}",
                "image": {"bytes": png(number), "path": f"{number}.png"},
                "conversation": _said(f"What is it? {number}", sentence(rng)),
                "entities": entities,
                "hierarchical_label": LABELS[number % 4],
            }
        )
    pq.write_table(pa.Table.from_pylist(records, SCHEMA), folder / "tiny/train-0.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: tiny\n  data_files:\n  - split: train\n"
        "    path: tiny/train-*.parquet\n---\n"
    )


def make_llava(folder: Path, *, rows: int = 24) -> None:
    """`chat.json`, every third row text only, and `images`: of row 1 none, of 2, 5 and 8 half."""
    (folder / "images").mkdir(parents=True)
    listed: list[dict[str, Any]] = []
    for number in range(rows):
        rng = np.random.default_rng(number)
        row: dict[str, Any] = {
            "id": f"row{number:03d}",
            "conversations": [
                {"from": "human", "value": f"What is it? {number}"},
                {"from": "gpt", "value": sentence(rng)},
            ],
        }
        if number % 3:
            row["image"] = f"{number}.png"
            if number != 1:
                image = png(number)
                whole = len(image) if number not in (2, 5, 8) else len(image) // 2
                (folder / "images" / f"{number}.png").write_bytes(image[:whole])
        listed.append(row)
    (folder / "chat.json").write_text(json.dumps(listed))


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def sentence(rng: np.random.Generator) -> str:
    return " ".join(rng.choice(WORDS, int(rng.integers(3, 12)))) + "."


def _said(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def recipe(folder: Path, *, data_folder: Path | None = None, **changes: Any) -> dict[str, Any]:
    """Stage 3 from the parts in `folder`, in float32.

    `changes` by dotted keys with `__` for the dot; `data_folder`: None: `folder`, too.
    """
    data = data_folder or folder
    made: dict[str, Any] = {
        "name": "tiny",
        "model": {
            "vision": str(folder / "vision"),
            "language_model": str(folder / "language_model"),
            "settings": {
                "max_sequence_length": 100,
                "resampler_queries": 6,
                "resampler_heads": 2,
                "resampler_head_dim": 8,
            },
        },
        "data": {
            "source": {"kind": "mgld", "source": str(data / "mgld"), "config": "tiny"},
            "workers": 0,
        },
        "train": ["lr_adapter", "resampler", "language_model", "classifier", "log_tau"],
        "optim": {"lr": 1e-3, "global_batch": 8, "micro_batch": 8, "warmup_ratio": 0.2},
        "engine": {"precision": "fp32", "zero_stage": 2, "checkpointing": False},
        "keep": {"every": 100, "last": 2},
        "log": {"gradient_norms_every": None},
    }
    for key, value in changes.items():
        *parents, last = key.split("__")
        at = made
        for parent in parents:
            at = at[parent]
        at[last] = value
    return made


def llava_data(folder: Path) -> dict[str, Any]:
    return {
        "kind": "llava",
        "json_file": str(folder / "llava/chat.json"),
        "images": {"": str(folder / "llava/images")},
    }


def launch(folder: Path, **groups: Any) -> dict[str, Any]:
    """Run jobs of `training_jobs.py`.

    groups: `alone` and `pair`, jobs for one process and for two: name to (job, keywords);
    `prepare`: folder for the parts and data, made first. Returns what each job gave, by group;
    AssertionError with what was printed if not all of them did.
    """
    printed, _ = started(folder, **groups).communicate()
    files = {name: folder / f"{name}.json" for name in groups if name != "prepare"}
    if not all(path.exists() for path in files.values()):
        raise AssertionError(printed)
    return {name: json.loads(path.read_text()) for name, path in files.items()}


def started(folder: Path, **groups: Any) -> subprocess.Popen[str]:
    """The processes of `launch`, running."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in groups:
        (folder / f"{name}.json").unlink(missing_ok=True)
    (folder / "jobs.json").write_text(json.dumps(groups))
    return subprocess.Popen(
        [sys.executable, str(HERE / "training_jobs.py"), str(folder)],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    # one thread: sums in another order would not be the same bits
    return kept | {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "DS_ACCELERATOR": "cpu",
        "HF_DATASETS_CACHE": str(folder.parent / "datasets_cache"),
        "HF_HUB_OFFLINE": "1",
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


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
