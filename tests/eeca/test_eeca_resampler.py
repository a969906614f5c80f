"""The resampler: size, what it can tell apart, that its tokens differ."""

from typing import Any

import pytest
import torch
from eeca_tiny import tiny_config

from eeca_ref.config import EecaConfig
from eeca_ref.resampler import Resampler, ResamplerLayer

FEATURES = torch.randn(2, 5, 4, 16, generator=torch.Generator().manual_seed(0))


def resampler(**changes: Any) -> Resampler:
    torch.manual_seed(0)
    return Resampler(tiny_config(**changes)).eval()


def parameters(**changes: Any) -> int:
    with torch.device("meta"):
        module = Resampler(EecaConfig(hierarchical_labels=["church"], **changes))
    return sum(p.numel() for p in module.parameters())


def test_parameters_of_the_papers_setting() -> None:
    """Width 1024, 8 heads of 64, feed-forward of 4, projection to 4096."""
    norms = 3 * 2 * 1024
    layer = 4 * 1024 * 512 + 2 * 4 * 1024**2 + norms
    around = 128 * 1024 + 5 * 1024 + 2 * 1024 + (1024 + 1) * 4096
    assert parameters() == layer + around
    assert parameters(resampler_depth=6) == 6 * layer + around
    assert 62e6 < 6 * layer < 64e6
    assert parameters(tile_embedding=False) == layer + around - 5 * 1024
    assert parameters(hr_source="tiles") == layer + around - 1024


@pytest.mark.parametrize("depth", [1, 3])
def test_tokens_in_the_width_of_the_language_model(depth: int) -> None:
    tokens_BQC = resampler(resampler_depth=depth)(FEATURES)
    assert tokens_BQC.shape == (2, 6, 24)


def test_tokens_of_an_image_differ() -> None:
    """Latents that start equal would give 128 equal tokens, and min-max of W 0/0."""
    tokens_QC = resampler(resampler_depth=2)(FEATURES)[0]
    assert torch.pdist(tokens_QC).min() > 0.05


def test_a_layer_is_flamingos() -> None:
    """Written out head by head: LayerNorm on both, keys and values of [media; latents]."""
    torch.manual_seed(1)
    layer = ResamplerLayer(tiny_config())
    latents, media = torch.randn(2, 6, 16), torch.randn(2, 9, 16)
    normed = layer.latent_norm(latents)
    read = torch.cat((layer.media_norm(media), normed), 1)
    keys, values = (read @ weight.T for weight in layer.key_value.weight.chunk(2))
    query = layer.query(normed)
    heads = []
    for at in (slice(0, 8), slice(8, 16)):
        attention = (query[..., at] @ keys[..., at].mT / 8**0.5).softmax(-1)
        heads.append(attention @ values[..., at])
    after = latents + layer.output(torch.cat(heads, -1))
    expected = after + layer.feed_forward(after)
    torch.testing.assert_close(layer(latents, media), expected)


def test_images_do_not_mix() -> None:
    module = resampler()
    torch.testing.assert_close(module(FEATURES)[1:], module(FEATURES[1:]))


SWAPPED = FEATURES[:, [0, 2, 1, 3, 4]]


def test_without_tile_embedding_quadrants_cannot_be_told_apart() -> None:
    module = resampler(tile_embedding=False, resampler_depth=2)
    torch.testing.assert_close(module(SWAPPED), module(FEATURES), atol=1e-6, rtol=1e-5)


def test_with_tile_embedding_quadrants_can_be_told_apart() -> None:
    module = resampler(resampler_depth=2)
    assert (module(SWAPPED) - module(FEATURES)).abs().max() > 0.01


def test_queries_per_tile_read_their_own_tile() -> None:
    module = resampler(queries_per_tile=True, hr_source="tiles", resampler_queries=8)
    features = FEATURES[:, :4]
    changed = features.clone()
    changed[:, 2] += 1.0
    apart = (module(changed) - module(features)).abs().amax((0, 2))
    assert (apart > 0).tolist() == [False] * 4 + [True] * 2 + [False] * 2


def test_every_parameter_is_trained() -> None:
    module = resampler(resampler_depth=2)
    module(FEATURES).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in module.parameters())
