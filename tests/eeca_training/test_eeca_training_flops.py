"""Operations by shape are those that torch counts on a tiny model, product by product."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config

sys.path.insert(0, str(Path(__file__).parents[1] / "eeca"))

from eeca_tiny import LR_ONLY, VOCABULARY, tiny_config, tiny_model, tiny_text

from eeca_ref.config import EecaConfig
from eeca_ref.training.flops import (
    FlopCount,
    peak_flops_per_second,
    positions,
    utilisation,
)

torch.set_num_threads(1)
ALL = ("lr_adapter", "resampler", "language_model", "classifier", "log_tau")
IMAGES, TEXT, PREDICTED = 3, 9, 4


def batch(config: Any) -> dict[str, torch.Tensor]:
    """Three images with nine tokens of text each, four of them supervised; no padding."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(2, VOCABULARY, (IMAGES, 1 + TEXT), generator=generator)
    ids[:, 0] = config.image_token_id
    labels = torch.full_like(ids, -100)
    labels[:, -PREDICTED:] = ids[:, -PREDICTED:]
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids, dtype=torch.bool),
        "pixel_values": torch.randn(IMAGES, 3, config.image_size, config.image_size),
        "has_image": torch.ones(IMAGES, dtype=torch.bool),
        "labels": labels,
        "class_ids": torch.tensor([0, 1, 2]) if config.hierarchical_labels else None,
    }


def addmm_in_place(
    added: Any, left: tuple[int, int], right: tuple[int, int], *_: Any, **__: Any
) -> int:
    return 2 * left[0] * left[1] * right[1]


def measured(model: Any, train: tuple[str, ...]) -> int:
    """What torch counts of forward and backward, without the products that are stated apart."""
    config = model.config
    model.train()
    model.set_trainable(*train)
    inputs = batch(config)
    # the kernels for CPU are none of those that torch counts: as plain products they are
    # the kernels for CPU are none of those that torch counts, nor is an addmm in place
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: addmm_in_place})
    with sdpa_kernel(SDPBackend.MATH), counter:
        model(**inputs).loss.backward()
    total: int = counter.get_total_flops()
    if config.hr:  # L_e: each image with one (masked) entity
        queries, width = config.resampler_queries, config.text_config.hidden_size
        weights, regions, scores = queries, queries, 1
        # the weights are computed for the counters too; X_e has no gradient
        products = 2 * weights + regions + scores
        if "resampler" in train:
            products += weights + 2 * regions + scores
        total -= 2 * IMAGES * width * products
    return total


CASES = [
    (ALL, {}),
    (("lr_adapter",), LR_ONLY),
    (("lr_adapter", "language_model"), LR_ONLY),
    (("lr_adapter", "resampler"), {}),
    (("resampler", "classifier", "log_tau"), {}),
    (("language_model", "classifier"), {}),
    (ALL, {"resampler_depth": 2, "hr_source": "tiles"}),
    (ALL, {"queries_per_tile": True, "hr_source": "tiles", "resampler_queries": 8}),
    (ALL, {"tile_embedding": False}),
    (ALL, {"text_config": tiny_text(head_dim=16, num_key_value_heads=2)}),
    (ALL, {"text_config": tiny_text(tie_word_embeddings=True)}),
]


@pytest.mark.parametrize(("train", "changes"), CASES)
def test_operations_are_those_torch_counts(train: tuple[str, ...], changes: dict[str, Any]) -> None:
    model = tiny_model(**changes)
    config = model.config
    length = config.visual_tokens + TEXT
    ours = FlopCount(config, train).of_batch(
        [length] * IMAGES, images=IMAGES, predicted=IMAGES * PREDICTED
    )
    assert ours.model == ours.hardware == measured(model, train)


