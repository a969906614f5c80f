"""The frozen vision tower: patch tokens of CLIP's penultimate layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel


class VisionTower(nn.Module):
    """CLIP's vision tower without its last layer, never trained.

    LLaVA and the paper take `hidden_states[-2]` without the class token and without the final
    LayerNorm. The last layer is not built at all, so it costs neither time nor memory.

    Args:
        config: of the whole tower, the last layer counted.
        clip: its weights, with or without the last layer (which is dropped); None: random ones.
    """

    def __init__(self, config: CLIPVisionConfig, clip: CLIPVisionModel | None = None) -> None:
        super().__init__()
        layers = config.num_hidden_layers - 1
        if clip is None:
            clip = CLIPVisionModel._from_config(_with_layers(config, layers))
        else:
            clip.encoder.layers = clip.encoder.layers[:layers]
            clip.config.num_hidden_layers = layers
        self.clip = clip
        self.clip.requires_grad_(False)
        self.eval()

    @classmethod
    def from_pretrained(cls, checkpoint: str | Path, **options: Any) -> tuple[Self, Any]:
        """The tower of a CLIP checkpoint, and its `CLIPVisionConfig`, the last layer counted.

        checkpoint: a Hub id or a folder, of a CLIPModel (as `mgld encoder export` writes) or of a
        CLIPVisionModel. options: of transformers' `from_pretrained` (dtype, attn_implementation).
        """
        clip = CLIPVisionModel.from_pretrained(str(checkpoint), **options)
        config = _with_layers(clip.config, clip.config.num_hidden_layers)
        return cls(config, clip), config

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, also when the model around it is put into training mode."""
        del mode
        return super().train(False)

    @torch.no_grad()
    def forward(self, pixel_values_NCHW: Tensor) -> Tensor:
        """Images (float [N, 3, S, S], CLIP-normalised) -> patch tokens [N, (S/patch)^2, d].

        The tokens are in the tower's dtype, row-major over patches, and carry no gradient.
        """
        hidden: Tensor = self.clip(pixel_values_NCHW.to(self.clip.dtype)).last_hidden_state
        return hidden[:, 1:]


def _with_layers(config: CLIPVisionConfig, layers: int) -> CLIPVisionConfig:
    return CLIPVisionConfig.from_dict({**config.to_dict(), "num_hidden_layers": layers})
