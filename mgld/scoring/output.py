"""A table of scores where the user wants it: Parquet or CSV by the file's ending, or JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgld.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa


def check_suffix(path: Path) -> None:
    """ValueError unless `path` ends in .parquet or .csv: asked before the work, not after."""
    if path.suffix not in (".parquet", ".csv"):
        raise ValueError(f"{path}: the file must end in .parquet or .csv")


def is_folder(path: Path) -> bool:
    """Whether `path` names a folder of scores and no file: it has no ending, or is a folder."""
    return path.suffix == "" or path.is_dir()


def write_table(table: pa.Table, path: Path) -> None:
    """Write `table` whole or not at all. In CSV, list columns become JSON text."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    check_suffix(path)
    with atomic_path(path) as temporary:
        if path.suffix == ".parquet":
            pq.write_table(table, temporary)
            return
        for index, column in enumerate(table.schema):
            if pa.types.is_list(column.type):
                text = [
                    None if cell is None else json.dumps(cell, ensure_ascii=False)
                    for cell in table[column.name].to_pylist()
                ]
                table = table.set_column(index, column.name, pa.array(text, pa.string()))
        pyarrow.csv.write_csv(table, temporary)


def json_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as JSON knows them: inf and NaN (the margin of a lone name) are null."""
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in table.to_pylist()
    ]
