"""Exact scores from a fast engine: the one recheck that all fast backends share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.distinct import DistinctNames, distinct
from mgld.scoring.engine import Engine, SumsExactly
from mgld.scoring.exact import exact_sim_pairs
from mgld.scoring.int8_choice import int8_pays
from mgld.scoring.scores import Scores, assemble

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


class BlockedScorer:
    """Scores of validated images among validated names, by `backend` (all but oracle).

    The names are prepared once, with the first images, for any number of calls. to_come: how many
    images there will be in all of them, at least.
    """

    def __init__(self, names: NDArray[np.float32], backend: str, to_come: int) -> None:
        self._candidates = distinct(names)
        self._to_come = to_come
        self._backend = backend
        self._engine: Engine | None = None

    def scores(
        self,
        images: NDArray[np.float32],
        own: Int64,
        k: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> Scores:
        """Scores of images float32 [M, d] with own names int64 [M]; see `sim_rsr`."""
        candidates = self._candidates
        expected = max(len(images), self._to_come)
        engine = self._engine or _engine(self._backend, candidates, images, expected)
        if len(images):  # none would be no sample of what is to come
            self._engine = engine
        own_group = candidates.group[own]
        total, names = len(images), len(candidates.group)
        sim = np.empty(total)
        for start in range(0, total, engine.image_block):
            part = slice(start, start + engine.image_block)
            every = np.arange(len(images[part]))
            sim[part] = _sims(engine, images[part], every, candidates, own_group[part])
        rank = np.empty(total, dtype=np.int64)
        width = min(max(k, 2), names)  # two: the margin needs the best other name
        nearest = np.empty((total, width), dtype=np.int64)
        nearest_sim = np.empty((total, width))
        order = np.argsort(sim, kind="stable") if engine.sorted_by_own else np.arange(total)
        for start in range(0, total, engine.image_block):
            block = order[start : start + engine.image_block]
            above, top = _block(
                engine, images[block], candidates, own_group[block], sim[block], width
            )
            rank[block] = 1 + above
            nearest[block], nearest_sim[block] = _names_of(candidates, *top, width)
            if progress is not None:
                progress(start + len(block), total)
        return assemble(sim, rank, own, nearest, nearest_sim, names=names, k=k)


def _engine(
    backend: str, candidates: DistinctNames, images: NDArray[np.float32], expected: int
) -> Engine:
    """The engine of a backend; its libraries are imported here and nowhere earlier.

    images: some of those to come, `expected` of them in all.
    """
    if backend == "faiss":
        from mgld.scoring.faiss_engine import FaissEngine

        return FaissEngine(candidates)
    if backend == "cuda":
        from mgld.scoring.cuda_engine import cuda_engine

        return cuda_engine(candidates)
    if int8_pays(expected, len(candidates), images.shape[1]):
        from mgld.scoring.int8_engine import Int8Engine

        return Int8Engine(candidates, images)
    from mgld.scoring.dense_engine import DenseEngine

    return DenseEngine(candidates, "cpu")


def _sims(
    engine: Engine,
    images: NDArray[np.float32],
    rows: Int64,
    candidates: DistinctNames,
    columns: Int64,
) -> Float64:
    """Exact similarities float64 [n] of pairs, by the engine if it can sum exactly itself."""
    if isinstance(engine, SumsExactly):
        return engine.exact_sims(images, rows, columns)
    return exact_sim_pairs(images, rows, candidates.names, candidates.first[columns])


def _block(
    engine: Engine,
    images: NDArray[np.float32],
    candidates: DistinctNames,
    own_group: Int64,
    own_sim: Float64,
    width: int,
) -> tuple[Int64, tuple[Int64, Float64]]:
    """For B images: how many names are strictly higher, and the best distinct vectors.

    Returns int64 [B] and (int64 [B, K], float64 [B, K]) with K = min(width, U), best first, ties by
    first row.
    """
    weights = candidates.weights
    count = min(width, len(candidates))
    above = np.zeros(len(images), dtype=np.int64)
    best = np.full((len(images), count), -1, dtype=np.int64)
    best_sim = np.full((len(images), count), -np.inf)
    for sifted in engine.sift(images, own_sim, count):
        above += sifted.above
        rows, columns = sifted.near
        other = columns != own_group[rows]
        rows, columns = rows[other], columns[other]
        higher = _sims(engine, images, rows, candidates, columns) > own_sim[rows]
        np.add.at(above, rows[higher], weights[columns[higher]])
        rows, columns = sifted.top
        if len(rows):
            sims = _sims(engine, images, rows, candidates, columns)
            good = sims >= best_sim[rows, -1]  # few, once earlier blocks have set a mark
            mine, rows = np.unique(rows[good], return_inverse=True)
            best[mine], best_sim[mine] = _merge(
                best[mine], best_sim[mine], rows, columns[good], sims[good]
            )
    return above, (best, best_sim)


def _merge(
    best: Int64, best_sim: Float64, rows: Int64, columns: Int64, sims: Float64
) -> tuple[Int64, Float64]:
    """The best K of each row of [B, K] and of more (row, column, sim), ties by column.

    Empty places are column -1 with -inf and come last.
    """
    height, count = best.shape
    rows = np.concatenate([np.repeat(np.arange(height), count), rows])
    columns = np.concatenate([best.ravel(), columns])
    sims = np.concatenate([best_sim.ravel(), sims])
    order = np.lexsort((columns, -sims, rows))
    # Every row has at least K entries: the K old ones.
    starts = np.searchsorted(rows[order], np.arange(height))
    chosen = order[starts[:, None] + np.arange(count)]
    return columns[chosen], sims[chosen]


def _names_of(
    candidates: DistinctNames, best: Int64, best_sim: Float64, width: int
) -> tuple[Int64, Float64]:
    """Names of the best distinct vectors: int64 and float64 [B, width], ties by row.

    The best `width` names lie within the best `width` distinct vectors: a vector outside has that
    many before it, each with a first row that comes before all of the outside vector's rows.
    """
    if len(candidates) == len(candidates.group):
        return best, best_sim
    nearest = np.empty((len(best), width), dtype=np.int64)
    nearest_sim = np.empty((len(best), width))
    for i, (groups, sims) in enumerate(zip(best, best_sim, strict=True)):
        members = [
            candidates.rows[
                candidates.starts[g] : min(candidates.starts[g + 1], candidates.starts[g] + width)
            ]
            for g in groups
        ]
        rows = np.concatenate(members)
        repeated = np.repeat(sims, [len(m) for m in members])
        order = np.lexsort((rows, -repeated))[:width]
        nearest[i], nearest_sim[i] = rows[order], repeated[order]
    return nearest, nearest_sim
