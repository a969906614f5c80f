"""A recipe's data, ready to be trained on: rows to tokens, labels to classes, rows to steps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eeca_ref.assembling import (
    image_settings,
    label_vocabulary,
    load_tokenizer,
    model_config,
    open_source,
    token_settings,
)
from eeca_ref.data.images import ImageSettings
from eeca_ref.data.labels import LabelVocabulary
from eeca_ref.data.loader import Examples, TrainLoader, rows_with_images
from eeca_ref.data.sampler import GroupedSampler
from eeca_ref.data.store_write import make_store
from eeca_ref.recipe import Recipe
from eeca_ref.training.distributed import World
from eeca_ref.training.manifest import DataEntry, data_entry
from eeca_ref.training.validation import Validation, held_out

STORE = "store"
SAY_EVERY = 20_000


@dataclass(frozen=True)
class RunData:
    """What `open_data` opened.

    Attributes:
        tokenizer: with `<image>`.
        labels: classes of L_h.
        settings: how images become pixels.
        loader: steps of this process.
        validation: the rows held out; None where there are none.
        entry: what of it the manifest says.
    """

    tokenizer: Any
    labels: LabelVocabulary
    settings: ImageSettings
    loader: TrainLoader
    validation: Validation | None
    entry: DataEntry

    @property
    def sampler(self) -> GroupedSampler:
        """The order of the rows."""
        return self.loader.sampler


def open_data(recipe: Recipe, out: Path, world: World) -> RunData:
    """Open a recipe's data; its tokens are stored in `out/store`, which one process makes.

    Errors: those of `assembling` and `make_store`. ValueError: too few rows for one step.
    """
    tokenizer, source = load_tokenizer(recipe), open_source(recipe)
    # the classes come from the data, whose tokens need the model's shape alone
    shape = model_config(recipe, tokenizer, LabelVocabulary(["any"]))
    settings = image_settings(recipe, shape)
    store = make_store(
        out / STORE, source, tokenizer, token_settings(recipe, shape), on_rows=_said(world)
    )
    labels = label_vocabulary(recipe, store.labels)
    usable, missing = world.once(lambda: rows_with_images(store, source))
    rows, validation_rows = held_out(usable, recipe.data.validation)
    examples = Examples(store, source, settings, labels)
    loader = TrainLoader(
        examples,
        GroupedSampler(
            rows,
            store.lengths,
            store.has_image,
            global_batch=recipe.optim.global_batch,
            seed=recipe.seed,
            order=recipe.data.order,
        ),
        epochs=recipe.optim.epochs,
        micro_batch=recipe.optim.micro_batch,
        rank=world.rank,
        world_size=world.size,
        workers=recipe.data.workers,
        pin_memory=world.device.type == "cuda",
    )
    validation = None
    if len(validation_rows):
        validation = Validation(
            examples,
            validation_rows,
            world,
            micro_batch=recipe.optim.micro_batch,
            workers=recipe.data.workers,
        )
    entry = data_entry(
        store,
        source=source.fingerprint(),
        train=len(rows),
        validation=len(validation_rows),
        missing=len(missing),
        left_out=loader.sampler.left_out,
    )
    return RunData(tokenizer, labels, settings, loader, validation, entry)


def _said(world: World) -> Callable[[int], None]:
    """Say how far the store is, every now and then: long files take minutes."""
    done = 0

    def on_rows(rows: int) -> None:
        nonlocal done
        before, done = done, done + rows
        if world.main and done // SAY_EVERY > before // SAY_EVERY:
            print(f"tokens: {done:,} rows", file=sys.stderr, flush=True)

    return on_rows
