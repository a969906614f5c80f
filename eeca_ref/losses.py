"""The three losses of EECA (the paper, section 4), as functions on tensors.

All of them compute in float32 (float64 stays float64), whatever dtype comes in, and return a scalar
of that dtype. Letters in names: B images or samples, E entities of an image, Q high-resolution
visual tokens, V all visual tokens, L text positions, T tokens of an entity, C width of the language
model, K classes, N a plain list of positions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Literal, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORED = -100  # label of a position, or class of an image, that has no ground truth
EPS = 1e-6
TAU_MIN, TAU_MAX = 0.01, 100.0

Similarity = Literal["cosine", "dot"]
Negatives = Literal["image", "batch"]
Normalisation = Literal["mean", "sum"]
Count = Tensor | float | None
P = ParamSpec("P")
R = TypeVar("R")


def _without_autocast(function: Callable[P, R]) -> Callable[P, R]:
    """Under autocast, matrix products would be rounded to bfloat16 again."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        tensor = next(x for x in (*args, *kwargs.values()) if isinstance(x, Tensor))
        with torch.autocast(tensor.device.type, enabled=False):
            return function(*args, **kwargs)

    return inner


def entity_embeddings(token_embeddings_BETC: Tensor, token_mask_BET: Tensor) -> Tensor:
    """X_e: the mean of the embeddings of an entity's tokens.

    Args:
        token_embeddings_BETC: rows of the language model's embedding table, float [B, E, T, C].
        token_mask_BET: bool [B, E, T]; masked positions may hold anything.

    Returns:
        float32 [B, E, C]; zeros for an entity without tokens.
    """
    mask_BET1 = token_mask_BET.unsqueeze(-1)
    total_BEC = torch.where(mask_BET1, _full(token_embeddings_BETC), 0).sum(2)
    return total_BEC / mask_BET1.sum(2).clamp_min(1)


@_without_autocast
def entity_weights(
    hr_tokens_BQC: Tensor,
    entities_BEC: Tensor,
    *,
    theta: float = 0.5,
    similarity: Similarity = "cosine",
) -> Tensor:
    """W: where on the image each entity looks (text before Eq. 3; as in SPARC, arXiv 2401.09865).

    The similarities of an entity with all tokens are min-max normalised, set to 0 below `theta`,
    and divided by their sum. Gradients flow through all of it.

    Args:
        hr_tokens_BQC: X^H, float [B, Q, C].
        entities_BEC: X_e, float [B, E, C].
        theta: in [0, 1).
        similarity: cosine, or the dot product.

    Returns:
        float32 [B, E, Q]; rows sum to 1 and are uniform where all similarities are equal (to
        rounding: a spread under 1e-6 of what the lengths allow).

    Raises:
        ValueError: for theta outside [0, 1), whose rows could be empty.
    """
    if not 0 <= theta < 1:
        raise ValueError(f"theta must be in [0, 1), got {theta}")
    hr_tokens_BQC, entities_BEC = _full(hr_tokens_BQC), _full(entities_BEC)
    if similarity == "cosine":
        hr_tokens_BQC, entities_BEC = _unit(hr_tokens_BQC), _unit(entities_BEC)
        scale: Tensor | float = 1.0
    else:
        longest_B11 = hr_tokens_BQC.detach().norm(dim=-1).amax(1)[:, None, None]
        scale = longest_B11 * entities_BEC.detach().norm(dim=-1, keepdim=True)
    similarity_BEQ = entities_BEC @ hr_tokens_BQC.mT

    low_BE1 = similarity_BEQ.amin(-1, keepdim=True)
    spread_BE1 = similarity_BEQ.amax(-1, keepdim=True) - low_BE1
    flat_BE1 = spread_BE1 <= EPS * scale
    # no eps is added to the spread: the best token must stay at exactly 1 for any theta below 1
    share_BEQ = (similarity_BEQ - low_BE1) / torch.where(flat_BE1, 1, spread_BE1)
    kept_BEQ = torch.where(share_BEQ < theta, 0, share_BEQ)
    kept_BEQ = torch.where(flat_BE1, 1, kept_BEQ)
    return kept_BEQ / kept_BEQ.sum(-1, keepdim=True)


