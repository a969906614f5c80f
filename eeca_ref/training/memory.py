"""Memory of a device in training: what DeepSpeed holds at each ZeRO stage, and activations.

Bytes per trained parameter on one of n devices, as DeepSpeed 0.19 holds them under this trainer's
settings (bfloat16, gradients accumulated in float32, AdamW); what is divided is marked /n:

| stage | parameters | gradients | master weights | Adam's moments |
|---|---|---|---|---|
| 0 (float32) | 4 | 4 | - | 8 |
| 1 | 2 | 4, and 2 in the backward pass | 4/n | 8/n |
| 2 | 2 | 4/n | 4/n | 8/n |
| 3 | 2/n | 4/n | 4/n | 8/n |

Frozen parameters are held like the others and have nothing else. Stages 2 and 3 also take a bucket
of gradients in bfloat16 for their reduction, and stage 3 keeps parameters of up to 100,000 elements
whole. Padding to a multiple of n, and the layers that stage 3 gathers while it computes with them
(in `activations`), are not in it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from eeca_ref.recipe import Part
from mgld.schema import Record

if TYPE_CHECKING:
    from eeca_ref.config import EecaConfig

Stage = Literal[0, 1, 2, 3]
PERSISTENT = 100_000
"""DeepSpeed's `stage3_param_persistence_threshold`."""


class ParameterCounts(Record):
    """Elements; `small`: trained or frozen, those in tensors of up to `PERSISTENT`."""

    trained: int
    frozen: int
    small: int = 0


class ModelStates(Record):
    """Bytes on one device. `buckets` are there for the backward pass only, but in stage 3."""

    parameters: int
    gradients: int
    master_weights: int
    moments: int
    buckets: int

    @property
    def total(self) -> int:
        """Of all."""
        return self.parameters + self.gradients + self.master_weights + self.moments + self.buckets


def parameter_counts(config: EecaConfig, train: Collection[Part]) -> ParameterCounts:
    """Of a model, of which these parts are trained. It is not built for it."""
    import torch

    from eeca_ref.model import EecaForConditionalGeneration

    with torch.device("meta"):
        model = EecaForConditionalGeneration(config)
    model.set_trainable(*train)
    sizes = [(each.numel(), each.requires_grad) for each in model.parameters()]
    return ParameterCounts(
        trained=sum(size for size, trained in sizes if trained),
        frozen=sum(size for size, trained in sizes if not trained),
        small=sum(size for size, _ in sizes if size <= PERSISTENT),
    )


def model_states(
    counts: ParameterCounts, *, stage: Stage, devices: int, bucket: int = 0
) -> ModelStates:
    """What the table of the module says.

    devices: over which a stage divides; bucket: elements of `reduce_bucket_size`.
    """
    trained, everything = counts.trained, counts.trained + counts.frozen
    if stage == 0:
        return ModelStates(
            parameters=4 * everything,
            gradients=4 * trained,
            master_weights=0,
            moments=8 * trained,
            buckets=0,
        )
    share = -(-trained // devices)
    if stage == 3:
        parameters = 2 * -(-everything // devices) + 2 * (counts.small if devices > 1 else 0)
    else:
        parameters = 2 * everything
    return ModelStates(
        parameters=parameters,
        gradients=6 * trained if stage == 1 else 4 * share,
        master_weights=4 * share,
        moments=8 * share,
        buckets=2 * min(bucket, trained) if stage >= 2 else 0,
    )


def activations(
    config: EecaConfig, *, micro_batch: int, positions: int, checkpointing: bool = True
) -> int:
    """Estimated bytes of what a bfloat16 forward pass leaves for the backward pass.

    With b samples of s positions, all with an image, and a language model of L layers, width C,
    query width H, key and value width K each, inner width I (a Llama):

    - one layer, W = 2 b s (8 C + 2 (H + 2 K) + 4 I): inputs and outputs of the products, queries
      and keys before and after rotation, norms in float32; attention without its matrix;
    - checkpointing: 2 b s C for each layer's input, and W once: L 2 b s C + W. Without: L W;
    - the head: the gradient of its weights, 2 V C, and of its input, 2 b s C. Logits come in pieces
      that are not kept;
    - vision: the features of the views, 2 b v p d, twice (adapters read and norm them).

    The resampler's, the losses' and an allocator's fragments are left out.
    """
    text, vision = config.text_config, config.vision_config
    tokens, width = micro_batch * positions, text.hidden_size
    head_dim = getattr(text, "head_dim", None) or width // text.num_attention_heads
    queries = text.num_attention_heads * head_dim
    keys = text.num_key_value_heads * head_dim
    layer = 2 * tokens * (8 * width + 2 * (queries + 2 * keys) + 4 * text.intermediate_size)
    layers = text.num_hidden_layers
    kept = layers * 2 * tokens * width + layer if checkpointing else layers * layer
    head = 2 * text.vocab_size * width + 2 * tokens * width
    views = 1 + (4 if config.hr else 0)
    features = 2 * 2 * micro_batch * views * config.lr_tokens * vision.hidden_size
    estimate: int = kept + head + features
    return estimate
