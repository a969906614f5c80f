"""The formulas of the paper's section 4 as loops over Python floats."""

import math

import torch


def cosine(a: list[float], b: list[float]) -> float:
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def weights(tokens: list[list[float]], entity: list[float], theta: float) -> list[float]:
    similarities = [cosine(token, entity) for token in tokens]
    low, high = min(similarities), max(similarities)
    shares = [(s - low) / (high - low) for s in similarities]
    kept = [0.0 if share < theta else share for share in shares]
    return [share / math.fsum(kept) for share in kept]


def region(tokens: list[list[float]], entity: list[float], theta: float) -> list[float]:
    shares = weights(tokens, entity, theta)
    return [
        math.fsum(w * token[c] for w, token in zip(shares, tokens, strict=True))
        for c in range(len(entity))
    ]


def log_softmax_at(scores: list[float], at: int) -> float:
    return scores[at] - math.log(math.fsum(math.exp(score) for score in scores))


def contrastive(
    tokens: torch.Tensor, entities: torch.Tensor, mask: torch.Tensor, tau: float, theta: float
) -> float:
    """Eq. 4 with the negatives of the same image."""
    total = 0.0
    for i in range(tokens.shape[0]):
        image = tokens[i].tolist()
        named = [entities[i, j].tolist() for j in range(entities.shape[1]) if mask[i, j]]
        seen = [region(image, entity, theta) for entity in named]
        for j in range(len(named)):
            total += log_softmax_at([cosine(named[j], other) / tau for other in seen], j)
            total += log_softmax_at([cosine(seen[j], other) / tau for other in named], j)
    return -total / (2 * tokens.shape[0])


def contrastive_in_batch(
    tokens: torch.Tensor,
    entities: torch.Tensor,
    mask: torch.Tensor,
    phrases: torch.Tensor,
    tau: float,
    theta: float,
) -> float:
    """The same with all other phrases of the batch as negatives."""
    images, count = mask.shape
    all_of = [(i, j) for i in range(images) for j in range(count) if mask[i, j]]
    named = {at: entities[at].tolist() for at in all_of}
    seen = {at: region(tokens[at[0]].tolist(), named[at], theta) for at in all_of}
    total = 0.0
    for at in all_of:
        rivals = [at] + [o for o in all_of if o != at and phrases[o] != phrases[at]]
        total += log_softmax_at([cosine(named[at], seen[o]) / tau for o in rivals], 0)
        total += log_softmax_at([cosine(seen[at], named[o]) / tau for o in rivals], 0)
    return -total / (2 * images)
