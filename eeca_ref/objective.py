"""The objective L = lambda L_g + mu_e L_e + mu_h L_h of a batch, and what can be said of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from eeca_ref.config import EecaConfig
from eeca_ref.losses import (
    IGNORED,
    Count,
    divisor,
    entity_contrastive_loss,
    entity_embeddings,
    hierarchical_loss,
    masked_entity_weights,
)


class LossCounts(NamedTuple):
    """What the losses are divided by, over all batches of an optimizer step on all ranks.

    With these, the gradient of a step does not depend on how it was cut into batches: the losses of
    the batches *add up* to that of the step. None: the batch's own numbers.

    Attributes:
        samples: rows (L_g with `lm_normalisation="sum"`).
        tokens: supervised tokens that are predicted (L_g with "mean").
        images: rows with an image (L_e).
        labelled: images with a hierarchical label (L_h).
    """

    samples: Count = None
    tokens: Count = None
    images: Count = None
    labelled: Count = None

    def or_else(self, other: LossCounts) -> LossCounts:
        """These, and the other's where there are none."""
        return LossCounts(*(b if a is None else a for a, b in zip(self, other, strict=True)))


def loss_counts(
    labels_BL: Tensor, has_image_B: Tensor, class_B: Tensor | None = None
) -> LossCounts:
    """The numbers of one batch as given to the model, int64 scalars: to be summed over a step."""
    labelled = torch.zeros((), dtype=torch.int64, device=labels_BL.device)
    if class_B is not None:
        labelled = ((class_B != IGNORED) & has_image_B).sum()
    return LossCounts(
        samples=torch.tensor(labels_BL.shape[0], device=labels_BL.device),
        tokens=(labels_BL[:, 1:] != IGNORED).sum(),
        images=has_image_B.sum(),
        labelled=labelled,
    )


class Entities(NamedTuple):
    """Of R images: embeddings float32 [R, E, C], mask bool [R, E], phrases int64 [R, E].

    Entities with the same number in `phrases_RE` have the same tokens; None: not asked for.
    """

    embeddings_REC: Tensor
    mask_RE: Tensor
    phrases_RE: Tensor | None = None


def read_entities(
    embed: Callable[[Tensor], Tensor],
    ids_RET: Tensor,
    token_mask_RET: Tensor,
    mask_RE: Tensor,
    *,
    gradient: bool,
    phrases: bool = False,
) -> Entities:
    """Look entities up in the embedding table.

    Args:
        embed: int64 [R, E, T] to float [R, E, T, C].
        ids_RET: int64 [R, E, T]; masked positions may hold anything.
        token_mask_RET: bool [R, E, T].
        mask_RE: bool [R, E]; an entity without tokens is masked too.
        gradient: whether the table learns from L_e.
        phrases: whether to number the phrases, for which the device is waited for.
    """
    tokens_RETC = embed(torch.where(token_mask_RET, ids_RET, 0))
    if not gradient:
        tokens_RETC = tokens_RETC.detach()
    numbers_RE = None
    if phrases:
        different: Callable[..., tuple[Tensor, Tensor]] = torch.unique
        written_RET = torch.where(token_mask_RET, ids_RET, -1)
        _, numbers = different(written_RET.flatten(0, 1), dim=0, return_inverse=True)
        numbers_RE = numbers.view(mask_RE.shape)
    return Entities(
        entity_embeddings(tokens_RETC, token_mask_RET),
        mask_RE & token_mask_RET.any(-1),
        numbers_RE,
    )


class Losses(NamedTuple):
    """Scalars, float32. `total` is the objective."""

    total: Tensor
    lm: Tensor
    entity: Tensor
    hierarchical: Tensor


