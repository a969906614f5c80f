"""Everything the recipes of preset `nano` start from, made of one build of a procedural world."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eeca_ref.nano.landmarks import Landmark, Picture, read_landmarks
from eeca_ref.nano.language_model import random_llama, train_tokenizer
from eeca_ref.nano.rows import (
    Row,
    caption_rows,
    image_path,
    picture_rows,
    text_rows,
    texts_of,
)
from mgld.build import BuildView
from mgld.files import sha256_file

VERSION = 1
"""Raise it when the same build and seed are to give other parts."""
STAMP_FILE = "nano.json"


def prepare(
    build: str | Path, out: str | Path, seed: int = 0, *, note: Callable[[str], None] = print
) -> dict[str, Any]:
    """Make `out/{vision,language_model,stage1,stage2}` from a build; what was made, with counts.

    All of it is written aside and renamed, so `out` is whole or not there; what is there already,
    made of the same build and seed, is kept. The same build and seed give the same bytes.

    Args:
        build: folder of a finished `mgld build` of a procedural world, with an encoder that
            transformers' CLIP can hold (`nano`).
        out: folder to make; it must not hold anything else.
        seed: of the language model's weights and of which views are shown.
        note: called with a line for each part.

    Raises:
        FileNotFoundError: no build, or an unfinished one.
        ValueError: `out` holds something else, the build is not of a procedural world, or its
            encoder cannot be exported.
    """
    out = Path(out)
    view = BuildView(build)
    landmarks = read_landmarks(view, seed)
    binding = _binding(view, seed)
    stamp = out / STAMP_FILE
    if stamp.is_file():
        made: dict[str, Any] = json.loads(stamp.read_text(encoding="utf-8"))
        if made["of"] == binding:
            note(f"{out} is there")
            return made
        raise ValueError(f"{out} was made of another build or seed: remove it or choose another")
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: choose another folder")
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        made = {"of": binding, **_make(view, landmarks, aside, seed, note)}
        (aside / STAMP_FILE).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return made


def _make(
    view: BuildView,
    landmarks: Sequence[Landmark],
    folder: Path,
    seed: int,
    note: Callable[[str], None],
) -> dict[str, Any]:
    import mgld
    from mgld.vision.export import export_transformers

    seen = [each for each in landmarks if not each.test]
    captions, pictures, text = caption_rows(seen), picture_rows(seen), text_rows(landmarks)
    if not captions or not pictures:
        raise ValueError(f"{view.root} has no clear pictures beside its records: more landmarks")
    _write_stage(folder / "stage1", "chat.json", captions, [], view)
    note(f"stage 1: {len(captions):,} captions")
    _write_stage(folder / "stage2", "mix.json", pictures, text, view)
    note(f"stage 2: {len(pictures):,} rows with pictures, {len(text):,} of text")

    records = mgld.load(str(view.root), "full", split="train")["conversation"]
    texts = texts_of([row for row, _ in captions + pictures] + text)
    texts += [turn["content"] for conversation in records for turn in conversation]
    tokenizer = train_tokenizer(texts, folder / "language_model")
    model = random_llama(tokenizer, folder / "language_model", seed=seed)
    parameters = sum(each.numel() for each in model.parameters())
    note(f"language model: {parameters:,} random parameters, {len(tokenizer):,} tokens")

    export_transformers(view.config.encoder, folder / "vision")
    note(f"vision: {view.config.encoder}")
    return {
        "landmarks": len(landmarks),
        "test_landmarks": len(landmarks) - len(seen),
        "captions": len(captions),
        "rows_with_pictures": len(pictures),
        "rows_of_text": len(text),
        "tokens": len(tokenizer),
        "language_model_parameters": parameters,
        "encoder": view.config.encoder,
    }


def _write_stage(
    folder: Path,
    name: str,
    with_pictures: Sequence[tuple[Row, Picture]],
    text: Sequence[Row],
    view: BuildView,
) -> None:
    images = folder / "images"
    images.mkdir(parents=True)
    for _, picture in with_pictures:
        path = images / image_path(picture)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(view.image_bytes(picture.source, picture.offset, picture.size))
    rows = [row for row, _ in with_pictures] + list(text)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _binding(view: BuildView, seed: int) -> dict[str, Any]:
    """What the parts depend on."""
    splits = sha256_file(view.root / "splits" / "records.parquet")
    images = view.table("embeddings", "images", ["sha256"])["sha256"].to_pylist()
    pictures = hashlib.sha256("\n".join(sorted(images)).encode()).hexdigest()
    return {
        "version": VERSION,
        "seed": seed,
        "encoder": view.config.encoder,
        "splits": splits,
        "pictures": pictures,
    }
