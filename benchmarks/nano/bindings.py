"""What a row depends on, as hashes: recorded under the same ones, it is not made again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import pyarrow.parquet as pq

from benchmarks.nano.asking import ANSWER_BATCH, decoding
from benchmarks.nano.machine import versions
from benchmarks.nano.place import STAGES, Place, hash_of
from benchmarks.nano.plan import PRESET, Row, settings_of, subset_of
from mgld.files import sha256_file

VERSION: Final = 1
"""Raise it when the same settings are to give other numbers: records are then made anew."""


@dataclass(frozen=True)
class RowBindings:
    """Hashes of all that a row depends on.

    baseline: its seed's stages 1 and 2. trained: its training, which begins from those. row: that
    and what it is asked. questions: of the test.
    """

    baseline: str
    trained: str
    row: str
    questions: str


def row_bindings(place: Place, row: Row, seed: int, questions: str) -> RowBindings:
    """The hashes of a row. questions: `Questions.sha256`."""
    from mgld.evaluate.answer_prompts import answer_prompt
    from mgld.evaluate.judges.rule import rule_hash

    stages = [settings_of(f"{PRESET}/{stage}") for stage in STAGES]
    baseline = hash_of([VERSION, seed, _parts(place), stages, _versions()])
    trained = baseline
    if row.recipe is not None:
        own = [] if row.rule is None else [_rule_subset(place, row)]
        trained = hash_of([baseline, settings_of(row.recipe), _dataset(place), *own])
    said = [answer_prompt(row.prompt).version, decoding().model_dump(mode="json"), ANSWER_BATCH]
    asked = hash_of([trained, questions, said, rule_hash()])
    return RowBindings(baseline, trained, asked, questions)


def _parts(place: Place) -> dict[str, str]:
    """The contents of what stages 1 and 2 begin from and read, but for the pictures themselves."""
    of = json.loads((place.parts / "nano.json").read_text(encoding="utf-8"))["of"]
    names = (
        "stage1/chat.json",
        "stage2/mix.json",
        "vision/model.safetensors",
        "language_model/model.safetensors",
        "language_model/tokenizer.json",
        "language_model/chat_template.jinja",
    )
    return {"pictures": of["pictures"], **{n: sha256_file(place.parts / n) for n in names}}


def _dataset(place: Place) -> dict[str, str]:
    """The hash of each file of the dataset: records, subsets and their texts."""
    stages = json.loads((place.build / "manifest.json").read_text(encoding="utf-8"))["stages"]
    return {
        name: file["sha256"]
        for stage in stages.values()
        for shard in stage["shards"].values()
        for name, file in shard["files"].items()
        if name.startswith("dataset/") and name.endswith(".parquet")
    }


def _rule_subset(place: Place, row: Row) -> str:
    """Which records another rule chose, in order, as a hash: what they say is `_dataset`'s.

    RuntimeError: they were not written yet.
    """
    path = place.rules / f"{subset_of(row)}.parquet"
    if not path.is_file():
        raise RuntimeError(f"there is no {path}: python -m benchmarks.nano run --table rules")
    ids = pq.read_table(path, columns=["landmark_id"])["landmark_id"].to_pylist()
    return hash_of(ids)


def _versions() -> dict[str, str]:
    """Of what is not this project, whose own is `VERSION`."""
    return {name: version for name, version in versions().items() if name != "mgld"}
