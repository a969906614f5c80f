"""Everything the recipes of preset `nano` start from, made of one build of a procedural world."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eeca_ref.nano.landmarks import Picture, Shown, shown_landmarks
from eeca_ref.nano.rows import Row, caption_rows, image_path, picture_rows, text_rows
from mgld.build import BuildView
from mgld.files import sha256_file

VERSION = 3
"""Raise it when the same build and seed are to give other parts."""
STAMP_FILE = "nano.json"
LANGUAGE_MODEL = Path(__file__).parent / "llama"
"""The nano language model and its tokenizer, made by `benchmarks.nano.train_language_model`."""


def prepare(
    build: str | Path,
    out: str | Path,
    seed: int = 0,
    *,
    language_model: str | Path | None = None,
    note: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Make `out/{vision,language_model,stage1,stage2}` from a build; what was made, with counts.

    All of it is written aside and renamed, so `out` is whole or not there; what is there already,
    made of the same build, language model and seed, is kept. The same ones give the same bytes.

    Args:
        build: folder of a finished `mgld build` of a procedural world, with an encoder that
            transformers' CLIP can hold (`nano`).
        out: folder to make; it must not hold anything else.
        seed: of which landmarks are named, asked about and read about, and which views are shown.
        language_model: folder with model and tokenizer, which are copied; None: the one in the
            package (`LANGUAGE_MODEL`).
        note: called with a line for each part.

    Raises:
        FileNotFoundError: no build or language model, or an unfinished one.
        ValueError: `out` holds something else, the build is not of a procedural world, or its
            encoder cannot be exported.
    """
    out, language_model = Path(out), Path(language_model or LANGUAGE_MODEL)
    if not (language_model / "model.safetensors").is_file():
        raise FileNotFoundError(f"{language_model} holds no language model: no model.safetensors")
    view = BuildView(build)
    shown = shown_landmarks(view, seed)
    binding = _binding(view, seed, language_model)
    stamp = out / STAMP_FILE
    if stamp.is_file():
        made: dict[str, Any] = json.loads(stamp.read_text(encoding="utf-8"))
        if made["of"] == binding:
            note(f"{out} is there")
            return made
        raise ValueError(
            f"{out} was made of another build, language model or seed: remove it or choose another"
        )
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: choose another folder")
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        made = {"of": binding, **_make(view, shown, aside, seed, language_model, note)}
        (aside / STAMP_FILE).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return made


def _make(
    view: BuildView,
    shown: Sequence[Shown],
    folder: Path,
    seed: int,
    language_model: Path,
    note: Callable[[str], None],
) -> dict[str, Any]:
    from mgld.vision.export import export_transformers

    captions, pictures = caption_rows(shown), picture_rows(shown, seed)
    text = text_rows((each.landmark for each in shown), seed)
    if not captions or not pictures:
        raise ValueError(f"{view.root} has no clear pictures beside its records: more landmarks")
    _write_stage(folder / "stage1", "chat.json", captions, [], view)
    note(f"stage 1: {len(captions):,} captions")
    _write_stage(folder / "stage2", "mix.json", pictures, text, view)
    note(f"stage 2: {len(pictures):,} rows with pictures, {len(text):,} of text")
    shutil.copytree(language_model, folder / "language_model")
    export_transformers(view.config.encoder, folder / "vision")
    note(f"vision: {view.config.encoder}")
    return {
        "landmarks": len(shown),
        "test_landmarks": sum(each.test for each in shown),
        "captions": len(captions),
        "rows_with_pictures": len(pictures),
        "rows_of_text": len(text),
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


def _binding(view: BuildView, seed: int, language_model: Path) -> dict[str, Any]:
    """What the parts depend on."""
    splits = sha256_file(view.root / "splits" / "records.parquet")
    images = view.table("embeddings", "images", ["sha256"])["sha256"].to_pylist()
    pictures = hashlib.sha256("\n".join(sorted(images)).encode()).hexdigest()
    return {
        "version": VERSION,
        "seed": seed,
        "encoder": view.config.encoder,
        "language_model": sha256_file(language_model / "model.safetensors"),
        "splits": splits,
        "pictures": pictures,
    }
