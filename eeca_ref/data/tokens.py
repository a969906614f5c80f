"""Token ids with a role for each: what is supervised follows from the role alone.

A role takes a byte where labels would take four, and says why a token is or is not supervised.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from eeca_ref.data.samples import SampleError

IGNORED = -100
"""Label of a token that is not supervised, as PyTorch's cross entropy has it."""


class Role(IntEnum):
    """What a token is; the number is what is stored, so never reuse one."""

    TEMPLATE = 0
    SYSTEM = 1
    QUESTION = 2
    IMAGE = 3
    ANSWER = 4
    END = 5
    CAPTION = 6


SUPERVISED = frozenset({Role.ANSWER, Role.END, Role.CAPTION})

_IS_SUPERVISED = np.array([role in SUPERVISED for role in Role])

WHY: dict[Role, str] = {
    Role.TEMPLATE: "the chat template's own: given to the model, never written by it",
    Role.SYSTEM: "the system's text is given to the model",
    Role.QUESTION: "the user's text is given to the model",
    Role.IMAGE: "the image's place: replaced by the visual tokens, which have no label",
    Role.ANSWER: "what the assistant is to write",
    Role.END: "ends the answer: the model is to stop there",
    Role.CAPTION: "stage 1: the caption and its newline",
}


@dataclass(frozen=True)
class Tokens:
    """`ids` int32 [L] with one placeholder for the image if there is one; `roles` uint8 [L]."""

    ids: npt.NDArray[np.int32]
    roles: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def supervised(self) -> npt.NDArray[np.bool_]:
        """bool [L]."""
        return _IS_SUPERVISED[self.roles]

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """int64 [L]: the token itself where it is supervised, else IGNORED (not shifted)."""
        return np.where(self.supervised, self.ids, IGNORED).astype(np.int64)

    @property
    def has_image(self) -> bool:
        """Whether there is a placeholder."""
        return bool((self.roles == Role.IMAGE).any())

    def spliced_length(self, visual_tokens: int) -> int:
        """Number of tokens once the placeholder is replaced by `visual_tokens`."""
        return len(self) + (visual_tokens - 1 if self.has_image else 0)


def truncate(tokens: Tokens, *, max_length: int, visual_tokens: int) -> Tokens:
    """At most `max_length` tokens *after* splicing: the end is cut, the visual tokens are kept.

    Returns `tokens` itself where nothing had to be cut. SampleError: the visual tokens do not fit,
    or nothing supervised is left.
    """
    excess = tokens.spliced_length(visual_tokens) - max_length
    if excess <= 0:
        return tokens
    keep = max(0, len(tokens) - excess)
    cut = Tokens(tokens.ids[:keep], tokens.roles[:keep])
    if tokens.has_image and not cut.has_image:
        raise SampleError(
            "image_beyond_context",
            f"{visual_tokens} visual tokens do not fit into {max_length} at their place",
        )
    if not cut.supervised.any():
        raise SampleError("answer_beyond_context", f"no answer left within {max_length} tokens")
    return cut
