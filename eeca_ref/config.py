"""Every setting of the model and of its losses. What contradicts itself is refused when built."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from eeca_ref.losses import Negatives, Normalisation, Similarity

HrSource = Literal["tiles+overview", "tiles"]
TILES = 4  # sub-images of the high-resolution image

# CLIP ViT-L/14 at 336 pixels; `hidden_act` is CLIPVisionConfig's own default, quick_gelu
CLIP_L_336 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
    "image_size": 336,
    "projection_dim": 768,
}
LLAMA_3_8B = {
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0},
    "bos_token_id": 128_000,
    "eos_token_id": 128_009,
}
# what transformers itself puts into a configuration beside its fields
_OF_TRANSFORMERS = {
    "attn_implementation",
    "auto_map",
    "experts_implementation",
    "model_type",
    "name_or_path",
    "num_labels",
    "output_attentions",
    "torch_dtype",
}


class EecaConfig(PreTrainedConfig):  # type: ignore[misc]
    """The architecture and the losses of EECA (the paper, section 4).

    Attributes:
        vision_config: of the whole CLIP vision tower, the last layer included (it is not run).
        text_config: of the language model; its hidden size is C.
        image_token_id: the id of `<image>` in the tokenizer; may lie behind the language model's
            vocabulary, as its embedding is never looked up.
        max_sequence_length: positions of a sample, visual tokens included; longer ones lose their
            end, never a visual token.
        hr: whether there is a high-resolution branch (X^H).
        hr_source: what the resampler reads: the four tiles and the overview (5 x 576 = 2,880 tokens
            as the paper's number says), or the tiles alone (2,304).
        tile_embedding: a learned vector per sub-image, added to what the resampler reads, in the
            place of Flamingo's embedding per frame. Without it the resampler cannot tell quadrants
            apart.
        resampler_queries: visual tokens of the high-resolution branch.
        resampler_depth: layers of the resampler: 1 ("a Perceiver resampler layer"), 6 in Flamingo.
        resampler_heads, resampler_head_dim, resampler_ff_mult: as in Flamingo.
        queries_per_tile: False: all queries read all sub-images. True: an equal share of them
            reads each sub-image by itself (4 x 32 with `hr_source="tiles"`).
        hierarchical_labels: names of the classes of L_h, in the classifier's order.
        lambda_g, mu_e, mu_h: weights of L_g, L_e, L_h. A weight of 0 still computes the loss.
        theta: share below which a token gets no weight, in [0, 1).
        similarity: of W: cosine or dot product (S of Eq. 4 is the cosine).
        negatives: of L_e: the other entities of the same image (as printed) or of the batch.
        entity_gradient: whether L_e trains the embedding table through X_e.
        lm_normalisation: of L_g: mean over supervised tokens, or sum over tokens and mean over
            samples (as printed).
        log_tau: initial value of the logarithm of L_e's temperature.
        initializer_range: standard deviation of new linear layers.

    Raises:
        ValueError: for a combination that cannot be meant, and for unknown settings.
    """

    model_type = "eeca"
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "vision_config": SubConfigSpec(AutoConfig, "clip_vision_model", CLIP_L_336),
        "text_config": SubConfigSpec(AutoConfig, "llama", LLAMA_3_8B),
    }

    vision_config: Any = None
    text_config: Any = None
    image_token_id: int = 128_256
    max_sequence_length: int = 2048
    hr: bool = True
    hr_source: HrSource = "tiles+overview"
    tile_embedding: bool = True
    resampler_queries: int = 128
    resampler_depth: int = 1
    resampler_heads: int = 8
    resampler_head_dim: int = 64
    resampler_ff_mult: int = 4
    queries_per_tile: bool = False
    hierarchical_labels: list[str] | tuple[str, ...] = ()
    lambda_g: float = 1.0
    mu_e: float = 7.32
    mu_h: float = 4.38
    theta: float = 0.5
    similarity: Similarity = "cosine"
    negatives: Negatives = "image"
    entity_gradient: bool = False
    lm_normalisation: Normalisation = "mean"
    log_tau: float = 0.0
    initializer_range: float = 0.02
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        unknown = sorted(k for k in kwargs if k[:1] != "_" and k not in _OF_TRANSFORMERS)
        if unknown:
            raise ValueError(f"EecaConfig knows no {', '.join(unknown)}")
        super().__post_init__(**kwargs)
        self.hierarchical_labels = list(self.hierarchical_labels)
        # the language model ties its own embeddings; this is for transformers' top-level look-ups
        self.tie_word_embeddings = bool(getattr(self.text_config, "tie_word_embeddings", False))
        self.check()

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As in transformers; what `kwargs` change in a saved configuration is checked too."""
        built = super().from_dict(config_dict, **kwargs)
        (built[0] if isinstance(built, tuple) else built).check()
        return built

    def check(self) -> None:
        """ValueError naming every contradiction; to be called after setting an attribute."""
        problems = self._problems()
        if problems:
            raise ValueError("EecaConfig: " + "; ".join(problems))

    @property
    def lr_image_size(self) -> int:
        """Pixels a side that the vision tower sees: I^L and each tile."""
        return int(self.vision_config.image_size)

    @property
    def image_size(self) -> int:
        """Pixels a side of I^H, what the model is given."""
        return 2 * self.lr_image_size

    @property
    def lr_tokens(self) -> int:
        """Tokens of X^L: patches of the low-resolution image."""
        return (self.lr_image_size // int(self.vision_config.patch_size)) ** 2

    @property
    def hr_tokens(self) -> int:
        """Tokens of X^H; 0 without the branch."""
        return self.resampler_queries if self.hr else 0

    @property
    def visual_tokens(self) -> int:
        """Tokens that stand for `<image>`: [X^L; X^H]."""
        return self.lr_tokens + self.hr_tokens

    @property
    def hr_views(self) -> int:
        """Sub-images that the resampler reads."""
        return TILES + (self.hr_source == "tiles+overview")

    def text_room(self, *, image: bool) -> int:
        """Ids of a sample that fit into `max_sequence_length`, `<image>` among them if `image`."""
        return self.max_sequence_length - (self.visual_tokens - 1 if image else 0)

    def _problems(self) -> list[str]:
        """What is wrong, a phrase each."""
        vision, text = self.vision_config, self.text_config
        problems = [
            f"{name} is {value!r}, one of {', '.join(allowed)} is needed"
            for name, value, allowed in (
                ("hr_source", self.hr_source, ("tiles+overview", "tiles")),
                ("similarity", self.similarity, ("cosine", "dot")),
                ("negatives", self.negatives, ("image", "batch")),
                ("lm_normalisation", self.lm_normalisation, ("mean", "sum")),
            )
            if value not in allowed
        ]
        problems += [
            f"{name} is {getattr(self, name)}, it must be at least 1"
            for name in (
                "resampler_queries",
                "resampler_depth",
                "resampler_heads",
                "resampler_head_dim",
                "resampler_ff_mult",
                "max_sequence_length",
            )
            if getattr(self, name) < 1
        ]
        problems += [
            f"{name} is {getattr(self, name)}, it must be a number of 0 or more"
            for name in ("lambda_g", "mu_e", "mu_h")
            if not 0 <= getattr(self, name) < math.inf
        ]
        if not 0 <= self.theta < 1:
            problems.append(f"theta is {self.theta}, it must be in [0, 1)")
        if not math.isfinite(self.log_tau):
            problems.append(f"log_tau is {self.log_tau}")
        if self.mu_e and not self.hr:
            problems.append("L_e (mu_e) looks at the high-resolution tokens, but hr is off")
        if self.mu_h and not self.hierarchical_labels:
            problems.append("L_h (mu_h) has no hierarchical_labels to classify")
        if len(set(self.hierarchical_labels)) != len(self.hierarchical_labels):
            problems.append("hierarchical_labels holds a label twice")
        if self.hr and self.queries_per_tile and self.resampler_queries % self.hr_views:
            problems.append(
                f"queries_per_tile: {self.resampler_queries} queries do not divide among "
                f"{self.hr_views} sub-images (hr_source={self.hr_source!r})"
            )
        if getattr(vision, "model_type", None) != "clip_vision_model":
            problems.append(
                f"the vision tower is a {getattr(vision, 'model_type', vision)!r}, "
                "a clip_vision_model is needed"
            )
        elif vision.num_hidden_layers < 2 or vision.image_size % vision.patch_size:
            problems.append("the vision tower needs two layers and an image of whole patches")
        elif self.max_sequence_length <= self.visual_tokens:
            problems.append(
                f"max_sequence_length {self.max_sequence_length} leaves no room for text after "
                f"{self.visual_tokens} visual tokens"
            )
        positions = getattr(text, "max_position_embeddings", None)
        if positions is not None and self.max_sequence_length > positions:
            problems.append(
                f"max_sequence_length {self.max_sequence_length} is more than the language "
                f"model's {positions} positions"
            )
        # logits are computed by the head alone, at supervised positions alone
        for name in ("final_logit_softcapping", "logit_scale", "logits_scaling"):
            if getattr(text, name, None) not in (None, 1, 1.0):
                problems.append(f"a language model that changes its logits ({name}) is not handled")
        return problems


AutoConfig.register("eeca", EecaConfig)
