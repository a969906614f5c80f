"""Floating-point operations of training, and what share of a device's peak they are.

Counted are the matrix products (a multiplication and an addition are two operations), attention
and patch embedding included; not counted are element-wise operations and the products of L_e, far
below 0.1 % of a step. Attention counts all S x S pairs of a sample's positions although it is
causal, as PaLM (arXiv 2204.02311, appendix B) and torchtitan do, so that figures compare.

The backward pass of a product costs one product for its input and one for its weights. What is
frozen has none for its weights, and where nothing before it is trained, none for its input either:
the vision tower has no backward pass.

- **model** operations (MFU): those of the samples' own positions and images. Neither padding nor
  what activation checkpointing computes again.
- **hardware** operations (HFU): padded to the longest of a batch, the blank image of a batch
  without one, and the language model's layers once more where their activations are recomputed.
  (What an attention kernel recomputes within itself is in neither.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eeca_ref.recipe import Part

if TYPE_CHECKING:
    from torch import Tensor

    from eeca_ref.config import EecaConfig

# FLOP/s in bfloat16, dense: half of what the vendor prints "with sparsity". The first whose words
# are all in the device's name holds, so forms of a card come before the card.
PEAKS: tuple[tuple[tuple[str, ...], float], ...] = (
    # NVIDIA H100 data sheet: 1,979 (SXM), 1,671 (NVL), 1,513 (PCIe) TFLOPS with sparsity
    (("H100", "PCIe"), 756.5e12),
    (("H100", "NVL"), 835.5e12),
    (("H100",), 989.5e12),
    # NVIDIA H200 data sheet: 1,979 (SXM), 1,671 (NVL)
    (("H200", "NVL"), 835.5e12),
    (("H200",), 989.5e12),
    # H800: an H100 with slower links between GPUs
    (("H800", "PCIe"), 756.5e12),
    (("H800",), 989.5e12),
    # NVIDIA A100 data sheet: 312 dense; A800: an A100 with slower links
    (("A100",), 312e12),
    (("A800",), 312e12),
)


class Flops(NamedTuple):
    """Operations, as the module says."""

    model: int
    hardware: int

    def __add__(self, other: object) -> Flops:
        """Of both together."""
        if not isinstance(other, Flops):
            return NotImplemented
        return Flops(self.model + other.model, self.hardware + other.hardware)


class Product(NamedTuple):
    """Matrix products of one kind in a forward pass.

    Attributes:
        part: of the model.
        forward: operations.
        backward: products of the same size in the backward pass: 0, 1 or 2.
        checkpointed: computed again in the backward pass where activations are recomputed.
    """

    part: str
    forward: int
    backward: int
    checkpointed: bool = False


class FlopCount:
    """Operations of forward and backward by the shape of a batch.

    Args:
        config: of the model. Of language models, dense ones are counted.
        train: parts that are trained.
        checkpointing: whether activations of the language model's layers are recomputed.
    """

    def __init__(
        self, config: EecaConfig, train: Collection[Part], *, checkpointing: bool = False
    ) -> None:
        self.config = config
        self.train = frozenset(train)
        self.checkpointing = checkpointing
        self._decoder_weights, self._head_weights = _linear_weights(config.text_config)

    def of_inputs(self, inputs: Mapping[str, Tensor]) -> Flops:
        """Of a micro-batch as `collate` makes it (on the CPU: its masks are read)."""
        lengths = positions(self.config, inputs)
        labels_BL = inputs["labels_BL"]
        return self.of_batch(
            lengths,
            images=int(inputs["has_image_B"].sum()),
            predicted=int((labels_BL[:, 1:] != -100).sum()),
        )

    def of_batch(self, lengths: Sequence[int], *, images: int, predicted: int) -> Flops:
        """Of a micro-batch.

        lengths: positions of each sample, visual tokens included. images: samples with one.
        predicted: supervised tokens, where the head is computed.
        """
        model = self.products(lengths, images=images, predicted=predicted)
        padded = [max(lengths)] * len(lengths)
        hardware = self.products(padded, images=max(images, 1), predicted=predicted)
        return Flops(
            sum(each.forward * (1 + each.backward) for each in model),
            sum(
                each.forward
                * (
                    1
                    + each.backward
                    + (self.checkpointing and each.checkpointed and each.backward > 0)
                )
                for each in hardware
            ),
        )

    def products(self, lengths: Sequence[int], *, images: int, predicted: int) -> list[Product]:
        """The products of a forward pass, part by part; see `of_batch`."""
        return [
            *self._vision_tower(images),
            *self._lr_adapter(images),
            *self._resampler(images),
            *self._language_model(lengths, predicted, images),
            *self._classifier(images),
        ]

    @property
    def _visual_gradient(self) -> bool:
        """Whether something before the visual tokens is trained."""
        return "lr_adapter" in self.train or (self.config.hr and "resampler" in self.train)

    def _vision_tower(self, images: int) -> Iterator[Product]:
        vision = self.config.vision_config
        views = images * (1 + (4 if self.config.hr else 0))
        width, patches = vision.hidden_size, self.config.lr_tokens
        tokens, layers = patches + 1, vision.num_hidden_layers - 1
        pixels = 3 * vision.patch_size**2
        yield Product("vision_tower", 2 * views * patches * pixels * width, 0)
        weights = 4 * width**2 + 2 * width * vision.intermediate_size
        yield Product("vision_tower", 2 * views * tokens * layers * weights, 0)
        yield Product("vision_tower", layers * attention(views, tokens, tokens, width), 0)

    def _lr_adapter(self, images: int) -> Iterator[Product]:
        inner, outer = self.config.vision_config.hidden_size, self.config.text_config.hidden_size
        tokens, trained = images * self.config.lr_tokens, "lr_adapter" in self.train
        yield Product("lr_adapter", 2 * tokens * inner * outer, 1 if trained else 0)
        yield Product("lr_adapter", 2 * tokens * outer * outer, 2 if trained else 0)

    def _resampler(self, images: int) -> Iterator[Product]:
        config = self.config
        if not config.hr:
            return
        width, views = config.vision_config.hidden_size, config.hr_views
        inner = config.resampler_heads * config.resampler_head_dim
        apart = views if config.queries_per_tile else 1
        batch, queries = images * apart, config.resampler_queries // apart
        read = config.lr_tokens * views // apart + queries
        # the norm and the tile embedding in front of each product are trained with it
        backward = 2 if "resampler" in self.train else 0
        weights = 2 * width * inner + 2 * config.resampler_ff_mult * width**2
        linear = queries * weights + read * width * 2 * inner
        yield Product("resampler", 2 * batch * config.resampler_depth * linear, backward)
        products = config.resampler_depth * attention(batch, queries, read, inner)
        yield Product("resampler", products, backward)
        outer = config.text_config.hidden_size
        yield Product("resampler", 2 * batch * queries * width * outer, backward)

    def _language_model(
        self, lengths: Sequence[int], predicted: int, images: int
    ) -> Iterator[Product]:
        text = self.config.text_config
        trained = "language_model" in self.train
        # the embedding table counts as something before: it is trained with the rest
        before = trained or (self._visual_gradient and images > 0)
        linear = 2 * sum(lengths) * self._decoder_weights
        yield Product("language_model", linear, before + trained, checkpointed=True)
        head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        width = text.num_attention_heads * head_dim
        pairs = sum(attention(1, length, length, width) for length in lengths)
        yield Product(
            "language_model", text.num_hidden_layers * pairs, 2 * before, checkpointed=True
        )
        yield Product("language_model", 2 * predicted * self._head_weights, before + trained)

    def _classifier(self, images: int) -> Iterator[Product]:
        classes = len(self.config.hierarchical_labels)
        backward = ("classifier" in self.train) + self._visual_gradient
        yield Product(
            "classifier", 2 * images * self.config.text_config.hidden_size * classes, backward
        )


def attention(batch: int, queries: int, keys: int, width: int) -> int:
    """Operations of scores and weighted sums; width: of all heads together."""
    return 2 * 2 * batch * queries * keys * width


def positions(config: EecaConfig, inputs: Mapping[str, Tensor]) -> list[int]:
    """Positions of each sample of a collated batch, visual tokens included, padding not."""
    spliced_B = inputs["has_image_B"].long() * (config.visual_tokens - 1)
    lengths: list[int] = (inputs["attention_mask_BL"].sum(1) + spliced_B).tolist()
    return lengths


def peak_flops_per_second(device: str) -> float | None:
    """Of a device by its name as CUDA gives it; None for a CPU and what is not in `PEAKS`."""
    if device.startswith("CPU"):
        return None
    for words, peak in PEAKS:
        if all(word.lower() in device.lower() for word in words):
            return peak
    return None


def utilisation(flops: float, seconds: float, devices: Sequence[str]) -> float | None:
    """Share of the devices' peak: MFU of model operations, HFU of hardware operations.

    None where a device's peak is not known. ValueError: no time passed.
    """
    if seconds <= 0:
        raise ValueError(f"operations in {seconds} s")
    peaks = [peak_flops_per_second(name) for name in devices]
    known = [peak for peak in peaks if peak is not None]
    return flops / (seconds * sum(known)) if known and len(known) == len(peaks) else None


def _linear_weights(text: Any) -> tuple[int, int]:
    """Weights that every position is multiplied with, and those of the head."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(text)
    head = model.get_output_embeddings()
    decoder = sum(
        module.weight.numel()
        for module in model.modules()
        if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head
    )
    return decoder, head.weight.numel()
