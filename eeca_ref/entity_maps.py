"""Where on an image the weights W of each entity lie.

W (the paper, before Eq. 3) is over the tokens of X^H, which have no place on the image: each is a
query of the resampler that reads patches from everywhere. A place is given to them by what the
queries attend to: the attention of the resampler's last layer, the mean of its heads, summed over
queries with the weights W. That is no more than where information may come from: values, earlier
layers and what the vision tower itself mixes between patches are not in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from eeca_ref.config import TILES
from eeca_ref.losses import masked_entity_weights
from eeca_ref.model import EecaForConditionalGeneration
from eeca_ref.objective import read_entities
from eeca_ref.resampler import ResamplerLayer
from eeca_ref.tiling import merge_tiles


@dataclass(frozen=True)
class EntityMaps:
    """Of E entities of one image with Q high-resolution tokens and g x g patches a sub-image.

    Attributes:
        weights_EQ: W, float32, rows sum to 1.
        map_EHW: float32 [E, 2g, 2g], shares of attention by patch of the high-resolution image,
            through the tiles and the overview together (a patch of the overview lies on four).
        overview_E: share that goes through the overview; zeros where the resampler reads none.
        queries_E: share that goes to the queries themselves, which have no place. The map and this
            share sum to 1.
    """

    weights_EQ: Tensor
    map_EHW: Tensor
    overview_E: Tensor
    queries_E: Tensor


@torch.inference_mode()
def entity_maps(
    model: EecaForConditionalGeneration, pixels_CHW: Tensor, entity_ids: Sequence[Sequence[int]]
) -> EntityMaps:
    """The maps of one image's entities.

    Args:
        model: with a high-resolution branch.
        pixels_CHW: float32 [3, S, S], normalised.
        entity_ids: tokens of each entity, at least one of each.

    Raises:
        ValueError: the model has no high-resolution branch.
    """
    if model.resampler is None:
        raise ValueError("a model without the high-resolution branch gives entities no weights")
    config = model.config
    seen: list[tuple[Tensor, Tensor]] = []
    hook = model.resampler.layers[-1].register_forward_pre_hook(
        lambda _, given: seen.append((given[0], given[1]))
    )
    try:
        visual_1VC = model.visual_tokens(pixels_CHW[None])
    finally:
        hook.remove()
    ids_1ET, token_mask_1ET = _padded(entity_ids)
    entities = read_entities(
        model.get_input_embeddings(),
        ids_1ET,
        token_mask_1ET,
        token_mask_1ET.any(-1),
        gradient=False,
    )
    weights_1EQ, _ = masked_entity_weights(
        visual_1VC[:, config.lr_tokens :],
        entities.embeddings_REC,
        entities.mask_RE,
        theta=config.theta,
        similarity=config.similarity,
    )
    weights_EQ = weights_1EQ[0]
    layer = cast(ResamplerLayer, model.resampler.layers[-1])
    attention_QTN = _by_view(attention(layer, *seen[0]), config.hr_views, config.lr_tokens)
    shares_ETN = torch.einsum("eq,qtn->etn", weights_EQ, attention_QTN)
    side = math.isqrt(config.lr_tokens)
    grid_ETHW = shares_ETN.reshape(*shares_ETN.shape[:2], side, side)
    map_EHW = merge_tiles(grid_ETHW[:, -TILES:].unsqueeze(2))[:, 0]
    overview_EHW = grid_ETHW[:, :-TILES].sum(1)  # the first sub-image, if there are five
    spread_EHW = overview_EHW.repeat_interleave(2, 1).repeat_interleave(2, 2) / 4
    return EntityMaps(
        weights_EQ,
        map_EHW + spread_EHW,
        overview_EHW.sum((1, 2)),
        1 - shares_ETN.sum((1, 2)),
    )


@torch.inference_mode()
def attention(layer: ResamplerLayer, latents_MQD: Tensor, media_MND: Tensor) -> Tensor:
    """What `layer` reads: float32 [M, Q, N + Q], the mean over its heads; rows sum to 1.

    Columns are the patch tokens, then the latents.
    """
    normed_MQD = layer.latent_norm(latents_MQD)
    read_MKD = torch.cat((layer.media_norm(media_MND), normed_MQD), dim=1)
    keys, _ = layer.key_value(read_MKD).chunk(2, dim=-1)
    query_MHQF, keys_MHKF = (
        x.unflatten(-1, (layer.heads, -1)).transpose(1, 2).float()
        for x in (layer.query(normed_MQD), keys)
    )
    scores_MHQK = query_MHQF @ keys_MHKF.mT / math.sqrt(query_MHQF.shape[-1])
    weights_MQK: Tensor = scores_MHQK.softmax(-1).mean(1)
    return weights_MQK


def _by_view(attention_MQK: Tensor, views: int, patches: int) -> Tensor:
    """[Q, T, N] of one image: M is 1, or T where each sub-image has queries of its own."""
    queries = attention_MQK.shape[1]
    if len(attention_MQK) == 1:
        return attention_MQK[0, :, : views * patches].reshape(queries, views, patches)
    own_TTQN = attention_MQK.new_zeros(views, views, queries, patches)
    for view in range(views):
        own_TTQN[view, view] = attention_MQK[view, :, :patches]
    return own_TTQN.transpose(1, 2).flatten(0, 1)


def _padded(entity_ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(len(ids) for ids in entity_ids)
    ids_ET = torch.zeros(len(entity_ids), longest, dtype=torch.long)
    mask_ET = torch.zeros(ids_ET.shape, dtype=torch.bool)
    for row, ids in enumerate(entity_ids):
        ids_ET[row, : len(ids)] = torch.tensor(list(ids))
        mask_ET[row, : len(ids)] = True
    return ids_ET[None], mask_ET[None]
