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


@dataclass(frozen=True)
class StepCounts:
    """Sums over a step.

    Attributes:
        losses: what the losses are divided by: int64 scalars on the device.
        samples, supervised_tokens, images, labelled: the same as numbers.
        tokens: positions of the language model that are no padding, visual tokens included.
        classes: different hierarchical labels.
        skipped: rows that could not be read, by status.
    """

    losses: LossCounts
    samples: int
    supervised_tokens: int
    images: int
    labelled: int
    tokens: int
    classes: int
    skipped: dict[str, int]


def count_step(batches: Sequence[Batch], config: EecaConfig, world: World) -> StepCounts:
    """Count the micro-batches of all processes; `batches` are this one's."""
    mine = torch.zeros(6 + len(config.hierarchical_labels), dtype=torch.int64)
    for batch in batches:
        mine += count_batch(batch, config)
    everyones = world.summed(mine.to(world.device))
    numbers: list[int] = everyones.tolist()
    skipped: Counter[str] = Counter()
    if numbers[5]:
        for each in world.gathered([s.status for batch in batches for s in batch.skipped]):
            skipped.update(each)
    return StepCounts(
        LossCounts(*everyones[:4]),
        *numbers[:5],
        classes=sum(number > 0 for number in numbers[6:]),
        skipped=dict(sorted(skipped.items())),
    )


def count_batch(batch: Batch, config: EecaConfig) -> Tensor:
    """int64 [6 + classes], of a batch: samples, supervised tokens, images, labelled, tokens, skipped, each class."""
    inputs = batch.inputs
    classes = torch.zeros(len(config.hierarchical_labels), dtype=torch.int64)
    if not batch.ids:  # one sample of one token stands in, and is none
        return torch.cat((torch.tensor([0, 0, 0, 0, 0, len(batch.skipped)]), classes))
    counts = loss_counts(inputs["labels_BL"], inputs["has_image_B"], inputs["class_B"])
    tokens = inputs["attention_mask_BL"].sum() + counts.images * (config.visual_tokens - 1)
    labelled = inputs["class_B"][inputs["class_B"] != IGNORED]
    classes = torch.bincount(labelled, minlength=len(classes)) if len(classes) else classes
    sums = [*counts, tokens, torch.tensor(len(batch.skipped))]
    return torch.cat((torch.stack([torch.as_tensor(each) for each in sums]), classes))
