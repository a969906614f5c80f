"""EECA as a transformers model: two views of an image before the text of a language model."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    GenerationMixin,
    PreTrainedModel,
)
from transformers import initialization as init

from eeca_ref.config import EecaConfig
from eeca_ref.head_loss import summed_cross_entropy
from eeca_ref.losses import IGNORED, mean_token, predicting_positions
from eeca_ref.objective import (
    Entities,
    LossCounts,
    counters,
    loss_counts,
    objective,
    read_entities,
)
from eeca_ref.output import BATCH_NAMES, EecaOutput
from eeca_ref.resampler import Resampler
from eeca_ref.splicing import splice
from eeca_ref.tiling import lr_from_hr, split_tiles
from eeca_ref.vision import VisionTower

# what transformers' own generation hands to any model, and a language model understands
_TO_LANGUAGE_MODEL = {
    "use_cache",
    "cache_position",
    "output_attentions",
    "output_hidden_states",
}
PARTS = ("lr_adapter", "resampler", "language_model", "classifier", "log_tau")


class EecaForConditionalGeneration(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """Vision tower (frozen), low-resolution adapter, resampler, language model, classifier.

    Args:
        config: what to build.
        vision_tower: loaded; None: a randomly initialised one.
        language_model: loaded; None: a randomly initialised one.

    Attributes:
        log_tau_rest: what is added to `log_tau` in the forward pass. Where an optimizer keeps a
            float32 copy of a rounded `log_tau`, this is the difference (`training.engine` sets it).
    """

    config_class = EecaConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _skip_keys_device_placement: ClassVar[list[str]] = ["past_key_values"]
    _keep_in_fp32_modules_strict: ClassVar[list[str]] = ["log_tau"]

    def __init__(
        self,
        config: EecaConfig,
        *,
        vision_tower: VisionTower | None = None,
        language_model: PreTrainedModel | None = None,
    ) -> None:
        super().__init__(config)
        vision, text = config.vision_config, config.text_config
        self.vision_tower = vision_tower or VisionTower(vision)
        self.language_model = language_model or AutoModelForCausalLM.from_config(text)
        self.lr_adapter = nn.Sequential(
            nn.Linear(vision.hidden_size, text.hidden_size),
            nn.GELU(),
            nn.Linear(text.hidden_size, text.hidden_size),
        )
        self.resampler = Resampler(config) if config.hr else None
        # one element in one dimension: DeepSpeed takes no parameters without a dimension
        self.log_tau = nn.Parameter(torch.tensor([config.log_tau])) if config.hr else None
        self.log_tau_rest: Tensor | float = 0.0
        labels = len(config.hierarchical_labels)
        self.classifier = nn.Linear(text.hidden_size, labels) if labels else None
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Resampler):
            init.normal_(module.latents_QD)
            if module.tile_embedding_TD is not None:
                init.normal_(module.tile_embedding_TD)
        elif module is self and self.log_tau is not None:
            init.constant_(self.log_tau, self.config.log_tau)

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As in transformers. Loading makes all weights trainable: the vision tower's are not."""
        loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        model.vision_tower.requires_grad_(False)
        return loaded

    def set_trainable(self, *parts: str) -> None:
        """Train these parts (of `PARTS`) and no others; what the model lacks is left out.

        The vision tower is never trained. ValueError: for a part that no model has.
        """
        if not set(parts) <= set(PARTS):
            raise ValueError(f"parts are {', '.join(PARTS)}, got {', '.join(parts)}")
        self.requires_grad_(False)
        for part in parts:
            if getattr(self, part) is not None:
                getattr(self, part).requires_grad_(True)

    def get_input_embeddings(self) -> nn.Module:
        """The language model's embedding table."""
        table: nn.Module = self.language_model.get_input_embeddings()
        return table

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's embedding table."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """The language model's head."""
        head: nn.Module = self.language_model.get_output_embeddings()
        return head

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's head."""
        self.language_model.set_output_embeddings(value)

    def visual_tokens(self, pixel_values_RCHW: Tensor) -> Tensor:
        """[X^L; X^H] of R images: float [R, 3, S, S] (CLIP-normalised, S = `config.image_size`) to
        [R, V, C].

        The low-resolution image and the tiles go through the vision tower in one batch.
        """
        size = self.config.image_size
        if pixel_values_RCHW.shape[1:] != (3, size, size):
            raise ValueError(
                f"images are [B, 3, {size}, {size}], got {list(pixel_values_RCHW.shape)}"
            )
        pixel_values_RCHW = pixel_values_RCHW.float()
        views_RTCHW = lr_from_hr(pixel_values_RCHW).unsqueeze(1)
        if self.config.hr:
            views_RTCHW = torch.cat((views_RTCHW, split_tiles(pixel_values_RCHW)), dim=1)
        features = self.vision_tower(views_RTCHW.flatten(0, 1))
        features = features.to(self.lr_adapter[0].weight.dtype)
        features_RTND = features.unflatten(0, views_RTCHW.shape[:2])
        tokens: Tensor = self.lr_adapter(features_RTND[:, 0])
        if self.resampler is None:
            return tokens
        return torch.cat((tokens, self.resampler(features_RTND[:, -self.config.hr_views :])), dim=1)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        has_image: Tensor | None = None,
        labels: Tensor | None = None,
        entity_ids: Tensor | None = None,
        entity_token_mask: Tensor | None = None,
        entity_mask: Tensor | None = None,
        class_ids: Tensor | None = None,
        *,
        counts: LossCounts | None = None,
        all_logits: bool = False,
        image_features: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> EecaOutput:
        """A batch of samples, or a step of generation.

        Names may carry the shapes that the trainer's batches write into them (`BATCH_NAMES`).

        Args:
            input_ids: int64 [B, L]; `<image>` once per row with an image, or V times.
            attention_mask: bool or int [B, L]; 0 is padding. None: there is none.
            pixel_values: float [B, 3, S, S], CLIP-normalised; rows without an image hold anything.
            has_image: bool [B], only checked against `input_ids`.
            labels: int64 [B, L]; -100 where nothing is supervised. None: no losses.
            entity_ids: int64 [B, E, T], tokens of the entities.
            entity_token_mask: bool [B, E, T].
            entity_mask: bool [B, E].
            class_ids: int64 [B], -100 where there is none.
            counts: what the losses are divided by; None: the batch's own numbers.
            all_logits: logits at all positions although there are labels, at a cost. Else there
                are none; the losses are the same.
            image_features: visual tokens [B, V, C] in the place of `pixel_values`.
            position_ids: as in transformers, which looks for this name and the next three when it
                generates.
            past_key_values: as in transformers.
            inputs_embeds: as in transformers.
            logits_to_keep: as in transformers.
            **kwargs: `use_cache`, `output_hidden_states`, ...

        Raises:
            ValueError: `<image>` without an image or the reverse, or a sample of more than
                `max_sequence_length` positions with its visual tokens.
            TypeError: for other arguments.
        """
        renamed = {BATCH_NAMES[k]: kwargs.pop(k) for k in list(kwargs) if k in BATCH_NAMES}
        if renamed:
            return self.forward(**renamed, counts=counts, all_logits=all_logits, **kwargs)
        kwargs.pop("return_dict", None)
        if labels is not None:
            kwargs.setdefault("use_cache", False)  # nothing is generated after a training batch
        unknown = sorted(set(kwargs) - _TO_LANGUAGE_MODEL)
        if unknown:
            raise TypeError(f"forward() knows no {', '.join(unknown)}")
        decoder, head = self.language_model.get_decoder(), self.get_output_embeddings()

        if inputs_embeds is not None or _seen(past_key_values):  # a step of generation
            if inputs_embeds is None:
                assert input_ids is not None
                inputs_embeds = self._embed(input_ids)
            decoded = decoder(
                inputs_embeds=inputs_embeds,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=past_key_values,
                **kwargs,
            )
            return _output(decoded, logits=head(_kept(decoded.last_hidden_state, logits_to_keep)))

        if input_ids is None:
            raise TypeError("forward() needs input_ids or inputs_embeds")
        mask_BL = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        mask_BL = mask_BL.bool()
        plan, shown = splice(
            input_ids,
            mask_BL,
            image_token_id=self.config.image_token_id,
            visual_tokens=self.config.visual_tokens,
        )
        if has_image is not None and has_image.tolist() != shown:
            raise ValueError(f"rows with <image> are {shown}, has_image is {has_image.tolist()}")
        rows = [row for row, shows in enumerate(shown) if shows]
        visual_RVC = self._visual(rows, pixel_values, image_features, blank=labels is not None)
        embeds_BSC = plan.embeddings(
            self._embed(torch.where(mask_BL, input_ids, 0)), visual_RVC if rows else None
        )
        if position_ids is None:
            position_ids = (plan.attention_mask_BS.cumsum(1) - 1).clamp_min(0)
        decoded = decoder(
            inputs_embeds=embeds_BSC,
            attention_mask=plan.attention_mask_BS.long(),
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )
        hidden_BSC = decoded.last_hidden_state
        if labels is None:
            logits = head(_kept(hidden_BSC, logits_to_keep))
            return _output(decoded, logits=logits, visual_tokens=visual_RVC)

        if hidden_BSC.shape[1] > self.config.max_sequence_length:
            raise ValueError(
                f"a sample has {hidden_BSC.shape[1]} positions with its visual tokens, "
                f"max_sequence_length is {self.config.max_sequence_length}: cut its text"
            )
        labels_BS = plan.labels(labels)
        at_BS = predicting_positions(labels_BS)
        hidden_NC, targets_N = hidden_BSC[at_BS], labels_BS[:, 1:][at_BS[:, :-1]]
        entities = self._entities(rows, visual_RVC, entity_ids, entity_token_mask, entity_mask)
        class_R = torch.full(visual_RVC.shape[:1], IGNORED, device=labels.device)
        if class_ids is not None and rows:
            class_R = class_ids[rows]
        own = loss_counts(labels, torch.tensor(shown, device=labels.device), class_ids)
        losses = objective(
            self.config,
            token_sum=summed_cross_entropy(head, hidden_NC, targets_N),
            visual_RVC=visual_RVC,
            entities=entities,
            class_logits_RK=self._classify(visual_RVC),
            class_R=class_R,
            log_tau=self.full_log_tau(),
            counts=(counts or LossCounts()).or_else(own),
        )
        return _output(
            decoded,
            loss=losses.total,
            lm_loss=losses.lm,
            entity_loss=losses.entity,
            hierarchical_loss=losses.hierarchical,
            logits=head(hidden_BSC) if all_logits else None,
            counters=own._asdict() | counters(self.config, visual_RVC, entities, class_R),
            visual_tokens=visual_RVC,
        )

    @torch.no_grad()
    def generate(
        self,
        inputs: Tensor | None = None,
        *args: Any,
        pixel_values: Tensor | None = None,
        has_image: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """As any transformers model generates, from what the processor returns.

        `num_return_sequences=n` with `do_sample=True` gives n draws per prompt, prompt by prompt;
        images are encoded once for all draws of a prompt.
        """
        if pixel_values is not None:
            ids = kwargs["input_ids"] if inputs is None else inputs
            mask = kwargs.get("attention_mask")
            _, shown = splice(
                ids,
                torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool(),
                image_token_id=self.config.image_token_id,
                visual_tokens=self.config.visual_tokens,
            )
            rows = [row for row, shows in enumerate(shown) if shows]
            if (ids == self.config.image_token_id).sum() != len(rows) * self.config.visual_tokens:
                raise ValueError("generate() wants <image> as often as an image has tokens")
            visual_RVC = self._visual(rows, pixel_values, None, blank=True)
            features_BVC = visual_RVC.new_zeros(len(shown), *visual_RVC.shape[1:])
            if rows:
                features_BVC[rows] = visual_RVC
            kwargs["image_features"] = features_BVC
        return super().generate(inputs, *args, **kwargs)

    def full_log_tau(self) -> Tensor | None:
        """log tau as L_e uses it: a scalar of float32 or more; None without the HR branch."""
        if self.log_tau is None:
            return None
        full = self.log_tau if self.log_tau.dtype == torch.float64 else self.log_tau.float()
        log_tau: Tensor = (full + self.log_tau_rest).squeeze(0)
        return log_tau

    def _embed(self, ids: Tensor) -> Tensor:
        """Rows of the embedding table; `<image>`, which may have none, gets the first."""
        rows: Tensor = self.get_input_embeddings()(
            ids.masked_fill(ids == self.config.image_token_id, 0)
        )
        return rows

    def _classify(self, visual_RVC: Tensor) -> Tensor | None:
        """Logits [R, K] of the hierarchical labels, if the model has any."""
        if self.classifier is None:
            return None
        logits: Tensor = self.classifier(mean_token(visual_RVC).to(self.classifier.weight.dtype))
        return logits

    def _entities(
        self,
        rows: list[int],
        visual_RVC: Tensor,
        ids_BET: Tensor | None,
        token_mask_BET: Tensor | None,
        mask_BE: Tensor | None,
    ) -> Entities:
        """The entities of the rows with an image; a masked one where there are none at all."""
        ids_RET = torch.zeros(len(visual_RVC), 1, 1, dtype=torch.long, device=visual_RVC.device)
        token_mask_RET = torch.zeros_like(ids_RET, dtype=torch.bool)
        mask_RE = token_mask_RET[:, :, 0]
        if ids_BET is not None and rows:
            if token_mask_BET is None or mask_BE is None:
                raise TypeError("entity_ids come with entity_token_mask and entity_mask")
            ids_RET, token_mask_RET, mask_RE = ids_BET[rows], token_mask_BET[rows], mask_BE[rows]
        return read_entities(
            self._embed,
            ids_RET,
            token_mask_RET,
            mask_RE,
            gradient=self.config.entity_gradient,
            phrases=self.config.negatives == "batch",
        )

    def _visual(
        self,
        rows: list[int],
        pixel_values: Tensor | None,
        image_features: Tensor | None,
        *,
        blank: bool,
    ) -> Any:
        """Visual tokens of the rows with an image; without any, those of a blank image, or None."""
        if rows and pixel_values is None and image_features is None:
            raise ValueError(f"row {rows[0]} holds <image>, but there are no pixel_values")
        if not rows:
            if not blank:
                return None
            size = self.config.image_size
            return self.visual_tokens(torch.zeros(1, 3, size, size, device=self.device))
        if image_features is not None:
            return image_features[rows]
        assert pixel_values is not None
        return self.visual_tokens(pixel_values[rows])


def _seen(past_key_values: Any) -> bool:
    """Whether there is a prompt in the cache already."""
    return past_key_values is not None and past_key_values.get_seq_length() > 0


def _kept(hidden_BSC: Tensor, logits_to_keep: int | Tensor) -> Tensor:
    """The last positions, or those named; 0 keeps all."""
    if isinstance(logits_to_keep, int):
        return hidden_BSC[:, -logits_to_keep:] if logits_to_keep else hidden_BSC
    return hidden_BSC[:, logits_to_keep]


def _output(decoded: Any, **values: Any) -> EecaOutput:
    return EecaOutput(
        past_key_values=decoded.past_key_values,
        hidden_states=decoded.hidden_states,
        attentions=decoded.attentions,
        **values,
    )


AutoModelForImageTextToText.register(EecaConfig, EecaForConditionalGeneration)
