"""What is known of each image: its similarity, rank, RSR, margin and nearest names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scores:
    """Scores of M images among N candidate names (docs/definitions.md, "Rank, RSR, margin").

    Attributes:
        sim: float64 [M], Sim with the own name.
        rank: int64 [M], 1 + the number of other names strictly higher.
        rsr: float64 [M], in [0, 1], 1 is best.
        margin: float64 [M], Sim minus the best other name's; inf where N = 1.
        nearest: int64 [M, k], rows of the names, best first, the own name included, ties by row,
            -1 where k > N.
        nearest_sim: float64 [M, k], their similarities, nan there.
    """

    sim: NDArray[np.float64]
    rank: NDArray[np.int64]
    rsr: NDArray[np.float64]
    margin: NDArray[np.float64]
    nearest: NDArray[np.int64]
    nearest_sim: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.sim)


def rsr_of_rank(rank: NDArray[np.int64], names: int) -> NDArray[np.float64]:
    """RSR = 1 - (rank - 1) / (N - 1) for ranks among N = `names` candidates; 1 where N = 1."""
    if names == 1:
        return np.ones(len(rank))
    return 1.0 - (rank - 1) / (names - 1)


def assemble(
    sim: NDArray[np.float64],
    rank: NDArray[np.int64],
    own: NDArray[np.int64],
    nearest: NDArray[np.int64],
    nearest_sim: NDArray[np.float64],
    *,
    names: int,
    k: int,
) -> Scores:
    """Scores from ranks and at least the best two names of each image (all of them, if fewer).

    nearest int64 and nearest_sim float64 [M, L] with L = min(max(k, 2), names).
    """
    images = len(sim)
    if names == 1:
        margin = np.full(images, np.inf)
    else:
        first_is_own = nearest[:, 0] == own
        margin = sim - np.where(first_is_own, nearest_sim[:, 1], nearest_sim[:, 0])
    pad = ((0, 0), (0, max(0, k - nearest.shape[1])))
    return Scores(
        sim=sim,
        rank=rank,
        rsr=rsr_of_rank(rank, names),
        margin=margin,
        nearest=np.pad(nearest[:, :k], pad, constant_values=-1),
        nearest_sim=np.pad(nearest_sim[:, :k], pad, constant_values=np.nan),
    )
