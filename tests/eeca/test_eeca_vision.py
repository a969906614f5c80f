"""The vision tower: which layer, frozen, and the encoder that scored the data."""

from pathlib import Path

import pytest
import torch
from eeca_tiny import tiny_vision
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPVisionModel

from eeca_ref.vision import VisionTower

IMAGES = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CLIPVisionModel]:
    """A tiny CLIPVisionModel, also as a folder."""
    torch.manual_seed(0)
    model = CLIPVisionModel(tiny_vision()).eval()
    folder = tmp_path_factory.mktemp("clip")
    model.save_pretrained(folder)
    return folder, model


def penultimate(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        hidden: torch.Tensor = model(images, output_hidden_states=True).hidden_states[-2]
    return hidden[:, 1:]


def test_tokens_are_the_penultimate_layer_without_cls(
    whole: tuple[Path, CLIPVisionModel],
) -> None:
    folder, model = whole
    tower, config = VisionTower.from_pretrained(folder)
    assert config.num_hidden_layers == 3
    tokens = tower(IMAGES)
    assert tokens.shape == (2, 4, 16)
    assert torch.equal(tokens, penultimate(model, IMAGES))
    assert not torch.equal(tokens, model(IMAGES).last_hidden_state[:, 1:])


def test_the_last_layer_is_not_there(whole: tuple[Path, CLIPVisionModel]) -> None:
    folder, model = whole
    tower, config = VisionTower.from_pretrained(folder)
    assert len(tower.clip.encoder.layers) == 2
    last = {name.split("layers.2.")[1] for name, _ in model.named_parameters() if ".2." in name}
    assert last
    assert not [name for name, _ in tower.named_parameters() if "layers.2." in name]
    random = VisionTower(config)
    assert [p.shape for p in random.parameters()] == [p.shape for p in tower.parameters()]


def test_the_tower_stays_frozen_and_in_evaluation_mode() -> None:
    around = nn.Sequential(VisionTower(tiny_vision(attention_dropout=0.5)))
    around.train()
    assert around.training and not any(m.training for m in around[0].modules())
    assert not any(p.requires_grad for p in around.parameters())
    images = IMAGES.clone().requires_grad_()
    assert not around(images).requires_grad
    assert torch.equal(around(images), around(images))


def test_the_tower_of_a_whole_clip_checkpoint(tmp_path: Path) -> None:
    """As OpenAI publishes them: text tower and projections beside it."""
    text = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "vocab_size": 9}
    torch.manual_seed(1)
    clip = CLIPModel(
        CLIPConfig(
            vision_config=tiny_vision().to_dict(),
            text_config={**text, "num_attention_heads": 1},
            projection_dim=8,
        )
    ).eval()
    clip.save_pretrained(tmp_path)
    tower, config = VisionTower.from_pretrained(tmp_path)
    assert config.model_type == "clip_vision_model"
    assert torch.equal(tower(IMAGES), penultimate(clip.vision_model, IMAGES))


def test_the_tower_of_an_exported_encoder(tmp_path: Path) -> None:
    """`mgld encoder export nano DIR`: the encoder that scored the data is trained on."""
    from mgld.vision.export import export_transformers

    export_transformers("nano", tmp_path)
    tower, config = VisionTower.from_pretrained(tmp_path)
    assert (config.image_size, config.patch_size, config.num_hidden_layers) == (64, 8, 4)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    tokens = tower(images)
    assert tokens.shape == (2, 64, 128)
    whole = CLIPModel.from_pretrained(tmp_path).vision_model.eval()
    assert torch.equal(tokens, penultimate(whole, images))


def test_bfloat16(whole: tuple[Path, CLIPVisionModel]) -> None:
    folder, model = whole
    tower, _ = VisionTower.from_pretrained(folder, dtype=torch.bfloat16)
    tokens = tower(IMAGES)
    assert tokens.dtype == torch.bfloat16
    torch.testing.assert_close(tokens.float(), penultimate(model, IMAGES), atol=0.05, rtol=0.05)
