"""Steps of training: global batches read, decoded and collated in workers, with a cursor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from eeca_ref.data.collate import Batch, Example, collate
from eeca_ref.data.images import ImageSettings, load_pixels
from eeca_ref.data.labels import LabelVocabulary
from eeca_ref.data.sampler import Cursor, GroupedSampler, micro_batches, steps_from
from eeca_ref.data.samples import Skipped, Source
from eeca_ref.data.store import TokenStore
from eeca_ref.data.tokens import IGNORED
from mgld.gldv2 import ImageError


class Examples(Dataset[Example | Skipped]):
    """Rows of a store with their images. A row whose image cannot be read is a Skipped.

    `labels`: the model's; None: there are no classes.
    """

    def __init__(
        self,
        store: TokenStore,
        source: Source,
        settings: ImageSettings,
        labels: LabelVocabulary | None = None,
    ) -> None:
        self.store = store
        self.source = source
        self.settings = settings
        self.labels = labels

    def __getitem__(self, row: int) -> Example | Skipped:
        sample = self.store[int(row)]
        number = IGNORED if self.labels is None else self.labels.number(sample.label)
        if sample.image is None:
            return Example(sample, None, number)
        try:
            pixels_CHW = load_pixels(self.source.read_image(sample.image), self.settings)
        except ImageError as error:
            return Skipped(sample.id, "unreadable_image", f"{sample.image}: {error}")
        except OSError as error:
            return Skipped(sample.id, "missing_image", f"{sample.image}: {error}")
        return Example(sample, pixels_CHW, number)


def rows_with_images(
    store: TokenStore, source: Source, *, threads: int = 16
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(rows to train on, rows whose image is not there), int64, ascending.

    Looked at before training, so that what is missing is counted then and is in no batch. Images
    are not decoded: one that turns out unreadable is skipped and counted when its batch is made.
    """
    there: list[bool] = []
    with ThreadPoolExecutor(threads) as pool:
        # A thousand rows at a time: a future for each of 665k would take a gigabyte.
        for images in store.images():
            there += pool.map(lambda image: image is None or source.has_image(image), images)
    usable = store.usable
    here = np.array(there, np.bool_)[usable]
    return usable[here], usable[~here]


@dataclass(frozen=True)
class Step:
    """The micro-batches of one process for one optimizer step; `cursor`: where the next begins."""

    micro_batches: list[Batch]
    cursor: Cursor


class TrainLoader:
    """Steps for one process of `world_size`, each of `accumulation` micro-batches.

    The workers read ahead, so the place to go on from is the `cursor` of the last step that was
    trained on, not the loader's own. Reading draws nothing from torch's generators.

    ValueError: a global batch that does not divide.
    """

    def __init__(
        self,
        examples: Examples,
        sampler: GroupedSampler,
        *,
        epochs: int,
        micro_batch: int,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
        prefetch: int = 2,
        pin_memory: bool = False,
    ) -> None:
        self.examples = examples
        self.sampler = sampler
        self.epochs = epochs
        self.micro_batch = micro_batch
        self.rank = rank
        self.world_size = world_size
        self.workers = workers
        self.prefetch = prefetch
        self.pin_memory = pin_memory
        first = sampler.global_batches(0)[0]
        self.accumulation = len(self._mine(first))

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.epochs * self.sampler.steps

    def steps_from(self, cursor: Cursor | None = None) -> Iterator[Step]:
        """The steps after `cursor`; None: from the beginning. ValueError: not this run's cursor."""
        cursor = cursor or self.sampler.cursor()
        self.sampler.check(cursor)
        batches = iter(self._data_loader(cursor))
        while cursor.epoch < self.epochs:
            # Read before the cursor moves: a step whose batches fail has not been done.
            mine = [next(batches) for _ in range(self.accumulation)]
            cursor = self.sampler.cursor(cursor.epoch, cursor.step + 1)
            yield Step(mine, cursor)

    def _mine(self, batch: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        return micro_batches(
            batch, rank=self.rank, world_size=self.world_size, micro_batch=self.micro_batch
        )

    def _data_loader(self, cursor: Cursor) -> DataLoader[Any]:
        return DataLoader(
            self.examples,
            batch_sampler=_MicroBatches(self, cursor),
            collate_fn=partial(collate, size=self.examples.settings.size),
            num_workers=self.workers,
            prefetch_factor=self.prefetch if self.workers else None,
            pin_memory=self.pin_memory,
            # Of its own: else every new iterator draws a seed from torch's global generator, and a
            # run that was resumed would go on with other random numbers than one that was not.
            generator=torch.Generator().manual_seed(self.sampler.seed),
        )


class _MicroBatches:
    """The row numbers of one process's micro-batches, in order: a `batch_sampler`."""

    def __init__(self, loader: TrainLoader, cursor: Cursor) -> None:
        self.loader = loader
        self.cursor = cursor

    def __iter__(self) -> Iterator[list[int]]:
        for batch in steps_from(self.loader.sampler, self.cursor, self.loader.epochs):
            for mine in self.loader._mine(batch):
                yield [int(row) for row in mine]
