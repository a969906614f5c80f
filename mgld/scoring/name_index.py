"""The candidate names as a FAISS index: the nearest names of a vector, in milliseconds.

Two files in one folder: `index.parquet`, the names and what made their vectors, and `index.faiss`,
which `faiss.read_index` reads as it is. It holds the names' float32 vectors and, where there are
many, a code of 4 bits for every two dimensions. A search then scans the codes of all names and
compares the best by their vectors. Similarities are exact (`exact.py`) either way, and so is what
is found among few names, down to the order of ties; among many a name is missed now and then
(docs/definitions.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgld.files import atomic_path, sha256_file
from mgld.scoring import validate
from mgld.scoring.engine import top_floor
from mgld.scoring.exact import exact_sim_pairs, float32_error_bound

Float32 = NDArray[np.float32]

INDEX_FILE = "index.faiss"
NAMES_FILE = "index.parquet"
SCANNED_WHOLE = 10_000
"""Up to so many names are compared one by one: that takes milliseconds anyway."""
_CANDIDATES = 512  # of a scan of codes, compared by their vectors
_SPARE = 16  # names searched for beyond those asked: enough where few are within the error bound
_METADATA = b"mgld.index"
_RUN = b"mgld.index.run"


@dataclass(frozen=True)
class Near:
    """A name and its exact similarity."""

    name: str
    sim: float


def write_index(
    folder: Path,
    names: Sequence[str],
    vectors: Float32,
    made_by: dict[str, Any],
    *,
    run: str | None = None,
) -> None:
    """Write both files into `folder`; the same input gives the same bytes on one machine type.

    vectors: float32 [N, d], unit rows. made_by: JSON-able, at least encoder (None in a build, whose
    configuration names it), fingerprint and template, as `NameIndex.made_by` gives it back. run:
    what `index_of_run` is to know the index by.
    """
    import faiss
    import pyarrow as pa
    import pyarrow.parquet as pq

    index = _index(np.ascontiguousarray(vectors))
    with atomic_path(folder / INDEX_FILE) as temporary:
        faiss.write_index(index, str(temporary))
    table = pa.table({"name": pa.array(names, pa.string())})
    metadata = {_METADATA: json.dumps(made_by, sort_keys=True).encode()}
    if run is not None:
        metadata[_RUN] = _run_mark(folder, run)
    # Last: with it, the index is there.
    with atomic_path(folder / NAMES_FILE) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


def has_index(folder: Path) -> bool:
    """Whether both files are there."""
    return (folder / NAMES_FILE).is_file() and (folder / INDEX_FILE).is_file()


def index_of_run(folder: Path, run: str) -> NameIndex | None:
    """The index that was written into `folder` for `run`; None: none, another's, or damaged."""
    try:
        index = NameIndex(folder)
        return index if index.run == _run_mark(folder, run) else None
    except (OSError, ValueError):
        return None


def _run_mark(folder: Path, run: str) -> bytes:
    """What index.parquet says of the run, and of the index.faiss beside it."""
    return f"{run}:{sha256_file(folder / INDEX_FILE)}".encode()


class NameIndex:
    """An index that was written into `folder`, read only.

    names: in the order of the rows. made_by: what made their vectors. run: see `index_of_run`; None
    where it is of none. FileNotFoundError where there is none, ValueError where it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        import faiss
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not has_index(folder):
            raise FileNotFoundError(f"{folder} has no index of names ({NAMES_FILE}, {INDEX_FILE})")
        try:
            with (folder / NAMES_FILE).open("rb") as handle:
                table = pq.ParquetFile(handle).read()
            self.made_by: dict[str, Any] = json.loads(table.schema.metadata[_METADATA])
            self.run: bytes | None = table.schema.metadata.get(_RUN)
            self.names: list[str] = table["name"].to_pylist()
            # Mapped where FAISS can: of the vectors only those of the candidates are read.
            self._index = faiss.read_index(str(folder / INDEX_FILE), faiss.IO_FLAG_MMAP_IFC)
        # OSError: so Arrow says that pages of a file are damaged.
        except (KeyError, TypeError, ValueError, RuntimeError, OSError, pa.ArrowInvalid) as error:
            raise ValueError(f"{folder}: the index of names cannot be read ({error})") from error
        if self._index.ntotal != len(self.names):
            raise ValueError(
                f"{folder}: {INDEX_FILE} has {self._index.ntotal} vectors, {NAMES_FILE} "
                f"{len(self.names)} names: they are not of one index"
            )

    @property
    def dim(self) -> int:
        """d, the length of a vector."""
        return int(self._index.d)

    def vectors(self) -> Float32:
        """The names' vectors, float32 [N, d], as they were given."""
        stored: Float32 = _flat(self._index).reconstruct_n(0, len(self.names))
        return stored

    def nearest(self, vector: Float32, k: int = 10) -> list[Near]:
        """The `k` nearest names of a unit vector float32 [d], best first, ties by row.

        ValueError for another length or a vector that is not unit.
        """
        query = validate.vectors("query", np.asarray(vector)[None])
        if query.shape[1] != self.dim:
            raise ValueError(f"the query has {query.shape[1]} dimensions, the names {self.dim}")
        found = self._search(query, min(k, len(self.names)))
        vectors = _flat(self._index).reconstruct_batch(found)
        zeros = np.zeros(len(found), dtype=np.int64)
        sims = exact_sim_pairs(query, zeros, vectors, np.arange(len(found)))
        best = np.lexsort((found, -sims))[:k]
        return [Near(self.names[found[i]], float(sims[i])) for i in best]

    def _search(self, query: Float32, k: int) -> NDArray[np.int64]:
        """Rows among which the nearest `k` are: of few names certainly, of many but for a miss."""
        import faiss

        count = len(self.names)
        rows: NDArray[np.int64]
        if isinstance(self._index, faiss.IndexRefine):
            _, found = self._index.search(query, min(max(_CANDIDATES, 4 * k), count))
            rows = found[0][found[0] >= 0]
            return rows
        asked = min(k + _SPARE, count)
        while True:
            sims, found = self._index.search(query, asked)
            floor = top_floor(sims[:, k - 1], float32_error_bound(self.dim))
            # The last one found is below the floor: no other can be at or above it.
            if sims[0, -1] < floor[0] or asked == count:
                rows = found[sims >= floor]
                return rows
            asked = min(4 * asked, count)


def _index(vectors: Float32) -> Any:
    """Flat for few names (or an odd d), else codes of all and vectors to compare the best by."""
    import faiss

    count, dim = vectors.shape
    if count <= SCANNED_WHOLE or dim % 2:
        flat = faiss.IndexFlatIP(dim)
        flat.add(vectors)
        return flat
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # sums of several threads would differ from run to run
    try:
        codes = faiss.IndexPQFastScan(dim, dim // 2, 4, faiss.METRIC_INNER_PRODUCT)
        index = faiss.IndexRefineFlat(codes)
        index.train(vectors)
        index.add(vectors)
    finally:
        faiss.omp_set_num_threads(before)
    return index


def _flat(index: Any) -> Any:
    """The part of an index that holds the vectors."""
    import faiss

    if isinstance(index, faiss.IndexRefine):
        return faiss.downcast_index(index.refine_index)
    return index
