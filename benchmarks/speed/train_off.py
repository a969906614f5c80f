"""Each optimisation of the trainer taken back, by itself or all together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eeca_ref.model import EecaForConditionalGeneration


@contextmanager
def head_everywhere() -> Iterator[None]:
    """Logits at all positions, supervised or not; nothing fused, as it must see the labels."""

    def everywhere(labels_BS: Tensor) -> Tensor:
        return F.pad(torch.ones_like(labels_BS[:, 1:], dtype=torch.bool), (0, 1))

    with mock.patch("eeca_ref.model.predicting_positions", everywhere), plain_loss():
        yield


@contextmanager
def plain_loss() -> Iterator[None]:
    """Logits are made and kept, then their cross entropy."""

    def summed(head: nn.Module, hidden_NC: Tensor, targets_N: Tensor) -> Tensor:
        return F.cross_entropy(head(hidden_NC).float(), targets_N, reduction="sum")

    with mock.patch("eeca_ref.model.summed_cross_entropy", summed):
        yield


@contextmanager
def whole_tower(model: EecaForConditionalGeneration, clip: Any) -> Iterator[None]:
    """All layers of the vision tower run; what the last but one gives is taken."""

    def forward(pixel_values_NCHW: Tensor) -> Tensor:
        with torch.no_grad():
            states = clip(pixel_values_NCHW, output_hidden_states=True).hidden_states
        hidden: Tensor = states[-2]
        return hidden[:, 1:]

    with mock.patch.object(model.vision_tower, "forward", forward):
        yield


@contextmanager
def views_apart(model: EecaForConditionalGeneration) -> Iterator[None]:
    """The low-resolution image through the vision tower first, then the tiles."""
    together = model.vision_tower.forward
    views = 5 if model.config.hr else 1

    def forward(pixel_values_NCHW: Tensor) -> Tensor:
        views_RTCHW = pixel_values_NCHW.unflatten(0, (-1, views))
        if views == 1:
            return together(pixel_values_NCHW)
        first = together(views_RTCHW[:, 0]).unsqueeze(1)
        tiles = together(views_RTCHW[:, 1:].flatten(0, 1)).unflatten(0, (-1, views - 1))
        return torch.cat((first, tiles), dim=1).flatten(0, 1)

    with mock.patch.object(model.vision_tower, "forward", forward):
        yield


@contextmanager
def all_off(model: EecaForConditionalGeneration, clip: Any) -> Iterator[None]:
    """All of them; the order of the data is the recipe's."""
    with ExitStack() as stack:
        for each in (head_everywhere(), whole_tower(model, clip), views_apart(model)):
            stack.enter_context(each)
        yield
