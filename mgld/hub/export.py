"""Writing the dataset's Parquet files: own shards, not `push_to_hub`'s.

The files are what `datasets` itself would write (Image as `{bytes, path}`, content-defined
chunking, page index), but each is a pure function of the build: the same input gives the same
bytes, and images are read one row group at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgld.files import atomic_path
from mgld.hub.features import Kind, features
from mgld.hub.outputs import OutputFile, list_outputs
from mgld.hub.rows import join_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from mgld.build.read import BuildView

# datasets.config.DEFAULT_CDC_OPTIONS, fixed here: another release must not change our bytes.
CHUNKING = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}
CARD = "README.md"


def export_dataset(
    build_dir: str | Path,
    out_dir: str | Path,
    source_root: str | Path | None = None,
    *,
    sizes: Sequence[int] | None = None,
    progress: Callable[[OutputFile], None] | None = None,
) -> list[OutputFile]:
    """Write the whole dataset of a build into `out_dir` and return what was written.

    Files of an earlier export that are no longer part of the dataset are removed. The card is
    written last, so a folder whose export was killed does not load.

    Args:
        build_dir: a build folder whose stages up to `splits` are done.
        out_dir: the dataset folder, made where it is not there.
        source_root: folder of the images; None: the build's source.
        sizes: subset sizes, in landmarks; None: the build's setting.
        progress: called after each file.

    Returns:
        The files that the dataset has, each with its rows, configs and splits.

    Raises:
        FileNotFoundError: not a build, or a stage is missing.
        ValueError: the build contradicts itself, or the source's images have changed since.
    """
    from mgld.build.read import BuildView
    from mgld.hub.card import write_card

    view, out = BuildView(build_dir), Path(out_dir)
    outputs = list_outputs(view, sizes=sizes)
    (out / CARD).unlink(missing_ok=True)
    wanted = {out / output.path for output in outputs}
    for folder in ("full", "eval", "names", "subsets"):
        for path in (out / folder).rglob("*.parquet"):
            if path not in wanted:
                path.unlink()
    for output in outputs:
        write_output(view, output, out / output.path, source_root=source_root)
        if progress:
            progress(output)
    write_card(view, outputs, out, out / CARD, source_root=source_root)
    return outputs


def write_output(
    view: BuildView, output: OutputFile, path: Path, *, source_root: str | Path | None = None
) -> None:
    """Write one file of the dataset to `path`, whole or not at all.

    Memory: the texts of this file's rows and the images of one row group.

    Args:
        view: the build.
        output: the file, as `list_outputs` plans it.
        path: where it is written.
        source_root: folder of the images; None: the build's source.

    Raises:
        ValueError: an image no longer has the hash it had when it was selected.
    """
    root = Path(source_root) if source_root is not None else view.source_root()
    write_groups(output.kind, _groups(view, output, root), path)


def write_groups(kind: Kind, groups: Iterable[pa.Table], path: Path) -> None:
    """Write tables as the row groups of one file of the dataset, whole or not at all.

    The bytes depend on the tables alone. They hold the columns of `features(kind)`, in any order.
    """
    import pyarrow.parquet as pq
    from datasets.arrow_writer import get_parquet_column_options

    columns = features(kind)
    schema = columns.arrow_schema
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            use_content_defined_chunking=CHUNKING,
            write_page_index=True,
            **get_parquet_column_options(columns, schema),
        ) as writer,
    ):
        for group in groups:
            writer.write_table(group.select(schema.names).cast(schema), row_group_size=len(group))
        # What datasets' own writer records, read by tools that deduplicate uploads.
        writer.add_key_value_metadata({"content_defined_chunking": json.dumps(CHUNKING)})


def _groups(view: BuildView, output: OutputFile, source_root: Path) -> Iterator[pa.Table]:
    """The file's row groups, one at a time."""
    if output.kind == "names":
        rows = view.table("catalog", "names", ["name", "landmark_ids"])
    else:
        rows = join_rows(view, output.landmark_ids)
    start = 0
    for length in output.row_groups:
        group = rows.slice(start, length)
        yield group if output.kind == "names" else _with_images(group, source_root)
        start += length


def _with_images(rows: pa.Table, source_root: Path) -> pa.Table:
    """`rows` with their `image` column: the source's bytes, unchanged."""
    import pyarrow as pa

    images = [
        {"bytes": _image(source_root, row), "path": f"{row['id']}.jpg"}
        for row in rows.select(["id", "source", "offset", "size", "image_sha256"]).to_pylist()
    ]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return rows.append_column("image", pa.array(images, kind))


def _image(source_root: Path, row: dict[str, Any]) -> bytes:
    from mgld.gldv2 import read_image

    data = read_image(source_root, row["source"], row["offset"], row["size"])
    if hashlib.sha256(data).hexdigest() != row["image_sha256"]:
        raise ValueError(
            f"image {row['id']} in {row['source']} is not what it was when it was selected: the "
            "source has changed; run `mgld build` again"
        )
    return data
