"""Samples to the batch that the model takes.

`Batch.inputs`, with B samples, L tokens (one placeholder per image), E entities, T tokens each:

| key | |
|---|---|
| `pixel_values_BCHW` | float32 [B, 3, size, size], normalised; zeros for a text-only sample |
| `has_image_B` | bool [B] |
| `input_ids_BL` | int64 [B, L], padded at the end |
| `attention_mask_BL` | bool [B, L]: the sample's own tokens. Made from lengths, never from ids |
| `labels_BL` | int64 [B, L], -100 where nothing is supervised; not shifted |
| `entity_ids_BET` | int64 [B, E, T]; E and T are at least 1 |
| `entity_token_mask_BET` | bool [B, E, T] |
| `entity_mask_BE` | bool [B, E]: the entities there are |
| `class_B` | int64 [B], -100 for no label |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from eeca_ref.data.samples import Skipped
from eeca_ref.data.store import StoredSample
from eeca_ref.data.tokens import IGNORED

PADDING_ID = 0
"""Any id does: the mask says what is padding, so that a pad token equal to the end token harms
nothing."""


@dataclass(frozen=True)
class Example:
    """A sample with its pixels, float32 [3, size, size]; None: text only."""

    sample: StoredSample
    pixels_CHW: Tensor | None
    class_number: int


@dataclass(frozen=True)
class Batch:
    """`inputs`: for the model. `ids`: of its samples, in order. `skipped`: what could not be read.

    Where nothing could be read, `ids` is empty and `inputs` hold one sample of one token without a
    label, so that every process still runs the same operations.
    """

    inputs: dict[str, Tensor]
    ids: list[str]
    rows: list[int]
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def supervised(self) -> int:
        """Number of labels that the loss sees: all but -100, the first token's apart."""
        return int((self.inputs["labels_BL"][:, 1:] != IGNORED).sum())

    def pin_memory(self) -> Batch:
        """The same in pinned memory; called by the DataLoader."""
        pinned = {name: tensor.pin_memory() for name, tensor in self.inputs.items()}
        return Batch(pinned, self.ids, self.rows, self.skipped)


def collate(examples: Sequence[Example | Skipped], *, size: int) -> Batch:
    """A batch of the examples that are there. `size`: side of the image in pixels."""
    there = [each for each in examples if isinstance(each, Example)]
    skipped = [each for each in examples if isinstance(each, Skipped)]
    ids = [torch.from_numpy(each.sample.tokens.ids).long() for each in there]
    labels = [torch.from_numpy(each.sample.tokens.labels) for each in there]
    if not there:
        ids, labels = [torch.tensor([PADDING_ID])], [torch.tensor([IGNORED])]
    number = len(ids)
    pixels_BCHW = torch.zeros(number, 3, size, size)
    has_image_B = torch.zeros(number, dtype=torch.bool)
    class_B = torch.full((number,), IGNORED)
    for at, each in enumerate(there):
        class_B[at] = each.class_number
        if each.pixels_CHW is not None:
            pixels_BCHW[at] = each.pixels_CHW
            has_image_B[at] = True
    lengths_B = torch.tensor([len(each) for each in ids])
    input_ids_BL = pad_sequence(ids, batch_first=True, padding_value=PADDING_ID)
    inputs = {
        "pixel_values_BCHW": pixels_BCHW,
        "has_image_B": has_image_B,
        "input_ids_BL": input_ids_BL,
        "attention_mask_BL": torch.arange(input_ids_BL.shape[1]) < lengths_B[:, None],
        "labels_BL": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        **_entities([each.sample.entity_ids for each in there] or [[]]),
        "class_B": class_B,
    }
    names = [each.sample.id for each in there]
    return Batch(inputs, names, [each.sample.row for each in there], skipped)


def _entities(entities: list[list[list[int]]]) -> dict[str, Tensor]:
    most = max([1, *(len(each) for each in entities)])
    longest = max([1, *(len(ids) for each in entities for ids in each)])
    ids_BET = torch.full((len(entities), most, longest), PADDING_ID)
    mask_BET = torch.zeros(ids_BET.shape, dtype=torch.bool)
    for b, each in enumerate(entities):
        for e, ids in enumerate(each):
            ids_BET[b, e, : len(ids)] = torch.tensor(ids)
            mask_BET[b, e, : len(ids)] = True
    return {
        "entity_ids_BET": ids_BET,
        "entity_token_mask_BET": mask_BET,
        "entity_mask_BE": mask_BET.any(dim=2),
    }
