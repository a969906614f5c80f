"""What goes into the model and what comes out, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers.utils import ModelOutput

# batches of the trainer name the shapes of what they hold
BATCH_NAMES = {
    "pixel_values_BCHW": "pixel_values",
    "has_image_B": "has_image",
    "input_ids_BL": "input_ids",
    "attention_mask_BL": "attention_mask",
    "labels_BL": "labels",
    "entity_ids_BET": "entity_ids",
    "entity_token_mask_BET": "entity_token_mask",
    "entity_mask_BE": "entity_mask",
    "class_B": "class_ids",
}


@dataclass
class EecaOutput(ModelOutput):  # type: ignore[misc]
    """What `EecaForConditionalGeneration.forward` returns.

    Attributes:
        loss: the objective, float32 scalar; None without labels, as the three losses are.
        lm_loss, entity_loss, hierarchical_loss: L_g, L_e, L_h, not weighted.
        logits: [B, S, vocabulary]; with labels None, unless they are asked for.
        counters: see `objective.counters`, and the batch's `LossCounts` by name.
        visual_tokens: [X^L; X^H] in the graph, [R, V, C], of the R rows with an image in order.
        past_key_values, hidden_states, attentions: the language model's.
    """

    loss: Tensor | None = None
    lm_loss: Tensor | None = None
    entity_loss: Tensor | None = None
    hierarchical_loss: Tensor | None = None
    logits: Tensor | None = None
    counters: dict[str, Tensor] | None = None
    visual_tokens: Tensor | None = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None
