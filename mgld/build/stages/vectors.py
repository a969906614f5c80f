"""Unit vectors as an Arrow column, and the matrix of all names."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mgld.build.read import read_table

Float32 = NDArray[np.float32]


def vector_column(vectors: Float32, missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Rows of float32 [n, d] as fixed_size_list<float>[d]; null where `missing` [n]."""
    mask = None if missing is None else pa.array(missing)
    values = pa.array(np.ascontiguousarray(vectors).ravel())
    return pa.FixedSizeListArray.from_arrays(values, vectors.shape[1], mask=mask)


def column_vectors(column: pa.ChunkedArray) -> Float32:
    """The rows of a vector column without nulls, float32 [n, d]."""
    if column.null_count:
        raise ValueError(f"{column.null_count} of {len(column)} vectors are missing")
    flat = column.combine_chunks().flatten().to_numpy()
    return np.asarray(flat, dtype=np.float32).reshape(len(column), column.type.list_size)


def id_array(column: pa.ChunkedArray) -> NDArray[np.bytes_]:
    """A column of image ids, all of one length, as bytes [n]; no Python string is made of any."""
    ids = column.combine_chunks()
    if len(ids) == 0:
        return np.empty(0, np.bytes_)
    _, offsets, data = ids.buffers()
    ends = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    length = int(ends[1] - ends[0])
    if (np.diff(ends) != length).any() or ids.null_count:
        return np.array(ids.to_pylist(), dtype=np.bytes_)
    return np.frombuffer(data, f"S{length}", count=len(ids), offset=int(ends[0]))


@lru_cache(maxsize=1)
def name_matrix(root: Path, version: str) -> Float32:
    """Vectors of all candidate names, float32 [N, d], in the order of catalog/names.

    `version` is the hash of their content: a worker keeps the matrix from shard to shard.
    """
    return column_vectors(read_table(root, "embeddings", "names", ["vector"])["vector"])
