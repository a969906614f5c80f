"""Sim and RSR of any dataset with any encoder, without a rebuild: what `mgld score` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mgld.scoring.name_index import index_of_run, write_index
from mgld.scoring.records import (
    RECORD_COLUMNS,
    Records,
    candidate_names,
    digest_of,
    own_rows,
    read_records,
    wanted_splits,
)
from mgld.scoring.score_folder import Block, ScoreFolder, blocks_of
from mgld.scoring.scores import Scores
from mgld.scoring.sim_rsr import NameScorer
from mgld.scoring.vector_source import BlockVectors, EncodedVectors, GivenVectors, VectorSource

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int], None]
"""Called with (what is done, how many are done, of how many)."""

BLOCK_RECORDS = 4096
"""Records that are encoded, scored and written at a time: what a kill loses at most."""
_NEAREST = 10


@dataclass(frozen=True)
class Rescored:
    """Scores of a dataset's records.

    table: one row per record, in the dataset's order: split, id, landmark_id, landmark_name, status
    ("ok", or why the image cannot be read), reason, sim, rank, rsr, margin, nearest (list of names,
    best first), nearest_sim (null where status is not "ok").
    summary: records, scored, names (N), median_rsr, share_rank_1 (None if none is scored), encoder,
    fingerprint, template (None of embeddings: theirs is not known).
    """

    table: pa.Table
    summary: dict[str, Any]


def rescore(
    source: str | Path,
    *,
    encoder: str | None = None,
    embeddings: str | Path | None = None,
    template: str = "{name}",
    config: str = "full",
    split: str | None = None,
    backend: str = "auto",
    device: str | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Rescored:
    """Score the records of `config` against all N names of the dataset's `names` config.

    source: a dataset or build folder or a Hub id, as `mgld.load` takes it. Exactly one of `encoder`
    (a spec of `mgld.vision.load_encoder`) and `embeddings` (a file; format: `embedding_file.py`)
    gives the vectors. template: the text that the encoder is given for a name, `{name}` in it.
    split: only that one; None: all, except that of `eval`, whose `test` contains `test_paper`, it
    is `test`. backend: of `sim_rsr`. device: of the encoder.

    folder: where the rows are kept block by block as they are made, beside an index of the names
    for `mgld nearest` (`score_folder.py`). The same call goes on after the blocks that are there,
    and ends with the same rows; with an `encoder` it needs a source whose images can be told from
    others: a folder whose card states a hash, or a Hub id, which is taken at the commit it is at.

    An image that cannot be read is a row with a status. ValueError for wrong arguments, vectors
    that are missing or not unit, records whose name is not a candidate, a folder that holds
    something else, and one that cannot be bound to the images.
    """
    import mgld
    from mgld.hub.load import pinned

    if (encoder is None) == (embeddings is None):
        raise ValueError("give either an encoder or a file of embeddings")
    if template.count("{name}") != 1:
        raise ValueError(f"template {template!r} must contain {{name}} exactly once")
    columns = [*RECORD_COLUMNS, "image"] if embeddings is None else RECORD_COLUMNS
    content: str | None = None
    revision: str | None = None
    if folder is not None and encoder is not None:
        try:
            content, revision = pinned(str(source), config)
        except ValueError as error:
            raise ValueError(f"{error}, or leave out the folder: {folder}") from error
    loaded = mgld.load(str(source), config, columns=columns, revision=revision)
    splits = wanted_splits(loaded, config, split)
    names = candidate_names(mgld.load(str(source), "names", revision=revision))
    records = read_records(splits)
    own = own_rows(records.landmark_name, names)
    vectors: VectorSource
    if embeddings is not None:
        vectors = GivenVectors(Path(embeddings), records)
    else:
        vectors = EncodedVectors(str(encoder), device, template, splits, content)
    report = progress or _silent
    if folder is None:
        table = _score(records, own, names, vectors, None, backend, report)
    else:
        binding = vectors.binding | {"records": records.digest(), "names": digest_of(names)}
        binding |= {"nearest": _NEAREST, "block": BLOCK_RECORDS}
        with ScoreFolder(Path(folder), binding) as kept:
            table = _score(records, own, names, vectors, kept, backend, report)
    return Rescored(table, _summary(table, names) | vectors.made_by)


def _score(
    records: Records,
    own: NDArray[np.int64],
    names: list[str],
    vectors: VectorSource,
    kept: ScoreFolder | None,
    backend: str,
    report: Progress,
) -> pa.Table:
    """The rows of `Rescored.table`: block by block, those that `kept` has not yet."""
    import pyarrow as pa

    blocks = blocks_of(len(records), BLOCK_RECORDS)
    todo = [block for block in blocks if kept is None or not kept.done(block)]
    made: dict[Block, pa.Table] = {}
    total = sum(block.stop - block.start for block in todo)
    more = _counter(report, total)
    index = index_of_run(kept.path, kept.digest) if kept else None
    if todo or (kept and index is None):
        name_vectors = index.vectors() if index else _name_vectors(vectors, names, kept, report)
        scorer = NameScorer(name_vectors, k=_NEAREST, backend=backend, to_come=total)
        for block in todo:
            found = vectors.images(block.start, block.stop, more)
            ok = np.array([status == "ok" for status in found.status], dtype=np.bool_)
            scores = scorer.score(found.vectors, own[block.start : block.stop][ok])
            table = _table(records, block, found, ok, scores, names)
            if kept is None:
                made[block] = table
            else:
                kept.write(block, table)
    return pa.concat_tables(kept.read(block) if kept else made[block] for block in blocks)


def _silent(what: str, done: int, total: int) -> None:
    """No progress."""


def _counter(report: Progress, total: int) -> Callable[[int], None]:
    """A function that is told how many records more are done."""
    done = 0

    def more(rows: int) -> None:
        nonlocal done
        done += rows
        report("records", done, total)

    return more


def _name_vectors(
    vectors: VectorSource, names: list[str], kept: ScoreFolder | None, report: Progress
) -> NDArray[np.float32]:
    """float32 [N, d], made anew, and the index with them."""
    report("names", 0, len(names))
    made = vectors.names(names)
    report("names", len(names), len(names))
    if kept:
        write_index(kept.path, names, made, vectors.made_by, run=kept.digest)
    return made


def _table(
    records: Records,
    block: Block,
    found: BlockVectors,
    ok: NDArray[np.bool_],
    scores: Scores,
    names: list[str],
) -> pa.Table:
    """The rows of `Rescored.table` of one block; `ok` bool [block] are those with scores."""
    import pyarrow as pa

    rows = slice(block.start, block.stop)
    places = np.full(len(ok), -1)
    places[ok] = np.arange(len(scores))
    take = pa.array([int(place) if place >= 0 else None for place in places], pa.int64())
    nearest = [[names[row] for row in rows if row >= 0] for rows in scores.nearest]
    nearest_sim = [[float(sim) for sim in sims if not np.isnan(sim)] for sims in scores.nearest_sim]
    scored = {
        "sim": pa.array(scores.sim),
        "rank": pa.array(scores.rank),
        "rsr": pa.array(scores.rsr),
        "margin": pa.array(scores.margin),
        "nearest": pa.array(nearest, pa.list_(pa.string())),
        "nearest_sim": pa.array(nearest_sim, pa.list_(pa.float64())),
    }
    return pa.table(
        {
            "split": pa.array(records.split[rows], pa.string()),
            "id": pa.array(records.id[rows], pa.string()),
            "landmark_id": pa.array(records.landmark_id[rows], pa.int64()),
            "landmark_name": pa.array(records.landmark_name[rows], pa.string()),
            "status": pa.array(found.status, pa.string()),
            "reason": pa.array(found.reason, pa.string()),
            **{name: column.take(take) for name, column in scored.items()},
        }
    )


def _summary(table: pa.Table, names: list[str]) -> dict[str, Any]:
    """The figures of `Rescored.summary` that do not depend on who made the vectors."""
    rank, rsr = (table[name].drop_null().to_numpy() for name in ("rank", "rsr"))
    return {
        "records": len(table),
        "scored": len(rank),
        "names": len(names),
        "median_rsr": float(np.median(rsr)) if len(rsr) else None,
        "share_rank_1": float(np.mean(rank == 1)) if len(rank) else None,
    }
