"""What the rest of the project knows of a vision encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

DEFAULT_ENCODER = "ViT-L-14-336:openai"
"""The encoder of the paper (section 5), for real work."""


class Encoder(Protocol):
    """A CLIP-like pair of towers: images and names become unit vectors of one space.

    f_v and f_t of the paper, section 3. Vectors are reproducible for the same batches (`batch_size`
    and the order of the input), thread count, dtype and machine type.

    Attributes:
        spec: what `load_encoder` was asked for.
        embed_dim: d, the length of a vector.
        dtype: what the towers compute in: "float32", or "bfloat16" / "float16" on a GPU.
        fingerprint: "sha256:..." of configuration, weights and tokenizer; not of their file format.
    """

    spec: str
    embed_dim: int
    dtype: str
    fingerprint: str

    def encode_images(
        self, images: Iterable[Image], *, batch_size: int = 64
    ) -> NDArray[np.float32]:
        """Unit vectors, float32 [B, d], of B images of any size and mode.

        An image is asked for when its turn comes and is not kept: an iterator may decode as it
        goes, and no more than one whole image need be in memory.
        """
        ...

    def encode_names(
        self, names: Sequence[str], *, template: str = "{name}", batch_size: int = 256
    ) -> NDArray[np.float32]:
        """Unit vectors, float32 [N, d], of N names, each put into `template`."""
        ...

    def name_flags(self, names: Sequence[str], *, template: str = "{name}") -> list[str]:
        """Per name "", "truncated", "unfamiliar_script" or "truncated+unfamiliar_script"."""
        ...
