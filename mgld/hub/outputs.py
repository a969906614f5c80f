"""Which files the dataset has, and which rows each holds, before any of them is written.

The plan depends on the build's tables alone, so a killed export can be resumed file by file. No row
is written twice within a subset method: the files of a method are cut at the subset sizes, and a
larger subset is the smaller one's files and more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mgld.hub.features import Kind

if TYPE_CHECKING:
    from mgld.build.read import BuildView

SHARD_BYTES = 450_000_000  # notes: shards of at most 500 MB ...
GROUP_BYTES = 64_000_000  # ... and row groups of at most 100 MB; less, so that streams start soon
ROW_TEXT_BYTES = 4_096  # what a row holds besides its image, generously
NAMES_PER_GROUP = 50_000


@dataclass(frozen=True)
class OutputFile:
    """One Parquet file of the dataset.

    path: relative to the dataset folder. kind: its columns. landmark_ids: its rows in their order
    (empty for kind "names", which holds all names). row_groups: rows per row group. rows: their
    sum. belongs_to: (config, split) pairs whose data this file is part of.
    """

    path: str
    kind: Kind
    landmark_ids: tuple[int, ...]
    row_groups: tuple[int, ...]
    belongs_to: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return sum(self.row_groups)


def list_outputs(view: BuildView, *, sizes: Sequence[int] | None = None) -> list[OutputFile]:
    """Plan the dataset of a build whose stages up to `splits` are done.

    Args:
        view: the build.
        sizes: subset sizes, in landmarks, the same for all methods; None: the build's setting.

    Returns:
        The Parquet files to write, none of them read or written yet.

    Raises:
        ValueError: a subset of that size was not made, or there are no records.
    """
    import pyarrow.compute as pc

    records = view.table("splits", "records")
    selection = view.table("selection", "part", ["landmark_id", "status", "size"])
    size_of = {
        landmark_id: size
        for landmark_id, status, size in zip(
            *(selection[name].to_pylist() for name in ("landmark_id", "status", "size")),
            strict=True,
        )
        if status == "ok"
    }
    if not len(records):
        raise ValueError(f"{view.root} has no records: no landmark has a readable image")
    train_rows = records.filter(pc.equal(records["split"], "train")).sort_by("landmark_id")
    test_rows = records.filter(pc.equal(records["split"], "test")).sort_by("test_order")
    train: list[int] = train_rows["landmark_id"].to_pylist()
    test: list[int] = test_rows["landmark_id"].to_pylist()
    paper = test[: sum(test_rows["test_paper"].to_pylist())]
    if not all(test_rows["test_paper"].to_pylist()[: len(paper)]):
        raise ValueError("splits/records: test_paper is not the first part of the test records")
    outputs = [
        *_files("full/train", "record", train, size_of, (("full", "train"),)),
        *_files("full/test", "record", test, size_of, (("full", "test"),)),
        *_files(
            "eval/test_paper", "eval", paper, size_of, (("eval", "test"), ("eval", "test_paper"))
        ),
        *_files("eval/test", "eval", test[len(paper) :], size_of, (("eval", "test"),)),
        _names_file(view),
    ]
    for method, ids, wanted in _subsets(view, sizes, len(train)):
        outputs += _subset_files(method, ids, wanted, size_of)
    return outputs


def config_files(outputs: Sequence[OutputFile]) -> dict[str, dict[str, list[OutputFile]]]:
    """Config -> split -> its files in order; configs in the order people meet them."""
    configs: dict[str, dict[str, list[OutputFile]]] = {}
    for output in outputs:
        for config, split in output.belongs_to:
            configs.setdefault(config, {}).setdefault(split, []).append(output)
    return configs


def _subsets(
    view: BuildView, sizes: Sequence[int] | None, training: int
) -> Iterator[tuple[str, list[int], list[int]]]:
    """(method, landmark ids best first, subset sizes ascending) of every method of the build."""
    import pyarrow.compute as pc

    from mgld.scoring import default_sizes

    asked = sizes if sizes is not None else view.config.sizes
    wanted = sorted(set(default_sizes(training) if asked is None else asked))
    if not wanted:
        return
    subsets = view.table("splits", "subsets").sort_by(
        [("method", "ascending"), ("position", "ascending")]
    )
    for method in view.config.methods:
        own: list[int] = subsets.filter(pc.equal(subsets["method"], method))[
            "landmark_id"
        ].to_pylist()
        if len(own) < wanted[-1]:
            raise ValueError(
                f"a {method} subset of {wanted[-1]} was asked for, but splits/subsets holds "
                f"{len(own)} of that method; set `sizes` and run `mgld build` again"
            )
        yield method, own, wanted


def _subset_files(
    method: str, ids: list[int], sizes: list[int], size_of: dict[int, int]
) -> Iterator[OutputFile]:
    from mgld.scoring import config_name

    names = [config_name(method, size) for size in sizes]
    for number, (start, stop) in enumerate(pairwise([0, *sizes])):
        belongs_to = tuple((name, "train") for name in names[number:])
        prefix = f"subsets/{method}/{names[number]}"
        yield from _files(prefix, "record", ids[start:stop], size_of, belongs_to)


def _files(
    prefix: str,
    kind: Kind,
    ids: Sequence[int],
    size_of: dict[int, int],
    belongs_to: tuple[tuple[str, str], ...],
) -> Iterator[OutputFile]:
    missing = [landmark_id for landmark_id in ids if landmark_id not in size_of]
    if missing:
        raise ValueError(
            f"splits name landmark {missing[0]} ({len(missing)} in all), which has no selected "
            "image; run `mgld build` again"
        )
    weights = [size_of[landmark_id] + ROW_TEXT_BYTES for landmark_id in ids]
    shards = list(_cut(weights, SHARD_BYTES))
    for number, (start, stop) in enumerate(shards):
        groups = tuple(last - first for first, last in _cut(weights[start:stop], GROUP_BYTES))
        path = f"{prefix}-{number:05d}-of-{len(shards):05d}.parquet"
        yield OutputFile(path, kind, tuple(ids[start:stop]), groups, belongs_to)


def _cut(weights: Sequence[int], limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose weights sum to at most `limit`, or that hold a single row."""
    start = total = 0
    for row, weight in enumerate(weights):
        if row > start and total + weight > limit:
            yield start, row
            start, total = row, 0
        total += weight
    if start < len(weights):
        yield start, len(weights)


def _names_file(view: BuildView) -> OutputFile:
    count = len(view.table("catalog", "names", ["name"]))
    groups = tuple(stop - start for start, stop in _cut([1] * count, NAMES_PER_GROUP))
    path = "names/names-00000-of-00001.parquet"
    return OutputFile(path, "names", (), groups, (("names", "train"),))
