"""Entities as the losses and as the prompt variants of Table 2 need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

EntityPrompt = Literal["none", "inference", "training_and_inference"]
"""Table 2: entities named in no question, in the questions of the test, or in all questions."""

ENTITY_PROMPT = "{question}\n\nEntities visible in the image: {entities}."
"""The paper does not print its wording; this is `mgld answer --entity-prompt given`'s, so that what
is trained is what the test asks."""


def with_entities(question: str, entities: Sequence[str]) -> str:
    """`question` with the entities named after it; the question itself where there are none."""
    if not entities:
        return question
    named = ", ".join(" ".join(entity.split()) for entity in entities)
    return ENTITY_PROMPT.format(question=question, entities=named)


def entity_token_ids(entities: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """The tokens of each entity for phi(e) (paper, section 4.2): no special tokens among them.

    The entity is tokenized with one space in front, as it stands within a sentence, which is where
    its tokens' embeddings were learned; tokenizers that put the space themselves are given none.
    Entities that are empty or write out a special token give an empty list.
    """
    if not entities:
        return []
    first = tokenizer.tokenize("a")[0]
    lead = "" if first.startswith(("▁", "Ġ")) else " "
    texts = [lead + " ".join(entity.split()) for entity in entities]
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    special = {number for number, t in tokenizer.added_tokens_decoder.items() if t.special}
    return [
        [] if not text.strip() or not special.isdisjoint(ids) else list(ids)
        for text, ids in zip(texts, encoded, strict=True)
    ]
