"""What a step holds over all its micro-batches and processes, known before it is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eeca_ref.config import EecaConfig
from eeca_ref.data.collate import Batch
from eeca_ref.losses import IGNORED
from eeca_ref.objective import LossCounts, loss_counts
from eeca_ref.training.distributed import World
from eeca_ref.training.flops import FlopCount, positions

SUMS = ("samples", "supervised_tokens", "images", "labelled", "tokens", "skipped_rows")
FLOPS = ("model_flops", "hardware_flops")


@dataclass(frozen=True)
class StepCounts:
    """Sums over a step.

    Attributes:
        losses: what the losses are divided by: int64 scalars on the device.
        samples, supervised_tokens, images, labelled: the same as numbers.
        tokens: positions of the language model that are no padding, visual tokens included.
        skipped_rows: that could not be read; `skipped`: how many of each status.
        classes: different hierarchical labels.
        model_flops, hardware_flops: see `flops.Flops`; 0 where they are not counted.
    """

    losses: LossCounts
    samples: int
    supervised_tokens: int
    images: int
    labelled: int
    tokens: int
    skipped_rows: int
    skipped: dict[str, int]
    classes: int
    model_flops: int
    hardware_flops: int


def count_step(
    batches: Sequence[Batch], config: EecaConfig, world: World, flops: FlopCount | None = None
) -> StepCounts:
    """Count the micro-batches of all processes; `batches` are this one's. One reduction."""
    classes = len(config.hierarchical_labels)
    mine = torch.zeros(len(SUMS) + len(FLOPS) + classes, dtype=torch.int64)
    for batch in batches:
        mine[: len(SUMS)] += count_batch(batch, config)
        if flops is not None and batch.ids:
            mine[len(SUMS) :][: len(FLOPS)] += torch.tensor(flops.of_inputs(batch.inputs))
        labelled = batch.inputs["class_B"][batch.inputs["class_B"] != IGNORED]
        if classes:
            mine[-classes:] += torch.bincount(labelled, minlength=classes)
    everyones = world.summed(mine.to(world.device))
    numbers: list[int] = everyones.tolist()
    sums = dict(zip((*SUMS, *FLOPS), numbers, strict=False))
    skipped: Counter[str] = Counter()
    if sums["skipped_rows"]:
        for each in world.gathered([row.status for batch in batches for row in batch.skipped]):
            skipped.update(each)
    return StepCounts(
        losses=LossCounts(*everyones[: len(LossCounts._fields)]),
        skipped=dict(sorted(skipped.items())),
        classes=sum(number > 0 for number in numbers[len(SUMS) + len(FLOPS) :]),
        **sums,
    )


def count_batch(batch: Batch, config: EecaConfig) -> Tensor:
    """`SUMS` of a batch, int64 [6]; the first four are its `LossCounts`."""
    inputs, skipped = batch.inputs, len(batch.skipped)
    if not batch.ids:  # one sample of one token stands in, and is none
        return torch.tensor([0, 0, 0, 0, 0, skipped])
    counts = loss_counts(inputs["labels_BL"], inputs["has_image_B"], inputs["class_B"])
    tokens = sum(positions(config, inputs))
    return torch.stack([torch.as_tensor(each) for each in (*counts, tokens, skipped)])