def test_checkpointing_adds_the_layers_once_more_to_the_hardware_alone() -> None:
    model = tiny_model()
    text = model.config.text_config
    model.gradient_checkpointing_enable({"use_reentrant": False})
    length = model.config.visual_tokens + TEXT
    ours = FlopCount(model.config, ALL, checkpointing=True).of_batch(
        [length] * IMAGES, images=IMAGES, predicted=IMAGES * PREDICTED
    )
    # torch stops as soon as all that the backward pass wants is there: before the last product
    last = 2 * IMAGES * length * text.hidden_size * text.intermediate_size * text.num_hidden_layers
    assert measured(model, ALL) == ours.hardware - last
    plain = FlopCount(model.config, ALL).of_batch(
        [length] * IMAGES, images=IMAGES, predicted=IMAGES * PREDICTED
    )
    assert ours.model == plain.model == plain.hardware < ours.hardware


def test_padding_and_blank_images_are_work_of_the_hardware_alone() -> None:
    count = FlopCount(tiny_config(), ALL)
    even, uneven = (count.of_batch(lengths, images=0, predicted=4) for lengths in ([9, 9], [9, 5]))
    assert uneven.hardware == even.hardware
    assert uneven.model < even.model
    blank = count.of_batch([9, 9], images=1, predicted=4)
    assert blank.hardware == even.hardware == blank.model
    assert sum(product.forward for product in count.products([9], images=0, predicted=0)) > 0


def test_a_collated_batch_is_counted_by_its_masks() -> None:
    config = tiny_config()
    inputs = {
        "attention_mask_BL": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=torch.bool),
        "has_image_B": torch.tensor([True, False]),
        "labels_BL": torch.tensor([[-100, -100, 5, 6], [7, 8, -100, -100]]),
    }
    assert positions(config, inputs) == [3 + config.visual_tokens, 2]
    count = FlopCount(config, ALL)
    # the first token of a sample is never predicted
    assert count.of_inputs(inputs) == count.of_batch(
        [3 + config.visual_tokens, 2], images=1, predicted=3
    )


def test_other_language_models_are_counted_too() -> None:
    text = GPT2Config(vocab_size=50, n_embd=8, n_layer=2, n_head=2)
    count = FlopCount(tiny_config(text_config=text), ("language_model",))
    layer = 3 * 8 * 8 + 8 * 8 + 2 * 4 * 8 * 8
    linear = [each.forward for each in count.products([5], images=0, predicted=3)][-4:-1]
    assert linear == [2 * 5 * 2 * layer, 2 * 4 * 5 * 5 * 8, 2 * 3 * 8 * 50]


def test_the_papers_step_is_of_the_known_size() -> None:
    """An 8B model at 850 positions: about 13 TFLOP forward, five views about 1.9."""
    config = EecaConfig(hierarchical_labels=["church"])
    products = FlopCount(config, ALL).products([850], images=1, predicted=100)
    forward = dict.fromkeys(("vision_tower", "language_model", "resampler"), 0)
    for each in products:
        if each.part in forward:
            forward[each.part] += each.forward
    assert forward["language_model"] == pytest.approx(12.2e12, rel=0.02)
    assert forward["vision_tower"] == pytest.approx(1.83e12, rel=0.02)
    assert forward["resampler"] < 0.01 * forward["language_model"]


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989.5e12),
        ("NVIDIA H200 NVL", 835.5e12),
        ("NVIDIA H100 80GB HBM3", 989.5e12),
        ("NVIDIA H100 PCIe", 756.5e12),
        ("NVIDIA H800", 989.5e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA GeForce RTX 3090", None),
        ("CPU: AMD A100 of a kind", None),
    ],
)
def test_peaks_of_known_devices(name: str, peak: float | None) -> None:
    assert peak_flops_per_second(name) == peak


def test_utilisation_is_of_all_devices_or_of_none() -> None:
    gpu = "NVIDIA H100 80GB HBM3"
    assert utilisation(989.5e12, 2.0, [gpu, gpu]) == pytest.approx(0.25)
    assert utilisation(1e12, 1.0, [gpu, "CPU: any"]) is None
    with pytest.raises(ValueError, match="0"):
        utilisation(1e12, 0.0, [gpu])
