"""The one call that scores images: `sim_rsr`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mgld.scoring import validate
from mgld.scoring.blocked import BlockedScorer
from mgld.scoring.oracle import oracle_scores
from mgld.scoring.scores import Scores

BACKENDS = ("auto", "cpu", "cuda", "faiss", "oracle")


def sim_rsr(
    images: Any,
    names: Any,
    own: Any,
    *,
    k: int = 10,
    backend: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Sim, rank, RSR, margin and the k nearest names of every image (paper, section 3.2).

    All backends give the same numbers to the last bit. Memory beyond the inputs and the result does
    not grow with M x N.

    Args:
        images: float32 [M, d], rows unit to 1e-3; an array or a memmap.
        names: float32 [N, d], rows unit to 1e-3; an array or a memmap. Two rows may hold equal
            vectors: they are two candidates that tie.
        own: integers [M], the row of `names` that is the image's own name.
        k: how many nearest names are kept of each image.
        backend: "oracle" (math.fsum of every pair), "faiss" (exhaustive IndexFlatIP), "cpu", "cuda"
            (blocked products), "auto" (cpu).
        progress: called with (images done, M) after each block.

    Returns:
        Scores of the M images.

    Raises:
        ValueError: naming the first bad row ("image row 7: ...", "name row 7: ...", "own[7] = ...")
            for NaN, inf, a length other than 1 and a row out of range; and for shapes, dtypes,
            k < 1, an unknown backend, or "cuda" where there is none.
    """
    scorer = NameScorer(names, k=k, backend=backend)
    return scorer.score(images, own, progress=progress)


class NameScorer:
    """`sim_rsr` for images that come in parts: the names are checked and prepared once.

    names, k, backend and errors: as for `sim_rsr`. to_come: how many images all parts have
    together, if that is known: what is worth preparing depends on it, and no number does.
    """

    def __init__(self, names: Any, *, k: int = 10, backend: str = "auto", to_come: int = 0) -> None:
        if backend not in BACKENDS:
            raise ValueError(f"backend {backend!r}: must be one of {', '.join(BACKENDS)}")
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k = {k!r}: must be an integer of at least 1")
        self._names = validate.vectors("name", names)
        if len(self._names) == 0:
            raise ValueError("no names: there must be at least one candidate")
        self._k = int(k)
        self._blocked = (
            None if backend == "oracle" else BlockedScorer(self._names, backend, to_come)
        )

    def score(
        self,
        images: Any,
        own: Any,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Scores:
        """Scores of images float32 [M, d] with own names integers [M]; rows count from 0 here."""
        images = validate.vectors("image", images)
        names = self._names
        if images.shape[1] != names.shape[1]:
            raise ValueError(
                f"image vectors have {images.shape[1]} dimensions, name vectors {names.shape[1]}"
            )
        own = validate.own_rows(own, len(images), len(names))
        if self._blocked is None:
            return oracle_scores(images, names, own, self._k)
        return self._blocked.scores(images, own, self._k, progress)
