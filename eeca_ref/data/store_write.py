"""Making a token store: resumable, and remade when the source, tokenizer or a setting changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.ipc
from filelock import FileLock
from pydantic import Field

from eeca_ref.data.chat import ChatFormat
from eeca_ref.data.entities import entity_token_ids
from eeca_ref.data.plain import PlainFormat
from eeca_ref.data.samples import Sample, SampleError, Skipped, Source
from eeca_ref.data.store import OK, SCHEMA, STORE_FILE, TokenStore, shard_path
from eeca_ref.data.tokens import Tokens, truncate
from mgld.files import atomic_path, write_text_atomically
from mgld.schema import Record

VERSION = 1
"""Raise it when the same rows and settings are to give other tokens."""

SHARD_ROWS = 20_000
BATCH_ROWS = 1_000
"""Rows that are in memory at once."""

BINDING = b"eeca_binding"


class TokenSettings(Record):
    """`format`: the tokenizer's chat template, or LLaVA's plain format of stage 1.

    `max_length`: tokens of a sample at most, the `visual_tokens` that replace the placeholder
    among them.
    """

    format: Literal["chat", "plain"] = "chat"
    max_length: int = Field(2048, gt=0)
    visual_tokens: int = Field(gt=0)


def make_store(
    folder: str | Path,
    source: Source,
    tokenizer: Any,
    settings: TokenSettings,
    *,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> TokenStore:
    """The store of `source`'s rows in `folder`: opened if it is there, finished or made if not.

    What was made of another source, tokenizer or setting is made again. Killed at any moment it
    goes on at the last whole shard of 20,000 rows. Several processes may call it at once: one
    makes the store, the others wait for it. `on_rows`: called with the number of rows just done.

    ValueError: a tokenizer or template that cannot be used, or a source without any sample.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    binding = store_binding(source, tokenizer, settings)
    with FileLock(folder / ".lock"):
        if not _is_finished(folder, binding):
            _make(folder, binding, source, tokenizer, settings, on_rows)
    store = TokenStore(folder)
    if not len(store.usable):
        reasons = "; ".join(f"{each[1]}: {each[2]}: {each[3]}" for each in store.skipped(3))
        raise ValueError(f"none of {len(store)} rows is a sample ({reasons or 'no rows'})")
    return store


def store_binding(source: Source, tokenizer: Any, settings: TokenSettings) -> str:
    """Hash of all that the tokens depend on."""
    parts = [VERSION, source.fingerprint(), tokenizer_fingerprint(tokenizer), settings.model_dump()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """Hash of a fast tokenizer and its chat template, whatever it was used for before.

    ValueError: another kind of tokenizer.
    """
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ValueError(f"{type(tokenizer).__name__} is no fast tokenizer")
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    # Calls leave these two behind; here nothing is padded or truncated by the tokenizer.
    backend["truncation"] = backend["padding"] = None
    parts = [backend, tokenizer.chat_template, tokenizer.bos_token]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _is_finished(folder: Path, binding: str) -> bool:
    try:
        about = json.loads((folder / STORE_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return about.get("binding") == binding and all(
        shard_path(folder, number).is_file() for number in range(about["shards"])
    )


def _make(
    folder: Path,
    binding: str,
    source: Source,
    tokenizer: Any,
    settings: TokenSettings,
    on_rows: Callable[[int], None],
) -> None:
    encoder = ChatFormat(tokenizer) if settings.format == "chat" else PlainFormat(tokenizer)
    (folder / STORE_FILE).unlink(missing_ok=True)
    for unfinished in folder.glob(".shard-*.tmp"):  # of a process that was killed
        unfinished.unlink()
    number = 0
    while _holds(shard_path(folder, number), binding):
        number += 1
    on_rows(number * SHARD_ROWS)
    rows = source.rows(number * SHARD_ROWS)
    while first := list(islice(rows, 1)):
        shard = chain(first, islice(rows, SHARD_ROWS - 1))
        with atomic_path(shard_path(folder, number)) as path:
            _write_shard(path, binding, shard, encoder, settings, on_rows)
        number += 1
    left_over = number
    while shard_path(folder, left_over).exists():
        shard_path(folder, left_over).unlink()
        left_over += 1
    about = {"binding": binding, "shards": number, "settings": settings.model_dump()}
    write_text_atomically(folder / STORE_FILE, json.dumps(about, indent=1) + "\n")


def _holds(path: Path, binding: str) -> bool:
    """Whether a shard is there, whole, and of this binding."""
    try:
        with pa.memory_map(str(path)) as mapped:
            metadata = pa.ipc.open_file(mapped).schema.metadata or {}
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return bool(metadata.get(BINDING) == binding.encode())


def _write_shard(
    path: Path,
    binding: str,
    rows: Iterator[Sample | Skipped],
    encoder: ChatFormat | PlainFormat,
    settings: TokenSettings,
    on_rows: Callable[[int], None],
) -> None:
    schema = SCHEMA.with_metadata({BINDING: binding.encode()})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        while each := list(islice(rows, BATCH_ROWS)):
            writer.write_batch(_batch(each, encoder, settings, schema))
            on_rows(len(each))


def _batch(
    rows: list[Sample | Skipped],
    encoder: ChatFormat | PlainFormat,
    settings: TokenSettings,
    schema: Any,
) -> Any:
    samples = [row for row in rows if isinstance(row, Sample)]
    encoded = iter(encoder.encode_many([sample.turns for sample in samples]))
    records = []
    for row in rows:
        if isinstance(row, Skipped):
            records.append(_skipped(row.id, None, row.status, row.reason))
            continue
        records.append(_record(row, next(encoded), encoder, settings))
    columns = [
        pa.array([record.get(field.name) for record in records], field.type) for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


def _record(
    sample: Sample,
    tokens: Tokens | SampleError,
    encoder: ChatFormat | PlainFormat,
    settings: TokenSettings,
) -> dict[str, Any]:
    try:
        if isinstance(tokens, SampleError):
            raise tokens
        cut = truncate(tokens, max_length=settings.max_length, visual_tokens=settings.visual_tokens)
    except SampleError as error:
        return _skipped(sample.id, sample.image, error.status, error.reason)
    return {
        "id": sample.id,
        "status": OK,
        "image": sample.image,
        "ids": cut.ids,
        "roles": cut.roles,
        "entity_ids": [e for e in entity_token_ids(sample.entities, encoder.tokenizer) if e],
        "label": sample.label,
        "length": cut.spliced_length(settings.visual_tokens),
        "supervised": int(cut.supervised.sum()),
        "truncated": cut is not tokens,
    }


def _skipped(name: str, image: str | None, status: str, reason: str) -> dict[str, Any]:
    numbers = {"length": 0, "supervised": 0, "truncated": False}
    return {"id": name, "image": image, "status": status, "reason": reason, **numbers}
