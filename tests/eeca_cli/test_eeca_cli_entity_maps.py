"""Where an entity's weights lie: shares that add up, in the right place of the image."""

from __future__ import annotations

import pytest
import torch
from eeca_cli_model import lively_model

from eeca_ref.entity_maps import attention, entity_maps
from eeca_ref.losses import entity_embeddings, entity_weights

ENTITIES = [[70, 71, 72], [90], [101, 102]]


def pixels(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("depth", [1, 2])
def test_the_attention_is_what_the_layer_reads(depth: int) -> None:
    model, _ = lively_model(resampler_depth=depth)
    layer = model.resampler.layers[-1]
    latents, media = torch.randn(2, 6, 16), torch.randn(2, 20, 16)
    weights = attention(layer, latents, media)
    assert weights.shape == (2, 6, 26)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 6))
    # One head, values and output the identity: what is read is the attention's mean of what is
    # there.
    layer.heads = 1
    with torch.no_grad():
        layer.key_value.weight[16:] = torch.eye(16)
        layer.output.weight.copy_(torch.eye(16))
        layer.feed_forward[3].weight.zero_()
        read = layer(latents, media) - latents
        there = torch.cat((layer.media_norm(media), layer.latent_norm(latents)), 1)
        torch.testing.assert_close(attention(layer, latents, media) @ there, read)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hr_source": "tiles"},
        {"hr_source": "tiles", "queries_per_tile": True, "resampler_queries": 8},
        {"resampler_depth": 3, "similarity": "dot"},
    ],
)
def test_shares_add_up(settings: dict[str, object]) -> None:
    model, _ = lively_model(**settings)
    maps = entity_maps(model, pixels(), ENTITIES)
    assert maps.map_EHW.shape == (3, 4, 4)
    torch.testing.assert_close(maps.map_EHW.sum((1, 2)) + maps.queries_E, torch.ones(3))
    assert (maps.map_EHW >= 0).all() and (maps.queries_E > 0).all()
    assert bool((maps.overview_E > 0).all()) == (model.config.hr_source != "tiles")


def test_the_weights_are_the_losses() -> None:
    model, _ = lively_model()
    maps = entity_maps(model, pixels(), ENTITIES)
    table = model.get_input_embeddings().weight
    with torch.no_grad():
        tokens = model.visual_tokens(pixels()[None])[:, model.config.lr_tokens :]
        for row, ids in enumerate(ENTITIES):
            mask = torch.ones(1, 1, len(ids), dtype=torch.bool)
            entity = entity_embeddings(table[ids][None, None], mask)
            expected = entity_weights(tokens, entity, theta=model.config.theta)
            torch.testing.assert_close(maps.weights_EQ[row], expected[0, 0])


@pytest.mark.parametrize("source", ["tiles", "tiles+overview"])
@pytest.mark.parametrize("place", [(0, 0), (1, 6), (7, 2), (5, 5)])
def test_what_is_read_at_a_patch_lies_there(place: tuple[int, int], source: str) -> None:
    """A resampler that attends to one patch of one tile only: the map is that patch."""
    from eeca_tiny import tiny_vision

    vision = tiny_vision(patch_size=4)  # 4 x 4 patches a sub-image, 8 x 8 in all
    model, _ = lively_model(vision_config=vision, hr_source=source, tile_embedding=False)
    row, column = place
    image = pixels()
    wanted = torch.zeros(4, 16)
    wanted[2 * (row // 4) + column // 4, 4 * (row % 4) + column % 4] = 1

    def only_there(_module: object, _given: object, features: torch.Tensor) -> torch.Tensor:
        """All patches are one vector, this one another (in a batch of overview and tiles)."""
        base = torch.linspace(-1, 1, features.shape[-1]).expand_as(features).clone()
        base[1:] = torch.where(wanted[..., None] > 0, base[1:].flip(-1), base[1:])
        return base

    hook = model.vision_tower.register_forward_hook(only_there)
    layer = model.resampler.layers[-1]
    with torch.no_grad():  # every query looks for that vector
        key = layer.media_norm(torch.linspace(1, -1, 16))
        inner = layer.query.out_features
        layer.key_value.weight[:inner] = torch.outer(torch.ones(inner), key)
        layer.latent_norm.weight.zero_()
        layer.latent_norm.bias.copy_(torch.ones(16))
        layer.query.weight.fill_(1.0)
    maps = entity_maps(model, image, ENTITIES)
    hook.remove()
    assert (maps.map_EHW.flatten(1).argmax(1) == 8 * row + column).all()
    assert (maps.map_EHW[:, row, column] > 0.9).all()


def test_in_the_precision_of_training() -> None:
    model, _ = lively_model()
    exact = entity_maps(model, pixels(), ENTITIES)
    rounded = entity_maps(model.to(torch.bfloat16), pixels(), ENTITIES)
    assert rounded.map_EHW.dtype == torch.float32
    torch.testing.assert_close(rounded.map_EHW.sum((1, 2)) + rounded.queries_E, torch.ones(3))
    torch.testing.assert_close(rounded.map_EHW, exact.map_EHW, atol=0.05, rtol=0.5)


def test_without_the_branch_there_are_none() -> None:
    model, _ = lively_model(hr=False, mu_e=0.0)
    with pytest.raises(ValueError, match="without the high-resolution branch"):
        entity_maps(model, pixels(), ENTITIES)
