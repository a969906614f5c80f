"""The trainer learns: 200 steps on 16 pictures, and each is told from the others by its name."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from nano_world import make_build
from PIL import Image

import mgld
from eeca_ref.nano import prepare

SAMPLES = 16
STEPS = 200
QUESTION = "What landmark is shown in this image? Describe it and say where it is located."
COLUMNS = ("id", "image", "conversation", "entities", "hierarchical_label")


def _records(build: Path) -> list[dict[str, Any]]:
    """The build's training records, all asked the same question: only the pictures differ."""
    from datasets import Image as Picture

    loaded = mgld.load(str(build), "full", split="train")
    rows = [dict(row) for row in loaded.cast_column("image", Picture(decode=False))]
    for row in rows:
        row["conversation"] = [
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": row["conversation"][1]["content"]},
        ]
    return rows


def _write(rows: list[dict[str, Any]], folder: Path) -> None:
    (folder / "same").mkdir(parents=True)
    table = pa.Table.from_pylist([{name: row[name] for name in COLUMNS} for row in rows])
    pq.write_table(table, folder / "same/train-0.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: same\n  data_files:\n  - split: train\n"
        "    path: same/train-*.parquet\n---\n"
    )


def _answers(model_folder: Path, pictures: list[Image.Image]) -> list[str]:
    """Greedy answers, one after the other as a user would get them."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    import eeca_ref.model
    import eeca_ref.processing  # noqa: F401

    model = AutoModelForImageTextToText.from_pretrained(model_folder).eval()
    processor = AutoProcessor.from_pretrained(model_folder)
    said = []
    for picture in pictures:
        content = [{"type": "image", "image": picture}, {"type": "text", "text": QUESTION}]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        )
        ids = model.generate(**inputs, do_sample=False, max_new_tokens=32)
        new = ids[0, inputs["input_ids"].shape[1] :]
        said.append(processor.tokenizer.decode(new, skip_special_tokens=True))
    return said


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_200_steps_on_16_samples_reach_the_right_names(tmp_path: Path) -> None:
    torch.set_num_threads(2)
    build = make_build(tmp_path, landmarks=SAMPLES + 1)  # one is set aside as test
    rows = _records(build)
    assert len(rows) == SAMPLES
    names = [row["landmark_name"] for row in rows]
    assert len(set(names)) == SAMPLES
    prepare(build, tmp_path / "parts")
    _write(rows, tmp_path / "data")
    settings = {
        "model.start": "null",
        "model.new": "[]",
        "model.vision": tmp_path / "parts/vision",
        "model.language_model": tmp_path / "parts/language_model",
        "model.settings": "{max_sequence_length: 512, resampler_queries: 16, resampler_heads: 4, "
        "resampler_head_dim: 32}",
        "data.source": f"{{kind: mgld, source: {tmp_path / 'data'}, config: same}}",
        "data.workers": 0,
        "optim.lr": 2e-3,
        "optim.epochs": STEPS,
        "optim.micro_batch": SAMPLES,
    }
    words = [sys.executable, "-m", "eeca_ref", "train", "nano/stage3_eeca", "--out", "run"]
    for key, value in settings.items():
        words += ["--set", f"{key}={value}"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    pictures = [Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB") for row in rows]
    said = _answers(tmp_path / "run/model", pictures)
    wrong = [(name, answer) for name, answer in zip(names, said, strict=True) if name not in answer]
    assert not wrong
    # The picture alone says which one it is: shown another's, it gives the other's name.
    assert all(name not in answer for name, answer in zip(names, said[1:] + said[:1], strict=True))
