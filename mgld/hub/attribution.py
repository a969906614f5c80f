"""Who made each image and under which licence: what is lacking, and the table that says it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgld.files import atomic_path
from mgld.hub.outputs import OutputFile, config_files

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("id", "landmark_id", "landmark_name", "author", "license", "source_url", "title")
SHOWN = 20  # rows that an error lists


def attribution(outputs: Sequence[OutputFile], data_dir: Path) -> pa.Table:
    """One row per image: `COLUMNS`, `image_sha256`, and `split` (train or test) of config `full`.

    outputs: the dataset's files, which lie in `data_dir`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for split, of_split in config_files(outputs)["full"].items():
        for output in of_split:
            with (data_dir / output.path).open("rb") as handle:
                table = pq.ParquetFile(handle).read(columns=[*COLUMNS, "image_sha256"])
            # `datasets` writes its features beside the schema; this table has other columns.
            table = table.replace_schema_metadata(None)
            tables.append(table.append_column("split", pa.array([split] * len(table))))
    return pa.concat_tables(tables)


def lacking(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of `attribution` without a licence or an author; key `lacks` says which."""
    return [{**row, "lacks": lacks} for row in table.to_pylist() if (lacks := _lacks(row))]


def write_attribution(table: pa.Table, withheld: set[str], path: Path) -> None:
    """Write `attribution` with `image_published`: false for the images (ids) that are withheld."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    published = pa.array([each not in withheld for each in table["id"].to_pylist()])
    with atomic_path(path) as temporary:
        pq.write_table(table.append_column("image_published", published), temporary)


def refusal(rows: Sequence[dict[str, Any]], total: int, list_file: Path) -> str:
    """What a person is told whose dataset has such rows; all of them are written to `list_file`."""
    with atomic_path(list_file) as temporary, temporary.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["lacks", *COLUMNS], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return "\n".join(
        [
            f"{len(rows):,} of {total:,} images have no licence or no author, and are not "
            "published without:",
            *_listed(rows),
            f"The whole list: {list_file}. Complete train_attribution.csv and build again, or "
            "publish these rows without their images: --withhold-images",
        ]
    )


def _listed(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows[:SHOWN]:
        yield f"  {row['id']}  no {row['lacks']}  {row['landmark_name']}  {row['source_url']}"
    if len(rows) > SHOWN:
        yield f"  ... and {len(rows) - SHOWN:,} more"


def _lacks(row: dict[str, Any]) -> str:
    names = {"license": "licence", "author": "author"}
    return " and ".join(name for key, name in names.items() if not (row[key] or "").strip())
