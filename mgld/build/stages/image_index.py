"""Which row of which archive stands for each image of the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mgld.build.read import shard_paths
from mgld.build.stages.image_vectors import read_links
from mgld.build.stages.vectors import column_vectors, id_array, vector_column

MISSING = "missing"

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class ImageIndex:
    """One row per image of the catalog, by landmark_id and then image_id.

    landmark_ids int64 [I] ascending; ids bytes [I]; statuses int64 [I], positions in
    `status_names`; sims float64 [I] (nan unless ok); files int64 [I], positions in `paths` (-1 if
    missing); rows int64 [I] in that file; copies int64 [I]: how many archive rows name the image.
    """

    paths: list[Path]
    status_names: list[str]
    landmark_ids: Int64
    ids: NDArray[np.bytes_]
    statuses: Int64
    sims: NDArray[np.float64]
    files: Int64
    rows: Int64
    copies: Int64

    def of_landmark(self, landmark_id: int) -> slice:
        """Rows of one landmark."""
        start, stop = np.searchsorted(self.landmark_ids, [landmark_id, landmark_id + 1])
        return slice(int(start), int(stop))


@lru_cache(maxsize=1)
def image_index(root: Path, links_version: str, embeddings_version: str) -> ImageIndex:
    """Read what the archives hold; the versions are the hashes of what is read.

    An image in several archives is taken from the first in which it is `ok`, else from the first
    that names it. Files go by archive order: tars by name, then folders, then loose files.
    """
    links = read_links(root, links_version)
    count = len(links.ids)
    paths = shard_paths(root, "embeddings", "images")
    paths.sort(key=lambda path: (not path.stem.endswith(".tar"), path.name))
    names = ["ok", MISSING]
    statuses = np.full(count, 1, np.int64)
    sims = np.full(count, np.nan)
    files = np.full(count, -1, np.int64)
    rows = np.full(count, -1, np.int64)
    copies = np.zeros(count, np.int64)
    for number, path in enumerate(paths):
        table = _listed_rows(path)
        if len(table) == 0:
            continue
        found = links.find_ids(id_array(table["image_id"]))
        encoded = table["status"].combine_chunks().dictionary_encode()
        for name in encoded.dictionary.to_pylist():
            if name not in names:
                names.append(name)
        code_of = np.array([names.index(name) for name in encoded.dictionary.to_pylist()])
        codes = code_of[encoded.indices.to_numpy()]
        sim = table["sim"].to_numpy()
        row = table["row"].to_numpy()
        # All rows while nothing is known of the image, then the ok ones where none was ok before.
        # Backwards, because of several assignments to one element the last one stays.
        for better in (files[found] < 0, (statuses[found] != 0) & (codes == 0)):
            chosen = np.flatnonzero(better)[::-1]
            target = found[chosen]
            statuses[target], sims[target] = codes[chosen], sim[chosen]
            files[target], rows[target] = number, row[chosen]
        np.add.at(copies, found, 1)
    order = np.argsort(links.landmark_ids, kind="stable")
    return ImageIndex(
        paths,
        names,
        links.landmark_ids[order],
        links.ids[order],
        statuses[order],
        sims[order],
        files[order],
        rows[order],
        copies[order],
    )


def _listed_rows(path: Path) -> pa.Table:
    """image_id, status, sim and row number of the rows that name an image of the catalog."""
    with path.open("rb") as handle:
        table = pq.ParquetFile(handle).read(["image_id", "landmark_id", "status"])
    with path.with_name("sims-" + path.name.removeprefix("images-")).open("rb") as handle:
        table = table.append_column("sim", pq.ParquetFile(handle).read(["sim"])["sim"])
    table = table.append_column("row", pa.array(np.arange(len(table))))
    return table.filter(table["landmark_id"].is_valid()).combine_chunks()


def fetch_rows(index: ImageIndex, chosen: Int64, columns: list[str]) -> pa.Table:
    """Columns of the archive rows behind index rows `chosen`, in their order.

    Reads only the row groups that hold them. ValueError for a row without a vector, if it is asked
    for.
    """
    schema = pq.read_schema(index.paths[0])
    if len(chosen) == 0:
        return schema.empty_table().select(columns)
    # Vectors are put into their places at once: there may be a gigabyte of them.
    kinds = {name: schema.field(name).type for name in columns}
    matrices = {
        name: np.empty((len(chosen), kind.list_size), np.float32)
        for name, kind in kinds.items()
        if pa.types.is_fixed_size_list(kind)
    }
    pieces, order = [], []
    for number in np.unique(index.files[chosen]).tolist():
        mine = np.flatnonzero(index.files[chosen] == number)
        wanted = index.rows[chosen[mine]]
        with index.paths[number].open("rb") as handle:
            file = pq.ParquetFile(handle)
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            ends = np.cumsum(sizes)
            groups = np.searchsorted(ends, wanted, side="right")
            read = np.unique(groups)
            table = file.read_row_groups(read.tolist(), columns=columns)
        starts = np.concatenate([[0], np.cumsum(np.array(sizes)[read])])[:-1]
        inside = wanted - (ends[groups] - np.array(sizes)[groups])
        taken = table.take(starts[np.searchsorted(read, groups)] + inside)
        for name, matrix in matrices.items():
            matrix[mine] = column_vectors(taken[name])
        pieces.append(taken.select([name for name in columns if name not in matrices]))
        order.append(mine)
    rows = pa.concat_tables(pieces).take(np.argsort(np.concatenate(order)))
    return pa.table(
        {
            n: vector_column(matrices[n]).cast(kinds[n]) if n in matrices else rows[n]
            for n in columns
        }
    )
