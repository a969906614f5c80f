"""Reading a build folder: tables of its stages and bytes of its images. Takes no lock."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mgld.build.config import CONFIG_FILE, BuildConfig, load_config
from mgld.build.manifest import MANIFEST_FILE, Manifest


def shard_paths(root: Path, stage: str, name: str) -> list[Path]:
    """Parquet files of a stage whose stem is `name` or starts with `name-`, in file-name order."""
    return sorted(
        path
        for path in (root / stage).glob("*.parquet")
        if path.stem == name or path.stem.startswith(f"{name}-")
    )


def read_table(root: Path, stage: str, name: str, columns: list[str] | None = None) -> pa.Table:
    """All shards of `shard_paths` as one table; FileNotFoundError where there are none."""
    paths = shard_paths(root, stage, name)
    if not paths:
        raise FileNotFoundError(
            f"the build in {root} is not complete (stage {stage} has no {name} table yet); "
            f"`mgld build --out {root}` completes it"
        )
    # Through a handle: given a path, pyarrow would look for partitions in the folder names.
    tables = []
    for path in paths:
        with path.open("rb") as handle:
            tables.append(pq.ParquetFile(handle).read(columns=columns))
    return pa.concat_tables(tables)


class BuildView:
    """A build folder, read only.

    Attributes: `root` (folder), `config` (resolved settings), `manifest` (hashes, rows, counts).
    Raises FileNotFoundError where `root` is not a build.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.manifest: Manifest = Manifest.load(self.root)
        path = self.root / CONFIG_FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.root} has a {MANIFEST_FILE} but no {CONFIG_FILE}; run `mgld build` again"
            )
        self.config: BuildConfig = load_config(path, {})

    def table(self, stage: str, name: str, columns: list[str] | None = None) -> pa.Table:
        """All shards of `stage` named `name`, e.g. ("scores", "part"), as one table.

        FileNotFoundError where the stage has not run.
        """
        return read_table(self.root, stage, name, columns)

    def source_root(self) -> Path:
        """Folder the images came from."""
        return self.config.source_root(self.root)

    def image_bytes(self, source: str, offset: int, size: int) -> bytes:
        """The encoded image that a row of embeddings or selection points at."""
        from mgld.gldv2 import read_image

        return read_image(self.source_root(), source, offset, size)
