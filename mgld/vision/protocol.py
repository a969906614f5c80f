"""What the rest of the project knows of a vision encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from mgld.vision.prepare import Pixels

DEFAULT_ENCODER = "ViT-L-14-336:openai"
"""The encoder of the paper (section 5), for real work."""


class Encoder(Protocol):
    """A CLIP-like pair of towers: images and names become unit vectors of one space.

    f_v and f_t of the paper, section 3. Vectors are reproducible for the same batches (`batch_size`
    and the order of the input), thread count, dtype, device and machine type.

    Attributes:
        spec: what `load_encoder` was asked for.
        embed_dim: d, the length of a vector.
        dtype: what the towers compute in: "float32", or "bfloat16" / "float16" on a GPU.
        device: torch's name of the kind of device they are on: "cpu", "cuda".
        fingerprint: "sha256:..." of configuration, weights and tokenizer; not of their file format.
        short_side: pixels that an image needs on its shorter side to be seen as it is; what
            `mgld.gldv2.decode_image` may leave of a large JPEG.
        threads: how many threads should decode and `prepare` images while it encodes; 0 where they
            would only take the model's cores. Never changes a vector.
    """

    spec: str
    embed_dim: int
    dtype: str
    device: str
    fingerprint: str
    short_side: int
    threads: int

    def encode_images(
        self, images: Iterable[Image], *, batch_size: int = 64
    ) -> NDArray[np.float32]:
        """Unit vectors, float32 [B, d], of B images of any size and mode.

        An image is asked for when its turn comes and is not kept: an iterator may decode as it
        goes, and no more than one whole image need be in memory.
        """
        ...

    def prepare(self, image: Image) -> Pixels:
        """What the image tower sees of an image of any size and mode, uint8 [3, H, W].

        Not yet normalized. May be called from several threads at once.
        """
        ...

    def encode_prepared(
        self, prepared: Iterable[Pixels], *, batch_size: int = 64
    ) -> Iterator[NDArray[np.float32]]:
        """Unit vectors, float32 [b, d], of one batch of prepared images after the other.

        `encode_images` with the two halves apart, so that the first can run in other threads.
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