def objective(
    config: EecaConfig,
    *,
    token_sum: Tensor,
    visual_RVC: Tensor,
    entities: Entities,
    class_logits_RK: Tensor | None,
    class_R: Tensor,
    log_tau: Tensor | None,
    counts: LossCounts,
) -> Losses:
    """All three losses and their weighted sum. A loss with nothing to learn from is 0.

    Every part of the graph is in the sum whatever the batch holds, so that all ranks have gradients
    for the same parameters.

    Args:
        config: weights and settings.
        token_sum: cross entropy summed over the predicting positions.
        visual_RVC: [X^L; X^H] of the R rows with an image (a blank one where there is none).
        entities: of these images.
        class_logits_RK: None where there is no classifier.
        class_R: int64 [R].
        log_tau: None where there is no high-resolution branch.
        counts: all of them given.
    """
    count = counts.samples if config.lm_normalisation == "sum" else counts.tokens
    lm = token_sum / divisor(count, 1)
    entity = hierarchical = lm.new_zeros(())
    if log_tau is not None:
        entity = entity_contrastive_loss(
            visual_RVC[:, config.lr_tokens :],
            entities.embeddings_REC,
            entities.mask_RE,
            log_tau,
            theta=config.theta,
            similarity=config.similarity,
            negatives=config.negatives,
            phrases_BE=entities.phrases_RE,
            images=counts.images,
        )
    if class_logits_RK is not None:
        hierarchical = hierarchical_loss(class_logits_RK, class_R, labelled=counts.labelled)
    total = config.lambda_g * lm + config.mu_e * entity + config.mu_h * hierarchical
    return Losses(total + 0 * visual_RVC.float().mean(), lm, entity, hierarchical)


@torch.no_grad()
def counters(
    config: EecaConfig, visual_RVC: Tensor, entities: Entities, class_R: Tensor
) -> dict[str, Tensor]:
    """What the losses had to learn from; int64 scalars that add up over batches.

    images_with_entities, images_contrasted (two entities or more: only they contribute to L_e as
    printed), entities, entity_tokens (high-resolution tokens left by theta, summed over entities),
    labelled; `classes` is the one that does not add up: different labels in the batch.
    """
    mask_RE = entities.mask_RE
    left = mask_RE.new_zeros((), dtype=torch.int64)
    if config.hr:
        hr_RQC = visual_RVC[:, config.lr_tokens :]
        weights_REQ, _ = masked_entity_weights(
            hr_RQC,
            entities.embeddings_REC,
            mask_RE,
            theta=config.theta,
            similarity=config.similarity,
        )
        left = ((weights_REQ > 0) & mask_RE.unsqueeze(-1)).sum()
    labelled_R = class_R != IGNORED
    # no set of the numbers: it would wait for the device. The last place is for no class
    classes = len(config.hierarchical_labels)
    seen_K1 = torch.zeros(classes + 1, dtype=torch.int64, device=class_R.device)
    seen_K1.scatter_(0, torch.where(labelled_R, class_R, classes).clamp_max(classes), 1)
    return {
        "images_with_entities": mask_RE.any(1).sum(),
        "images_contrasted": (mask_RE.sum(1) >= 2).sum(),
        "entities": mask_RE.sum(),
        "entity_tokens": left,
        "labelled": labelled_R.sum(),
        "classes": seen_K1[:classes].sum(),
    }


def visual_gradient_norms(
    visual_tokens: Tensor, losses: dict[str, Tensor | None]
) -> dict[str, Tensor]:
    """How strongly each loss pulls at the visual tokens: the L2 norm of its gradient there.

    To be called before the backward pass, whose graph it leaves intact, with the losses as they
    are, not weighted. It costs a backward pass through the language model, so once in a while.

    Args:
        visual_tokens: `EecaOutput.visual_tokens`, float [R, V, C].
        losses: scalars of the same forward pass, by name.

    Returns:
        float32 scalars by name; 0 where a loss does not depend on the tokens.
    """
    norms = {}
    for name, loss in losses.items():
        gradient = None
        if loss is not None and loss.requires_grad and visual_tokens.requires_grad:
            (gradient,) = torch.autograd.grad(
                loss, visual_tokens, retain_graph=True, allow_unused=True
            )
        zero = visual_tokens.new_zeros((), dtype=torch.float32)
        norms[name] = zero if gradient is None else gradient.float().norm()
    return norms
