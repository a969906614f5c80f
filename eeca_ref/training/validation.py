"""Rows held out of training, and the loss on them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from eeca_ref.config import EecaConfig
from eeca_ref.data.collate import Batch, collate
from eeca_ref.data.loader import Examples
from eeca_ref.data.sampler import Rows
from eeca_ref.objective import LossCounts
from eeca_ref.training.counting import SUMS, count_batch
from eeca_ref.training.distributed import World
from eeca_ref.training.step import LOSSES, NonFiniteError, everyones_ids, to_device
from mgld.keyed import order_key


def held_out(rows: Rows, number: int) -> tuple[Rows, Rows]:
    """(rows to train on, `number` rows held out), int64, ascending.

    Drawn by a keyed hash of the row's number alone, so that recipes with the same data hold out the
    same rows, whatever their seeds. ValueError: nothing would be left to train on.
    """
    if number >= len(rows):
        raise ValueError(f"data.validation is {number}, but there are only {len(rows)} rows")
    keys = np.array([order_key(0, "validation", int(row)) for row in rows], np.uint64)
    chosen = np.zeros(len(rows), np.bool_)
    chosen[np.argsort(keys, kind="stable")[:number]] = True
    return rows[~chosen], rows[chosen]


class Validated(NamedTuple):
    """Losses by name, of `samples` rows; `skipped` could not be read."""

    losses: dict[str, float]
    samples: int
    skipped: int


class Validation:
    """The losses on `rows`, in batches of `micro_batch`, shared out to the processes."""

    def __init__(
        self, examples: Examples, rows: Rows, world: World, *, micro_batch: int, workers: int
    ) -> None:
        self.world = world
        lengths = examples.store.lengths[rows]
        longest_first = rows[np.argsort(-lengths.astype(np.int64), kind="stable")]
        batches = [
            [int(row) for row in longest_first[at : at + micro_batch]]
            for at in range(0, len(rows), micro_batch)
        ]
        # every process runs as many batches, as ZeRO-3 needs them all: empty ones at the end
        batches += [[]] * (-len(batches) % world.size)
        self._loader: Iterable[Batch] = DataLoader(
            examples,
            batch_sampler=batches[world.rank :: world.size],
            collate_fn=partial(collate, size=examples.settings.size),
            num_workers=workers,
            generator=torch.Generator(),  # of its own: torch's global one is left as it is
        )

    @torch.no_grad()
    def measure(self, engine: Any) -> Validated:
        """The losses over all rows: as if they were one batch.

        NonFiniteError: one is NaN or infinite; in all processes, with the samples' ids.
        """
        config: EecaConfig = engine.module.config
        one = torch.ones((), device=self.world.device)
        sums = torch.zeros(3, dtype=torch.float64, device=self.world.device)
        seen = torch.zeros(len(SUMS), dtype=torch.int64)
        measured: list[tuple[list[str], Tensor]] = []
        engine.module.eval()
        for batch in self._loader:
            inputs = to_device(batch, self.world.device)
            output = engine.module(**inputs, counts=LossCounts(one, one, one, one))
            own = torch.stack([getattr(output, name).double() for name in LOSSES[1:]])
            sums += own
            seen += count_batch(batch, config)
            measured.append((batch.ids, own.isfinite().all()))
        engine.module.train()
        numbers: list[int] = self.world.summed(seen.to(self.world.device)).tolist()
        counts = dict(zip(SUMS, numbers, strict=True))
        lm, entity, hierarchical = self.world.summed(sums).tolist()
        if not all(map(math.isfinite, (lm, entity, hierarchical))):
            wrong = [ids for ids, good in measured if not good]
            raise NonFiniteError("the validation loss", everyones_ids(wrong, self.world))
        lm /= max(1, counts["samples" if config.lm_normalisation == "sum" else "supervised_tokens"])
        entity /= max(1, counts["images"])
        hierarchical /= max(1, counts["labelled"])
        total = config.lambda_g * lm + config.mu_e * entity + config.mu_h * hierarchical
        losses = dict(zip(LOSSES, (total, lm, entity, hierarchical), strict=True))
        return Validated(losses, counts["samples"], counts["skipped_rows"])