@_without_autocast
def entity_contrastive_loss(
    hr_tokens_BQC: Tensor,
    entities_BEC: Tensor,
    entity_mask_BE: Tensor,
    log_tau: Tensor,
    *,
    theta: float = 0.5,
    similarity: Similarity = "cosine",
    negatives: Negatives = "image",
    phrases_BE: Tensor | None = None,
    images: Count = None,
) -> Tensor:
    """L_e (Eqs. 3 and 4): an entity and the tokens that it looks at find each other.

    As printed, the other entities of the same image are the negatives, so that an image with fewer
    than two valid entities adds exactly 0.

    Args:
        hr_tokens_BQC: X^H, float [B, Q, C].
        entities_BEC: X_e, float [B, E, C]; masked entities may hold anything.
        entity_mask_BE: bool [B, E].
        log_tau: scalar; the temperature is exp(log_tau), clamped to [0.01, 100] (no gradient
            outside).
        theta: see `entity_weights`.
        similarity: see `entity_weights`.
        negatives: "image" as printed, or "batch": all valid entities of all images of the batch.
        phrases_BE: int [B, E]; entities with the same number are no negatives of each other.
            None: all are different.
        images: what the sum over images is divided by; None: B, as printed.

    Returns:
        float32 scalar; 0 where no image has a valid entity.
    """
    weights_BEQ, entities_BEC = masked_entity_weights(
        hr_tokens_BQC, entities_BEC, entity_mask_BE, theta=theta, similarity=similarity
    )
    entities_BEC = _unit(entities_BEC)
    regions_BEC = _unit(weights_BEQ @ _full(hr_tokens_BQC))
    mask_BE = entity_mask_BE
    if negatives == "batch":  # one image that has them all
        entities_BEC, regions_BEC = (x.flatten(0, 1)[None] for x in (entities_BEC, regions_BEC))
        mask_BE = mask_BE.flatten()[None]
        phrases_BE = None if phrases_BE is None else phrases_BE.flatten()[None]

    candidate_BEE = mask_BE[:, None, :].expand(-1, mask_BE.shape[1], -1)
    own_EE = torch.eye(mask_BE.shape[1], dtype=torch.bool, device=mask_BE.device)
    if phrases_BE is not None:
        candidate_BEE = candidate_BEE & (phrases_BE[:, :, None] != phrases_BE[:, None, :])
    candidate_BEE = candidate_BEE | own_EE

    tau = _full(log_tau).exp().clamp(TAU_MIN, TAU_MAX)
    scores_BEE = entities_BEC @ regions_BEC.mT / tau
    total = scores_BEE.new_zeros(())
    for direction_BEE in (scores_BEE, scores_BEE.mT):
        # the lowest finite number: it adds exactly 0 to the softmax and has no NaN gradient
        lowest = torch.finfo(direction_BEE.dtype).min
        masked_BEE = torch.where(candidate_BEE, direction_BEE, lowest)
        own_BE = masked_BEE.log_softmax(-1).diagonal(dim1=1, dim2=2)
        total = total + torch.where(mask_BE, own_BE, 0).sum()
    return -total / (2 * divisor(images, hr_tokens_BQC.shape[0]))


def masked_entity_weights(
    hr_tokens_BQC: Tensor,
    entities_BEC: Tensor,
    entity_mask_BE: Tensor,
    *,
    theta: float,
    similarity: Similarity = "cosine",
) -> tuple[Tensor, Tensor]:
    """`entity_weights` with masked entities set to zero first, and the entities so masked."""
    entities_BEC = torch.where(entity_mask_BE.unsqueeze(-1), _full(entities_BEC), 0)
    weights = entity_weights(hr_tokens_BQC, entities_BEC, theta=theta, similarity=similarity)
    return weights, entities_BEC


def hierarchical_loss(logits_BK: Tensor, class_B: Tensor, *, labelled: Count = None) -> Tensor:
    """L_h (Eq. 5): cross entropy of the classifier's logits against the hierarchical label.

    The logits are those of a linear classifier on h, the mean of all visual tokens (`mean_token`).

    Args:
        logits_BK: float [B, K].
        class_B: int64 [B]; -100 where an image has no label.
        labelled: what the sum is divided by; None: the number of labelled images.

    Returns:
        float32 scalar; 0 where no image has a label.
    """
    total = F.cross_entropy(_full(logits_BK), class_B, ignore_index=IGNORED, reduction="sum")
    return total / divisor(labelled, (class_B != IGNORED).sum())


def mean_token(visual_tokens_BVC: Tensor) -> Tensor:
    """h of Eq. 5: float32 [B, C], the mean of [X^L; X^H] (float [B, V, C]) over its tokens."""
    return _full(visual_tokens_BVC).mean(1)


def language_modelling_loss(
    logits_BLV: Tensor, labels_BL: Tensor, *, normalisation: Normalisation = "mean"
) -> Tensor:
    """L_g (Eq. 6): each supervised token is predicted from what stands before it.

    Args:
        logits_BLV: float [B, L, vocabulary]; those at position t predict the label at t + 1.
        labels_BL: int64 [B, L]; -100 where nothing is supervised. The first is never predicted.
        normalisation: "mean" over supervised tokens, as LLaVA does; "sum" over tokens and mean over
            the B samples, as printed.

    Returns:
        float32 scalar; 0 where nothing is supervised.
    """
    predicting_BL = predicting_positions(labels_BL)
    targets_N = labels_BL[:, 1:][predicting_BL[:, :-1]]
    count = float(labels_BL.shape[0]) if normalisation == "sum" else None
    return token_loss(logits_BLV[predicting_BL], targets_N, count=count)


def predicting_positions(labels_BL: Tensor) -> Tensor:
    """bool [B, L]: the positions whose next token is supervised; only they need logits."""
    return F.pad(labels_BL[:, 1:] != IGNORED, (0, 1))


def token_loss(logits_NV: Tensor, targets_N: Tensor, *, count: Count = None) -> Tensor:
    """Cross entropy of N positions, summed and divided by `count` (None: N); 0 if there are none.

    logits_NV: float [N, vocabulary]; targets_N: int64 [N].
    """
    total = F.cross_entropy(_full(logits_NV), targets_N, reduction="sum")
    return total / divisor(count, targets_N.shape[0])


def _full(x: Tensor) -> Tensor:
    """At least float32."""
    return x if x.dtype == torch.float64 else x.float()


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x, dim=-1, eps=EPS)


def divisor(count: Count, default: Tensor | int) -> Tensor | float:
    """`count`, or the default where it is None; at least 1."""
    chosen = default if count is None else count
    return chosen.clamp_min(1) if isinstance(chosen, Tensor) else float(max(chosen, 1))
