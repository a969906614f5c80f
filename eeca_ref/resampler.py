"""The high-resolution branch: a Perceiver resampler in Flamingo's form (arXiv 2204.14198)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eeca_ref.config import EecaConfig


class Resampler(nn.Module):
    """Many patch tokens -> X^H, a fixed number of visual tokens in the language model's width.

    Latents (the queries, initialised from a normal distribution: equal ones would stay equal) read
    the patch tokens in `resampler_depth` layers of the tower's width; a projection follows. It does
    not see the order of what it reads: the tile embedding alone tells sub-images apart, CLIP's own
    positions tell patches apart within each.
    """

    def __init__(self, config: EecaConfig) -> None:
        super().__init__()
        width = config.vision_config.hidden_size
        self.per_tile = config.queries_per_tile
        count = config.resampler_queries // (config.hr_views if self.per_tile else 1)
        self.latents_QD = nn.Parameter(torch.randn(count, width))
        self.tile_embedding_TD = (
            nn.Parameter(torch.randn(config.hr_views, width)) if config.tile_embedding else None
        )
        self.layers = nn.ModuleList(ResamplerLayer(config) for _ in range(config.resampler_depth))
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, config.text_config.hidden_size)

    def forward(self, features_BTND: Tensor) -> Tensor:
        """Patch tokens of T sub-images, [B, T, N, d] -> X^H [B, Q, C].

        With `queries_per_tile`, Q/T of them come from each sub-image, in the sub-images' order.
        """
        if self.tile_embedding_TD is not None:
            features_BTND = features_BTND + self.tile_embedding_TD[:, None]
        batch = features_BTND.shape[0]
        media_MND = features_BTND.flatten(0, 1) if self.per_tile else features_BTND.flatten(1, 2)
        latents_MQD = self.latents_QD.expand(media_MND.shape[0], -1, -1)
        for layer in self.layers:
            latents_MQD = layer(latents_MQD, media_MND)
        tokens_MQC: Tensor = self.projection(self.norm(latents_MQD))
        return tokens_MQC.reshape(batch, -1, tokens_MQC.shape[-1])


class ResamplerLayer(nn.Module):
    """Cross attention of the latents to [media; latents], then a feed-forward; both residual."""

    def __init__(self, config: EecaConfig) -> None:
        super().__init__()
        width = config.vision_config.hidden_size
        self.heads = config.resampler_heads
        inner = config.resampler_heads * config.resampler_head_dim
        self.media_norm, self.latent_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(width, 2 * inner, bias=False)
        self.output = nn.Linear(inner, width, bias=False)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, config.resampler_ff_mult * width, bias=False),
            nn.GELU(),
            nn.Linear(config.resampler_ff_mult * width, width, bias=False),
        )

    def forward(self, latents_MQD: Tensor, media_MND: Tensor) -> Tensor:
        """Latents [M, Q, d] and what they read [M, N, d] -> latents [M, Q, d]."""
        normed_MQD = self.latent_norm(latents_MQD)
        read_MKD = torch.cat((self.media_norm(media_MND), normed_MQD), dim=1)
        keys, values = self.key_value(read_MKD).chunk(2, dim=-1)
        query, keys, values = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (self.query(normed_MQD), keys, values)
        )
        read_MHQF = F.scaled_dot_product_attention(query, keys, values)
        latents_MQD = latents_MQD + self.output(read_MHQF.transpose(1, 2).flatten(2))
        out: Tensor = latents_MQD + self.feed_forward(latents_MQD)
        return out
